#!/usr/bin/env node
/**
 * Compares the core that vmwalk makes of a stream with the one that QEMU makes of the same stopped machine
 * (dump-guest-memory): file header, PT_LOADs, notes, every page, and what gdb shows with QEMU's monitor.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { makeWorkspace, removeWorkspace, startQemu } from '../capture/qemu.mjs';
import { readCore } from './read-core.mjs';

const HELP = `Usage: node scripts/truth/core.mjs [options] -- QEMU ARGUMENT…

  --target NAME    the QEMU to run: x86_64 (as it is without this option), aarch64, …
  --root DIR       run it inside this root file system
  --run-ms N       how long the guest runs, 5000 ms as it is without this option
  --wait TEXT      let it run until this text is in serial.log of its folder, and then for so long
  --layout TEXT    what vmwalk is to be told of the layout
  --keep           keep the folder with streams and cores

Run "npm run build" first. Exit status 1 when anything differs. gdb-multiarch is used where it is installed.
`;

const { values: options, positionals: qemuArgs } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', default: 'x86_64' },
    root: { type: 'string', default: '' },
    'run-ms': { type: 'string', default: '5000' },
    wait: { type: 'string' },
    layout: { type: 'string' },
    keep: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
if (options.help || qemuArgs.length === 0) {
  process.stdout.write(HELP);
  process.exit(options.help ? 0 : 2);
}

const TIMEOUT_MS = 300_000;
const PAGE = 4096;
const vmwalk = new URL('../../dist/cli/main.js', import.meta.url).pathname;
let differences = 0;

const workspace = makeWorkspace(options.root);
try {
  const monitorText = await capture();
  const theirs = readCore(join(workspace.outside, 'qemu.core'));
  const command = [
    vmwalk,
    'ram',
    'core',
    join(workspace.outside, 'vm.qevm'),
    '-o',
    join(workspace.outside, 'vmwalk.core'),
  ];
  if (options.layout) command.push('--layout', options.layout);
  const made = spawnSync(process.execPath, command, { encoding: 'utf8' });
  process.stdout.write(made.stdout + made.stderr);
  const ours = readCore(join(workspace.outside, 'vmwalk.core'));
  compareHeaders(theirs, ours);
  compareNotes(theirs, ours);
  comparePages(theirs, ours);
  compareRegisters(monitorText);
} finally {
  if (options.keep) process.stdout.write(`kept: ${workspace.outside}\n`);
  else removeWorkspace(workspace);
}
process.exit(differences > 0 ? 1 : 0);

/** Runs the guest, and leaves qemu.core and vm.qevm. Returns what the monitor says of the registers. */
async function capture() {
  const qemu = await startQemu(workspace, options.target, qemuArgs, { timeoutMs: TIMEOUT_MS });
  try {
    await qemu.qmp.execute('cont');
    const end = Date.now() + TIMEOUT_MS;
    const log = join(workspace.outside, 'serial.log');
    while (options.wait && !(existsSync(log) && readFileSync(log, 'latin1').includes(options.wait))) {
      if (Date.now() > end) throw new Error(`the guest did not say ${options.wait}`);
      await sleep(200);
    }
    await sleep(Number(options['run-ms']));
    await qemu.qmp.execute('stop');
    const registers = await qemu.qmp.monitor('info registers -a');
    await qemu.qmp.execute('dump-guest-memory', {
      paging: false,
      protocol: `file:${workspace.inside}/qemu.core`,
    });
    await qemu.qmp.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
    await qemu.qmp.execute('migrate', { uri: `exec:cat > ${workspace.inside}/vm.qevm` });
    for (;;) {
      const { status } = await qemu.qmp.execute('query-migrate');
      if (status === 'completed') return registers;
      if (status === 'failed') throw new Error('the migration failed');
      await sleep(100);
    }
  } finally {
    await qemu.quit();
  }
}

/** @typedef {ReturnType<typeof readCore>} Core */

/** @param {string} what @param {string} theirs @param {string} ours */
function report(what, theirs, ours) {
  differences++;
  process.stdout.write(`DIFFERENT ${what}\n  QEMU:   ${theirs}\n  vmwalk: ${ours}\n`);
}

/** @param {Core} theirs @param {Core} ours */
function compareHeaders(theirs, ours) {
  if (theirs.format !== ours.format) report('file header', theirs.format, ours.format);
  const text = (/** @type {Core} */ core) =>
    core.loads
      .map(({ virtual, address, fileSize, size }) =>
        [virtual, address, fileSize, size].map((n) => n?.toString(16)).join('/'),
      )
      .join(' ');
  if (text(theirs) !== text(ours)) report('PT_LOADs', text(theirs), text(ours));
  else process.stdout.write(`${theirs.format}; ${theirs.loads.length} PT_LOADs: the same\n`);
}

/** @param {Core} theirs @param {Core} ours */
function compareNotes(theirs, ours) {
  const names = (/** @type {Core} */ core) =>
    core.notes.map(({ name, kind, content }) => `${name}:0x${kind.toString(16)}:${content.length}`).join(' ');
  if (names(theirs) !== names(ours)) report('notes', names(theirs), names(ours));
  let same = 0;
  for (const note of theirs.notes) {
    const nth = theirs.notes
      .filter(({ name, kind }) => name === note.name && kind === note.kind)
      .indexOf(note);
    const other = ours.notes.filter(({ name, kind }) => name === note.name && kind === note.kind)[nth];
    if (!other) continue;
    if (note.content.equals(other.content)) same++;
    else {
      const at = note.content.findIndex((byte, index) => byte !== other.content[index]) & ~7;
      const shown = (/** @type {Buffer} */ content) => content.toString('hex', at, at + 32);
      report(
        `note ${note.name} 0x${note.kind.toString(16)} #${nth} at ${at}`,
        shown(note.content),
        shown(other.content),
      );
    }
  }
  process.stdout.write(`${same} of ${theirs.notes.length} notes: the same bytes\n`);
}

/** Every page that either has. @param {Core} theirs @param {Core} ours */
function comparePages(theirs, ours) {
  const PIECE = 1 << 20;
  const [a, b] = [Buffer.alloc(PIECE), Buffer.alloc(PIECE)];
  let pages = 0;
  let different = 0;
  for (const load of theirs.loads) {
    const other = ours.loads.find(
      ({ address, size }) => address <= load.address && load.address + load.size <= address + size,
    );
    if (!other) continue;
    for (let done = 0; done < load.size; done += PIECE) {
      const length = Math.min(PIECE, load.size - done);
      readSync(theirs.fd, a, 0, length, load.offset + done);
      readSync(ours.fd, b, 0, length, other.offset + load.address - other.address + done);
      pages += Math.ceil(length / PAGE);
      if (a.compare(b, 0, length, 0, length) === 0) continue;
      for (let at = 0; at < length; at += PAGE) {
        if (a.compare(b, at, at + PAGE, at, at + PAGE) === 0) continue;
        if (different++ < 5) report('page', `0x${(load.address + done + at).toString(16)}`, '');
      }
    }
  }
  process.stdout.write(`${pages - different} of ${pages} pages: the same bytes\n`);
}

/** What gdb shows for each CPU, and the registers of QEMU's monitor. @param {string} monitorText */
function compareRegisters(monitorText) {
  const gdb = (/** @type {string} */ core) => {
    const args = [
      '-batch',
      '-nx',
      '-ex',
      `core-file ${join(workspace.outside, core)}`,
      '-ex',
      'thread apply all info registers',
    ];
    return spawnSync('gdb-multiarch', args, { encoding: 'utf8' });
  };
  const [theirs, ours] = [gdb('qemu.core'), gdb('vmwalk.core')];
  if (ours.error) return void process.stdout.write('gdb-multiarch is not installed\n');
  // Names of threads may differ, where QEMU writes them in the wrong byte order (s390x before 8.0).
  const lines = (/** @type {string} */ text) => text.split('\n').filter((line) => !line.includes('LWP'));
  const at = lines(theirs.stdout).findIndex((line, index) => line !== lines(ours.stdout)[index]);
  if (at >= 0) report('what gdb shows', lines(theirs.stdout)[at] ?? '', lines(ours.stdout)[at] ?? '');
  const inMonitor = new Set((monitorText.match(/[0-9a-f]{8,}/gi) ?? []).map((hex) => BigInt(`0x${hex}`)));
  const shown = [...ours.stdout.matchAll(/^(\w+) +(0x[0-9a-f]+)/gm)].map(([, name, value]) => ({
    name,
    value: BigInt(value ?? 0),
  }));
  const general = shown.filter(({ value }) => value > 0xffffn);
  const known = general.filter(({ value }) => inMonitor.has(value));
  process.stdout.write(
    `gdb shows ${shown.length} registers; ${known.length} of ${general.length} above 0xffff are in the monitor's "info registers"\n`,
  );
  for (const { name, value } of general) {
    if (!inMonitor.has(value)) process.stdout.write(`  not there: ${name} 0x${value.toString(16)}\n`);
  }
}
