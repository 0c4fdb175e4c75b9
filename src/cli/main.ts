#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from '@commander-js/extra-typings';
import { DecodeError } from '../bytes/diagnostic.ts';
import { describeCommand } from './describe.ts';
import { dumpCommand } from './dump.ts';
import { extractCommand } from './extract.ts';
import { infoCommand } from './info.ts';
import { EXIT_TROUBLE } from './output.ts';

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}

const program = new Command('vmwalk')
  .description('Look inside the state of a QEMU/KVM virtual machine.')
  .version(version())
  .exitOverride()
  .showHelpAfterError('(vmwalk --help shows the usage)')
  .addHelpText(
    'after',
    `
Exit status: 0 fine, 1 the data has problems (all that could be decoded is printed), 2 usage or I/O.

Examples:
  vmwalk info vm.qevm
  vmwalk dump vm.qevm cpu
  zcat vm.qevm.gz | vmwalk dump -`,
  );
for (const command of [infoCommand, dumpCommand, describeCommand, extractCommand]) {
  program.addCommand(
    command.exitOverride().showHelpAfterError(`(vmwalk ${command.name()} --help shows the usage)`),
  );
}

// A reader that has seen enough (head, less) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitStatus(error);
}

function exitStatus(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_TROUBLE;
  if (error instanceof DecodeError) {
    process.stderr.write(`vmwalk: error: ${error.message}\n`);
    return error.code === 'io' || error.code === 'not-a-stream' ? EXIT_TROUBLE : 1;
  }
  const reason =
    error instanceof Error ? (process.env['DEBUG'] ? error.stack : error.message) : String(error);
  process.stderr.write(`vmwalk: error: ${reason}\n`);
  return EXIT_TROUBLE;
}
