import { setTimeout as sleep } from 'node:timers/promises';
import { DecodeError } from '../bytes/diagnostic.ts';
import { type Profile, type ProfileRamBlock, parseProfile, serializeProfile } from '../check/profile.ts';
import { isOlder } from '../check/version.ts';
import { withoutRamPages } from '../ops/without-ram-pages.ts';
import { asInteger, asObject, asText } from '../schema/checked-json.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { openVm } from '../vm/vm.ts';
import { askDestination, type DestinationAnswers } from './ask-destination.ts';
import { binaryOfProcess } from './binary-of-process.ts';
import type { FileSource } from './file-source.ts';
import { listenOnce, type OneConnection } from './one-connection.ts';
import { type Qmp, QmpError } from './qmp.ts';
import { extractSchemaOfFile } from './schema-file.ts';
import { halfOfFreeSpace, type SpoolLimit, spoolToFile } from './spool.ts';
import { PausedQemu, QemuEnded, type StartOptions } from './start-qemu.ts';
import type { LimitedStep } from './step-limit.ts';
import { withVirtioFeatures } from './virtio-status.ts';

/** Bytes a second: as fast as can be. */
const BANDWIDTH = 2 ** 40;
/** Bytes that a state may have beside its RAM. */
const MAX_DEVICE_STATE = 128 << 20;
/** Milliseconds between two questions how far the migration is. */
const POLL = 50;
/** Capabilities that say what is in the stream, and stay; the others say how it is sent. */
const KEPT_CAPABILITIES: ReadonlySet<string> = new Set(['x-ignore-shared', 'validate-uuid']);

export interface CaptureOptions extends StartOptions {
  /** Called with the bytes of RAM that QEMU has looked at, and all of them. */
  onProgress?(done: number, total: number): void;
}

export interface Capture {
  readonly profile: Profile;
  /** Options of the command line that were left out. */
  readonly removed: readonly string[];
  /** Why something is missing in the profile. */
  readonly warnings: readonly string[];
}

interface MigrationStatus {
  readonly status: string;
  readonly remaining: number;
  readonly total: number;
  readonly reason: string | undefined;
}

/**
 * Starts the command line of a destination, with its CPUs stopped, lets it write its own state, and ends it. No guest
 * code runs, nothing is loaded. All connections are on the loopback interface. Throws QemuEnded where QEMU does not
 * start, and an error with QEMU's words where its machine cannot be migrated.
 */
export function captureProfile(command: readonly string[], options: CaptureOptions = {}): Promise<Capture> {
  let version: string | undefined;
  return PausedQemu.use(command, options, async (qemu) => {
    const { qmp } = qemu;
    const warnings = [...qemu.warnings];
    const destination = await askDestination(qmp);
    version = destination.qemu.version;
    const stream = await captureStream(qemu, destination, options);
    const schema = await extractSchema(qemu).catch((error: Error) => {
      warnings.push(`the tables of the QEMU that ran are not in the profile: ${error.message}`);
      return undefined;
    });
    // QEMU has crashed here: nothing is asked of it afterwards.
    const devices = await withVirtioFeatures(qmp, destination, warnings);
    const profile: Profile = {
      ...checkedAnswers({ ...destination, devices }),
      commandLine: command,
      messages: qemu.messages,
      schema,
      stream,
    };
    return { profile, removed: qemu.removed, warnings };
  }).catch((error) => {
    if (!(error instanceof QemuEnded) || error.signal !== 'SIGFPE' || version === undefined) throw error;
    throw isOlder(version, [8, 0]) ? dividedByZero(error) : error;
  });
}

/** ram_save_host_page of migration/ram.c; QEMU 8.0 has mended it (https://gitlab.com/qemu-project/qemu/-/issues/1456). */
function dividedByZero({ message, lines, signal }: QemuEnded): QemuEnded {
  const why =
    "known of QEMU before 8.0 where the target's pages are larger than the host's (alpha, loongarch64, or1k, sparc64, tricore)";
  return new QemuEnded(`${message}: ${why}`, lines, signal);
}

/** What QEMU told, as a profile is read again. Throws Error where a profile cannot hold it. */
export function checkedAnswers(answers: DestinationAnswers): DestinationAnswers {
  const profile = { ...answers, commandLine: [], messages: [], schema: undefined, stream: new Uint8Array(0) };
  try {
    parseProfile(serializeProfile(profile));
    return answers;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new Error(`what QEMU tells makes no profile (${error.message})`);
  }
}

async function extractSchema(qemu: PausedQemu): Promise<QemuSchema> {
  return extractSchemaOfFile(await binaryOfProcess(await qemu.findPid()));
}

/** Lets QEMU send its state to a port of ours, over one plain connection, and takes the pages of RAM out. */
async function captureStream(
  { qmp, limit }: PausedQemu,
  { capabilities, ramBlocks }: DestinationAnswers,
  { onProgress }: CaptureOptions,
): Promise<Uint8Array> {
  const off = Object.keys(capabilities).filter((name) => capabilities[name] && !KEPT_CAPABILITIES.has(name));
  await qmp.execute('migrate-set-capabilities', {
    capabilities: off.map((capability) => ({ capability, state: false })),
  });
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': BANDWIDTH });
  // The vmdesc says what is in the stream better than anything else does; QEMU may have been told to leave it out.
  await qmp.execute('qom-set', { path: '/machine', property: 'suppress-vmdesc', value: false });
  const most = await mostOfStream(ramBlocks);
  const listener = await listenOnce();
  const sending = limit.begin('sending its state');
  let received: FileSource | undefined;
  const receiving = listener.connection.then(async (socket) => {
    received = await spoolToFile(socket, 'the stream that QEMU sent', { limit: most });
  });
  try {
    await qmp.execute('migrate', { uri: `tcp:127.0.0.1:${listener.port}` }).catch((error) => {
      throw error instanceof QmpError ? cannotMigrate(error.desc) : error;
    });
    // Where the connection breaks QEMU has more to say of it.
    const kept = receiving.catch((error) => {
      if (error instanceof DecodeError) throw error;
    });
    const done = migrated(qmp, listener, sending, onProgress).catch(async (error) => {
      // It may have failed because we took no more.
      listener.close();
      await kept;
      throw error;
    });
    await Promise.all([done, kept]);
    if (!received) throw new Error('the connection broke over which QEMU sent its state');
    return await withoutRamPages(await openVm(received));
  } finally {
    sending.end();
    listener.close();
    await receiving.catch(() => {});
    await received?.close();
  }
}

/** A machine that does not run sends each page once, or twice where QEMU itself writes to it meanwhile. */
async function mostOfStream(ramBlocks: readonly ProfileRamBlock[]): Promise<SpoolLimit> {
  const bytes = 2 * ramBlocks.reduce((sum, { usedLength }) => sum + usedLength, 0) + MAX_DEVICE_STATE;
  const free = await halfOfFreeSpace();
  return bytes < free.bytes
    ? { bytes, reason: `twice the RAM of the machine and ${MAX_DEVICE_STATE} more` }
    : free;
}

async function migrated(
  qmp: Qmp,
  listener: OneConnection,
  sending: LimitedStep,
  onProgress: CaptureOptions['onProgress'],
): Promise<void> {
  for (let before = ''; ; await sleep(POLL)) {
    const { status, remaining, total, reason } = await qmp.execute('query-migrate', {}, readMigration);
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled')
      throw cannotMigrate(reason ?? `the migration ${status}`);
    onProgress?.(total - remaining, total);
    const now = `${status} ${remaining} ${listener.bytesRead()}`;
    if (now !== before) sending.progress();
    before = now;
  }
}

/** MigrationInfo of qapi/migration.json, as far as it is used. Before anything is sent it has nothing. */
function readMigration(value: unknown, path: string): MigrationStatus {
  const { status, ram, 'error-desc': reason } = asObject(value, path);
  const { remaining, total } = ram === undefined ? { remaining: 0, total: 0 } : asObject(ram, 'ram');
  return {
    status: status === undefined ? '' : asText(status, 'status'),
    remaining: asInteger(remaining, 0, Number.MAX_SAFE_INTEGER, 'ram.remaining'),
    total: asInteger(total, 0, Number.MAX_SAFE_INTEGER, 'ram.total'),
    reason: reason === undefined ? undefined : asText(reason, 'error-desc'),
  };
}

function cannotMigrate(reason: string): Error {
  return new Error(`QEMU cannot migrate this machine: ${reason}`);
}
