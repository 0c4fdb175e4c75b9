#!/usr/bin/env node
/**
 * Makes the built-in schemas: reads the VMSD tables of every QEMU system emulator in some roots, and writes them
 * compressed, with an index of the machine types that each has.
 */

import { closeSync, openSync, readdirSync, readSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { extractSchemaOfFile, writeSchemaFile } from '../../dist/node/schema-file.js';

const HELP = `Usage: node scripts/builtin-schemas/build.mjs ROOT…

ROOT is / or a chroot with QEMU's packages (scripts/capture/capture.mjs --help tells how to make one). Writes
schemas/VERSION-TARGET.json.gz and schemas/index.json. Run "npm run build" first.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean' } },
});
if (values.help || positionals.length === 0) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 2);
}

const folder = new URL('../../schemas/', import.meta.url).pathname;
const index = [];
for (const root of positionals) {
  const files = readdirSync(join(root, 'usr/bin'), { withFileTypes: true });
  for (const name of files
    .filter((file) => file.isFile())
    .map((file) => file.name)
    .sort()) {
    const target = /^qemu-system-([a-z0-9_]+)$/.exec(name)?.[1];
    const file = join(root, 'usr/bin', name);
    // Some are scripts that start the binary of another target.
    if (!target || !isElf(file)) continue;
    const schema = await extractSchemaOfFile(file);
    const version = /^\d+\.\d+/.exec(schema.qemuVersion ?? '')?.[0];
    if (!version) throw new Error(`${root} ${name}: version not found`);
    const output = `${version}-${target}.json.gz`;
    await writeSchemaFile(join(folder, output), schema);
    index.push({ file: output, qemuVersion: schema.qemuVersion, target, machineTypes: schema.machineTypes });
    process.stdout.write(
      `${output}  ${schema.vmsds.length} VMSDs  ${statSync(join(folder, output)).size} bytes\n`,
    );
  }
}
writeFileSync(join(folder, 'index.json'), `${JSON.stringify(index, undefined, 1)}\n`);

/** @param {string} path */
function isElf(path) {
  const start = Buffer.alloc(4);
  const file = openSync(path, 'r');
  readSync(file, start);
  closeSync(file);
  return start.equals(Buffer.from('\x7fELF', 'latin1'));
}
