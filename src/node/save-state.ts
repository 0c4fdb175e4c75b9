import { setTimeout as sleep } from 'node:timers/promises';
import { DecodeError } from '../bytes/diagnostic.ts';
import type { ProfileRamBlock } from '../check/profile.ts';
import { asInteger, asObject, asText } from '../schema/checked-json.ts';
import type { MigrationAnswers } from './ask-destination.ts';
import type { FileSource } from './file-source.ts';
import { listenOnce } from './one-connection.ts';
import { type Qmp, QmpError } from './qmp.ts';
import { halfOfFreeSpace, type SpoolLimit, spoolToFile } from './spool.ts';
import type { PausedQemu } from './start-qemu.ts';
import type { LimitedStep } from './step-limit.ts';

/** Bytes a second: as fast as can be. */
const BANDWIDTH = 2 ** 40;
/** Bytes that a state may have beside its RAM. */
const MAX_DEVICE_STATE = 128 << 20;
/** Milliseconds between two questions how far the migration is. */
const POLL = 50;
/** Capabilities that say what is in the stream, and stay; the others say how it is sent. */
const KEPT_CAPABILITIES: ReadonlySet<string> = new Set(['x-ignore-shared', 'validate-uuid']);

/** Called with the bytes of RAM that QEMU has looked at, and all of them. */
export type MigrationProgress = (done: number, total: number) => void;

/**
 * Lets a QEMU whose machine is stopped send its state to a port of ours, over one plain connection, into a temporary file
 * without a name, which closing the source removes. Throws an error with QEMU's words where it cannot, and DecodeError `io`.
 */
export async function saveState(
  { qmp, limit }: PausedQemu,
  { capabilities, ramBlocks }: MigrationAnswers,
  name: string,
  onProgress?: MigrationProgress,
): Promise<FileSource> {
  await setPlainMigration(qmp, capabilities);
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': BANDWIDTH });
  // The vmdesc says what is in the stream better than anything else does; QEMU may have been told to leave it out.
  await qmp.execute('qom-set', { path: '/machine', property: 'suppress-vmdesc', value: false });
  const most = await mostOfStream(ramBlocks);
  const listener = await listenOnce();
  const sending = limit.begin('sending its state');
  let received: FileSource | undefined;
  const receiving = listener.connection.then(async (socket) => {
    received = await spoolToFile(socket, name, { limit: most });
  });
  try {
    await qmp.execute('migrate', { uri: `tcp:127.0.0.1:${listener.port}` }).catch((error) => {
      throw error instanceof QmpError ? cannotMigrate(error.desc) : error;
    });
    // Where the connection breaks QEMU has more to say of it.
    const kept = receiving.catch((error) => {
      if (error instanceof DecodeError) throw error;
    });
    const done = untilMigrated(qmp, sending, listener.bytesRead, onProgress).catch(async (error) => {
      // It may have failed because we took no more.
      listener.close();
      await kept;
      throw error instanceof MigrationFailed ? cannotMigrate(error.message) : error;
    });
    await Promise.all([done, kept]);
    if (!received) throw new Error('the connection broke over which QEMU sent its state');
    return received;
  } catch (error) {
    listener.close();
    await receiving.catch(() => {});
    await received?.close();
    throw error;
  } finally {
    sending.end();
    listener.close();
  }
}

/** Over one connection, each page once, as it is. */
export async function setPlainMigration(
  qmp: Qmp,
  capabilities: MigrationAnswers['capabilities'],
): Promise<void> {
  const off = Object.keys(capabilities).filter((name) => capabilities[name] && !KEPT_CAPABILITIES.has(name));
  await qmp.execute('migrate-set-capabilities', {
    capabilities: off.map((capability) => ({ capability, state: false })),
  });
}

/** A machine that does not run sends each page once, or twice where QEMU itself writes to it meanwhile. */
async function mostOfStream(ramBlocks: readonly ProfileRamBlock[]): Promise<SpoolLimit> {
  const bytes = 2 * ramBlocks.reduce((sum, { usedLength }) => sum + usedLength, 0) + MAX_DEVICE_STATE;
  const free = await halfOfFreeSpace();
  return bytes < free.bytes
    ? { bytes, reason: `twice the RAM of the machine and ${MAX_DEVICE_STATE} more` }
    : free;
}

/** A migration that did not come to its end, with QEMU's words. */
export class MigrationFailed extends Error {
  override readonly name = 'MigrationFailed';
}

/** Waits for the end of a migration, also of one that comes in. `moved`: bytes so far. Throws MigrationFailed. */
export async function untilMigrated(
  qmp: Qmp,
  step: LimitedStep,
  moved: () => number,
  onProgress?: MigrationProgress,
): Promise<void> {
  for (let before = ''; ; await sleep(POLL)) {
    const { status, remaining, total, reason } = await qmp.execute('query-migrate', {}, readMigration);
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled')
      throw new MigrationFailed(reason ?? `the migration ${status}`);
    onProgress?.(total - remaining, total);
    const now = `${status} ${remaining} ${moved()}`;
    if (now !== before) step.progress();
    before = now;
  }
}

interface MigrationStatus {
  readonly status: string;
  readonly remaining: number;
  readonly total: number;
  readonly reason: string | undefined;
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
