#!/usr/bin/env node
/**
 * Loads fixtures into the QEMU that wrote them, and records what its dump-guest-memory makes of each: file header,
 * program headers, notes, and a hash of the memory. Writes fixtures/cores.json.
 */

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { makeFiles } from '../capture/files.mjs';
import { hostSuite, makeWorkspace, removeWorkspace, startQemu } from '../capture/qemu.mjs';
import { readCore } from './read-core.mjs';

const HELP = `Usage: node scripts/truth/record-cores.mjs [SUITE=ROOT…]

SUITE=ROOT names the root file system that has the QEMU of a Debian suite; this system's own needs none. Fixtures of
other suites keep what was recorded of them before.
`;

if (process.argv.includes('--help')) {
  process.stdout.write(HELP);
  process.exit(0);
}
const roots = new Map([[hostSuite(), '']]);
for (const argument of process.argv.slice(2)) {
  const [suite = '', root = ''] = argument.split('=');
  roots.set(suite, root);
}

const fixtures = new URL('../../fixtures/', import.meta.url);
const output = new URL('cores.json', fixtures);
const manifest = JSON.parse(readFileSync(new URL('manifest.json', fixtures), 'utf8'));
/** The machines of which QEMU can dump memory, each once for each version; their streams have all of RAM. */
const WANTED =
  /-(pc-devices|q35-devices|aarch64-virt|ppc64-pseries|s390x-ccw|riscv64-virt(-imsic)?|isapc|xbzrle|machine-2\.3)$/;

/** @type {Record<string, unknown>} */
let cores = {};
try {
  cores = JSON.parse(readFileSync(output, 'utf8'));
} catch {}
for (const entry of manifest) {
  const root = roots.get(entry.suite);
  if (root === undefined || !WANTED.test(entry.name)) continue;
  try {
    cores[entry.name] = await record(entry, root);
    process.stdout.write(`${entry.name}\n`);
  } catch (error) {
    process.stdout.write(`${entry.name}: ${error}\n`);
  }
}
writeFileSync(output, `${JSON.stringify(cores, undefined, 1)}\n`);
process.exit(0);

/** @param {any} entry @param {string} root */
async function record(entry, root) {
  const workspace = makeWorkspace(root);
  try {
    makeFiles(workspace, entry.files ?? {}, { assets: '.', given: new Map() });
    writeFileSync(
      join(workspace.outside, 'vm.qevm'),
      gunzipSync(readFileSync(new URL(`streams/${entry.name}.qevm.gz`, fixtures))),
    );
    const args = [...entry.args, '-incoming', 'defer'];
    const { qmp, quit } = await startQemu(workspace, entry.target, args, { timeoutMs: 60_000 });
    try {
      const capabilities = (entry.capabilities ?? []).map((/** @type {string} */ capability) => ({
        capability,
        state: true,
      }));
      await qmp.execute('migrate-set-capabilities', { capabilities });
      await qmp.execute('migrate-incoming', { uri: 'exec:cat vm.qevm' });
      // `inmigrate` while it loads.
      for (let waited = 0; (await qmp.execute('query-status')).status === 'inmigrate'; waited += 50) {
        if (waited > 30_000) throw new Error('the stream is not loaded');
        await sleep(50);
      }
      await qmp.execute('dump-guest-memory', {
        paging: false,
        protocol: `file:${workspace.inside}/qemu.core`,
      });
    } finally {
      await quit();
    }
    const core = readCore(join(workspace.outside, 'qemu.core'));
    const memory = createHash('sha256');
    for (const { offset, fileSize } of core.loads) memory.update(core.read(offset, fileSize));
    return {
      format: core.format,
      loads: core.loads.map(({ address, virtual, fileSize, size }) => ({ address, virtual, fileSize, size })),
      notes: core.notes.map(({ name, kind, content }) => ({ name, kind, content: content.toString('hex') })),
      memory: memory.digest('hex'),
    };
  } finally {
    removeWorkspace(workspace);
  }
}
