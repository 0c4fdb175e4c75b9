import { setTimeout as sleep } from 'node:timers/promises';
import type { Profile } from '../check/profile.ts';
import { openStream } from '../layout/open.ts';
import { withoutRamPages } from '../ops/without-ram-pages.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { binaryOfProcess } from './binary-of-process.ts';
import { parseRamBlocks } from './monitor-text.ts';
import { type Qmp, QmpError } from './qmp.ts';
import { readDevices } from './qom-devices.ts';
import { extractSchemaOfFile } from './schema-file.ts';
import { spoolToFile } from './spool.ts';
import { listenOnce, PausedQemu, type StartOptions } from './start-qemu.ts';
import { withVirtioFeatures } from './virtio-status.ts';

/** Bytes a second: as fast as can be. */
const BANDWIDTH = 2 ** 40;
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
  readonly status?: string;
  readonly ram?: { readonly total: number; readonly remaining: number };
  readonly 'error-desc'?: string;
}

/**
 * Starts the command line of a destination, with its CPUs stopped, lets it write its own state, and ends it. No guest
 * code runs, nothing is loaded. All connections are on the loopback interface. Throws QemuEnded where QEMU does not
 * start, and an error with QEMU's words where its machine cannot be migrated.
 */
export function captureProfile(command: readonly string[], options: CaptureOptions): Promise<Capture> {
  return PausedQemu.use(command, options, async (qemu) => {
    const { qmp } = qemu;
    const warnings: string[] = [];
    const { qemu: number, package: packageName } = await qmp.execute<{
      qemu: { major: number; minor: number; micro: number };
      package: string;
    }>('query-version');
    const { arch: target } = await qmp.execute<{ arch: string }>('query-target');
    const { enabled: kvm } = await qmp.execute<{ enabled: boolean }>('query-kvm');
    const { UUID: uuid } = await qmp.execute<{ UUID: string }>('query-uuid');
    const type = await qmp.execute<string>('qom-get', { path: '/machine', property: 'type' });
    const machineType = type.replace(/-machine$/, '');
    if (machineType === 'none') throw new Error('a machine of type none has no state: give -M');
    const capabilities = await qmp.execute<{ capability: string; state: boolean }[]>(
      'query-migrate-capabilities',
    );
    const ramBlocks = parseRamBlocks(await qmp.monitor('info ramblock'));
    const devices = await readDevices(qmp);
    const stream = await captureStream(qmp, capabilities, options);
    const schema = await extractSchema(qemu).catch((error: Error) => {
      warnings.push(`the tables of the QEMU that ran are not in the profile: ${error.message}`);
      return undefined;
    });
    const profile: Profile = {
      qemu: { version: `${number.major}.${number.minor}.${number.micro}`, package: packageName },
      target,
      machineType,
      kvm,
      uuid: uuid.replaceAll('-', ''),
      commandLine: command,
      capabilities: Object.fromEntries(capabilities.map(({ capability, state }) => [capability, state])),
      ramBlocks,
      // QEMU has crashed here: nothing is asked of it afterwards.
      devices: await withVirtioFeatures(qmp, devices, number.major, warnings),
      messages: qemu.messages,
      schema,
      stream,
    };
    return { profile, removed: qemu.removed, warnings };
  });
}

async function extractSchema(qemu: PausedQemu): Promise<QemuSchema> {
  return extractSchemaOfFile(await binaryOfProcess(await qemu.findPid()));
}

/** Lets QEMU send its state to a port of ours, over one plain connection, and takes the pages of RAM out. */
async function captureStream(
  qmp: Qmp,
  capabilities: readonly { readonly capability: string; readonly state: boolean }[],
  { onProgress }: CaptureOptions,
): Promise<Uint8Array> {
  const off = capabilities.filter(({ capability, state }) => state && !KEPT_CAPABILITIES.has(capability));
  await qmp.execute('migrate-set-capabilities', {
    capabilities: off.map(({ capability }) => ({ capability, state: false })),
  });
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': BANDWIDTH });
  // The vmdesc says what is in the stream better than anything else does; QEMU may have been told to leave it out.
  await qmp.execute('qom-set', { path: '/machine', property: 'suppress-vmdesc', value: false });
  const listener = await listenOnce();
  try {
    const spooled = listener.connection.then((socket) => spoolToFile(socket, 'the stream that QEMU sent'));
    spooled.catch(() => {});
    await qmp.execute('migrate', { uri: `tcp:127.0.0.1:${listener.port}` }).catch((error) => {
      throw error instanceof QmpError ? cannotMigrate(error.message) : error;
    });
    await migrated(qmp, onProgress);
    const source = await spooled;
    try {
      return await withoutRamPages(await openStream(source));
    } finally {
      await source.close();
    }
  } finally {
    listener.close();
  }
}

async function migrated(qmp: Qmp, onProgress: CaptureOptions['onProgress']): Promise<void> {
  for (;;) {
    const { status, ram, 'error-desc': reason } = await qmp.execute<MigrationStatus>('query-migrate');
    if (ram) onProgress?.(ram.total - ram.remaining, ram.total);
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled')
      throw cannotMigrate(reason ?? `the migration ${status}`);
    await sleep(POLL);
  }
}

function cannotMigrate(reason: string): Error {
  return new Error(`QEMU cannot migrate this machine: ${reason}`);
}
