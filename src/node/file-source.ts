import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { DecodeError } from '../bytes/diagnostic.ts';
import type { ByteSource } from '../bytes/source.ts';
import { failureReason } from './system-error.ts';

/** A file that is open for reading. */
export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

/** Opens a regular file or block device as a source. Throws DecodeError `io`. */
export async function openFile(path: string): Promise<FileSource> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw readError(path, error);
  }
  const stat = await handle.stat().catch(async (error) => {
    await handle.close();
    throw readError(path, error);
  });
  if (stat.isDirectory()) {
    await handle.close();
    throw readError(path, new Error('is a directory'));
  }
  return handleSource(handle, path, stat.size);
}

/** Bytes that are read at once rather than by another thread: from the disk cache that is done before a thread is awake. */
const SMALL_READ = 256 << 10;

/** A source over an open file. `size` is that of the file. */
export function handleSource(handle: FileHandle, name: string, size: number): FileSource {
  return {
    name,
    size,
    async read(offset, length, into) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      const buffer = into ?? new Uint8Array(wanted);
      let loaded = 0;
      try {
        while (loaded < wanted) {
          const left = wanted - loaded;
          const bytesRead =
            left <= SMALL_READ
              ? readSync(handle.fd, buffer, loaded, left, offset + loaded)
              : (await handle.read(buffer, loaded, left, offset + loaded)).bytesRead;
          if (bytesRead === 0) break;
          loaded += bytesRead;
        }
      } catch (error) {
        throw readError(name, error);
      }
      return buffer.subarray(0, loaded);
    },
    close: () => handle.close(),
  };
}

/** A file that cannot be read, with the reason. */
export function readError(name: string, cause: unknown): DecodeError {
  return new DecodeError(
    { severity: 'error', code: 'io', message: `cannot read ${name}: ${failureReason(cause)}` },
    { cause },
  );
}
