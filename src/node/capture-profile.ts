import { setTimeout as sleep } from 'node:timers/promises';
import { DecodeError } from '../bytes/diagnostic.ts';
import type { Profile } from '../check/profile.ts';
import { openStream } from '../layout/open.ts';
import { withoutRamPages } from '../ops/without-ram-pages.ts';
import { asArray, asBoolean, asInteger, asObject, asText } from '../schema/checked-json.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { binaryOfProcess } from './binary-of-process.ts';
import type { FileSource } from './file-source.ts';
import { parseRamBlocks } from './monitor-text.ts';
import { listenOnce, type OneConnection } from './one-connection.ts';
import { type Qmp, QmpError } from './qmp.ts';
import { readDevices } from './qom-devices.ts';
import { extractSchemaOfFile } from './schema-file.ts';
import { spoolToFile } from './spool.ts';
import { PausedQemu, type StartOptions } from './start-qemu.ts';
import type { Step } from './step-limit.ts';
import { withVirtioFeatures } from './virtio-status.ts';

/** Bytes a second: as fast as can be. */
const BANDWIDTH = 2 ** 40;
/** More than any machine has. */
const MAX_CPUS = 1 << 20;
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
export function captureProfile(command: readonly string[], options: CaptureOptions): Promise<Capture> {
  return PausedQemu.use(command, options, async (qemu) => {
    const { qmp } = qemu;
    const warnings = [...qemu.warnings];
    const version = await qmp.execute('query-version', {}, readVersion);
    const target = await qmp.execute('query-target', {}, (value, path) =>
      asText(asObject(value, path)['arch'], 'arch'),
    );
    const kvm = await qmp.execute('query-kvm', {}, (value, path) =>
      asBoolean(asObject(value, path)['enabled'], 'enabled'),
    );
    const uuid = await qmp.execute('query-uuid', {}, (value, path) =>
      asText(asObject(value, path)['UUID'], 'UUID'),
    );
    const type = await qmp.execute('qom-get', { path: '/machine', property: 'type' }, asText);
    const machineType = type.replace(/-machine$/, '');
    if (machineType === 'none') throw new Error('a machine of type none has no state: give -M');
    const capabilities = await qmp.execute('query-migrate-capabilities', {}, readCapabilities);
    const ramBlocks = parseRamBlocks(await qmp.monitor('info ramblock'));
    const possibleCpus = await readPossibleCpus(qmp);
    const blockNodes = await readBlockNodes(qmp);
    const devices = await readDevices(qmp);
    const stream = await captureStream(qemu, capabilities, options);
    const schema = await extractSchema(qemu).catch((error: Error) => {
      warnings.push(`the tables of the QEMU that ran are not in the profile: ${error.message}`);
      return undefined;
    });
    const profile: Profile = {
      qemu: { version: `${version.major}.${version.minor}.${version.micro}`, package: version.package },
      target,
      machineType,
      kvm,
      uuid: uuid.replaceAll('-', ''),
      commandLine: command,
      capabilities: Object.fromEntries(capabilities.map(({ capability, state }) => [capability, state])),
      ramBlocks,
      ...(possibleCpus === undefined ? {} : { possibleCpus }),
      blockNodes,
      // QEMU has crashed here: nothing is asked of it afterwards.
      devices: await withVirtioFeatures(qmp, devices, version.major, warnings),
      messages: qemu.messages,
      schema,
      stream,
    };
    return { profile, removed: qemu.removed, warnings };
  });
}

/** VersionInfo of qapi/control.json. */
function readVersion(value: unknown, path: string) {
  const answer = asObject(value, path);
  const triple = asObject(answer['qemu'], 'qemu');
  const number = (name: string) => asInteger(triple[name], 0, 1000, `qemu.${name}`);
  return {
    major: number('major'),
    minor: number('minor'),
    micro: number('micro'),
    package: asText(answer['package'], 'package'),
  };
}

function readCapabilities(value: unknown, path: string) {
  return asArray(value, path).map((element, i) => {
    const { capability, state } = asObject(element, `[${i}]`);
    return {
      capability: asText(capability, `[${i}].capability`),
      state: asBoolean(state, `[${i}].state`),
    };
  });
}

/** Machines that no CPU can be plugged into refuse to tell. */
async function readPossibleCpus(qmp: Qmp): Promise<number | undefined> {
  try {
    return await qmp.execute('query-hotpluggable-cpus', {}, (value, path) =>
      asArray(value, path).reduce<number>((sum, slot, i) => {
        const cpus = asObject(slot, `[${i}]`)['vcpus-count'];
        return sum + asInteger(cpus, 0, MAX_CPUS, `[${i}].vcpus-count`);
      }, 0),
    );
  } catch (error) {
    if (error instanceof QmpError) return undefined;
    throw error;
  }
}

async function readBlockNodes(qmp: Qmp): Promise<string[]> {
  const names = async (command: string, member: string) =>
    qmp.execute(command, {}, (value, path) =>
      asArray(value, path).map((node, i) => asText(asObject(node, `[${i}]`)[member] ?? '', member)),
    );
  const found = [
    ...(await names('query-named-block-nodes', 'node-name')),
    ...(await names('query-block', 'device')),
  ];
  return [...new Set(found)].filter((name) => name !== '');
}

async function extractSchema(qemu: PausedQemu): Promise<QemuSchema> {
  return extractSchemaOfFile(await binaryOfProcess(await qemu.findPid()));
}

/** Lets QEMU send its state to a port of ours, over one plain connection, and takes the pages of RAM out. */
async function captureStream(
  { qmp, limit }: PausedQemu,
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
  const sending = limit.begin('sending its state');
  let received: FileSource | undefined;
  const receiving = listener.connection.then(async (socket) => {
    received = await spoolToFile(socket, 'the stream that QEMU sent');
  });
  try {
    await qmp.execute('migrate', { uri: `tcp:127.0.0.1:${listener.port}` }).catch((error) => {
      throw error instanceof QmpError ? cannotMigrate(error.desc) : error;
    });
    // Where the connection breaks QEMU has more to say of it.
    const kept = receiving.catch((error) => {
      if (error instanceof DecodeError) throw error;
    });
    await Promise.all([migrated(qmp, listener, sending, onProgress), kept]);
    if (!received) throw new Error('the connection broke over which QEMU sent its state');
    return await withoutRamPages(await openStream(received));
  } finally {
    sending.end();
    listener.close();
    await receiving.catch(() => {});
    await received?.close();
  }
}

async function migrated(
  qmp: Qmp,
  listener: OneConnection,
  sending: Step,
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
