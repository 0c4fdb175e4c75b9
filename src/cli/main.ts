#!/usr/bin/env node
import module from 'node:module';
import { compileCacheFolder } from './compile-cache.ts';

const { enableCompileCache } = module as { enableCompileCache?(folder?: string): unknown };
if (enableCompileCache) {
  // What NODE_COMPILE_CACHE names is Node's to use; NODE_DISABLE_COMPILE_CACHE it honours itself.
  const given = process.env['NODE_COMPILE_CACHE'] !== undefined;
  const folder = given ? undefined : compileCacheFolder();
  // What is imported from here on is compiled once for many runs (Node 22.1 and later).
  if (given || folder !== undefined) enableCompileCache(folder);
}
await import('./program.ts');
