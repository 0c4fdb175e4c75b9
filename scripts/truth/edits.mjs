#!/usr/bin/env node
/**
 * Holds edits of device state to a real QEMU: of each section of a stopped machine integers are changed one after another,
 * the stream that comes of it is loaded by the same QEMU, and what that one saves again is to have the new value (`kept`,
 * or `derived` where others hang on it). QEMU refuses some values, and computes others anew; they are counted.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { applyEdits, planEdits, walk } from '../../dist/index.js';
import { openVm, writeSource } from '../../dist/node/index.js';
import { makeWorkspace, removeWorkspace, startQemu } from '../capture/qemu.mjs';

const HELP = `Usage: node scripts/truth/edits.mjs [options] -- QEMU ARGUMENT…

  --target NAME    the QEMU to run: x86_64 (as it is without this option), aarch64, …
  --root DIR       run it inside this root file system
  --fields N       fields of a section that are tried until one is kept (default: 4)
  --json           what came of each, as JSON lines

Run "npm run build" first. Exit status 1 when fewer than half of the sections have a field that was kept.
`;

const { values: options, positionals: qemuArgs } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', default: 'x86_64' },
    root: { type: 'string', default: '' },
    fields: { type: 'string', default: '4' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
if (options.help || qemuArgs.length === 0) {
  process.stdout.write(HELP);
  process.exit(options.help ? 0 : 2);
}

const TIMEOUT_MS = 60_000;
/** What changes from one save to the next. */
const MOVING = new Set(['timer', 'mc146818rtc', 'globalstate']);
const counts = { kept: 0, derived: 0, computed: 0, refused: 0 };

const workspace = makeWorkspace(options.root);
try {
  const first = join(workspace.outside, 'first.qevm');
  await save(['-S'], undefined, 'first.qevm');
  const vm = await openVm(first);
  const sections = new Map();
  for await (const layout of vm.layouts()) {
    const fields = sections.get(layout.section) ?? [];
    // What a custom info was opened up to, such as registers that say which PCI device it is, is not tried.
    const steps = walk(layout.root, (node) => node.kind !== 'struct' || node.value === undefined);
    for (const { node, path } of MOVING.has(layout.section) ? [] : steps) {
      if (fields.length >= Number(options.fields)) break;
      const isPlain = node.kind === 'leaf' && /^u?int(8|16|32|64)$/.test(node.type) && path.length > 0;
      if (isPlain && layout.instanceId === 0 && layout.section !== 'configuration')
        fields.push({ path: text(path), value: BigInt(node.value) ^ 1n });
    }
    if (fields.length > 0) sections.set(layout.section, fields);
  }
  await save(['-S', '-incoming', 'defer'], 'first.qevm', 'again.qevm');
  const reloaded = await openVm(join(workspace.outside, 'again.qevm'));
  const unedited = await valuesOf(reloaded);
  await reloaded.close();
  let kept = 0;
  for (const [section, fields] of sections) {
    for (const { path, value } of fields) {
      const result = await tryEdit(vm, unedited, section, path, value);
      counts[result] += 1;
      if (options.json)
        process.stdout.write(`${JSON.stringify({ section, path, value: String(value), result })}\n`);
      if (result !== 'kept' && result !== 'derived') continue;
      kept++;
      break;
    }
  }
  await vm.close();
  process.stderr.write(
    `${sections.size} sections, ${kept} with a field that was kept; ${JSON.stringify(counts)}\n`,
  );
  if (2 * kept < sections.size) process.exitCode = 1;
} finally {
  removeWorkspace(workspace);
}

/** @param {readonly (string | number)[]} path */
function text(path) {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i > 0 ? '/' : ''}${part}`))
    .join('');
}

async function tryEdit(vm, unedited, section, path, value) {
  const selector = `${section}@0/${path}`.replace(/[*?]/g, '?');
  const plan = await planEdits(vm, [{ edit: 'set', selector, value: String(value) }]);
  let edited;
  try {
    edited = await applyEdits(vm, plan);
  } catch (error) {
    if (error.code !== 'edit-refused') throw error;
    return 'refused';
  }
  const file = join(workspace.outside, 'edited.qevm');
  if (existsSync(file)) await (await import('node:fs/promises')).rm(file);
  await writeSource(file, edited.source);
  try {
    await save(['-S', '-incoming', 'defer'], 'edited.qevm', 'again.qevm');
  } catch {
    return 'refused';
  }
  const again = await openVm(join(workspace.outside, 'again.qevm'));
  const values = await valuesOf(again);
  await again.close();
  const key = `${section}@0/${path}`;
  if (values.get(key) !== String(value)) return 'computed';
  for (const [each, now] of values) if (each !== key && unedited.get(each) !== now) return 'derived';
  return values.size === unedited.size ? 'kept' : 'derived';
}

/** All values but those that change from one save to the next. */
async function valuesOf(vm) {
  const values = new Map();
  for await (const layout of vm.layouts()) {
    if (MOVING.has(layout.section)) continue;
    for (const { node, path } of walk(layout.root))
      if (node.kind === 'leaf' && node.type !== 'timer')
        values.set(`${layout.section}@${layout.instanceId}/${text(path)}`, String(node.value));
  }
  return values;
}

/** Starts the machine, has it load a file, and save into another. */
async function save(extra, from, to) {
  const qemu = await startQemu(workspace, options.target, [...qemuArgs, ...extra], { timeoutMs: TIMEOUT_MS });
  try {
    if (from !== undefined) {
      await qemu.qmp.execute('migrate-incoming', { uri: `exec:cat ${join(workspace.inside, from)}` });
      await migrated(qemu);
    }
    await qemu.qmp.execute('migrate', { uri: `exec:cat > ${join(workspace.inside, to)}` });
    await migrated(qemu);
  } finally {
    await qemu.quit();
  }
}

async function migrated(qemu) {
  for (const end = Date.now() + TIMEOUT_MS; ; await sleep(20)) {
    const { status } = await qemu.qmp.execute('query-migrate');
    if (status === 'completed') return;
    if (status === 'failed' || qemu.ended() !== undefined || Date.now() > end)
      throw new Error(`migration: ${status}`);
  }
}
