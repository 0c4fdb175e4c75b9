import { createReadStream, fstatSync, ftruncateSync, writeSync } from 'node:fs';
import { access, constants, type FileHandle, open, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { DecodeError } from '../bytes/diagnostic.ts';
import { type FileSource, handleSource, openFile } from './file-source.ts';

/** Zeros are left out of the file in pieces of this size: the blocks of a file system. */
const HOLE_SIZE = 4096;
const zeros = Buffer.alloc(HOLE_SIZE);

/**
 * A temporary file that is written from its start to its end and then read as a source. It has no name from the start
 * and so vanishes with the process; zeros take no room in it.
 */
export class SpoolFile {
  readonly #handle: FileHandle;
  readonly #folder: string;
  #size = 0;

  private constructor(handle: FileHandle, folder: string) {
    this.#handle = handle;
    this.#folder = folder;
  }

  static async create(): Promise<SpoolFile> {
    // Loaded here, as most commands read a file in place.
    const { randomUUID } = await import('node:crypto');
    const folder = await temporaryFolder();
    const path = join(folder, `vmwalk-${randomUUID()}`);
    const handle = await open(path, 'wx+', 0o600).catch((error) => {
      throw spoolError(folder, error);
    });
    await unlink(path);
    return new SpoolFile(handle, folder);
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  /** Appends bytes, at once: who produces them is to wait. Throws DecodeError `io`. */
  write(chunk: Uint8Array): void {
    // Runs of bytes that are not left out, between blocks of zeros.
    let start = 0;
    for (let pos = (HOLE_SIZE - (this.#size % HOLE_SIZE)) % HOLE_SIZE; ; pos += HOLE_SIZE) {
      if (pos + HOLE_SIZE > chunk.byteLength) break;
      if (zeros.compare(chunk, pos, pos + HOLE_SIZE) !== 0) continue;
      this.#writeRun(chunk, start, pos);
      start = pos + HOLE_SIZE;
    }
    this.#writeRun(chunk, start, chunk.byteLength);
    this.#size += chunk.byteLength;
  }

  #writeRun(chunk: Uint8Array, start: number, end: number): void {
    try {
      for (let pos = start; pos < end; ) {
        pos += writeSync(this.#handle.fd, chunk, pos, end - pos, this.#size + pos);
      }
    } catch (error) {
      throw spoolError(this.#folder, error);
    }
  }

  /** What was written, as a source; closing it removes the file. */
  finish(name: string): FileSource {
    ftruncateSync(this.#handle.fd, this.#size);
    return handleSource(this.#handle, name, this.#size);
  }

  /** Removes the file. */
  async discard(): Promise<void> {
    await this.#handle.close();
  }
}

/** $TMPDIR, else /var/tmp, which is for large files, where /tmp is in memory on many systems. */
async function temporaryFolder(): Promise<string> {
  const { TMPDIR } = process.env;
  if (TMPDIR) return TMPDIR;
  const { tmpdir } = await import('node:os');
  return access('/var/tmp', constants.W_OK).then(() => '/var/tmp', tmpdir);
}

function spoolError(folder: string, cause: unknown): DecodeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `cannot keep the stream in a temporary file: ${reason} (in ${folder}; TMPDIR names another folder)`;
  return new DecodeError({ severity: 'error', code: 'io', message }, { cause });
}

/**
 * A stream that can only be read forward, as a source: it is written to a temporary file. Throws what the stream throws,
 * or DecodeError `io`.
 */
export async function spoolToFile(stream: Readable, name: string): Promise<FileSource> {
  const spool = await SpoolFile.create();
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) spool.write(chunk);
  } catch (error) {
    await spool.discard();
    throw error;
  }
  return spool.finish(name);
}

/** Opens a path: a regular file in place; a named pipe, a device or a socket's end is spooled. Throws DecodeError `io`. */
export async function openPath(path: string): Promise<FileSource> {
  const found = await stat(path).catch(() => undefined);
  if (!found || found.isFile() || found.isDirectory()) return openFile(path);
  return spoolToFile(createReadStream(path), path);
}

/** Standard input as a source: read in place when it is a file from its beginning, otherwise spooled. */
export async function openStandardInput(): Promise<FileSource> {
  const name = '<stdin>';
  if (process.platform === 'linux' && fstatSync(0).isFile()) {
    // Another process may have read a header from it already.
    const atStart = /^pos:\s*0$/m.test(await readFile('/proc/self/fdinfo/0', 'utf8').catch(() => ''));
    if (atStart) return { ...(await openFile('/dev/stdin')), name };
  }
  return spoolToFile(process.stdin, name);
}
