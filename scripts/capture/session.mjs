/**
 * One capture: start QEMU, let it run, migrate it to a file, and ask its monitor for the truth.
 */

import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordChannels } from './channels.mjs';
import { makeFiles } from './files.mjs';
import { lastLines, startQemu } from './qemu.mjs';

/**
 * A QMP command (`{ execute, arguments }`), a command of the human monitor (`{ monitor }`), or a pause (`{ sleepMs }`).
 *
 * @typedef {{ execute: string, arguments?: object } | { monitor: string } | { sleepMs: number }} Step
 */

/**
 * What to capture. Everything but the first four members is optional.
 *
 * @typedef {object} ManifestEntry
 * @property {string} name
 * @property {string} suite            The Debian suite whose QEMU to run.
 * @property {string} target           `x86_64`, `ppc64`, …
 * @property {string[]} args           QEMU's arguments; `-S`, `-display none` and the monitor are added.
 * @property {import("./files.mjs").FileRecipes} [files]  Made in the working directory before QEMU starts.
 * @property {Step[]} [setup]          Before the guest runs.
 * @property {number} [runMs]          How long the guest runs; without it, it never does.
 * @property {string} [runUntil]       It runs until `serial.log` in its working directory holds this, then for runMs.
 * @property {Step[]} [beforeMigration]  After it was stopped.
 * @property {string[]} [capabilities]
 * @property {Record<string, unknown>} [parameters]
 * @property {boolean} [suppressVmdesc]
 * @property {"exec" | "file" | "unix"} [via]  How the stream leaves QEMU; `unix` where it opens several connections.
 * @property {number} [liveMs]         Migrate a running guest, and stop it this long after the migration began.
 * @property {number} [convergeMs]     Migrate a running guest, and let QEMU stop it for as long as it takes this long after.
 * @property {number} [postcopyMs]     Migrate to a second QEMU, and switch to postcopy this long after.
 * @property {boolean} [destination]   Migrate to a second QEMU (implied by postcopyMs).
 * @property {Record<string, unknown>} [migrate]  More arguments for the migrate command (`blk`).
 * @property {string} [snapshot]       Instead of migrating, `savevm` into the qcow2 of this name.
 * @property {boolean} [keepRegisters]  Keep what the monitor said of the registers in the fixtures' manifest.
 * @property {boolean} [keepMigration]  Keep what query-migrate said at the end.
 * @property {number} [timeoutMs]
 * @property {string} [note]
 */

/**
 * What happened.
 *
 * @typedef {object} CaptureRecord
 * @property {string} name
 * @property {string} suite
 * @property {string} qemuVersion
 * @property {string} target
 * @property {string[]} args
 * @property {string} commandLine
 * @property {number} [runMs]
 * @property {string[]} capabilities   All that were on.
 * @property {object} parameters
 * @property {string} status           What `query-status` said after the migration.
 * @property {string} registers        `info registers -a`.
 * @property {object | undefined} migration  `query-migrate` at its end.
 * @property {number} durationMs
 * @property {number} size
 * @property {string} sha256
 * @property {string[]} channels       Suffixes of the files beside the main stream.
 * @property {string} stderr
 */

/**
 * @typedef {object} Capture
 * @property {CaptureRecord} record
 * @property {string} stream                   The main stream, in the workspace.
 * @property {Map<string, string>} channels    Suffix to file.
 */

const DEFAULT_TIMEOUT_MS = 60_000;
/** Bytes a second; enough to end any migration at once. */
const UNLIMITED = 2 ** 40;
const LONG_DOWNTIME_MS = 60_000;

/**
 * @param {ManifestEntry} entry
 * @param {import("./qemu.mjs").Workspace} workspace
 * @param {import("./files.mjs").FileSources} sources
 * @returns {Promise<Capture>}
 */
export async function capture(entry, workspace, sources) {
  const began = Date.now();
  const timeoutMs = entry.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const args = entry.suppressVmdesc ? [...entry.args, '-machine', 'suppress-vmdesc=on'] : entry.args;
  makeFiles(workspace, entry.files ?? {}, sources);
  const source = await startQemu(workspace, entry.target, args, { timeoutMs });
  try {
    const { qmp } = source;
    await runGuest(entry, workspace, qmp);
    const live = entry.liveMs ?? entry.convergeMs ?? entry.postcopyMs;
    if (entry.runMs !== undefined && live === undefined) await qmp.execute('stop');
    await takeSteps(qmp, entry.beforeMigration);
    await configureMigration(qmp, entry);
    const files = await (entry.snapshot === undefined
      ? migrate(entry, workspace, qmp, args, timeoutMs)
      : saveSnapshot(entry.snapshot, workspace, qmp));
    const record = {
      name: entry.name,
      suite: entry.suite,
      qemuVersion: await versionOf(qmp),
      target: entry.target,
      args,
      commandLine: [`qemu-system-${entry.target}`, ...args].map(quoteForShell).join(' '),
      runMs: entry.runMs,
      capabilities: await enabledCapabilities(qmp),
      parameters: await qmp.execute('query-migrate-parameters'),
      status: (await qmp.execute('query-status')).status,
      registers: await qmp.monitor('info registers -a'),
      migration: entry.snapshot === undefined ? await qmp.execute('query-migrate') : undefined,
      durationMs: Date.now() - began,
      size: statSync(files.stream).size,
      sha256: await sha256OfFile(files.stream),
      channels: [...files.channels.keys()],
      stderr: source.stderr(),
    };
    return { record, ...files };
  } catch (error) {
    await source.quit(); // what QEMU said is complete once it has ended
    const said = lastLines(source.stderr());
    throw said === '' ? error : new Error(`${/** @type {Error} */ (error).message} (QEMU: ${said})`);
  } finally {
    await source.quit();
  }
}

/**
 * Lets the guest of a QEMU that was just started run for as long as the entry says; it still runs afterwards.
 *
 * @param {Pick<ManifestEntry, 'setup' | 'runMs' | 'runUntil' | 'timeoutMs'>} entry
 * @param {import("./qemu.mjs").Workspace} workspace
 * @param {import("./qmp.mjs").QmpClient} qmp
 */
export async function runGuest(entry, workspace, qmp) {
  const { setup, runMs, runUntil, timeoutMs = DEFAULT_TIMEOUT_MS } = entry;
  await takeSteps(qmp, setup);
  if (runMs === undefined) return;
  await qmp.execute('cont');
  if (runUntil !== undefined) await waitForText(join(workspace.outside, 'serial.log'), runUntil, timeoutMs);
  await sleep(runMs);
}

/**
 * @param {string} file
 * @param {string} text
 * @param {number} timeoutMs
 */
async function waitForText(file, text, timeoutMs) {
  for (const deadline = Date.now() + timeoutMs; ; await sleep(100)) {
    if (existsSync(file) && readFileSync(file, 'latin1').includes(text)) return;
    if (Date.now() > deadline) throw new Error(`the guest did not say "${text}" within ${timeoutMs} ms`);
  }
}

/**
 * @param {import("./qmp.mjs").QmpClient} qmp
 * @param {Step[]} [steps]
 */
async function takeSteps(qmp, steps = []) {
  for (const step of steps) {
    if ('sleepMs' in step) await sleep(step.sleepMs);
    else if ('monitor' in step) {
      const answer = (await qmp.monitor(step.monitor)).trim();
      if (/^(Error|unknown command)/i.test(answer)) throw new Error(`${step.monitor}: ${answer}`);
    } else await qmp.execute(step.execute, step.arguments);
  }
}

/**
 * @param {import("./qmp.mjs").QmpClient} qmp
 * @param {Pick<ManifestEntry, 'capabilities' | 'parameters'>} entry
 */
export async function configureMigration(qmp, { capabilities, parameters }) {
  if (capabilities !== undefined) {
    await qmp.execute('migrate-set-capabilities', {
      capabilities: capabilities.map((capability) => ({ capability, state: true })),
    });
  }
  if (parameters !== undefined) await qmp.execute('migrate-set-parameters', parameters);
}

/**
 * @param {ManifestEntry} entry
 * @param {import("./qemu.mjs").Workspace} workspace
 * @param {import("./qmp.mjs").QmpClient} qmp
 * @param {string[]} args
 * @param {number} timeoutMs
 */
async function migrate(entry, workspace, qmp, args, timeoutMs) {
  if (entry.destination || entry.postcopyMs !== undefined) {
    return migrateToDestination(entry, workspace, qmp, args, timeoutMs);
  }
  const file = join(workspace.outside, 'stream.qevm');
  if (entry.via === 'unix') {
    const channels = await recordChannels(join(workspace.outside, 'migration.sock'), `${file}.`, {
      answerShut: entry.capabilities?.includes('return-path'),
    });
    await startMigration(entry, qmp, 'unix:migration.sock');
    await finishMigration(entry, qmp, timeoutMs);
    return sortChannels(await channels.close());
  }
  await startMigration(entry, qmp, entry.via === 'file' ? 'file:stream.qevm' : 'exec:cat > stream.qevm');
  await finishMigration(entry, qmp, timeoutMs);
  return { stream: file, channels: new Map() };
}

/**
 * @param {ManifestEntry} entry
 * @param {import("./qemu.mjs").Workspace} workspace
 * @param {import("./qmp.mjs").QmpClient} qmp
 * @param {string[]} args
 * @param {number} timeoutMs
 */
async function migrateToDestination(entry, workspace, qmp, args, timeoutMs) {
  const destination = await startQemu(workspace, entry.target, [...args, '-incoming', 'defer'], {
    role: 'destination',
    timeoutMs,
  });
  try {
    await configureMigration(destination.qmp, entry);
    await destination.qmp.execute('migrate-incoming', { uri: 'unix:incoming.sock' });
    const channels = await recordChannels(
      join(workspace.outside, 'migration.sock'),
      join(workspace.outside, 'stream.qevm.'),
      { forwardTo: join(workspace.outside, 'incoming.sock') },
    );
    await startMigration(entry, qmp, 'unix:migration.sock');
    if (entry.postcopyMs !== undefined) {
      await sleep(entry.postcopyMs);
      await qmp.execute('migrate-start-postcopy');
    }
    await finishMigration(entry, qmp, timeoutMs);
    return sortChannels(await channels.close());
  } finally {
    await destination.quit();
  }
}

/**
 * @param {ManifestEntry} entry
 * @param {import("./qmp.mjs").QmpClient} qmp
 * @param {string} uri
 */
async function startMigration(entry, qmp, uri) {
  await qmp.execute('migrate', { uri, ...entry.migrate });
}

/**
 * @param {ManifestEntry} entry
 * @param {import("./qmp.mjs").QmpClient} qmp
 * @param {number} timeoutMs
 */
async function finishMigration(entry, qmp, timeoutMs) {
  if (entry.liveMs !== undefined) {
    await sleep(entry.liveMs);
    await qmp.execute('stop');
    await qmp.execute('migrate-set-parameters', { 'max-bandwidth': UNLIMITED });
  }
  if (entry.convergeMs !== undefined) {
    await sleep(entry.convergeMs);
    await qmp.execute('migrate-set-parameters', { 'downtime-limit': LONG_DOWNTIME_MS });
  }
  for (const deadline = Date.now() + timeoutMs; ; await sleep(20)) {
    const { status, 'error-desc': reason } = await qmp.execute('query-migrate');
    if (status === 'completed') return;
    if (status === 'failed') throw new Error(`migration failed: ${reason ?? 'QEMU does not say why'}`);
    if (Date.now() > deadline) throw new Error(`migration still "${status}" after ${timeoutMs} ms`);
  }
}

/**
 * The connection that starts with QEMU's file magic is the stream; the others are its channels.
 *
 * @param {string[]} files
 */
async function sortChannels(files) {
  /** @type {Map<string, string>} */
  const channels = new Map();
  let stream = '';
  for (const file of files) {
    if (stream === '' && (await startsWithMagic(file))) {
      stream = file;
      if (existsSync(`${file}.reply`)) channels.set('reply', `${file}.reply`);
    } else channels.set(`ch${channels.size}`, file);
  }
  if (stream === '') throw new Error('no connection carried a stream');
  return { stream, channels };
}

/** @param {string} file */
async function startsWithMagic(file) {
  for await (const chunk of createReadStream(file, { end: 3 })) return chunk.toString('latin1') === 'QEVM';
  return false;
}

/**
 * @param {string} image
 * @param {import("./qemu.mjs").Workspace} workspace
 * @param {import("./qmp.mjs").QmpClient} qmp
 */
async function saveSnapshot(image, workspace, qmp) {
  const answer = (await qmp.monitor('savevm snapshot')).trim();
  if (answer !== '') throw new Error(`savevm: ${answer}`);
  return { stream: join(workspace.outside, image), channels: new Map() };
}

/** @param {import("./qmp.mjs").QmpClient} qmp */
async function versionOf(qmp) {
  const { qemu, package: packaged } = await qmp.execute('query-version');
  return `${qemu.major}.${qemu.minor}.${qemu.micro}${packaged === '' ? '' : ` ${packaged}`}`;
}

/** @param {import("./qmp.mjs").QmpClient} qmp */
async function enabledCapabilities(qmp) {
  /** @type {{ capability: string, state: boolean }[]} */
  const all = await qmp.execute('query-migrate-capabilities');
  return all.filter(({ state }) => state).map(({ capability }) => capability);
}

/** @param {string} file */
async function sha256OfFile(file) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}

/** @param {string} word */
function quoteForShell(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
