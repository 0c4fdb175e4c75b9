#!/usr/bin/env node
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { packageVersion } from '../node/package-version.ts';
import commandNames from './command-names.json' with { type: 'json' };
import { requireCompiled } from './compile-cache.ts';

/**
 * Bytes of bytecode that a function runs before V8 optimizes it, in place of 132 kB: in a run of a second, most is undone
 * or never used again, and costs a quarter of the time. What runs for long is optimized a few milliseconds later.
 */
const INTERRUPT_BUDGET = 1_000_000;

const command = process.argv[2] ?? '';
if (!(['--version', '-V'].includes(command) && printVersion())) {
  optimizeLate();
  // Each is a program of its own, made by scripts/bundle.mjs: what other commands need is not even read.
  requireCompiled(join(__dirname, commandNames.includes(command) ? `${command}.js` : 'all-commands.js'));
}

/** The V8 of Node 20 has this flag. Later ones count otherwise, and write of flags that they do not know. */
function optimizeLate(): void {
  if (process.versions.v8.startsWith('11.')) setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
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
