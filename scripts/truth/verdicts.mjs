/**
 * Holds `check` to what real QEMUs made of the same streams, as loads.mjs recorded it. Prints how often they agree, and
 * each case where they do not. With --capture what is checked is what a capture of the VM would have: the state of its
 * devices alone, its machine type and its RAMBlocks; streams that are damaged are left out. With --running VERSION=ROOT
 * each source of that QEMU (in a chroot, or this system's where ROOT is empty) is started anew and captured while it runs,
 * and its verdicts are held to those of the recorded stream, too. Run "npm run build" first.
 *
 *   node scripts/truth/verdicts.mjs [--without-tables | --guess-tables | --without-profile] [--capture | --running VERSION=ROOT]… [--only TEXT] [--kind TEXT] [--all] [--shard I/N] [FOLDER]
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { knowledgeOfCapture } from '../../dist/check/capture.js';
import { checkStream } from '../../dist/check/check.js';
import { checkHeader } from '../../dist/check/header.js';
import { memorySource, openVm } from '../../dist/index.js';
import { ramBlocksOf } from '../../dist/layout/open.js';
import { takeCapture } from '../../dist/node/index.js';
import { destinationOfStream } from '../../dist/node/open-destination.js';
import { packagedSchemas } from '../../dist/node/packaged-schemas.js';
import { builtinTablesOfWriter } from '../../dist/vm/builtin-tables.js';
import { makeFiles } from '../capture/files.mjs';
import { makeWorkspace, removeWorkspace, startQemu } from '../capture/qemu.mjs';
import { configureMigration, runGuest } from '../capture/session.mjs';
import { openBytes } from './open-bytes.mjs';
import { readLoads } from './read-loads.mjs';
import { recordedDestination, tablesOf } from './recorded-destination.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'without-tables': { type: 'boolean' },
    'guess-tables': { type: 'boolean' },
    'without-profile': { type: 'boolean' },
    capture: { type: 'boolean' },
    running: { type: 'string', multiple: true, default: [] },
    only: { type: 'string' },
    kind: { type: 'string' },
    all: { type: 'boolean' },
    shard: { type: 'string', default: '0/1' },
  },
});
const [folder = fileURLToPath(new URL('../../fixtures/loads/', import.meta.url))] = positionals;
/** Of each version of QEMU that is started. */
const roots = new Map(values.running.map((text) => /** @type {[string, string]} */ (text.split('=', 2))));
/** The one of the case before: many have the same. @type {{ name: string, destination: import('../../dist/check/destination.js').Destination } | undefined} */
let last;

/** @param {import('./read-loads.mjs').RecordedLoad} one */
async function destinationOf(one) {
  const { profileName: name, profile } = one;
  if (last?.name === name) return last.destination;
  const destination = values['guess-tables']
    ? (await destinationOfStream(memorySource(profile()))).destination
    : await recordedDestination(one, {
        withoutTables: values['without-tables'],
        withoutProfile: values['without-profile'],
      });
  last = { name, destination };
  return destination;
}

/** @param {import('./read-loads.mjs').RecordedLoad} one */
async function check(one) {
  if (roots.size > 0) return checkRunning(one);
  if (!values.capture) return checkWhole(one);
  const captured = await capture(one.stream(), one);
  return captured && checkStream(captured, await destinationOf(one));
}

/** @param {import('./read-loads.mjs').RecordedLoad} one */
async function checkWhole(one) {
  const bytes = one.stream();
  const damaged = await checkHeader(memorySource(bytes));
  return damaged ?? (await checkStream(await openBytes(bytes), await destinationOf(one)));
}

/** Verdicts of VMs that run that are, or are not, those of their streams. */
const asByStream = { same: 0, different: 0 };

/** Whether its source can be started, and wrote what was loaded. @param {import('./read-loads.mjs').RecordedLoad} one */
function canRun({ source, isDamaged }) {
  const isGiven = Object.values(source.files ?? {}).some((recipe) => recipe.startsWith('given:'));
  return !isDamaged && !isGiven && roots.has(source.version);
}

/** @param {import('./read-loads.mjs').RecordedLoad} one */
async function checkRunning(one) {
  const { stream, ...profile } = await captureSource(one.source);
  const running = await openVm(memorySource(stream), {
    schemas: packagedSchemas,
    ...knowledgeOfCapture({ stream, ...profile }),
  });
  const report = await checkStream(running, await destinationOf(one));
  const whole = await checkWhole(one);
  const isSame = whole.verdict === report.verdict;
  asByStream[isSame ? 'same' : 'different']++;
  if (!isSame) {
    console.log(`different: ${one.id} (${one.kind}): ${report.verdict}, and of its stream ${whole.verdict}`);
    for (const { rule, severity, section = '', message } of [...report.findings, ...whole.findings])
      if (severity !== 'note') console.log(`    ${severity} ${rule}: ${section}: ${message}`);
  }
  return report;
}

/** The one of the case before. @type {{ key: string, profile: Promise<import('../../dist/check/profile.js').Profile> } | undefined} */
let lastSource;

/** @param {import('./loads.mjs').Machine} source */
function captureSource(source) {
  const key = JSON.stringify(source);
  if (lastSource?.key !== key) lastSource = { key, profile: startAndCapture(source) };
  return lastSource.profile;
}

/** @param {import('./loads.mjs').Machine} source */
async function startAndCapture(source) {
  const workspace = makeWorkspace(roots.get(source.version) ?? '');
  try {
    makeFiles(workspace, source.files ?? {}, { assets: '.', given: new Map() });
    const monitor = ['-qmp', 'unix:capture.sock,server=on,wait=off'];
    const qemu = await startQemu(workspace, source.target, [...source.args, ...monitor], {
      timeoutMs: 60_000,
    });
    try {
      await runGuest(source, workspace, qemu.qmp);
      await configureMigration(qemu.qmp, source);
      // Some guests without a disk to boot from have panicked by then, which is no harm.
      const address = { qmp: join(workspace.outside, 'capture.sock') };
      const captured = await takeCapture(address, { force: true });
      if (!captured) throw new Error('it was not captured');
      return captured.profile;
    } finally {
      await qemu.quit();
    }
  } finally {
    removeWorkspace(workspace);
  }
}

/**
 * A stream as `xen-save-devices-state` would have written it, of a VM of which the rest is known.
 *
 * @param {Uint8Array} bytes
 * @param {import('./read-loads.mjs').RecordedLoad} one
 */
async function capture(bytes, { source: { version, target }, kind }) {
  if (/damage|cut|splice/.test(kind)) return undefined;
  const whole = await openBytes(bytes);
  const { configuration, records, sections } = whole.stream;
  const ramBlocks = ramBlocksOf(whole);
  if (!configuration || !ramBlocks || !records.some(({ kind: each }) => each === 'eof')) return undefined;
  const iterative = new Set(sections.flatMap(({ scanner, id }) => (scanner ? id : [])));
  const pieces = [bytes.subarray(0, 8)];
  for (const record of records)
    if (record.kind === 'section' && record.type === 'SECTION_FULL' && !iterative.has(record.id))
      pieces.push(bytes.subarray(record.range.start, record.range.end));
  pieces.push(new Uint8Array(1));
  const tables =
    (await tablesOf(version, target)) ?? (await builtinTablesOfWriter(whole, packagedSchemas))?.tables;
  return openVm(memorySource(Buffer.concat(pieces)), {
    sender: { configuration, ramBlocks },
    ...(tables ? { tables } : {}),
  });
}

/** @type {Record<string, number>} */
const counts = { right: 0, 'false rejection': 0, missed: 0, 'cannot tell': 0, failed: 0 };
const started = performance.now();
// Those of one destination behind each other: what is worked out for it is kept; or those of one source that runs.
const order = roots.size > 0 ? 'streamName' : 'profileName';
const loads = readLoads(folder)
  .filter(({ id, kind }) => id.includes(values.only ?? '') && kind.includes(values.kind ?? ''))
  .filter((one) => roots.size === 0 || canRun(one))
  .sort((a, b) => (a[order] < b[order] ? -1 : 1));
const [shard = 0, shards = 1] = values.shard.split('/').map(Number);
const share = Math.ceil(loads.length / shards);
for (const one of loads.slice(shard * share, (shard + 1) * share)) {
  const { id, kind, loaded, words } = one;
  let outcome;
  let lines = [];
  try {
    const report = await check(one);
    if (!report) continue;
    const { verdict, reason, findings } = report;
    const loads = verdict === 'no blocker found';
    if (verdict === 'cannot tell') outcome = 'cannot tell';
    else if (loads === loaded) outcome = 'right';
    else outcome = loads ? 'missed' : 'false rejection';
    lines = findings
      .filter(({ severity }) => severity !== 'note' || values.all)
      .map(
        ({ rule, severity, section = '', path = [], message, says = '' }) =>
          `    ${severity} ${rule}: ${section} ${path.join('/')}: ${message} [${says}]`,
      );
    if (reason) lines.push(`    ${reason}`);
  } catch (error) {
    outcome = 'failed';
    lines = [`    ${error instanceof Error ? error.stack : error}`];
  }
  counts[outcome]++;
  if (outcome === 'right' && !values.all) continue;
  console.log(`${outcome}: ${id} (${kind})`);
  for (const word of words.slice(0, 4)) console.log(`    QEMU: ${word}`);
  for (const line of lines.slice(0, 8)) console.log(line);
}
const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
const each = ((performance.now() - started) / total).toFixed(0);
if (roots.size > 0) console.log('verdicts of VMs that run, against those of their streams:', asByStream);
console.log(counts, `of ${total}: ${((100 * counts.right) / total).toFixed(1)} % right, ${each} ms each`);
