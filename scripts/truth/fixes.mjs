#!/usr/bin/env node
/**
 * Holds `fix` to real QEMUs: of the recorded refusals of fixtures/loads each is fixed, and what comes of it is loaded by
 * the QEMU that had refused it, and saved again from there. Each value of the source has to be in what is saved, or to be
 * named as lost; what a QEMU changes when it loads and saves a stream of its own is left out. Run "npm run build" first.
 */

import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readExactly } from '../../dist/bytes/source.js';
import { checkHeader } from '../../dist/check/header.js';
import { fixStream } from '../../dist/fix/fix.js';
import { memorySource } from '../../dist/index.js';
import { packagedSchemas } from '../../dist/node/packaged-schemas.js';
import { makeFiles } from '../capture/files.mjs';
import { makeWorkspace, removeWorkspace, startQemu } from '../capture/qemu.mjs';
import { LOAD_TIMEOUT_MS, loadStream, newLines } from './load-stream.mjs';
import { openBytes } from './open-bytes.mjs';
import { readLoads } from './read-loads.mjs';
import { recordedDestination } from './recorded-destination.mjs';
import { fieldOf, keyOf, otherValues, plainName, valuesOf } from './same-state.mjs';

const HELP = `Usage: node scripts/truth/fixes.mjs --root VERSION=DIR… [options]
       node scripts/truth/fixes.mjs --table FILE…

Prints what became of each refusal, and tables of all of them. Run "npm run build" first.

  --root VERSION=DIR  run the QEMU of this version (5.2, 7.2, …) in the chroot DIR, or on this system if DIR is empty;
                      can be repeated. Refusals by others are left out.
  --allow CLASS|RULE  besides "loses"; can be repeated
  --by-rule           where a change is not allowed, allow its rule, too, and load what comes of that
  --only TEXT         only refusals whose id has this in it
  --kind TEXT         only those of such a kind
  --shard I/N         only the Ith of N parts, from 0 on
  --json FILE         append what became of each, as JSON lines; those that are in it are not done again
  --table FILE        read what --json wrote, start nothing, and print the tables of it; can be repeated
  --help

Exit status 1 when a QEMU refused a fixed stream, crashed on it, or saved something else than was loaded.
`;

const { values: options } = parseArgs({
  options: {
    root: { type: 'string', multiple: true, default: [] },
    allow: { type: 'string', multiple: true, default: [] },
    'by-rule': { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    kind: { type: 'string', default: '' },
    shard: { type: 'string', default: '0/1' },
    json: { type: 'string' },
    table: { type: 'string', multiple: true },
    help: { type: 'boolean' },
  },
});
if (options.help || (options.root.length === 0 && !options.table)) {
  process.stdout.write(HELP);
  process.exit(options.help ? 0 : 2);
}

/**
 * What became of a refusal.
 *
 * @typedef {object} Result
 * @property {string} id
 * @property {string} kind
 * @property {string} from     Version of the QEMU that wrote the stream.
 * @property {string} to
 * @property {string} target
 * @property {string[]} before   Rules of what blocked it.
 * @property {'loaded' | 'refused' | 'crashed' | 'hung' | 'not allowed' | 'loads none' | 'no solution' | 'foreseen as loaded' | 'cannot tell' | 'failed'} outcome
 * @property {{ class: string, rule: string, section?: string, message: string, instead?: string, lost: number, taken: number }[]} changes
 * @property {string[]} left     What blocks it with all changes.
 * @property {string[]} said     Of the QEMU that loaded it.
 * @property {string[]} silent   Values that are others, and not named: `section/path before now`.
 * @property {string} [sha256]   Of the fixed stream.
 * @property {string[]} [byRule]  Rules that had to be allowed by name.
 */

/** What a QEMU writes of itself, whatever it has loaded, and the list of its RAM. */
const OF_THE_SAVE = new Set(['configuration', 'globalstate', 'ram']);
/** What the destination's command line, CPU model or QEMU makes of it, and copies. */
const NO_STATE = new Set([
  'cpu/env.features',
  // The first window of registers again.
  'cpu/env.regbase',
  'sysbusespscsi/esp.mig_version_id',
  'pciespscsi/esp.mig_version_id',
  // Sent where it is not the default, which it is from 11.1 on.
  'spapr/spapr/cap/hpt_maxpagesize/mig.caps[0x06]',
  // As long as the device makes it.
  'virtio-gpu/virtio/config_len',
  'virtio-gpu/virtio/config',
]);
/** Outcomes in which QEMU did not load what it was given. */
const FAILED = new Set(['refused', 'crashed', 'hung', 'failed']);
const folder = fileURLToPath(new URL('../../fixtures/loads/', import.meta.url));
const roots = new Map(options.root.map((text) => /** @type {[string, string]} */ (text.split('=', 2))));

const all = readLoads(folder);
/** What machines change, by a hash of them and of what they loaded. @type {Map<string, Promise<Set<string>>>} */
const usual = new Map();
/** @type {Result[]} */
let results = [];
if (options.table) results = options.table.flatMap(readResults);
else {
  if (options.json !== undefined && existsSync(options.json)) results = readResults(options.json);
  const done = new Set(results.map(({ id }) => id));
  const wanted = all
    .filter(({ loaded, isDamaged }) => !loaded && !isDamaged)
    .filter(({ id, kind }) => id.includes(options.only) && kind.includes(options.kind))
    .filter(({ destination }) => roots.has(destination.version) && canRun(destination))
    .sort((a, b) => (a.profileName < b.profileName ? -1 : 1));
  const [shard = 0, shards = 1] = options.shard.split('/').map(Number);
  const share = Math.ceil(wanted.length / shards);
  for (const one of wanted.slice(shard * share, (shard + 1) * share)) {
    if (done.has(one.id)) continue;
    const result = await judge(one);
    results.push(result);
    if (options.json !== undefined) appendFileSync(options.json, `${JSON.stringify(result)}\n`);
    print(result);
  }
}
printTables(results);
process.exitCode = results.some(({ outcome, silent }) => FAILED.has(outcome) || silent.length > 0) ? 1 : 0;

/** @param {string} file @returns {Result[]} */
function readResults(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}

/** Can its files be made? @param {import('./read-loads.mjs').LoadMachine} machine */
function canRun({ files = {} }) {
  return !Object.values(files).some((recipe) => recipe.startsWith('given:'));
}

/** @param {import('./read-loads.mjs').RecordedLoad} one @returns {Promise<Result>} */
async function judge(one) {
  const { id, kind, source, destination } = one;
  /** @type {Result} */
  const result = {
    ...{ id, kind, from: source.version, to: destination.version, target: destination.target },
    ...{ before: [], outcome: 'no solution', changes: [], left: [], said: [], silent: [] },
  };
  try {
    await judgeInto(result, one);
  } catch (error) {
    result.outcome = 'failed';
    result.said.push(String(error instanceof Error ? error.stack : error));
  }
  return result;
}

/** @param {Result} result @param {import('./read-loads.mjs').RecordedLoad} one */
async function judgeInto(result, one) {
  const bytes = one.stream();
  const bad = await checkHeader(memorySource(bytes));
  if (bad) {
    result.before = bad.findings.map(({ rule }) => rule);
    return;
  }
  const there = await recordedDestination(one);
  const open = { schemas: packagedSchemas };
  const allow = ['loses', ...options.allow];
  let fixed = await fixStream(await openBytes(bytes), there, { allow, open });
  if (fixed.refused.length > 0 && options['by-rule'] && fixed.report.verdict === 'no blocker found') {
    result.byRule = [...new Set(fixed.refused.map(({ rule }) => rule))];
    fixed = await fixStream(await openBytes(bytes), there, { allow: [...allow, ...result.byRule], open });
  }
  const { changes, report, refused } = fixed;
  result.before = [...new Set(changes.map(({ rule }) => rule))];
  result.changes = changes.map(({ class: of, rule, section, message, instead, lostCount, takenCount }) => ({
    ...{ class: of, rule, message, lost: lostCount, taken: takenCount },
    ...(section === undefined ? {} : { section }),
    ...(instead === undefined ? {} : { instead }),
  }));
  result.left = report.findings
    .filter(({ severity }) => severity === 'blocks')
    .map(({ rule, section = '', message }) => `${rule}: ${section}: ${message}`);
  if (report.verdict === 'cannot tell') result.outcome = 'cannot tell';
  else if (report.verdict === 'no blocker found' && changes.length === 0)
    result.outcome = 'foreseen as loaded';
  else if (report.verdict === 'no blocker found' && refused.length > 0) result.outcome = 'not allowed';
  if (!fixed.source || changes.length === 0) return;
  const stream = await readExactly(fixed.source, 0, fixed.source.size);
  result.sha256 = createHash('sha256').update(stream).digest('hex');
  const { end, said, saved } = await loadAndSave(one.destination, stream);
  result.said = said;
  result.outcome = outcomeOf(end, said);
  if (result.outcome !== 'loaded') {
    // Some QEMUs load nothing, or some machines of them.
    const own = await loadAndSave(one.destination, one.profile());
    if (own.end !== 'loaded') result.outcome = 'loads none';
    return;
  }
  if (!saved) {
    result.silent.push('it was not saved again');
    return;
  }
  result.silent = await silentlyOther(one, { bytes, stream, saved, changes });
}

/** @param {string} end @param {readonly string[]} said @returns {Result['outcome']} */
function outcomeOf(end, said) {
  if (end === 'loaded' || end === 'failed') return end === 'loaded' ? 'loaded' : 'refused';
  if (end === 'no end') return 'hung';
  const isCrash = /SIG/.test(end) || said.some((line) => /assert|ended by SIG/i.test(line));
  return isCrash ? 'crashed' : 'refused';
}

/**
 * @param {import('./read-loads.mjs').RecordedLoad} one
 * @param {{ bytes: Uint8Array, stream: Uint8Array, saved: Uint8Array, changes: readonly import('../../dist/fix/change.js').FixChange[] }} made
 */
async function silentlyOther(one, { bytes, stream, saved, changes }) {
  const [before, fixed, after] = await Promise.all([bytes, stream, saved].map(valuesOf));
  const isNamed = namedBy(changes);
  const unwritten = otherValues(before, fixed).filter(
    (value) => !isNamed(value) && !value.isGivenUp && !NO_STATE.has(fieldOf(value)),
  );
  let unsaved = otherValues(fixed, after).filter(
    (value) =>
      !OF_THE_SAVE.has(value.section) &&
      !NO_STATE.has(fieldOf(value)) &&
      // What a reset makes of the size of a queue.
      value.path.at(-1) !== 'vring.num_default' &&
      !value.isGivenUp &&
      !isNamed(value),
  );
  // Of a destination there may be a stream of its own that ran as long as the source; or else of another version.
  const ownLoads = all.filter(
    ({ set, loaded, source, destination }) =>
      set === one.set && loaded && source.version === destination.version,
  );
  const same =
    ownLoads.find(
      ({ destination: { version, args } }) =>
        version === one.destination.version && args.join() === one.destination.args.join(),
    ) ?? ownLoads[0];
  for (const [machine, own] of /** @type {[import('./read-loads.mjs').LoadMachine, () => Uint8Array][]} */ ([
    [one.destination, () => one.profile()],
    [one.source, () => bytes],
    ...(same ? [[same.destination, () => same.stream()]] : []),
  ])) {
    if (unsaved.length === 0) break;
    const usual = await changedByLoad(machine, own);
    unsaved = unsaved.filter((value) => !usual.has(fieldOf(value)));
  }
  const text = (/** @type {string} */ what) => (/** @type {(typeof unsaved)[number]} */ each) =>
    `${what} ${keyOf(each.section, each.instanceId, each.path)}: ${each.text.slice(0, 80)} is ${(each.now ?? 'not there').slice(0, 80)}`;
  return [...unwritten.map(text('unwritten')), ...unsaved.map(text('unsaved'))];
}

/**
 * Is it said that a value is another one?
 *
 * @param {readonly import('../../dist/fix/change.js').FixChange[]} changes
 * @returns {(value: import('./same-state.mjs').Value) => boolean}
 */
function namedBy(changes) {
  /** @type {Set<string>} */
  const named = new Set();
  for (const { rule, section = 'configuration', instanceId = 0, lost, renamed } of changes) {
    if (/^(unknown-section|unknown-device|machine-type|unknown-machine-type)$/.test(rule))
      named.add(keyOf(section, instanceId, []));
    for (const { from } of renamed) named.add(keyOf(section, instanceId, from));
    for (const { path, name } of lost) {
      named.add(keyOf(section, instanceId, path));
      // Where a register stands may have been changed before.
      if (name !== undefined) named.add(keyOf(section, instanceId, [plainName(name)]));
    }
    if (rule === 'virtio-queues') named.add(`${keyOf(section, instanceId, [])} num`);
  }
  return ({ section, instanceId, path, register = '' }) => {
    const start = keyOf(section, instanceId, []);
    return (
      path.some((_, i) => named.has(keyOf(section, instanceId, path.slice(0, i + 1)))) ||
      named.has(start) ||
      named.has(keyOf(section, instanceId, [plainName(register)])) ||
      (path.at(-1) === 'num' && named.has(`${start} num`))
    );
  };
}

/**
 * Fields that a QEMU changes when it loads a stream of its own and saves it again.
 *
 * @param {import('./read-loads.mjs').LoadMachine} machine
 * @param {() => Uint8Array} own
 */
function changedByLoad(machine, own) {
  const key = createHash('sha256').update(JSON.stringify(machine)).update(own()).digest('hex');
  const find = async () => {
    if (!roots.has(machine.version) || !canRun(machine)) return new Set();
    const stream = own();
    const { saved } = await loadAndSave(machine, stream);
    if (!saved) return new Set();
    const [before, after] = await Promise.all([stream, saved].map(valuesOf));
    return new Set(otherValues(before, after).map(fieldOf));
  };
  const known = usual.get(key) ?? find();
  usual.set(key, known);
  return known;
}

/**
 * @param {import('./read-loads.mjs').LoadMachine} machine
 * @param {Uint8Array} stream
 * @returns {Promise<{ end: string, said: string[], saved?: Uint8Array }>}
 */
async function loadAndSave(machine, stream) {
  const root = roots.get(machine.version) ?? '';
  const workspace = makeWorkspace(root === '' ? '' : resolve(root));
  try {
    makeFiles(workspace, machine.files ?? {}, { assets: '.', given: new Map() });
    writeFileSync(join(workspace.outside, 'incoming.qevm'), stream);
    const args = [...machine.args, '-incoming', 'defer'];
    const qemu = await startQemu(workspace, machine.target, args, { timeoutMs: LOAD_TIMEOUT_MS });
    const before = qemu.stderr();
    let end = 'failed';
    /** @type {Uint8Array | undefined} */
    let saved;
    try {
      end = await loadStream(qemu, machine);
      if (end === 'loaded') saved = await save(qemu, machine, workspace);
    } finally {
      await qemu.quit();
    }
    const known = before.split('\n').map((line) => line.trim());
    const said = newLines(qemu.stderr(), known);
    return { end, said, ...(saved ? { saved } : {}) };
  } finally {
    removeWorkspace(workspace);
  }
}

/**
 * @param {import('../capture/qemu.mjs').Qemu} qemu
 * @param {import('./read-loads.mjs').LoadMachine} machine
 * @param {import('../capture/qemu.mjs').Workspace} workspace
 */
async function save({ qmp }, { capabilities = [] }, workspace) {
  await qmp.execute('migrate-set-capabilities', {
    capabilities: capabilities.map((capability) => ({ capability, state: false })),
  });
  await qmp.execute('migrate', { uri: 'exec:cat > again.qevm' });
  for (const deadline = Date.now() + LOAD_TIMEOUT_MS; Date.now() < deadline; await sleep(20)) {
    const { status } = await qmp.execute('query-migrate');
    if (status === 'completed') return readFileSync(join(workspace.outside, 'again.qevm'));
    if (status === 'failed') return undefined;
  }
  return undefined;
}

/** @param {Result} result */
function print({ id, kind, outcome, byRule, changes, left, said, silent }) {
  console.log(`${outcome}: ${id} (${kind})${byRule ? ` by ${byRule.join(', ')}` : ''}`);
  if (outcome === 'no solution') for (const line of left.slice(0, 3)) console.log(`    ${line}`);
  if (FAILED.has(outcome) || outcome === 'loads none') {
    for (const line of said.slice(-4)) console.log(`    QEMU: ${line}`);
    for (const change of changes.slice(0, 6))
      console.log(`    ${change.class} ${change.rule}: ${change.section ?? ''}: ${change.message}`);
  }
  for (const line of silent.slice(0, 8)) console.log(`    ${line}`);
  if (silent.length > 8) console.log(`    ${silent.length - 8} more`);
}

/** @param {readonly Result[]} done */
function printTables(done) {
  const worst = (/** @type {Result} */ { changes }) =>
    ['refuse', 'loses', 'harmless'].find((of) => changes.some((each) => each.class === of)) ?? 'none';
  printTable('class', done, (each) => [worst(each)]);
  printTable('rule', done, ({ changes, left }) => [
    ...new Set([...changes.map(({ rule }) => rule), ...left.map((line) => line.slice(0, line.indexOf(':')))]),
  ]);
  printTable('kind', done, ({ kind }) => [kind]);
  printTable('from, to', done, ({ from, to }) => [`${from} to ${to}`]);
}

/** @param {string} title @param {readonly Result[]} done @param {(result: Result) => string[]} keysOf */
function printTable(title, done, keysOf) {
  const columns = /** @type {const} */ ([
    ['refused before', () => true],
    ['no solution', ({ outcome }) => outcome === 'no solution'],
    ['loads none', ({ outcome }) => outcome === 'loads none'],
    ['not told', ({ outcome }) => outcome === 'cannot tell' || outcome === 'foreseen as loaded'],
    ['not allowed', ({ outcome, byRule }) => outcome === 'not allowed' || byRule !== undefined],
    ['fixed, loaded', ({ outcome, byRule }) => outcome === 'loaded' && !byRule],
    ['loaded by rule', ({ outcome, byRule }) => outcome === 'loaded' && byRule !== undefined],
    ['fixed, refused', ({ outcome }) => outcome === 'refused' || outcome === 'failed'],
    ['crashed, hung', ({ outcome }) => outcome === 'crashed' || outcome === 'hung'],
    ['other values', ({ silent }) => silent.length > 0],
  ]);
  /** @type {Map<string, number[]>} */
  const rows = new Map();
  for (const result of done)
    for (const key of ['all', ...keysOf(result)]) {
      const row = rows.get(key) ?? columns.map(() => 0);
      for (const [i, [, holds]] of columns.entries()) if (holds(result)) row[i] = (row[i] ?? 0) + 1;
      rows.set(key, row);
    }
  console.log(`\n| ${title} | ${columns.map(([name]) => name).join(' | ')} |`);
  console.log(`|---|${columns.map(() => '--:').join('|')}|`);
  const order = [...rows].sort(([, [a = 0]], [, [b = 0]]) => b - a);
  for (const [key, row] of order) console.log(`| ${key} | ${row.join(' | ')} |`);
}
