/**
 * What is done to the streams of a guest that counts, before another QEMU loads them: every command that writes streams.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandIn, makeWorkspace, removeWorkspace } from '../capture/qemu.mjs';
import { machineArgs, SNAPSHOT } from './live-guest.mjs';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const SECOND = 1_000_000_000n;
const DAY = 86_400;
/** Days and seconds by which clocks are put forward. */
const DAYS = 1000;
const SECONDS = 20;
/** Seconds by which a date may be off: what passes while a guest is saved and loaded. */
const LATE = DAY / 2;
/** The first QEMU that has it. */
const MAPPED_RAM = 9;
/** Devices that the guest has no driver for. */
export const SPARE = /** @type {const} */ (['e1000', 'virtio-rng']);
/** Times that a machine is made anew as `fix` says. */
const MAX_ADVICE = 4;

/** A QEMU. @typedef {{ version: string, root: string }} Build */

/** @typedef {import("./live-guest.mjs").Moment} Moment */

/** @typedef {import("./live-guest.mjs").Machine} Machine */

/**
 * What is to be loaded; what was done, in a few words; what the machine is to have.
 *
 * @typedef {import("./live-guest.mjs").Saved & { note?: string, machine?: Machine }} Made
 */

/**
 * A guest of one QEMU that is loaded by another. `make` writes files into its folder; `holds` says what is not as it should
 * be.
 *
 * @typedef {object} Case
 * @property {string} name
 * @property {import("./live-guest.mjs").Way} way
 * @property {Build} there
 * @property {Partial<Machine>} [machine]  What is otherwise with the machine there.
 * @property {boolean} [isControl]  A stream that was not changed, which may be refused.
 * @property {string} [refuses]  The rule against which nothing helps.
 * @property {(moment: Moment, folder: string) => Made} make
 * @property {(before: import("./live-guest.mjs").Progress, after: import("./live-guest.mjs").Continued) => string | undefined} [holds]
 */

/** Edits, loaded by the QEMU that wrote the stream. @param {Build} there @returns {Case[]} */
export function edits(there) {
  const still = { way: /** @type {const} */ ('still'), there };
  return [
    { ...still, name: 'as it was saved', make: ({ folder }) => plain(folder, 'vm.qevm', folder) },
    {
      ...still,
      name: 'edit --set of the real-time clock',
      make: (moment, folder) => edited(moment, folder, '--set', later(streamOf(moment))),
      holds: hasLaterDate,
    },
    {
      ...still,
      name: 'edit --set of the clock of the CPUs',
      make: (moment, folder) => {
        const offset = integerAt(streamOf(moment), 'timer', 'cpu_clock_offset') + BigInt(SECONDS) * SECOND;
        return edited(moment, folder, '--set', `timer/cpu_clock_offset=${offset}`);
      },
      holds: ({ clock }, { first }) =>
        first.clock > clock + BigInt(SECONDS) * SECOND ? undefined : 'its clock was not put forward',
    },
    {
      ...still,
      name: 'edit --drop of a PCI card',
      machine: { without: ['e1000'] },
      make: (moment, folder) => edited(moment, folder, '--drop', 'e1000'),
    },
    {
      ...still,
      name: 'edit --drop of two devices, --vmdesc rebuild',
      machine: { without: SPARE },
      make: (moment, folder) =>
        edited(moment, folder, '--drop', 'e1000', '--drop', 'virtio-rng', '--vmdesc', 'rebuild'),
    },
    ...['drop', 'empty'].map((mode) => ({
      ...still,
      name: `edit --vmdesc ${mode}`,
      make: (/** @type {Moment} */ moment, /** @type {string} */ folder) =>
        edited(moment, folder, '--vmdesc', mode),
    })),
    {
      ...still,
      name: 'edit --in-place of a snapshot',
      make: ({ folder: from }, folder) => {
        const disk = join(folder, 'disk.qcow2');
        copyFileSync(join(from, 'disk.qcow2'), disk);
        const snapshot = `${disk}#${SNAPSHOT}`;
        vmwalk('edit', snapshot, '--in-place', '--set', later(snapshot));
        return { how: 'snapshot', disk };
      },
      holds: hasLaterDate,
    },
    {
      ...still,
      name: 'decode, a date in its file, encode',
      make: (moment, folder) => {
        const stream = streamOf(moment);
        const decoded = join(folder, 'decoded');
        vmwalk('decode', stream, '-o', decoded);
        const sections = join(decoded, 'sections');
        const [file = ''] = readdirSync(sections).filter((name) => name.endsWith('-mc146818rtc.json'));
        const before = readFileSync(join(sections, file), 'utf8');
        const [, date = ''] = later(stream).split('=');
        const after = before.replace(`"${integerAt(stream, 'mc146818rtc', 'base_rtc')}"`, `"${date}"`);
        if (after === before) throw new Error(`there is no date in ${file}`);
        writeFileSync(join(sections, file), after);
        vmwalk('encode', decoded, '--base', stream, '-o', join(folder, 'made.qevm'));
        return plain(folder, 'made.qevm', moment.folder);
      },
      holds: hasLaterDate,
    },
  ];
}

/** Streams in other forms, loaded by the QEMU that wrote them. @param {Build} there @returns {Case[]} */
export function conversions(there) {
  const converted =
    (/** @type {string[]} */ ...args) =>
    (/** @type {Moment} */ moment, /** @type {string} */ folder) => {
      const channels = moment.channels.map((name) => join(moment.folder, name));
      const further = channels.length > 0 ? ['--channel', ...channels] : [];
      vmwalk('convert', streamOf(moment), ...args, ...further, '-o', join(folder, 'made.qevm'));
      return plain(folder, 'made.qevm', moment.folder);
    };
  /** @type {Case[]} */
  const cases = [
    {
      name: 'convert of a snapshot',
      way: 'still',
      there,
      make: ({ folder: from }, folder) => {
        vmwalk('convert', `${join(from, 'disk.qcow2')}#${SNAPSHOT}`, '-o', join(folder, 'made.qevm'));
        return plain(folder, 'made.qevm', from);
      },
    },
    {
      name: 'convert --to gzip',
      way: 'still',
      there,
      make: (moment, folder) => ({ ...converted('--to', 'gzip')(moment, folder), how: 'gzip' }),
    },
    { name: 'convert of multifd', way: 'multifd', there, make: converted() },
    {
      name: 'as it was saved while it counted',
      way: 'live',
      there,
      make: ({ folder }) => plain(folder, 'vm.qevm', folder),
    },
    { name: 'convert of a live migration', way: 'live', there, make: converted() },
  ];
  if (Number(there.version) < MAPPED_RAM) return cases;
  return [
    ...cases,
    { name: 'convert of mapped-ram', way: 'mapped-ram', there, make: converted() },
    {
      name: 'convert --to mapped-ram',
      way: 'live',
      there,
      make: (moment, folder) => ({
        ...converted('--to', 'mapped-ram')(moment, folder),
        how: 'mapped-ram',
      }),
    },
  ];
}

/**
 * Streams for another QEMU: with the same machine type where that one has it, and with its own one.
 *
 * @param {Build} here
 * @param {Build} there
 * @param {Machine} source
 * @returns {Case[]}
 */
export function fixes(here, there, source) {
  const [, family = '', version = ''] = /^(.*)-([\d.]+)$/.exec(source.type) ?? [];
  const own = `${family}-${there.version}`;
  const types = Number(version) > Number(there.version) ? [own] : [...new Set([source.type, own])];
  return types.flatMap((type) => {
    const allowed = ['loses', ...(type === source.type ? [] : ['machine-type', 'unknown-machine-type'])];
    // What it makes is too large for 11.1, and one of the network's queues can not be made so large there.
    const isTooLarge =
      here.version === '10.0' && Number(there.version) > 11 && source.queueSize === undefined;
    const without = [...(source.without ?? []), ...SPARE];
    // 5.2 cannot reset a queue alone, which a guest uses that is offered it.
    const isTooNew = type !== source.type && there.version === '5.2' && source.more === undefined;
    const common = {
      ...{ way: /** @type {const} */ ('still'), there },
      ...(isTooLarge ? { refuses: 'virtio-queues' } : isTooNew ? { refuses: 'virtio-features' } : {}),
    };
    return [
      {
        ...common,
        name: `unchanged to ${there.version} ${type}`,
        machine: { type, more: {} },
        isControl: true,
        make: ({ folder }) => plain(folder, 'vm.qevm', folder),
      },
      {
        ...common,
        name: `fix to ${there.version} ${type}`,
        machine: { type, more: {} },
        make: (moment, folder) =>
          fixed(streamOf(moment), moment, folder, there, { ...source, type, more: {} }, allowed),
      },
      {
        ...common,
        name: `fix of a snapshot to ${there.version} ${type} without two devices`,
        machine: { type, more: {}, without },
        make: (moment, folder) =>
          fixed(
            `${join(moment.folder, 'disk.qcow2')}#${SNAPSHOT}`,
            ...[moment, folder, there],
            { ...source, type, more: {}, without },
            [...allowed, 'unknown-section', 'unknown-device'],
          ),
      },
    ];
  });
}

/**
 * With the profile of the machine that will load it. Where a property of a device there is the better cure, the machine gets
 * that.
 *
 * @param {string} stream
 * @param {Moment} moment
 * @param {string} folder
 * @param {Build} there
 * @param {Machine} wanted
 * @param {readonly string[]} allowed
 * @returns {Made}
 */
function fixed(stream, moment, folder, there, wanted, allowed) {
  const profile = join(folder, 'there.profile');
  const made = join(folder, 'made.qevm');
  const allow = allowed.flatMap((each) => ['--allow', each]);
  const args = ['fix', stream, '--profile', profile, ...allow, '--json'];
  let machine = wanted;
  for (let round = 0; ; round++) {
    rmSync(profile, { force: true });
    writeProfile(profile, moment, there, machine);
    const advised =
      round < MAX_ADVICE ? withAdvice(machine, attempt('.', ...args, '--dry-run').stdout) : machine;
    if (advised === machine) break;
    machine = advised;
  }
  const { changes } = JSON.parse(vmwalk(...args, '-o', made));
  /** @type {Map<string, number>} */
  const kinds = new Map();
  for (const { rule, class: of } of changes)
    kinds.set(`${rule} ${of}`, (kinds.get(`${rule} ${of}`) ?? 0) + 1);
  const said = [
    ...Object.entries(machine.more ?? {}).map(([driver, properties]) => `${driver} ${properties.join(',')}`),
    ...[...kinds].map(([kind, count]) => (count === 1 ? kind : `${count} ${kind}`)),
  ];
  return { ...plain(folder, 'made.qevm', moment.folder), machine, note: said.join(', ') || 'no change' };
}

/** @param {string} profile @param {Moment} moment @param {Build} there @param {Machine} machine */
function writeProfile(profile, moment, there, machine) {
  const workspace = makeWorkspace(there.root);
  try {
    const disk = join(moment.folder, 'disk.qcow2');
    for (const file of [join(moment.guest, 'vmlinuz'), join(moment.guest, 'initrd'), disk])
      copyFileSync(file, join(workspace.outside, basename(file)));
    const [command, args] = commandIn(workspace, 'qemu-system-x86_64', machineArgs(machine));
    run(workspace.outside, 'profile', '-o', profile, '--', command, ...args);
  } finally {
    removeWorkspace(workspace);
  }
}

/** The machine with the properties that are told; itself where it has them all. @param {Machine} machine @param {string} json  Of fix. */
function withAdvice(machine, json) {
  /** @type {Record<string, readonly string[]>} */
  const more = { ...machine.more };
  let isNew = false;
  const { changes, findings } = JSON.parse(json);
  for (const { fix, instead = fix } of [...changes, ...findings]) {
    const [, driver = '', property = ''] = /-device ([\w-]+),…,([\w-]+=[\w-]+)/.exec(instead ?? '') ?? [];
    if (driver === '' || more[driver]?.includes(property)) continue;
    more[driver] = [...(more[driver] ?? []), property];
    isNew = true;
  }
  return isNew ? { ...machine, more } : machine;
}

/** An argument for `--set`: the real-time clock, put forward. @param {string} file */
function later(file) {
  const date = integerAt(file, 'mc146818rtc', 'base_rtc') + BigInt(DAYS * DAY);
  return `mc146818rtc/base_rtc=${date}`;
}

/** @type {NonNullable<Case['holds']>} */
function hasLaterDate({ date: before }, { progress: { date } }) {
  const late = date - before - DAYS * DAY;
  return late >= 0 && late < LATE ? undefined : `its date was ${before} and is ${date}`;
}

/** @param {Moment} moment */
function streamOf({ folder }) {
  return join(folder, 'vm.qevm');
}

/** @param {string} folder @param {string} name @param {string} diskFolder @returns {Made} */
function plain(folder, name, diskFolder) {
  return { how: 'plain', stream: join(folder, name), disk: join(diskFolder, 'disk.qcow2') };
}

/** @param {Moment} moment @param {string} folder @param {string[]} args */
function edited(moment, folder, ...args) {
  vmwalk('edit', streamOf(moment), ...args, '-o', join(folder, 'made.qevm'));
  return plain(folder, 'made.qevm', moment.folder);
}

/** @param {string} file @param {string} section @param {string} field @returns {bigint} */
function integerAt(file, section, field) {
  const [line = ''] = vmwalk('dump', '--ndjson', file, `${section}/${field}`)
    .split('\n')
    .filter((text) => text.includes(`"path":["${field}"]`));
  return BigInt(JSON.parse(line).value);
}

/** Runs a command; gives what it printed. Throws what it said where its status is not 0. @param {string[]} args */
function vmwalk(...args) {
  return run('.', ...args);
}

/** @param {string} cwd @param {string[]} args */
function run(cwd, ...args) {
  const { status, stdout, stderr } = attempt(cwd, ...args);
  if (status === 0) return stdout;
  const said = `${stderr}${args.includes('--json') ? refusals(stdout) : stdout}`;
  throw new Error(`vmwalk ${args[0]} ended with ${status}: ${said.trim().split('\n').slice(-6).join(' | ')}`);
}

/** @param {string} cwd @param {string[]} args */
function attempt(cwd, ...args) {
  return spawnSync(process.execPath, [MAIN, ...args], { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
}

/** What is not allowed, and what nothing helps against. @param {string} json  Of fix. */
function refusals(json) {
  try {
    const { changes, findings } = JSON.parse(json);
    return [
      ...changes.filter((/** @type {any} */ { isAllowed }) => !isAllowed),
      ...findings.filter((/** @type {any} */ { severity }) => severity === 'blocks'),
    ]
      .map(({ rule, section = '', message }) => `${rule} ${section}: ${message}`)
      .join('\n');
  } catch {
    return json;
  }
}
