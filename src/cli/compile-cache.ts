import { readFileSync, statSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { keepFile, privateCacheFolder, readKept } from '../node/private-cache.ts';

/** Bytes of the compiled code of a command, of which real ones have 2 MB. */
const MAX_COMPILED = 64 << 20;

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
  // Its checksum was looked at, which V8 does not do.
  const cachedData = readKept(kept, state, MAX_COMPILED);
  const script = new Script(module.wrap(readFileSync(file, 'latin1')), {
    filename: file,
    ...(cachedData ? { cachedData } : {}),
  });
  if (!cachedData || script.cachedDataRejected) {
    // At the end, what was needed is compiled, too.
    process.once('exit', () => keepFile(kept, state, script.createCachedData()));
  }
  const loaded = { exports: {} };
  script.runInThisContext()(loaded.exports, require, loaded, file, dirname(file));
}

/**
 * A folder for compiled code that only this user can write to: what is in it is run. (Node's own choice is in the system's
 * temporary folder, where anyone can make it first.) Undefined where there is none that can be trusted.
 */
export function compileCacheFolder(): string | undefined {
  return process.env['NODE_DISABLE_COMPILE_CACHE'] ? undefined : privateCacheFolder('compiled');
}
