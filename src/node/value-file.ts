import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { badArgument, printable } from '../bytes/diagnostic.ts';
import { readFully } from './read-fully.ts';
import { failureReason, isSystemError } from './system-error.ts';

/** Bytes of a value: no section has more. */
const MAX_VALUE = 64 << 20;

/**
 * The bytes of a file that are the value of a field. Throws DecodeError `bad-argument` for what is no regular file, or has
 * more than 64 MiB; an error with the name for one that cannot be read.
 */
export function readValueFile(path: string): Uint8Array {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) throw badArgument(`${printable(path)} is no regular file`);
      if (stats.size > MAX_VALUE)
        throw badArgument(`${printable(path)} has ${stats.size} bytes, more than any field`);
      return readFully(fd, 0, stats.size);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw isSystemError(error)
      ? new Error(`${printable(path)}: ${failureReason(error)}`, { cause: error })
      : error;
  }
}
