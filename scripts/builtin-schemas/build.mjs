#!/usr/bin/env node
/**
 * Makes the built-in schemas: reads the VMSD tables of every QEMU system emulator in some roots, and writes them
 * compressed, with an index of the machine types that each has.
 */

import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { extractSchemaOfFile, writeSchemaFile } from '../../dist/node/schema-file.js';

const HELP = `Usage: node scripts/builtin-schemas/build.mjs [--target NAME]… ROOT…

ROOT is / or a chroot with QEMU's packages (scripts/capture/capture.mjs --help tells how to make one). Writes
schemas/VERSION-TARGET.json.gz and schemas/index.json. Run "npm run build" first.
`;

/** Targets whose streams Debian's users meet; all those of a root with --target '*'. */
const TARGETS = [
  'x86_64',
  'aarch64',
  'arm',
  'loongarch64',
  'mips',
  'mips64',
  'mips64el',
  'mipsel',
  'ppc',
  'ppc64',
  'riscv32',
  'riscv64',
  's390x',
  'sparc',
  'sparc64',
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { target: { type: 'string', multiple: true }, help: { type: 'boolean' } },
});
if (values.help || positionals.length === 0) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 2);
}

const wanted = values.target ?? TARGETS;
const folder = new URL('../../schemas/', import.meta.url).pathname;
const index = [];
for (const root of positionals) {
  for (const name of readdirSync(join(root, 'usr/bin')).sort()) {
    const target = /^qemu-system-([a-z0-9_]+)$/.exec(name)?.[1];
    if (!target || !(wanted.includes(target) || wanted.includes('*'))) continue;
    const schema = await extractSchemaOfFile(join(root, 'usr/bin', name));
    const version = /^\d+\.\d+/.exec(schema.qemuVersion ?? '')?.[0];
    if (!version) throw new Error(`${root} ${name}: version not found`);
    const file = `${version}-${target}.json.gz`;
    await writeSchemaFile(join(folder, file), schema);
    index.push({ file, qemuVersion: schema.qemuVersion, target, machineTypes: schema.machineTypes });
    process.stdout.write(
      `${file}  ${schema.vmsds.length} VMSDs  ${statSync(join(folder, file)).size} bytes\n`,
    );
  }
}
writeFileSync(join(folder, 'index.json'), `${JSON.stringify(index, undefined, 1)}\n`);
