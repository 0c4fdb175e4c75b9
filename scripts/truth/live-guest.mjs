/**
 * A guest that counts (guest.mjs), from one QEMU to another: started, saved in many ways while it counts, loaded, and asked
 * whether it goes on.
 */

import { copyFileSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordChannels } from '../capture/channels.mjs';
import { lastLines, makeWorkspace, removeWorkspace, runIn, startQemu } from '../capture/qemu.mjs';
import { GUEST_ARGS, parseLine } from './guest.mjs';

/** Milliseconds for each thing that is waited for; other programs may have the CPUs. */
const PATIENCE = 600_000;
/** Numbers that a guest counts before it is believed. */
const BEATS = 100;
/** The snapshot in the disk of a guest that stands still. */
export const SNAPSHOT = 'moment';

/**
 * Where the guest was: the last number that it said and its clock then (nanoseconds since its start), the begin of a line
 * that it has not ended, rounds of its disk, and the date of its real-time clock (seconds since 1970).
 *
 * @typedef {{ count: number, clock: bigint, rest: string, disk: number, date: number }} Progress
 */

/**
 * A guest as it was saved: `folder` has `vm.qevm` and `disk.qcow2`; `channels` are the names of others there. `guest` is the
 * folder with its kernel.
 *
 * @typedef {{ folder: string, channels: string[], guest: string, at: Progress }} Moment
 */

/**
 * The ways to save one: standing still, with a snapshot of the same moment in its disk; over several connections; while it
 * counts; each page at its place.
 *
 * @typedef {'still' | 'multifd' | 'live' | 'mapped-ram'} Way
 */

/**
 * A guest that went on: where it is now, the clock at the first number that it said, and lines of its kernel.
 *
 * @typedef {{ progress: Progress, first: { clock: bigint }, others: string[] }} Continued
 */

/** What a guest says, from where another one was on. */
class GuestConsole {
  /** @type {{ count: number, clock: bigint }[]} */
  beats = [];
  disk = 0;
  /** @type {Map<number, number>} */
  pongs = new Map();
  /** @type {string[]} */
  others = [];
  /** @type {import("node:net").Socket} */
  #socket;
  #rest;
  #asked = 0;

  /** @param {string} path @param {string} [rest] */
  constructor(path, rest = '') {
    this.#rest = rest;
    this.#socket = connect(path);
    this.#socket.setEncoding('latin1');
    this.#socket.on('error', () => {});
    this.#socket.on('data', (text) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#hear(parseLine(line));
    });
  }

  /** @param {import("./guest.mjs").GuestLine} line */
  #hear(line) {
    if (line.kind === 'beat') this.beats.push(line);
    else if (line.kind === 'disk') this.disk = line.count;
    else if (line.kind === 'pong') this.pongs.set(line.number, line.date);
    else if (line.text.trim() !== '') this.others.push(line.text.trim());
  }

  /** Asks the guest, and gives the date that it answers. @param {() => void} look  Throws where waiting is in vain. */
  async ask(look) {
    const number = ++this.#asked;
    this.#socket.write(`ping ${number}\n`);
    await until('an answer', () => this.pongs.has(number), look);
    return this.pongs.get(number) ?? 0;
  }

  /** @param {number} date @returns {Promise<Progress>} */
  async settled(date) {
    for (let before = -1; before !== this.beats.length + this.#rest.length; await sleep(500))
      before = this.beats.length + this.#rest.length;
    const { count = 0, clock = 0n } = this.beats.at(-1) ?? {};
    return { count, clock, rest: this.#rest, disk: this.disk, date };
  }

  close() {
    this.#socket.destroy();
  }
}

/**
 * A machine for the guest. `without` has names of devices that it does not have; `queueSize` is that of its disk; `more` are
 * further properties of devices, such as `{ 'virtio-net-pci': ['vectors=3'] }`.
 *
 * @typedef {object} Machine
 * @property {string} type
 * @property {readonly ('e1000' | 'virtio-rng' | 'virtio-net')[]} [without]
 * @property {number} [queueSize]
 * @property {Readonly<Record<string, readonly string[]>>} [more]
 */

/** @param {Machine} machine */
export function machineArgs({ type, without = [], queueSize = 256, more = {} }) {
  const device = (/** @type {string} */ driver, /** @type {string} */ properties) => [
    '-device',
    [driver, properties, ...(more[driver] ?? [])].join(','),
  ];
  const network = 'netdev=net,romfile=,addr=6,mac=52:54:00:12:34:56';
  const optional = {
    'virtio-net': ['-netdev', 'user,id=net', ...device('virtio-net-pci', network)],
    'virtio-rng': device('virtio-rng-pci', 'addr=7'),
    e1000: device('e1000', 'romfile=,addr=8,mac=52:54:00:12:34:58'),
  };
  return [
    ...['-M', type, '-cpu', 'qemu64', '-m', '128', '-accel', 'tcg', '-nodefaults', '-no-user-config'],
    ...GUEST_ARGS,
    ...['-drive', 'file=disk.qcow2,format=qcow2,if=none,id=disk'],
    ...device('virtio-blk-pci', `drive=disk,addr=5,queue-size=${queueSize}`),
    ...Object.entries(optional).flatMap(([name, args]) =>
      without.some((each) => each === name) ? [] : args,
    ),
    ...['-serial', 'unix:serial,server=on,wait=off'],
  ];
}

/**
 * Starts a guest, and saves it in each of the ways, one after the other.
 *
 * @param {string} root  Of the QEMU.
 * @param {string} guest  The folder with its kernel and `disk`.
 * @param {Machine} machine
 * @param {readonly Way[]} ways
 * @param {string} folder  Gets a folder for each way.
 * @returns {Promise<Map<Way, Moment>>}
 */
export async function saveGuest(root, guest, machine, ways, folder) {
  const workspace = makeWorkspace(root);
  const file = (/** @type {string} */ name) => join(workspace.outside, name);
  for (const name of ['vmlinuz', 'initrd', 'disk']) copyFileSync(join(guest, name), file(name));
  runIn(workspace, 'qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', 'disk', 'disk.qcow2']);
  const qemu = await startQemu(workspace, 'x86_64', machineArgs(machine), { timeoutMs: PATIENCE });
  const heard = new GuestConsole(file('serial'));
  const look = lookAt(qemu, heard);
  /** @type {Map<Way, Moment>} */
  const moments = new Map();
  try {
    for (const way of ways) {
      await qemu.qmp.execute('cont');
      const { length } = heard.beats;
      const { disk } = heard;
      await until('its count', () => heard.beats.length > length + BEATS && heard.disk > disk, look);
      const date = await heard.ask(look);
      if (way !== 'live') await qemu.qmp.execute('stop');
      if (way === 'still') {
        const said = await qemu.qmp.monitor(`savevm ${SNAPSHOT}`);
        if (said.trim() !== '') throw new Error(said.trim());
      }
      const channels = await migrate(qemu.qmp, workspace, way);
      const target = join(folder, way);
      mkdirSync(target, { recursive: true });
      for (const name of ['vm.qevm', 'disk.qcow2', ...channels]) copyFileSync(file(name), join(target, name));
      moments.set(way, { folder: target, channels, guest, at: await heard.settled(date) });
    }
    const odd = troublesOf(heard).filter(
      (line) => !line.endsWith('no network') || !machine.without?.includes('virtio-net'),
    );
    if (odd.length > 0) throw new Error(`the guest has trouble before it is saved: ${odd[0]}`);
    return moments;
  } finally {
    heard.close();
    await qemu.quit();
    removeWorkspace(workspace);
  }
}

/**
 * @param {import("../capture/qmp.mjs").QmpClient} qmp
 * @param {import("../capture/qemu.mjs").Workspace} workspace
 * @param {Way} way
 * @returns {Promise<string[]>}  Names of further channels.
 */
async function migrate(qmp, workspace, way) {
  const isSwitched = way === 'multifd' || way === 'mapped-ram';
  const switchTo = async (/** @type {boolean} */ state) => {
    if (isSwitched)
      await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: way, state }] });
  };
  await switchTo(true);
  if (way === 'live') await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 32 << 20 });
  else await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
  if (way !== 'multifd') {
    await qmp.execute('migrate', {
      uri: way === 'mapped-ram' ? 'file:vm.qevm' : 'exec:cat > vm.qevm',
    });
    await migrated(qmp);
    await switchTo(false);
    return [];
  }
  const file = (/** @type {string} */ name) => join(workspace.outside, name);
  const recorder = await recordChannels(file('migration.sock'), file('channel'), {});
  await qmp.execute('migrate', { uri: 'unix:migration.sock' });
  await migrated(qmp);
  const files = await recorder.close();
  await switchTo(false);
  const main = files.find((name) => readFileSync(name).subarray(0, 4).toString('latin1') === 'QEVM');
  if (main === undefined) throw new Error('no connection carried a stream');
  renameSync(main, file('vm.qevm'));
  return files.filter((name) => name !== main).map((name) => name.slice(workspace.outside.length + 1));
}

/**
 * What is to be loaded: `stream`, whose format is that of `how`, or the snapshot in `disk`.
 *
 * @typedef {{ how: 'plain' | 'gzip' | 'mapped-ram' | 'snapshot', stream?: string, disk: string }} Saved
 */

/**
 * Loads a guest and lets it go on. Throws where it is refused, or does not count on from where it was, has trouble with its
 * disk, or does not answer.
 *
 * @param {string} root
 * @param {string} guest
 * @param {Machine} machine
 * @param {Saved} saved
 * @param {Progress} before
 * @returns {Promise<Continued>}
 */
export async function continueGuest(root, guest, machine, { how, stream, disk }, before) {
  const workspace = makeWorkspace(root);
  const file = (/** @type {string} */ name) => join(workspace.outside, name);
  for (const name of ['vmlinuz', 'initrd']) copyFileSync(join(guest, name), file(name));
  copyFileSync(disk, file('disk.qcow2'));
  if (stream !== undefined) copyFileSync(stream, file('vm.qevm'));
  try {
    const from = how === 'snapshot' ? ['-loadvm', SNAPSHOT] : ['-incoming', 'defer'];
    const qemu = await startQemu(workspace, 'x86_64', [...machineArgs(machine), ...from], {
      timeoutMs: PATIENCE,
    });
    /** @type {GuestConsole | undefined} */
    let heard;
    try {
      if (how !== 'snapshot') await load(qemu.qmp, how);
      heard = new GuestConsole(file('serial'), before.rest);
      const console = heard;
      const look = lookAt(qemu, heard);
      await qemu.qmp.execute('cont');
      await until('its count', () => console.beats.length > BEATS && console.disk > before.disk + 1, look);
      const date = await heard.ask(look);
      const [first = { count: 0, clock: 0n }] = heard.beats;
      const gap = heard.beats.find(({ count }, i) => count !== before.count + 1 + i);
      if (gap)
        throw new Error(`it was at ${before.count}, began with ${first.count}, and then said ${gap.count}`);
      const [odd] = troublesOf(heard);
      if (odd !== undefined) throw new Error(`it has ${odd}`);
      const { count, clock } = /** @type {{ count: number, clock: bigint }} */ (heard.beats.at(-1));
      const progress = { count, clock, rest: '', disk: heard.disk, date };
      return { progress, first, others: heard.others };
    } catch (error) {
      const others = heard?.others.slice(-3).join(' | ') ?? '';
      const words = [/** @type {Error} */ (error).message, lastLines(qemu.stderr()), others];
      throw new Error(words.filter((each) => each !== '').join(' | '));
    } finally {
      heard?.close();
      await qemu.quit();
    }
  } finally {
    removeWorkspace(workspace);
  }
}

/** Throws `refused: …`. @param {import("../capture/qmp.mjs").QmpClient} qmp @param {Exclude<Saved['how'], 'snapshot'>} how */
async function load(qmp, how) {
  if (how === 'mapped-ram')
    await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: how, state: true }] });
  const uri = { plain: 'exec:cat vm.qevm', gzip: 'exec:gzip -dc vm.qevm', 'mapped-ram': 'file:vm.qevm' };
  try {
    await qmp.execute('migrate-incoming', { uri: uri[how] });
    await migrated(qmp);
  } catch (error) {
    // QEMU ends where it does not load something.
    throw new Error(`refused: ${/** @type {Error} */ (error).message}`);
  }
}

/** @param {import("../capture/qmp.mjs").QmpClient} qmp */
async function migrated(qmp) {
  let reason = '';
  await until(
    'the migration',
    async () => {
      const { status, 'error-desc': words = '' } = await qmp.execute('query-migrate');
      reason = status === 'failed' ? words || 'QEMU does not say why' : '';
      return status === 'completed' || reason !== '';
    },
    () => {},
  );
  if (reason !== '') throw new Error(reason);
}

/** @param {GuestConsole} heard */
function troublesOf({ others }) {
  return others.filter((line) => line.startsWith('trouble'));
}

/**
 * Throws where a guest or its QEMU has ended.
 *
 * @param {import("../capture/qemu.mjs").Qemu} qemu
 * @param {GuestConsole} heard
 */
function lookAt(qemu, heard) {
  return () => {
    const ended = qemu.ended();
    if (ended !== undefined) throw new Error(`QEMU ended: ${ended}`);
    const panic = heard.others.find((line) => line.includes('Kernel panic'));
    if (panic !== undefined) throw new Error(panic);
  };
}

/**
 * @param {string} what
 * @param {() => boolean | Promise<boolean>} isSo
 * @param {() => void} look
 */
async function until(what, isSo, look) {
  for (const deadline = Date.now() + PATIENCE; !(await isSo()); await sleep(50)) {
    look();
    if (Date.now() > deadline) throw new Error(`${what} does not come`);
  }
}
