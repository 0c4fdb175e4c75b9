import { createReadStream, fstatSync } from 'node:fs';
import { open, readFile, stat, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type FileSource, handleSource, openFile } from './file-source.ts';

/**
 * A stream that can only be read forward, as a source: it is written to a temporary file, which has no name from the
 * start and so vanishes with the process. Throws what the stream or the file system throws.
 */
export async function spoolToFile(stream: Readable, name: string): Promise<FileSource> {
  // Loaded here, as most commands read a file in place.
  const { randomUUID } = await import('node:crypto');
  const path = join(tmpdir(), `vmwalk-${randomUUID()}`);
  const handle = await open(path, 'wx+', 0o600);
  await unlink(path);
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      for (let written = 0; written < chunk.byteLength; ) {
        const { bytesWritten } = await handle.write(chunk, written, chunk.byteLength - written, size);
        written += bytesWritten;
        size += bytesWritten;
      }
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  return handleSource(handle, name, size);
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
