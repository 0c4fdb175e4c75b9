import { createReadStream, fstatSync, ftruncateSync, readSync, rmSync } from 'node:fs';
import { access, constants, type FileHandle, open, readFile, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { DecodeError, printable } from '../bytes/diagnostic.ts';
import type { Spool } from '../memory/spool.ts';
import { type FileSource, handleSource, openFile, readError } from './file-source.ts';
import { writeFully } from './output.ts';
import { whenProcessEnds } from './process-end.ts';
import { failureReason, isSystemError } from './system-error.ts';

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
    const folder = await temporaryFolder();
    try {
      return new SpoolFile(await openNameless(folder), folder);
    } catch (error) {
      throw spoolError(folder, error);
    }
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
      writeFully(this.#handle.fd, chunk.subarray(start, end), this.#size + start);
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

/** Linux: a file that never has a name. The numbers are those of all its architectures that Node runs on. */
const TMPFILE = 0o20000000 | constants.O_DIRECTORY;
/** What open says of it where the file system or the kernel cannot. */
const NO_TMPFILE: ReadonlySet<string> = new Set(['EISDIR', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL', 'ENOENT']);

/** A new file for reading and writing that has no name, so that nothing can leave it behind. */
async function openNameless(folder: string): Promise<FileHandle> {
  if (process.platform === 'linux') {
    try {
      return await open(folder, TMPFILE | constants.O_RDWR | constants.O_EXCL, 0o600);
    } catch (error) {
      if (!NO_TMPFILE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  // Loaded here, as most commands read a file in place.
  const { randomUUID } = await import('node:crypto');
  const path = join(folder, `vmwalk-${randomUUID()}`);
  const done = whenProcessEnds(() => rmSync(path, { force: true }));
  try {
    return await open(path, 'wx+', 0o600);
  } finally {
    await rm(path, { force: true });
    done();
  }
}

/** $TMPDIR, else /var/tmp, which is for large files, where /tmp is in memory on many systems. */
export async function temporaryFolder(): Promise<string> {
  const { TMPDIR } = process.env;
  if (TMPDIR) return TMPDIR;
  const { tmpdir } = await import('node:os');
  return access('/var/tmp', constants.W_OK).then(() => '/var/tmp', tmpdir);
}

function spoolError(folder: string, cause: unknown): DecodeError {
  const message = `cannot keep the stream in a temporary file: ${failureReason(cause)} (in ${folder}; TMPDIR names another folder)`;
  return new DecodeError({ severity: 'error', code: 'io', message }, { cause });
}

/** Bytes by which is told whether a stream is of use, and that are kept of one that is not: what it is shows in them. */
const BEGINNING = 64 << 10;

export interface SpoolOptions {
  /** Whether what begins so (with up to 64 KiB, less only where it ends) is to be read further; it is without this. */
  isOfUse?(beginning: Uint8Array): boolean;
  /** What is longer is not read on. */
  readonly limit?: SpoolLimit;
}

/** How much is taken, and what that much is: `half of …`. */
export interface SpoolLimit {
  readonly bytes: number;
  readonly reason: string;
}

/** A spool for pages: a file without a name in `folder`, else $TMPDIR, else /var/tmp. Throws DecodeError `io`. */
export async function openPageSpool(bytes: number, folder?: string): Promise<Spool> {
  const place = folder ?? (await temporaryFolder());
  const where = `${printable(place)} (--spool names another folder)`;
  const failed = (cause: unknown) => {
    const message = `cannot keep pages in a temporary file: ${failureReason(cause)}, in ${where}`;
    return new DecodeError({ severity: 'error', code: 'io', message }, { cause });
  };
  const file = await (async () => {
    const { bavail, bsize } = await statfs(place);
    const free = bavail * bsize;
    if (free < bytes) throw new Error(`${bytes} bytes are needed, and ${free} are free`);
    return openNameless(place);
  })().catch((error) => {
    throw failed(error);
  });
  return {
    async write(offset, written) {
      try {
        writeFully(file.fd, written, offset);
      } catch (error) {
        throw failed(error);
      }
    },
    async read(offset, into) {
      try {
        for (let done = 0; done < into.length; ) {
          const length = readSync(file.fd, into, done, into.length - done, offset + done);
          // Behind the last byte that was written, too, all is zero.
          if (length === 0) into.fill(0, done);
          done = length === 0 ? into.length : done + length;
        }
      } catch (error) {
        throw failed(error);
      }
    },
    close: () => file.close(),
  };
}

/** What leaves others as much room as it takes. */
export async function halfOfFreeSpace(): Promise<SpoolLimit> {
  const folder = await temporaryFolder();
  try {
    const { bavail, bsize } = await statfs(folder);
    return {
      bytes: Math.floor((bavail * bsize) / 2),
      reason: `half of what is free in ${folder} ($TMPDIR names another folder)`,
    };
  } catch (error) {
    throw spoolError(folder, error);
  }
}

/**
 * A stream that can only be read forward, as a source: it is written to a temporary file. Throws what the stream throws,
 * or DecodeError `io`.
 */
export async function spoolToFile(
  stream: Readable,
  name: string,
  { isOfUse, limit }: SpoolOptions = {},
): Promise<FileSource> {
  // It may fail before it is looked at.
  stream.on('error', () => {});
  const spool = await SpoolFile.create().catch((error) => {
    stream.destroy();
    throw error;
  });
  try {
    // Undefined once the stream has shown that it is of use.
    let beginning = isOfUse ? new Uint8Array(0) : undefined;
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      if (limit && chunk.byteLength > limit.bytes - spool.size) {
        const message = `cannot read ${name}: it has more than ${limit.bytes} bytes, which are ${limit.reason}`;
        throw new DecodeError({ severity: 'error', code: 'io', message });
      }
      spool.write(chunk);
      if (!beginning) continue;
      beginning = Buffer.concat([beginning, chunk]);
      if (beginning.length < BEGINNING) continue;
      // It may have no end: leaving the loop closes it.
      if (!isOfUse?.(beginning)) break;
      beginning = undefined;
    }
  } catch (error) {
    await spool.discard();
    throw isSystemError(error) ? readError(name, error) : error;
  }
  return spool.finish(name);
}

/**
 * Opens a path: a regular file or block device in place; a named pipe, another device or a socket's end is spooled, as
 * are files that have no size, which those of /proc do not tell. A pipe that nobody writes to is waited for. Throws
 * DecodeError `io`.
 */
export async function openPath(path: string, options?: SpoolOptions): Promise<FileSource> {
  const found = await stat(path).catch(() => undefined);
  const isForward =
    found && (found.isFile() ? found.size === 0 : !(found.isDirectory() || found.isBlockDevice()));
  return isForward ? spoolToFile(createReadStream(path), path, options) : openFile(path);
}

/** Standard input as a source: read in place when it is a file from its beginning, otherwise spooled. */
export async function openStandardInput(options?: SpoolOptions): Promise<FileSource> {
  const name = '<stdin>';
  const found = fstatSync(0);
  if (found.isDirectory()) throw readError(name, new Error('is a directory'));
  if (process.platform === 'linux' && found.isFile() && found.size > 0) {
    // Another process may have read a header from it already.
    const atStart = /^pos:\s*0$/m.test(await readFile('/proc/self/fdinfo/0', 'utf8').catch(() => ''));
    if (atStart) return { ...(await openFile('/dev/stdin')), name };
  }
  return spoolToFile(process.stdin, name, options);
}
