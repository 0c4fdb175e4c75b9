import { type Profile, type ProfileRings, RINGS_VERSION } from '../check/profile.ts';
import { type PlacedIndex, type PlacedQueue, placeQueues } from '../check/queue-rings.ts';
import type { QueueRings } from '../layout/open.ts';
import { askRunState } from './capture-guards.ts';
import { HUMAN_COMMAND, type Monitor } from './monitor.ts';
import { openCapture } from './open-capture.ts';
import { ifRefused } from './qmp.ts';
import { askQueue, listVirtio } from './virtio-queries.ts';

/** What is said of an address, and of the bytes there. */
const IS_RAM = /^Host virtual address for /;
const BYTES = /^[0-9a-f]+: 0x([0-9a-f]{2}) 0x([0-9a-f]{2})\s*$/;

/** Lines of the monitor for people: is there RAM? To read anything else has effects. And its two bytes. */
const isRamLine = (address: string) => `gpa2hva ${address}`;
const bytesLine = (address: string) => `xp /2xb ${address}`;

/** What is asked for the rings of a queue, for who wants to know before. */
export const RING_QUESTIONS: readonly (readonly [command: string, args: object])[] = [
  ...[isRamLine('…'), bytesLine('…')].map((line) => [HUMAN_COMMAND, { 'command-line': line }] as const),
  ['query-status', {}],
  ['x-query-virtio', {}],
  ['x-query-virtio-queue-status', { path: '…', queue: '…' }],
];

/**
 * Reads how far guest and device of a capture are with its virtqueues, by the rings in the guest's memory: two bytes of
 * each. Of a VM that runs that is told only where the device has not gone on since. Throws what Monitor.execute throws.
 */
export async function readRings(
  monitor: Monitor,
  profile: Profile,
  wasRunning: boolean,
): Promise<ProfileRings> {
  const vm = await openCapture(profile);
  const placed = await placeQueues(vm, vm.stream.sections);
  const memory = await readIndexes(
    monitor,
    placed.flatMap(({ available, used }) => [available, used]),
  );
  const mayHaveMoved = wasRunning || (await askRunState(monitor)) === 'running';
  const counts = mayHaveMoved ? await askCounts(monitor, placed, profile) : undefined;
  return {
    version: RINGS_VERSION,
    queues: placed.map((each) => {
      const { section, index, lastAvailable } = each.queue;
      const indexOf = (place: PlacedIndex) => memory.get(place)?.getUint16(0, each.littleEndian);
      const [available, used] = [indexOf(each.available), indexOf(each.used)];
      const count = counts ? counts.get(each) : lastAvailable;
      let indexes: QueueRings['indexes'];
      if (available === undefined || used === undefined) indexes = 'refused';
      else if (count === undefined) indexes = 'untold';
      else indexes = count === lastAvailable ? { available, used } : 'moved';
      return { section: section.idstr, instanceId: section.instanceId, queue: index, indexes };
    }),
  };
}

/** The two bytes of each index; those that QEMU does not tell are left out. */
async function readIndexes(
  monitor: Monitor,
  places: readonly PlacedIndex[],
): Promise<ReadonlyMap<PlacedIndex, DataView>> {
  const ask = (line: string) => monitor.monitor(line).catch(ifRefused(''));
  const addressOf = ({ address }: PlacedIndex) => `0x${address.toString(16)}`;
  const inRam: PlacedIndex[] = [];
  await Promise.all(
    places.map(async (place) => {
      if (IS_RAM.test(await ask(isRamLine(addressOf(place))))) inRam.push(place);
    }),
  );
  const found = new Map<PlacedIndex, DataView>();
  await Promise.all(
    inRam.map(async (place) => {
      const digits = BYTES.exec(await ask(bytesLine(addressOf(place))))?.slice(1) ?? [];
      const bytes = Uint8Array.from(digits, (text) => Number.parseInt(text, 16));
      if (bytes.length === place.length) found.set(place, new DataView(bytes.buffer));
    }),
  );
  return found;
}

/** What the devices have taken of each queue by now; those that do not tell are left out. */
async function askCounts(
  monitor: Monitor,
  placed: readonly PlacedQueue[],
  { devices }: Profile,
): Promise<ReadonlyMap<PlacedQueue, number>> {
  const virtio = new Set(await listVirtio(monitor).catch(ifRefused<string[]>([])));
  const paths = new Map(
    devices.flatMap(({ path, devicePath }) =>
      devicePath !== undefined && virtio.has(path) ? [[devicePath, path]] : [],
    ),
  );
  const counts = new Map<PlacedQueue, number>();
  await Promise.all(
    placed.map(async (each) => {
      const { section, index } = each.queue;
      const path = paths.get(section.idstr.slice(0, Math.max(0, section.idstr.lastIndexOf('/'))));
      const status =
        path === undefined ? undefined : await askQueue(monitor, path, index).catch(ifRefused(undefined));
      if (status?.lastAvailable !== undefined) counts.set(each, status.lastAvailable);
    }),
  );
  return counts;
}
