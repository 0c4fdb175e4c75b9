import type { ProfileDevice } from '../check/profile.ts';
import { asArray, asInteger, asObject, asText, type CheckedObject } from '../schema/checked-json.ts';
import type { Monitor } from './monitor.ts';
import { ifRefused } from './qmp.ts';
import { askQueue, listVirtio } from './virtio-queries.ts';

/** RunState of qapi/run-state.json in which the state of devices can be had without harm. */
const QUIET_STATES: ReadonlySet<string> = new Set(['running', 'paused', 'prelaunch']);
/** MigrationStatus of qapi/migration.json of a migration that is not under way. */
const NO_MIGRATION: ReadonlySet<string> = new Set(['none', 'completed', 'failed', 'cancelled']);
/** Devices whose state is not in QEMU alone: to stop them asks something of a driver or of another process. */
const FOREIGN_DEVICE = /^(vfio-|vhost-user-|vhost-vdpa-)/;
/** A line of `info network` whose back end is such. */
const FOREIGN_NETWORK = /^ *\\? *(\S+): .*\btype=(vhost-user|vhost-vdpa)\b/;
/** Milliseconds between two looks at the disks, and how many looks make a request a slow one. */
const DISK_INTERVAL = 50;
const DISK_LOOKS = 5;
/** Nanoseconds that requests of a disk take on average where it is slow enough to be felt. */
const SLOW_REQUEST = 500_000_000n;
/** More queues than any device has. */
const MAX_QUEUES = 1024;

/** RunState of the VM. Throws what Monitor.execute throws. */
export function askRunState(monitor: Monitor): Promise<string> {
  return monitor.execute('query-status', {}, (value, path) =>
    asText(asObject(value, path)['status'], 'status'),
  );
}

/** Why the VM had better not be captured now, by what it is doing. Empty where there is nothing. */
export async function reasonsOfActivity(monitor: Monitor): Promise<string[]> {
  const reasons: string[] = [];
  const status = await askRunState(monitor);
  if (status === 'suspended') reasons.push(SUSPENDED);
  else if (!QUIET_STATES.has(status)) reasons.push(`the VM is ${status}`);
  reasons.push(...(await monitor.execute('query-migrate', {}, readMigration)));
  reasons.push(...(await monitor.execute('query-jobs', {}, readJobs)));
  reasons.push(...(await monitor.execute('query-dump', {}, readDump).catch(ifRefused<string[]>([]))));
  return reasons;
}

/** From QEMU 9.0 on, one that is suspended is stopped and does not go on (system/cpus.c, do_vm_stop). */
export const SUSPENDED = 'the VM is suspended, and QEMU would not make it go on';

function readMigration(value: unknown, path: string): string[] {
  const answer = asObject(value, path);
  const status = answer['status'] === undefined ? 'none' : asText(answer['status'], 'status');
  const blockers = asArray(answer['blocked-reasons'] ?? [], 'blocked-reasons').map((text, i) =>
    asText(text, `blocked-reasons[${i}]`),
  );
  return [
    ...(NO_MIGRATION.has(status) ? [] : [`a migration is under way (${status})`]),
    ...blockers.map((text) => `it cannot be migrated: ${text}`),
  ];
}

/** JobInfo of qapi/job.json, QEMU 3.0 and later: all that query-block-jobs has are among them. */
function readJobs(value: unknown, path: string): string[] {
  return asArray(value, path).flatMap((element, i) => {
    const job = asObject(element, `[${i}]`);
    const status = asText(job['status'], `[${i}].status`);
    if (status === 'concluded' || status === 'null') return [];
    return `a job is under way: ${asText(job['type'], `[${i}].type`)} ${asText(job['id'], `[${i}].id`)} (${status})`;
  });
}

function readDump(value: unknown, path: string): string[] {
  const status = asText(asObject(value, path)['status'], 'status');
  return status === 'active' ? ['its memory is being dumped'] : [];
}

/** Why the VM had better not be captured, by what it consists of. */
export async function reasonsOfDevices(
  monitor: Monitor,
  devices: readonly ProfileDevice[],
): Promise<string[]> {
  const foreign = devices.filter(({ type }) => FOREIGN_DEVICE.test(type));
  const told = await monitor.monitor('info network').catch(ifRefused(''));
  const network = told.split(/\r?\n/).flatMap((line) => {
    const [, id, type] = FOREIGN_NETWORK.exec(line) ?? [];
    return id === undefined ? [] : `the back end of network ${id} is ${type}`;
  });
  return [...foreign.map(({ type, path }) => `it has ${type} (${path})`), ...network];
}

/** What a disk has done so far. */
interface DiskActivity {
  readonly name: string;
  /** Requests that are done: the sum of all kinds. */
  readonly done: bigint;
  /** Nanoseconds that they took. */
  readonly time: bigint;
  /** Path of its device in QEMU's tree. */
  readonly device: string | undefined;
}

/**
 * Why the VM would stand still for long: it stops only when all requests of its disks are done. That requests are under
 * way is known of virtio devices from QEMU 7.2 on; of others, how long they take on average.
 */
export async function reasonsOfDisks(monitor: Monitor, devices: readonly ProfileDevice[]): Promise<string[]> {
  const first = await monitor.execute('query-blockstats', {}, readDisks);
  const virtio = await listVirtio(monitor).catch(ifRefused<string[]>([]));
  const byPath = new Map(devices.map((device) => [device.path, device]));
  // The device itself, or the controller whose bus it is on.
  const virtioOf = ({ device = '' }: DiskActivity) =>
    virtio.find((path) => path === device || byPath.get(device)?.bus?.startsWith(`${path}/`));
  let waiting: readonly DiskActivity[] = first.filter((disk) => virtioOf(disk) !== undefined);
  for (let look = 0; look < DISK_LOOKS && waiting.length > 0; look++) {
    if (look > 0) await new Promise((resolve) => setTimeout(resolve, DISK_INTERVAL));
    const now = await monitor.execute('query-blockstats', {}, readDisks);
    const still: DiskActivity[] = [];
    for (const disk of waiting) {
      const isUnchanged = now.some(({ name, done }) => name === disk.name && done === disk.done);
      if (isUnchanged && (await requestsUnderWay(monitor, virtioOf(disk)!)) > 0) still.push(disk);
    }
    waiting = still;
  }
  // A request that was under way at any look and is done by now took long, too.
  const last = await monitor.execute('query-blockstats', {}, readDisks);
  const reasons = last
    .filter(({ done, time }) => done > 0n && time / done >= SLOW_REQUEST)
    .map(
      ({ name, done, time }) => `requests of disk ${name} take ${milliseconds(time / done)} ms on average`,
    );
  for (const { name } of waiting) reasons.push(`a request of disk ${name} is under way and takes long`);
  return reasons;
}

function milliseconds(nanoseconds: bigint): string {
  return String(nanoseconds / 1_000_000n);
}

/** BlockStats of qapi/block-core.json. */
function readDisks(value: unknown, path: string): DiskActivity[] {
  return asArray(value, path).map((element, i) => {
    const disk = asObject(element, `[${i}]`);
    const stats = asObject(disk['stats'], `[${i}].stats`);
    const sum = (names: readonly string[]) =>
      names.reduce((total, name) => total + readCount(stats, name), 0n);
    const text = (name: string) =>
      disk[name] === undefined ? undefined : asText(disk[name], `[${i}].${name}`);
    return {
      name: text('device') || text('node-name') || text('qdev') || String(i),
      done: sum(['rd_operations', 'wr_operations', 'flush_operations', 'unmap_operations']),
      time: sum(['rd_total_time_ns', 'wr_total_time_ns', 'flush_total_time_ns', 'unmap_total_time_ns']),
      device: text('qdev'),
    };
  });
}

/** A counter; one beyond 2^53 is decimal text. Older QEMUs do not have all. */
function readCount(stats: CheckedObject, name: string): bigint {
  const value = stats[name] ?? 0;
  if (typeof value === 'string' && /^\d{1,20}$/.test(value)) return BigInt(value);
  return BigInt(asInteger(value, 0, Number.MAX_SAFE_INTEGER, name));
}

/** Requests that a virtio device has taken and not yet given back, of all its queues. */
async function requestsUnderWay(monitor: Monitor, path: string): Promise<number> {
  let sum = 0;
  for (let queue = 0; queue < MAX_QUEUES; queue++) {
    const status = await askQueue(monitor, path, queue).catch(ifRefused(undefined));
    if (!status) break;
    sum += status.inUse;
  }
  return sum;
}
