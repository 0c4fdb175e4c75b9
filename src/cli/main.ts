#!/usr/bin/env node
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { packageVersion } from '../node/package-version.ts';
import commandNames from './command-names.json' with { type: 'json' };
import { requireCompiled } from './compile-cache.ts';

const command = process.argv[2] ?? '';
if (!(['--version', '-V'].includes(command) && printVersion())) {
  // Each is a program of its own, made by scripts/bundle.mjs: what other commands need is not even read.
  requireCompiled(join(__dirname, commandNames.includes(command) ? `${command}.js` : 'all-commands.js'));
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
