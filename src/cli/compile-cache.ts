import { lstatSync, mkdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

const GROUP_AND_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
const CHECKSUM_SIZE = 4;

/** Loads a CommonJS file, which is compiled once for many runs where there is a place to keep what was compiled. */
export function requireCompiled(file: string): void {
  const require = createRequire(file);
  // What NODE_COMPILE_CACHE names is Node's to use; NODE_DISABLE_COMPILE_CACHE it honours itself.
  const given = process.env['NODE_COMPILE_CACHE'] !== undefined;
  const folder = given ? undefined : compileCacheFolder();
  const { enableCompileCache } = module as { enableCompileCache?(folder?: string): unknown };
  if (enableCompileCache) {
    if (given || folder !== undefined) enableCompileCache(folder);
    require(file);
  } else if (folder === undefined) require(file);
  else runCompiled(file, require, folder);
}

/** What Node 22.1 and later do by themselves. */
function runCompiled(file: string, require: NodeJS.Require, folder: string): void {
  const { size, ino, mtimeMs, ctimeMs } = statSync(file);
  const state = `${file} ${size} ${ino} ${mtimeMs} ${ctimeMs} ${process.version} ${process.arch}\n`;
  const kept = join(folder, `${basename(file)}.compiled`);
  const cachedData = compiledOf(kept, state);
  const script = new Script(module.wrap(readFileSync(file, 'latin1')), {
    filename: file,
    ...(cachedData ? { cachedData } : {}),
  });
  if (!cachedData || script.cachedDataRejected) {
    // At the end, what was needed is compiled, too.
    process.once('exit', () => keepCompiled(kept, state, script.createCachedData()));
  }
  const loaded = { exports: {} };
  script.runInThisContext()(loaded.exports, require, loaded, file, dirname(file));
}

/** What was kept of a file that is in this state. Its checksum is looked at, which V8 does not do. */
function compiledOf(path: string, state: string): Buffer | undefined {
  try {
    const bytes = readFileSync(path);
    const start = Buffer.byteLength(state) + CHECKSUM_SIZE;
    const compiled = bytes.subarray(start);
    return bytes.subarray(0, start).equals(headOf(state, compiled)) ? compiled : undefined;
  } catch {
    return undefined;
  }
}

function headOf(state: string, compiled: Buffer): Buffer {
  const checksum = Buffer.alloc(CHECKSUM_SIZE);
  checksum.writeUInt32BE(crc32(compiled));
  return Buffer.concat([Buffer.from(state), checksum]);
}

/** Whole or not at all; a cache that cannot be written is none. */
function keepCompiled(path: string, state: string, compiled: Buffer): void {
  const made = `${path}.${process.pid}`;
  try {
    writeFileSync(made, Buffer.concat([headOf(state, compiled), compiled]), { mode: 0o600, flag: 'wx' });
    renameSync(made, path);
  } catch {
    try {
      unlinkSync(made);
    } catch {
      // It was not made.
    }
  }
}

/**
 * A folder for compiled code that only this user can write to: what is in it is run. (Node's own choice is in the system's
 * temporary folder, where anyone can make it first.) Undefined where there is none that can be trusted.
 */
export function compileCacheFolder(): string | undefined {
  const { XDG_CACHE_HOME: given = '', NODE_DISABLE_COMPILE_CACHE: disabled } = process.env;
  if (disabled) return undefined;
  const user = process.geteuid?.();
  try {
    const folder = join(isAbsolute(given) ? given : join(homedir(), '.cache'), 'vmwalk', 'compiled');
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
