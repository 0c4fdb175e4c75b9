import { printable } from '../bytes/printable.ts';
import { type OpenedStream, openStream, type QueueRings, type RingsUnread } from '../layout/open.ts';
import type { BlockRange, GuestMemory, MemoryState } from '../memory/guest-memory.ts';
import type { Section } from '../stream/stream.ts';
import { isDeviceState } from './configuration.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import { numberList, sentenceList } from './number-list.ts';
import { type PlacedQueue, placeQueues, type SplitQueue } from './queue-rings.ts';
import { placeOf } from './section.ts';
import { isOlder } from './version.ts';

/** 5.2 takes no notice of an available ring that cannot be; 7.2 stops the device. Of those between it is not known. */
const STOPS_DEVICE = [5, 3] as const;

/**
 * Virtqueues of these sections, and how far guest and device have got by the rings in the guest's memory
 * (hw/virtio/virtio.c, virtio_load), or by what was read of them when the VM was captured. Nothing is said of rings of
 * which it is not known where they are. A stream that was opened without its memory is scanned once more for it.
 */
export async function checkVirtqueues(
  opened: OpenedStream,
  sections: readonly Section[],
  destination: Destination,
): Promise<Finding[]> {
  const placed = await placeQueues(opened, sections);
  if (placed.length === 0) return [];
  const { sender } = opened;
  if (isDeviceState(opened.stream) && !sender?.rings) return [ringsNotRead(placed)];
  const indexesOf = sender?.rings ? indexesOfCapture(sender.rings) : await indexesInMemory(opened, placed);
  const unknown = new Map<Section, Unknown>();
  const findings: Finding[] = [];
  for (const each of placed) {
    const { queue } = each;
    const indexes = indexesOf(each);
    if (typeof indexes !== 'string') {
      findings.push(...checkQueue(queue, indexes.available, indexes.used, destination));
      continue;
    }
    const others = unknown.get(queue.section) ?? { indexes: [], why: indexes };
    others.indexes.push(queue.index);
    if (indexes === 'discarded') others.why = indexes;
    unknown.set(queue.section, others);
  }
  return [...findings, ...[...unknown].map(([section, which]) => notChecked(section, which))];
}

/** Queues of a device of which memory does not tell how far they are. */
interface Unknown {
  readonly indexes: number[];
  why: WhyUnknown;
}

type WhyUnknown = RingsUnread | 'discarded' | 'absent';

const WHY_UNKNOWN: Readonly<Record<WhyUnknown, string>> = {
  discarded: 'pages of the rings were discarded by postcopy and did not come again in this stream',
  absent: 'pages of the rings are not in this stream, nor in channels that were given with it',
  moved:
    'the device went on between the capture and the reading of the rings (of a VM that is paused all are read)',
  untold:
    'QEMU does not tell whether the device went on between the capture and the reading of the rings: QEMU before 7.2, and of vhost none (of a VM that is paused all are read)',
  refused: 'QEMU did not tell what is in the rings',
};

function notChecked(section: Section, { indexes, why }: Unknown): Finding {
  const which = indexes.length === 1 ? 'virtqueue' : 'virtqueues';
  const message = `how far the guest is with ${which} ${numberList(indexes)} is not compared with the device: ${WHY_UNKNOWN[why]}`;
  return { ...placeOf(section), rule: 'not-checked', severity: 'note', message };
}

/** One for all devices: a capture without rings is nothing unusual. */
function ringsNotRead(placed: readonly PlacedQueue[]): Finding {
  const devices = [...new Set(placed.map(({ queue }) => printable(queue.section.idstr)))];
  const message = `how far the guest is with its virtqueues is not compared with the devices: the rings are in memory, which a capture does not have (capture and preflight read them with --rings): ${sentenceList(devices)}`;
  return { rule: 'not-checked', severity: 'note', message };
}

/** What the rings of a queue say, or why they say nothing. */
type IndexesOf = (queue: PlacedQueue) => { readonly available: number; readonly used: number } | WhyUnknown;

function indexesOfCapture(rings: readonly QueueRings[]): IndexesOf {
  const key = (idstr: string, instanceId: number, queue: number) => `${queue} ${instanceId} ${idstr}`;
  const byQueue = new Map(
    rings.map(({ section, instanceId, queue, indexes }) => [key(section, instanceId, queue), indexes]),
  );
  return ({ queue: { section, index } }) =>
    byQueue.get(key(section.idstr, section.instanceId, index)) ?? 'refused';
}

async function indexesInMemory(opened: OpenedStream, placed: readonly PlacedQueue[]): Promise<IndexesOf> {
  const places = placed.flatMap(({ available, used }) => [available, used]);
  const found = opened.memory
    ? await readIndexes(opened.memory, places)
    : await readIndexesAnew(opened, places);
  return ({ available: availablePlace, used: usedPlace, littleEndian }) => {
    const [available, used] = [availablePlace, usedPlace].map((place) => {
      const read = found.get(place)!;
      return typeof read === 'string' ? read : read.getUint16(0, littleEndian);
    });
    if (typeof available === 'number' && typeof used === 'number') return { available, used };
    return available === 'discarded' || used === 'discarded' ? 'discarded' : 'absent';
  };
}

function checkQueue(
  { section, node, path, index, size, lastAvailable }: SplitQueue,
  availableIndex: number,
  usedIndex: number,
  { qemuVersion }: Destination,
): Finding[] {
  const place = { ...placeOf(section), path, range: node };
  const heads = (availableIndex - lastAvailable) & 0xffff;
  const inUse = (lastAvailable - usedIndex) & 0xffff;
  const fix = 'device state and RAM of one moment: take the snapshot or the migration again';
  const numbers = `VQ ${index} size 0x${size.toString(16)}`;
  const last = `0x${lastAvailable.toString(16)}`;
  if (heads > size && (qemuVersion === undefined || !isOlder(qemuVersion, STOPS_DEVICE))) {
    const message = `virtqueue ${index} of ${size} entries has taken ${lastAvailable}, and the guest's memory says that ${availableIndex} were given: the device stops until the guest resets it`;
    const guest = `0x${availableIndex.toString(16)}`;
    const says = `${numbers} Guest index ${guest} inconsistent with Host index ${last}: delta 0x${heads.toString(16)}`;
    return [{ ...place, rule: 'virtio-queues', severity: 'suspicious', message, says, fix }];
  }
  if (inUse <= size) return [];
  const message = `virtqueue ${index} of ${size} entries has taken ${lastAvailable}, and the guest's memory says that ${usedIndex} were given back`;
  const says = `${numbers} < last_avail_idx ${last} - used_idx 0x${usedIndex.toString(16)}`;
  return [{ ...place, rule: 'virtio-queues', severity: 'blocks', message, says, fix }];
}

/** Indexes of rings, or why they are not known. */
type Indexes = ReadonlyMap<BlockRange, DataView | MemoryState>;

/** Each page is decoded once. */
async function readIndexes(memory: GuestMemory, places: readonly BlockRange[]): Promise<Indexes> {
  await memory.prepare(places);
  const indexes = new Map<BlockRange, DataView | MemoryState>();
  const inOrder = places.toSorted(
    (a, b) => Number(a.block > b.block) - Number(a.block < b.block) || a.offset - b.offset,
  );
  for (const place of inOrder) {
    const { bytes, ranges, isKnown } = await memory.read(place.block, place.offset, place.length);
    const state = isKnown ? new DataView(bytes.buffer, bytes.byteOffset, place.length) : ranges[0]?.state;
    indexes.set(place, state ?? 'never-sent');
  }
  return indexes;
}

/** The same of a stream that was opened without its memory. */
async function readIndexesAnew({ source }: OpenedStream, places: readonly BlockRange[]): Promise<Indexes> {
  const { memory } = await openStream(source, { memory: {} });
  try {
    return memory ? await readIndexes(memory, places) : new Map(places.map((place) => [place, 'never-sent']));
  } finally {
    await memory?.close();
  }
}
