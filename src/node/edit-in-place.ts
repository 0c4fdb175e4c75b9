import { closeSync, fstatSync, fsyncSync, openSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { badArgument, editRefused, printable } from '../bytes/diagnostic.ts';
import { equalBytes } from '../bytes/equal-bytes.ts';
import { type FinishedSource, locate, readExactly } from '../bytes/source.ts';
import { type Patch, withPatches } from '../edit/edited-stream.ts';
import { parseFile } from '../edit/read-decoded.ts';
import { hexBytes } from '../render/value.ts';
import { asArray, asInteger, asObject, asText, JsonProblem } from '../schema/checked-json.ts';
import { writeFully, writeOutput } from './output.ts';
import { readFully } from './read-fully.ts';
import { readTextFile } from './schema-file.ts';
import { failureReason, isSystemError } from './system-error.ts';

const UNDO_FORMAT = 'vmwalk-undo';
const UNDO_VERSION = 1;
const HEX = /^(?:[0-9a-f]{2})+$/;
/** Where libvirt keeps what `virsh managedsave` wrote, and knows by its own records what is in it. */
const MANAGED_SAVE = /\/libvirt\/qemu\/save\/[^/]+\.save$/;

/** Bytes of a file that become others. */
interface FileChange {
  /** Offset in the file. */
  readonly offset: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/**
 * Changes bytes of a stream in the file that it is in, also inside of an image, and nothing else. What was there is
 * written to `undo` first, with which `revertInPlace` brings it back, also when the change was broken off. Takes a time
 * that hangs on the changes alone. Throws DecodeError `edit-refused` where a process has the file open, where libvirt
 * manages it, or where the bytes are not stored as such; `bad-argument` for a file that is none; OutputError.
 */
export async function patchInPlace(
  path: string,
  source: FinishedSource,
  patches: readonly Patch[],
  undo: string,
): Promise<void> {
  const changes = await changesOf(source, patches);
  const file = openChangeable(path);
  try {
    for (const { offset, before } of changes) checkBytes(file.fd, offset, before, path);
    const text = JSON.stringify({
      format: UNDO_FORMAT,
      formatVersion: UNDO_VERSION,
      file: file.path,
      size: file.size,
      changes: changes.map(({ offset, before, after }) => ({
        offset,
        before: hexBytes(before),
        after: hexBytes(after),
      })),
    });
    await writeOutput(undo, [`${text}\n`], 'keep', 0o600);
    for (const each of [undo, dirname(undo)]) syncPath(each);
    for (const { offset, after } of changes) writeFully(file.fd, after, offset);
    fsyncSync(file.fd);
  } catch (error) {
    throw isSystemError(error)
      ? new Error(`${printable(path)}: ${failureReason(error)}`, { cause: error })
      : error;
  } finally {
    closeSync(file.fd);
  }
}

/**
 * Brings back what `patchInPlace` has changed in a file. Throws DecodeError as it does, and `bad-argument` where the file
 * holds neither what was before nor what came then.
 */
export async function revertInPlace(path: string, undo: string): Promise<void> {
  const { size, changes } = parseUndo(await readTextFile(undo), undo);
  const file = openChangeable(path);
  try {
    if (file.size !== size)
      throw badArgument(`${printable(path)} is not the file of ${printable(undo)}: its size is another`);
    for (const { offset, before, after } of changes) {
      const now = readFully(file.fd, offset, before.byteLength);
      // A change that was broken off is there in part.
      const isKnown = now.every((byte, i) => byte === before[i] || byte === after[i]);
      if (now.byteLength !== before.byteLength || !isKnown)
        throw badArgument(`${printable(path)} holds other bytes at ${offset} than ${printable(undo)} says`);
    }
    for (const { offset, before } of changes) writeFully(file.fd, before, offset);
    fsyncSync(file.fd);
  } finally {
    closeSync(file.fd);
  }
}

async function changesOf(source: FinishedSource, patches: readonly Patch[]): Promise<FileChange[]> {
  const changes: FileChange[] = [];
  const patched = withPatches(source, patches);
  for (const { start, end } of rangesOf(patches)) {
    const bytes = (await readExactly(patched, start, end - start)).slice();
    for (let done = 0; done < bytes.byteLength; ) {
      const { offset, length } = await locate(source, start + done);
      if (offset === undefined || length === 0)
        throw editRefused(
          'the stream is not stored as such in its file (it is compressed, or was read from a pipe): write another one with -o',
        );
      const after = bytes.subarray(done, done + length);
      const before = (await readExactly(source, start + done, after.byteLength)).slice();
      changes.push({ offset, before, after });
      done += after.byteLength;
    }
  }
  return changes;
}

/** What patches cover, of which several may be of one place: in order, nothing twice. */
function rangesOf(patches: readonly Patch[]): { readonly start: number; readonly end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  for (const { start, bytes } of patches.toSorted((a, b) => a.start - b.start)) {
    const end = start + bytes.byteLength;
    const last = ranges.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else ranges.push({ start, end });
  }
  return ranges;
}

function openChangeable(path: string): { readonly fd: number; readonly path: string; readonly size: number } {
  let fd: number;
  let real: string;
  try {
    real = realpathSync(path);
    fd = openSync(real, 'r+');
  } catch (error) {
    throw new Error(`${printable(path)}: ${failureReason(error)}`, { cause: error });
  }
  const { dev, ino, size } = fstatSync(fd);
  try {
    if (!fstatSync(fd).isFile()) throw badArgument(`${printable(path)} is no regular file`);
    if (MANAGED_SAVE.test(real))
      throw editRefused(`${printable(path)} is managed by libvirt: "virsh save" makes an image that is not`);
    const pid = processWith(dev, ino);
    if (pid !== undefined) throw editRefused(`${printable(path)} is open in process ${pid}`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { fd, path: real, size };
}

/** Another process that has a file open, of those that can be looked at. */
function processWith(dev: number, ino: number): number | undefined {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const found = statSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false });
        if (found?.ino === ino && found.dev === dev) return Number(pid);
      }
    } catch {
      // It has ended, or is somebody else's.
    }
  }
  return undefined;
}

function checkBytes(fd: number, offset: number, wanted: Uint8Array, path: string): void {
  const now = readFully(fd, offset, wanted.byteLength);
  if (!equalBytes(now, wanted)) throw editRefused(`${printable(path)} was changed while it was read`);
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function parseUndo(
  text: string,
  path: string,
): { readonly size: number; readonly changes: readonly FileChange[] } {
  return parseFile(text, path, (value) => {
    const object = asObject(value, 'the file');
    if (object['format'] !== UNDO_FORMAT || object['formatVersion'] !== UNDO_VERSION)
      throw new JsonProblem('it is no undo file of this vmwalk');
    const changes = asArray(object['changes'], 'changes').map((each, i) => {
      const change = asObject(each, `changes[${i}]`);
      const bytes = (name: string) => {
        const digits = asText(change[name], `changes[${i}].${name}`);
        if (!HEX.test(digits)) throw new JsonProblem(`"changes[${i}].${name}" is not hex digits`);
        return Uint8Array.from(Buffer.from(digits, 'hex'));
      };
      const [before, after] = [bytes('before'), bytes('after')];
      if (before.byteLength !== after.byteLength) throw new JsonProblem(`"changes[${i}]" is of two lengths`);
      return {
        offset: asInteger(change['offset'], 0, Number.MAX_SAFE_INTEGER, `changes[${i}].offset`),
        before,
        after,
      };
    });
    return { size: asInteger(object['size'], 0, Number.MAX_SAFE_INTEGER, 'size'), changes };
  });
}
