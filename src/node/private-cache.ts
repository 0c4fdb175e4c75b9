import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { crc32 } from 'node:zlib';

const GROUP_AND_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
const CHECKSUM_SIZE = 4;

/**
 * A folder for what later runs need not make again, that only this user can write to: `$XDG_CACHE_HOME/vmwalk/NAME` or
 * `~/.cache/vmwalk/NAME`. It is made where it is missing. Undefined where there is none that can be trusted, and with
 * `VMWALK_NO_CACHE`.
 */
export function privateCacheFolder(name: string): string | undefined {
  const { XDG_CACHE_HOME: given = '', VMWALK_NO_CACHE: disabled } = process.env;
  if (disabled) return undefined;
  const user = process.geteuid?.();
  try {
    const folder = join(isAbsolute(given) ? given : join(homedir(), '.cache'), 'vmwalk', name);
    if (user === undefined || process.getuid?.() !== user || !isAbsolute(folder)) return undefined;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isPrivate(folder, user)) return undefined;
    for (let parent = dirname(folder); ; parent = dirname(parent)) {
      if (!cannotBeReplaced(parent, user)) return undefined;
      if (parent === dirname(parent)) return folder;
    }
  } catch {
    return undefined;
  }
}

function isPrivate(folder: string, user: number): boolean {
  const found = lstatSync(folder);
  return found.isDirectory() && found.uid === user && (found.mode & 0o077) === 0;
}

/** Only this user or root can put something else in the place of what is in it. A link is not trusted. */
function cannotBeReplaced(folder: string, user: number): boolean {
  const found = lstatSync(folder);
  const isOwn = found.uid === user || found.uid === 0;
  return (
    found.isDirectory() &&
    isOwn &&
    ((found.mode & GROUP_AND_OTHERS_WRITE) === 0 || (found.mode & STICKY) !== 0)
  );
}

/**
 * What was kept in a file of such a folder for this state of what it was made of; undefined for a file that is not there,
 * of another state or damaged, larger than `limit` bytes, a link, or of another user.
 */
export function readKept(path: string, state: string, limit: number): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = fstatSync(file);
    if (!found.isFile() || found.uid !== process.geteuid?.() || found.size > limit) return undefined;
    const bytes = readFileSync(file);
    const start = Buffer.byteLength(state) + CHECKSUM_SIZE;
    const content = bytes.subarray(start);
    return bytes.subarray(0, start).equals(headOf(state, content)) ? content : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function headOf(state: string, content: Buffer): Buffer {
  const checksum = Buffer.alloc(CHECKSUM_SIZE);
  checksum.writeUInt32BE(crc32(content));
  return Buffer.concat([Buffer.from(state), checksum]);
}

/** Whole or not at all; a file that is there is replaced. A cache that cannot be written is none. */
export function keepFile(path: string, state: string, content: Buffer): void {
  const made = `${path}.${process.pid}`;
  try {
    writeFileSync(made, Buffer.concat([headOf(state, content), content]), { mode: 0o600, flag: 'wx' });
    renameSync(made, path);
  } catch {
    try {
      unlinkSync(made);
    } catch {
      // It was not made.
    }
  }
}
