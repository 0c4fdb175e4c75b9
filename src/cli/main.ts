#!/usr/bin/env node
import { writeSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import commandNames from './command-names.json' with { type: 'json' };
import { compileCacheFolder } from './compile-cache.ts';
import { packageVersion } from './version.ts';

const command = process.argv[2] ?? '';
if (!(['--version', '-V'].includes(command) && printVersion())) {
  cacheCompiledCode();
  // Each is a program of its own, made by scripts/bundle.mjs: what other commands need is not even read.
  createRequire(__filename)(commandNames.includes(command) ? `./${command}.js` : './all-commands.js');
}

/** Without loading anything. False where it cannot be written at once, or at all, which the program says. */
function printVersion(): boolean {
  try {
    writeSync(1, `${packageVersion()}\n`);
    return true;
  } catch {
    return false;
  }
}

/** What is loaded from here on is compiled once for many runs (Node 22.1 and later). */
function cacheCompiledCode(): void {
  const { enableCompileCache } = module as { enableCompileCache?(folder?: string): unknown };
  if (!enableCompileCache) return;
  // What NODE_COMPILE_CACHE names is Node's to use; NODE_DISABLE_COMPILE_CACHE it honours itself.
  const given = process.env['NODE_COMPILE_CACHE'] !== undefined;
  const folder = given ? undefined : compileCacheFolder();
  if (given || folder !== undefined) enableCompileCache(folder);
}
