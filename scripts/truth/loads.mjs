#!/usr/bin/env node
/**
 * Loads streams into real QEMUs, as a manifest lists them, and records whether each was accepted and in which words it
 * was refused.
 *
 * The source of each case is started, runs a while, and is migrated to a file. What loads is that file without the
 * contents of memory (thin-stream.mjs), damaged where the case says so, into a destination that waits for it with its
 * CPUs stopped. Of each destination there is a profile: a stream of the same command line that has loaded nothing.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeFiles } from '../capture/files.mjs';
import { makeWorkspace, removeWorkspace, startQemu } from '../capture/qemu.mjs';
import { capture } from '../capture/session.mjs';
import { loadCases } from './load-cases.mjs';
import { LOAD_TIMEOUT_MS, linesOf, loadStream, newLines } from './load-stream.mjs';
import { locateDamage } from './locate-damage.mjs';
import { applySplices } from './splices.mjs';
import { thinStream } from './thin-stream.mjs';

const HELP = `Usage: node scripts/truth/loads.mjs --root VERSION=DIR… [options]

Captures and loads the cases of load-cases.mjs and writes, under the output directory,
  loads.json           the table, rewritten as it grows; a case that is in it is not done again
  streams/NAME.qevm    what was loaded, damaged where it was
  profiles/NAME.qevm   the destination's own state (NAME.qevm.stderr: what it printed)
  whole/NAME.qevm      with --whole, the stream as the source wrote it
Run "npm run build" first.

  --root VERSION=DIR  run the QEMU of this version (5.2, 7.2, …) in the chroot DIR, or on this system if DIR is empty;
                      can be repeated. Cases of other versions are left out.
  --manifest FILE     a JSON array of cases instead of those of load-cases.mjs
  --only TEXT         only cases whose id has this in it; can be repeated
  --out DIR           where to write (default: loads)
  --file NAME=PATH    a file that a case needs but that is not ours to ship, such as a kernel; can be repeated
  --jobs N            this many QEMUs at once (default: 1)
  --whole             keep new streams with the contents of memory, too, load those that are not damaged, and say where
                      that makes a difference
  --list              print the ids of the cases
  --help
`;

/**
 * A virtual machine: a command line, and what happens before it is migrated or loads.
 *
 * @typedef {object} Machine
 * @property {string} version   `5.2`, `7.2`, …
 * @property {string} target
 * @property {string[]} args
 * @property {import("../capture/files.mjs").FileRecipes} [files]
 * @property {string[]} [capabilities]
 * @property {Record<string, unknown>} [parameters]
 * @property {import("../capture/session.mjs").Step[]} [setup]
 * @property {number} [runMs]       Only of a source.
 * @property {string} [runUntil]
 * @property {number} [timeoutMs]
 */

/**
 * @typedef {object} LoadCase
 * @property {string} id
 * @property {string} set    Name of the devices.
 * @property {string} kind   What is different at the destination or damaged; `same` and `version` where nothing is.
 * @property {Machine} source
 * @property {import("./locate-damage.mjs").Damage[]} [damage]
 * @property {Machine} destination
 */

/**
 * @typedef {object} Verdict
 * @property {boolean} loaded
 * @property {string[]} words  Lines that the destination printed and its profile did not.
 * @property {string} [end]    Exit status or signal of a destination that ended, or that it never came to an end.
 */

/**
 * A line of the table.
 *
 * @typedef {Omit<LoadCase, "damage"> & { damage?: import("./locate-damage.mjs").Damage[],
 *   splices?: import("./splices.mjs").Splice[], verdict: Verdict, stream: string, base: string, profile: string }} Row
 */

const { values: options } = parseArgs({
  options: {
    root: { type: 'string', multiple: true, default: [] },
    manifest: { type: 'string' },
    only: { type: 'string', multiple: true },
    out: { type: 'string', default: 'loads' },
    file: { type: 'string', multiple: true, default: [] },
    jobs: { type: 'string', default: '1' },
    whole: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

/** How often the table is written. */
const TABLE_MS = 5_000;
const roots = assignments(options.root);
const sources = { assets: '.', given: assignments(options.file) };
const out = resolve(options.out);

/** @type {LoadCase[]} */
const all = options.manifest === undefined ? loadCases() : JSON.parse(readFileSync(options.manifest, 'utf8'));
if (new Set(all.map(({ id }) => id)).size !== all.length) throw new Error('two cases have the same id');
const wanted = all.filter(
  ({ id, source, destination }) =>
    (options.only === undefined || options.only.some((text) => id.includes(text))) &&
    (options.list || (roots.has(source.version) && roots.has(destination.version))),
);
if (options.list) {
  writeSync(1, wanted.map(({ id, kind }) => `${kind}\t${id}\n`).join(''));
  process.exit(0);
}

for (const folder of ['streams', 'profiles', ...(options.whole ? ['whole'] : [])])
  mkdirSync(join(out, folder), { recursive: true });
const tableFile = join(out, 'loads.json');
/** @type {Map<string, Row>} */
const table = new Map();
if (existsSync(tableFile)) {
  for (const row of JSON.parse(readFileSync(tableFile, 'utf8'))) table.set(row.id, row);
}

/** What was captured in this run or an earlier one. @type {Map<string, Promise<Captured>>} */
const captured = new Map();
const queue = wanted.filter((each) => !isDone(each));
let failures = 0;
let written = Date.now();
await Promise.all(Array.from({ length: Number(options.jobs) }, work));
writeTable();
process.exit(failures === 0 ? 0 : 1);

/** Is the case in the table, as it is now? @param {LoadCase} loadCase */
function isDone({ id, source, destination, damage }) {
  const row = table.get(id);
  return (
    row !== undefined &&
    JSON.stringify([row.source, row.destination, row.damage]) ===
      JSON.stringify([source, destination, damage])
  );
}

async function work() {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    try {
      const row = await judge(next);
      table.set(row.id, row);
      if (Date.now() - written > TABLE_MS) writeTable();
      const { loaded, words, end = '' } = row.verdict;
      process.stdout.write(`${loaded ? 'loaded ' : 'refused'} ${row.id}  ${end} ${words.join(' | ')}\n`);
    } catch (error) {
      failures++;
      process.stderr.write(`failed  ${next.id}: ${/** @type {Error} */ (error).message}\n`);
    }
  }
}

function writeTable() {
  const rows = [...table.values()].map((row) => JSON.stringify(row));
  writeFileSync(`${tableFile}.new`, `[\n${rows.join(',\n')}\n]\n`);
  renameSync(`${tableFile}.new`, tableFile);
  written = Date.now();
}

/**
 * @param {LoadCase} loadCase
 * @returns {Promise<Row>}
 */
async function judge(loadCase) {
  const { id, set, kind, source, damage, destination } = loadCase;
  const base = await once(`${set}-${source.version}-${digest(source)}`, captureSource, source);
  const profile = await once(
    `${set}-${destination.version}-${digest(destination)}`,
    captureProfile,
    destination,
  );
  const undamaged = readFileSync(join(out, base.file));
  const splices = damage && (await locateDamage(undamaged, damage));
  let stream = base.file;
  if (splices) {
    stream = `streams/${set}-${source.version}-${digest(source)}-${digest(splices)}.qevm`;
    writeFileSync(join(out, stream), applySplices(undamaged, splices));
  }
  const verdict = await load(destination, join(out, stream), profile.stderr);
  if (options.whole && !damage) await compareWhole(id, destination, base.name, verdict, profile.stderr);
  return {
    ...{ id, set, kind, source, destination },
    ...(damage ? { damage, splices } : {}),
    verdict,
    stream: join(out, stream),
    base: join(out, base.file),
    profile: join(out, profile.file),
  };
}

/** @typedef {{ name: string, file: string, stderr: string }} Captured */

/**
 * @param {string} name
 * @param {(machine: Machine, name: string) => Promise<Captured>} make
 * @param {Machine} machine
 */
function once(name, make, machine) {
  const key = `${make.name} ${name}`;
  const known = captured.get(key) ?? make(machine, name);
  captured.set(key, known);
  return known;
}

/**
 * @param {Machine} machine
 * @param {string} name
 */
async function captureSource(machine, name) {
  const file = `streams/${name}.qevm`;
  return captureInto(file, machine, name, async (whole) => {
    if (options.whole) writeFileSync(join(out, 'whole', `${name}.qevm`), whole);
    return thinStream(whole, machine.target);
  });
}

/**
 * @param {Machine} machine
 * @param {string} name
 */
async function captureProfile({ runMs, runUntil, ...machine }, name) {
  const file = `profiles/${name}.qevm`;
  return captureInto(file, machine, name, (whole) => thinStream(whole, machine.target));
}

/**
 * @param {string} file
 * @param {Machine} machine
 * @param {string} name
 * @param {(whole: Uint8Array) => Promise<Uint8Array>} keep
 * @returns {Promise<Captured>}
 */
async function captureInto(file, machine, name, keep) {
  const said = join(out, `${file}.stderr`);
  if (existsSync(join(out, file)) && existsSync(said))
    return { name, file, stderr: readFileSync(said, 'utf8') };
  const workspace = makeWorkspace(rootOf(machine.version));
  try {
    const entry = { ...machine, name, suite: machine.version };
    const { record, stream } = await capture(entry, workspace, sources);
    if (!record.qemuVersion.startsWith(`${machine.version}.`)) {
      throw new Error(`the QEMU for ${machine.version} is ${record.qemuVersion}`);
    }
    writeFileSync(join(out, file), await keep(readFileSync(stream)));
    writeFileSync(said, record.stderr);
    return { name, file, stderr: record.stderr };
  } finally {
    removeWorkspace(workspace);
  }
}

/**
 * @param {string} id
 * @param {Machine} destination
 * @param {string} name
 * @param {Verdict} verdict
 * @param {string} usual
 */
async function compareWhole(id, destination, name, verdict, usual) {
  const stream = join(out, 'whole', `${name}.qevm`);
  if (!existsSync(stream)) return;
  const whole = await load(destination, stream, usual);
  if (whole.loaded === verdict.loaded && whole.words.join() === verdict.words.join()) return;
  process.stdout.write(`differs ${id} with memory: loaded ${whole.loaded} ${whole.words.join(' | ')}\n`);
}

/**
 * @param {Machine} machine
 * @param {string} stream
 * @param {string} usual  What the same command line prints without a stream.
 * @returns {Promise<Verdict>}
 */
async function load(machine, stream, usual) {
  const workspace = makeWorkspace(rootOf(machine.version));
  try {
    makeFiles(workspace, machine.files ?? {}, sources);
    writeFileSync(join(workspace.outside, 'incoming.qevm'), readFileSync(stream));
    const args = [...machine.args, '-incoming', 'defer'];
    const qemu = await startQemu(workspace, machine.target, args, { timeoutMs: LOAD_TIMEOUT_MS });
    let verdict;
    try {
      verdict = await loadStream(qemu, machine);
    } finally {
      await qemu.quit();
    }
    const known = [...linesOf(usual), `ended by ${qemu.ended()}`];
    const words = newLines(qemu.stderr(), known);
    return { loaded: verdict === 'loaded', words, ...(verdict === 'loaded' ? {} : { end: verdict }) };
  } finally {
    removeWorkspace(workspace);
  }
}

/** @param {unknown} value */
function digest(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 8);
}

/** @param {string} version */
function rootOf(version) {
  const root = roots.get(version);
  if (root === undefined) throw new Error(`no root for ${version}`);
  return root === '' ? '' : resolve(root);
}

/** @param {string[]} texts */
function assignments(texts) {
  return new Map(
    texts.map((text) => {
      const equals = text.indexOf('=');
      if (equals < 0) throw new Error(`"${text}" is not NAME=VALUE`);
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}
