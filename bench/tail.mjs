/**
 * What a stream's device state costs when the RAM in front of it is not read.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes of a section's footer. */
const FOOTER = 5;
const CHUNK = 1 << 20;
/** More than the lines of the device state. */
const MAX_OUTPUT = 1 << 30;

/**
 * @param {readonly string[]} vmwalk
 * @param {string} stream
 * @returns {{ offset: number, size: number }}  RAM's records but the first, as `dump` skips them.
 */
function skippedRam(vmwalk, stream) {
  const line = lines([...vmwalk, 'dump', '--ndjson', stream, 'ram']).find((text) =>
    text.includes('"(not scanned)"'),
  );
  if (line === undefined) throw new Error(`dump reads all of ${stream}`);
  return JSON.parse(line);
}

/**
 * Makes of a stream one of `size` bytes: with a hole in the place of its RAM, so that it takes no room. (A hole is no
 * RAM that QEMU wrote: to scan it in full gives errors. RAM that is not zero cannot be sparse, as the header of a page
 * in front of each makes them lie across the blocks of the file system.)
 *
 * @param {readonly string[]} vmwalk
 * @param {string} stream
 * @param {string} folder
 * @param {number} size
 * @returns {string}  Its path.
 */
export function stretch(vmwalk, stream, folder, size) {
  const { offset, size: ram } = skippedRam(vmwalk, stream);
  const path = join(folder, 'stretched.qevm');
  rmSync(path, { force: true });
  const [from, to] = [openSync(stream, 'r'), openSync(path, 'w')];
  try {
    const { size: whole } = fstatSync(from);
    // With records to skip behind it.
    copy(from, 0, to, 0, offset + CHUNK);
    const rest = offset + ram - FOOTER;
    copy(from, rest, to, size - (whole - rest), whole - rest);
  } finally {
    closeSync(from);
    closeSync(to);
  }
  return path;
}

/**
 * @param {number} from
 * @param {number} start
 * @param {number} to
 * @param {number} target
 * @param {number} length
 */
function copy(from, start, to, target, length) {
  const buffer = Buffer.alloc(CHUNK);
  for (let done = 0; done < length; ) {
    const read = readSync(from, buffer, 0, Math.min(CHUNK, length - done), start + done);
    if (read === 0) throw new Error('the stream ends while it is copied');
    writeSync(to, buffer, 0, read, target + done);
    done += read;
  }
}

/**
 * SHA-256 of the lines that `dump --ndjson` prints for everything but RAM.
 *
 * @param {readonly string[]} vmwalk
 * @param {string} stream
 * @param {readonly string[]} options
 */
export function deviceStateHash(vmwalk, stream, options) {
  const hash = createHash('sha256');
  for (const line of lines([...vmwalk, 'dump', '--ndjson', ...options, stream]))
    if (!line.startsWith('{"section":"ram"')) hash.update(`${line}\n`);
  return hash.digest('hex');
}

/** @param {readonly string[]} command */
function lines([program, ...args]) {
  const { stdout, status } = spawnSync(program, args, { maxBuffer: MAX_OUTPUT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with status ${status}`);
  return stdout.trimEnd().split('\n');
}
