#!/usr/bin/env node
/**
 * Captures a guest of Linux that counts on its console, many times in a row, while it runs and while it is paused, and
 * holds what vmwalk tells of the pause to what the guest's own clock says: that clock stands still with the guest.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { prepareCapture, takeCapture } from '../../dist/node/index.js';
import { withRunning } from '../../dist/node/take-capture.js';
import { makeWorkspace, removeWorkspace, startQemu } from '../capture/qemu.mjs';
import { GUEST_ARGS, makeGuest, parseLine } from './guest.mjs';

const HELP = `Usage: node scripts/truth/counting-guest.mjs --kernel DIR [options]

Needs cc (with a static C library) and cpio, and a kernel with its modules in DIR:
  apt-get download linux-image-6.1.0-NN-cloud-amd64 && dpkg -x linux-image-*.deb DIR
Run "npm run build" first. Exit status 1 where a guest did not count on, stood still for longer than was told, did not
stay paused, or where a disk changed.

  --kernel DIR    where the package with the kernel was unpacked
  --root DIR      run the QEMU of the chroot DIR, not that of this system
  --captures N    through the library, in one process (default: 1000)
  --commands N    by the command line (default: 30)
  --paused N      of the guest while it is paused (default: 50)
  --help
`;

const BOOT_MS = 180_000;
/** Milliseconds between beats. */
const INTERVAL = 10;
/** Milliseconds for beats of which one is on time, between two captures. */
const BETWEEN = 8 * INTERVAL;
/** Milliseconds by which what the guest says may be off: the host has other things to do than to deliver it. */
const TOLERANCE = 2;

/**
 * A line of the guest: when it came, and what it says. Milliseconds; `guest` by its clock.
 *
 * @typedef {{ host: number, count: number, guest: number }} Beat
 */

/** @typedef {{ beats: Beat[], disk: number, odd: string[] }} Console */

/** @typedef {{ start: number, end: number, pause: number }} Taken */

if (isMainThread) process.exitCode = (await main()) ? 0 : 1;
else listen();

/** In a thread of its own, so that a line is not late because a capture is read. */
function listen() {
  /** @type {Console} */
  const heard = { beats: [], disk: 0, odd: [] };
  let rest = '';
  const socket = connect(workerData);
  socket.setEncoding('latin1');
  socket.on('data', (text) => {
    const host = milliseconds();
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const said = parseLine(line);
      if (said.kind === 'beat')
        heard.beats.push({ host, count: said.count, guest: Number(said.clock) / 1e6 });
      else if (said.kind === 'disk') heard.disk = said.count;
      else if (heard.beats.length > 0 || line.startsWith('trouble')) heard.odd.push(line);
    }
  });
  socket.on('error', () => {});
  parentPort?.on('message', () => parentPort?.postMessage(heard));
}

/** Of a clock that all threads have. */
function milliseconds() {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function main() {
  const { values: options } = parseArgs({
    options: {
      kernel: { type: 'string' },
      root: { type: 'string', default: '' },
      captures: { type: 'string', default: '1000' },
      commands: { type: 'string', default: '30' },
      paused: { type: 'string', default: '50' },
      help: { type: 'boolean' },
    },
  });
  if (options.help || options.kernel === undefined) {
    process.stdout.write(HELP);
    return options.help ?? false;
  }
  const workspace = makeWorkspace(options.root);
  const file = (/** @type {string} */ name) => join(workspace.outside, name);
  makeGuest(options.kernel, workspace.outside);
  const qemu = await startQemu(
    workspace,
    'x86_64',
    [
      ...['-M', 'q35', '-m', '256', '-accel', 'tcg', '-nodefaults', '-no-user-config'],
      ...GUEST_ARGS,
      ...['-drive', 'file=disk,format=raw,if=none,id=disk', '-device', 'virtio-blk-pci,drive=disk'],
      ...['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile='],
      ...['-serial', 'unix:serial,server=on,wait=off', '-qmp', 'unix:capture,server=on,wait=off'],
    ],
    { timeoutMs: 30_000 },
  );
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: file('serial') });
  let ask = Promise.resolve(/** @type {Console} */ ({ beats: [], disk: 0, odd: [] }));
  const heard = () => {
    ask = ask.then(async () => {
      const answer = once(worker, 'message');
      worker.postMessage('');
      const [found] = await answer;
      return found;
    });
    return ask;
  };
  try {
    await qemu.qmp.execute('cont');
    await waitForBeats(heard, 100);
    const { qemu: version } = await qemu.qmp.execute('query-version');
    print(`QEMU ${version.major}.${version.minor}.${version.micro}: the guest counts`);
    let good = true;

    const quiet = milliseconds();
    await sleep(10_000);
    judge('nothing is done', await heard(), [], quiet);

    const many = milliseconds();
    const taken = await captureOften(file('capture'), Number(options.captures));
    await sleep(BETWEEN);
    good = judge(`${taken.length} captures by the library`, await heard(), taken, many) && good;

    const some = milliseconds();
    const commanded = await captureByCommand(file('capture'), file('state'), Number(options.commands));
    await sleep(BETWEEN);
    good = judge(`${commanded.length} by the command line`, await heard(), commanded, some) && good;

    good = (await capturePaused(qemu.qmp, file, heard, Number(options.paused))) && good;
    return good;
  } finally {
    await worker.terminate();
    await qemu.quit();
    removeWorkspace(workspace);
  }
}

/** @param {() => Promise<Console>} heard @param {number} count  Beats that are waited for. */
async function waitForBeats(heard, count) {
  for (const deadline = Date.now() + BOOT_MS; ; await sleep(200)) {
    const { beats, odd } = await heard();
    if (beats.length >= count) return;
    if (Date.now() > deadline) throw new Error(`the guest does not count: ${odd.slice(-5).join(' | ')}`);
  }
}

/** @param {string} socket @param {number} count @returns {Promise<Taken[]>} */
async function captureOften(socket, count) {
  /** @type {Taken[]} */
  const taken = [];
  await withRunning({ qmp: socket }, {}, async (vm) => {
    const prepared = await prepareCapture(vm, { onWarning: (message) => print(message) });
    for (let i = 0; i < count; i++) {
      await sleep(BETWEEN);
      const start = milliseconds();
      const { pause, wasRunning } = await prepared.take();
      if (!wasRunning) throw new Error(`capture ${i} found the guest paused`);
      taken.push({ start, end: milliseconds(), pause });
    }
  });
  return taken;
}

/** @param {string} socket @param {string} output @param {number} count @returns {Promise<Taken[]>} */
async function captureByCommand(socket, output, count) {
  const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  /** @type {Taken[]} */
  const taken = [];
  for (let i = 0; i < count; i++) {
    await sleep(BETWEEN);
    rmSync(output, { force: true });
    const start = milliseconds();
    const child = spawn(process.execPath, [program, 'capture', '--qmp', socket, '-o', output], {
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    const [status] = await once(child, 'close');
    const [, pause] = /it stood still for ([\d.]+) ms at the most/.exec(said) ?? [];
    if (status !== 0 || pause === undefined) throw new Error(`capture ended with ${status}: ${said}`);
    taken.push({ start, end: milliseconds(), pause: Number(pause) });
  }
  return taken;
}

/**
 * A guest that is paused stays so, and its disk as it is; then it goes on.
 *
 * @param {import("../capture/qmp.mjs").QmpClient} qmp
 * @param {(name: string) => string} file
 * @param {() => Promise<Console>} heard
 * @param {number} count
 */
async function capturePaused(qmp, file, heard, count) {
  await qmp.execute('stop');
  await sleep(200);
  const hash = () =>
    createHash('sha256')
      .update(readFileSync(file('disk')))
      .digest('hex');
  const disk = hash();
  const before = await heard();
  let bad = 0;
  for (let i = 0; i < count; i++) {
    const captured = await takeCapture({ qmp: file('capture') });
    const { status } = await qmp.execute('query-status');
    if (status !== 'paused' || captured?.wasRunning !== false || captured.pause !== 0 || hash() !== disk)
      bad++;
  }
  const silent = (await heard()).beats.length === before.beats.length;
  await qmp.execute('cont');
  await sleep(3000);
  const after = await heard();
  const goesOn = countsOn(after.beats) && after.beats.length > before.beats.length + 100;
  const writes = after.disk > before.disk && after.odd.length === 0 && hash() !== disk;
  print(
    `${count} captures while it is paused: ${bad} changed something; ${silent ? 'silent' : 'NOT SILENT'}; then it ` +
      `${goesOn ? 'counts on' : 'DOES NOT COUNT ON'}, and its disk ${writes ? 'is written' : 'IS NOT WRITTEN'}`,
  );
  return bad === 0 && silent && goesOn && writes;
}

/** @param {readonly Beat[]} beats */
function countsOn(beats) {
  return beats.every(({ count }, i) => i === 0 || count === (beats[i - 1]?.count ?? 0) + 1);
}

/**
 * Prints how the guest counted while it was captured. How long it stood still for each is by how much its clock is behind
 * afterwards: the least of the beats in between, as a line can be late and not early.
 *
 * @param {string} what
 * @param {Console} heard
 * @param {readonly Taken[]} taken
 * @param {number} since
 */
function judge(what, heard, taken, since) {
  const beats = heard.beats.filter(({ host }) => host >= since);
  const ons = countsOn(heard.beats);
  const late = (/** @type {number} */ from, /** @type {number} */ to) =>
    Math.min(...beats.flatMap(({ host, guest }) => (host > from && host < to ? [host - guest] : [])));
  const stood = taken.map(
    ({ start, end }, i) =>
      late(end, taken[i + 1]?.start ?? Infinity) - late(taken[i - 1]?.end ?? since, start),
  );
  // Whatever made the host late is in it, too: to be seen beside the guest of whom nothing is wanted.
  const missed = taken.map(({ start, end, pause }) => {
    const around = beats.filter(({ host }) => host > start - 3 * INTERVAL && host < end + BETWEEN);
    return (
      Math.max(...around.slice(1).map(({ host }, i) => host - (around[i]?.host ?? 0))) - INTERVAL - pause
    );
  });
  const over = taken.map(({ pause }, i) => (stood[i] ?? 0) - pause);
  const gaps = (/** @type {'host' | 'guest'} */ clock) =>
    beats.slice(1).map((beat, i) => beat[clock] - (beats[i]?.[clock] ?? 0));
  print(`${what}: ${beats.length} beats, ${ons ? 'none missing' : 'SOME MISSING'}; disk at ${heard.disk}`);
  print(`  between two beats, by the host   ${spread(gaps('host'))}`);
  print(`  between two beats, by the guest  ${spread(gaps('guest'))}`);
  for (const line of heard.odd.slice(0, 5)) print(`  odd: ${line}`);
  if (taken.length > 0) {
    print(`  pause as it was told             ${spread(taken.map(({ pause }) => pause))}`);
    print(`  the guest stood still for        ${spread(stood)}`);
    print(`  longer than was told             ${spread(over)}`);
    print(`  a beat is later than was told    ${spread(missed)}`);
  }
  return ons && heard.odd.length === 0 && over.every((each) => each <= TOLERANCE);
}

/** @param {number[]} values  Milliseconds. */
function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(2);
  const sum = values.reduce((total, value) => total + value, 0).toFixed(0);
  return `median ${at(0.5)}, 99 % ${at(0.99)}, most ${at(1)} ms (sum ${sum})`;
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`);
}
