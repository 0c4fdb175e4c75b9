import { channel } from 'node:diagnostics_channel';
import { fstatSync, readSync, type Stats, statSync } from 'node:fs';
import { constants, type FileHandle, open, readFile } from 'node:fs/promises';
import { badArgument, DecodeError, printable } from '../bytes/diagnostic.ts';
import { changedError, type FinishedSource } from '../bytes/source.ts';
import { failureReason } from './system-error.ts';

/** A file that is open for reading. */
export interface FileSource extends FinishedSource {
  close(): Promise<void>;
}

/**
 * Opens a regular file or block device as a source. Pipes and the like, which are read forward only, are for `openPath`.
 * Throws DecodeError `io`. A regular file that is written to, cut or replaced is `changed` from then on.
 */
export async function openFile(path: string): Promise<FileSource> {
  let handle: FileHandle;
  try {
    // A pipe that nobody writes to, and a terminal, are not waited for.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw readError(path, error);
  }
  try {
    const found = await handle.stat();
    return handleSource(handle, path, await sizeInPlace(found), found.isFile() ? found : undefined);
  } catch (error) {
    await handle.close();
    throw readError(path, error);
  }
}

/** Bytes of what can be read at any place. Throws Error for what cannot. */
async function sizeInPlace(found: Stats): Promise<number> {
  if (found.isDirectory()) throw new Error('is a directory');
  if (found.isFile()) return found.size;
  if (found.isBlockDevice()) return blockDeviceSize(found.rdev);
  throw new Error('it is no regular file');
}

/** Linux counts sectors of 512 bytes, whatever those of the device are; stat says 0. */
async function blockDeviceSize(device: number): Promise<number> {
  // As makedev of glibc puts them together.
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  return 512 * Number(await readFile(`/sys/dev/block/${major}:${minor}/size`, 'utf8'));
}

/** Tells who subscribes (see node:diagnostics_channel) how many bytes are about to be read from a file. */
export const READS_CHANNEL = 'vmwalk:read';
const reads = channel(READS_CHANNEL);

/** Bytes that are read at once rather than by another thread: from the disk cache that is done before a thread is awake. */
const SMALL_READ = 256 << 10;
/** Bytes that are read so before timers and signals get their turn. */
const READ_WITHOUT_TURN = 16 << 20;

/** What has become of an open file since it was as `before`: undefined for nothing that matters to its bytes. */
function changeSince(before: Stats, fd: number, path: string): string | undefined {
  const now = fstatSync(fd);
  if (now.size !== before.size) return `it had ${before.size} bytes, and has ${now.size}`;
  if (now.mtimeMs !== before.mtimeMs) return 'it was written to';
  if (now.nlink >= before.nlink) return undefined;
  const other = statSync(path, { throwIfNoEntry: false });
  const isOther = other && (other.ino !== before.ino || other.dev !== before.dev);
  return isOther ? 'another file has its name' : undefined;
}

/** A source over an open file. `size` is that of the file, and `found` what it is to stay. */
export function handleSource(handle: FileHandle, name: string, size: number, found?: Stats): FileSource {
  const checkIdentity = () => {
    const how = found && changeSince(found, handle.fd, name);
    if (how !== undefined) throw changedError(name, how);
  };
  let sinceTurn = 0;
  return {
    name,
    size,
    identity: found && `${found.dev}:${found.ino}:${found.mtimeMs}:${found.size}`,
    end: () => Promise.resolve(size),
    ...(found ? { withoutIdentity: () => handleSource(handle, name, size) } : {}),
    async read(offset, length, into) {
      // Node would say that the descriptor, -1, is out of range.
      if (handle.fd < 0) throw badArgument(`${printable(name)} was closed, and is not read any more`);
      const wanted = Math.max(0, Math.min(length, size - offset));
      if (reads.hasSubscribers) reads.publish(wanted);
      const buffer = into ?? new Uint8Array(wanted);
      let loaded = 0;
      try {
        while (loaded < wanted) {
          const left = wanted - loaded;
          let bytesRead: number;
          if (left <= SMALL_READ && sinceTurn < READ_WITHOUT_TURN) {
            bytesRead = readSync(handle.fd, buffer, loaded, left, offset + loaded);
            sinceTurn += bytesRead;
          } else {
            ({ bytesRead } = await handle.read(buffer, loaded, left, offset + loaded));
            sinceTurn = 0;
          }
          if (bytesRead === 0) {
            checkIdentity();
            throw new Error(`it ends at ${offset + loaded}, and had ${size} bytes`);
          }
          loaded += bytesRead;
        }
      } catch (error) {
        throw error instanceof DecodeError ? error : readError(name, error);
      }
      checkIdentity();
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
