import { type PathComponent, problemIn } from '../bytes/diagnostic.ts';
import { deviceState } from '../core/device-state.ts';
import type { Mapping } from '../core/physical-map.ts';
import { placeBlocks } from '../core/placement.ts';
import { findArchitecture } from '../core/registers/architectures.ts';
import { legacyRings, vringLengths } from '../infos/virtio/rings.ts';
import { childNamed, childrenOf, firstOfType, integerOf, numberOf } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';
import { layoutOf, type OpenedStream, openStream } from '../layout/open.ts';
import type { BlockRange, GuestMemory, MemoryState } from '../memory/guest-memory.ts';
import type { Section } from '../stream/stream.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import { numberList } from './number-list.ts';
import { placeOf } from './section.ts';
import { isOlder } from './version.ts';
import { guestFeatures } from './virtio.ts';
import { noShape, walkPairs } from './walk-pairs.ts';

const VIRTIO_DEVICE = /(^|\/)(virtio|vhost)[^/]*$/;
const VIRTIO_F_VERSION_1 = 1n << 32n;
/** With it addresses are not physical ones. */
const VIRTIO_F_IOMMU_PLATFORM = 1n << 33n;
/** Such queues have no indexes in memory. */
const VIRTIO_F_RING_PACKED = 1n << 34n;
const PCI_COMMAND_MASTER = 4;
/** Where the low MiB of a PC is not RAM depends on what else was loaded before. */
const LOW_MEMORY = 1n << 20n;
/** Of the index, in both rings, bytes. */
const RING_INDEX = 2;
/** u16. */
const INDEX_SIZE = 2;
/** 5.2 takes no notice of an available ring that cannot be; 7.2 stops the device. Of those between it is not known. */
const STOPS_DEVICE = [5, 3] as const;
/** Queues that are looked at, for each of which two pages are kept. */
const MAX_QUEUES = 1 << 14;
const BIG_ENDIAN_TARGETS: ReadonlySet<string> = new Set(['ppc64', 's390x']);

/** A split virtqueue that is set up, as virtio_load sees it. */
interface Queue {
  readonly section: Section;
  readonly node: LayoutNode;
  readonly path: readonly PathComponent[];
  readonly index: number;
  /** Entries. */
  readonly size: number;
  readonly lastAvailable: number;
  /** Guest physical. */
  readonly descriptors: bigint;
  readonly available: bigint;
  readonly used: bigint;
  readonly isLegacy: boolean;
}

/**
 * Virtqueues of these sections, and how far guest and device have got by the rings in the guest's memory
 * (hw/virtio/virtio.c, virtio_load). Nothing is said of rings of which it is not known where they are. A stream that was
 * opened without its memory is scanned once more for it.
 */
export async function checkVirtqueues(
  opened: OpenedStream,
  sections: readonly Section[],
  destination: Destination,
): Promise<Finding[]> {
  const queues = await readyQueues(opened, sections);
  if (queues.length === 0) return [];
  const mappings = await mappingsOf(opened);
  if (!mappings) return [];
  const placed = queues.flatMap((queue) => {
    const rings = placeRings(queue, mappings.mappings);
    return rings ? [{ queue, ...rings }] : [];
  });
  if (placed.length === 0) return [];
  const places = placed.flatMap(({ available, used }) => [available, used]);
  const indexes = opened.memory
    ? await readIndexes(opened.memory, places)
    : await readIndexesAnew(opened, places);
  const unknown = new Map<Section, Unknown>();
  const findings: Finding[] = [];
  for (const { queue, available, used } of placed) {
    const littleEndian = !queue.isLegacy || !mappings.bigEndian;
    const [availableIndex, usedIndex] = [available, used].map((place) => {
      const read = indexes.get(place)!;
      return typeof read === 'string' ? read : read.getUint16(0, littleEndian);
    });
    if (typeof availableIndex === 'number' && typeof usedIndex === 'number') {
      findings.push(...checkQueue(queue, availableIndex, usedIndex, destination));
      continue;
    }
    const others = unknown.get(queue.section) ?? { indexes: [], isDiscarded: false };
    others.indexes.push(queue.index);
    others.isDiscarded ||= availableIndex === 'discarded' || usedIndex === 'discarded';
    unknown.set(queue.section, others);
  }
  return [...findings, ...[...unknown].map(([section, which]) => notChecked(section, which))];
}

/** Queues of a device of which memory does not tell how far they are. */
interface Unknown {
  readonly indexes: number[];
  isDiscarded: boolean;
}

function notChecked(section: Section, { indexes, isDiscarded }: Unknown): Finding {
  const which = indexes.length === 1 ? 'virtqueue' : 'virtqueues';
  const why = isDiscarded
    ? 'were discarded by postcopy and did not come again in this stream'
    : 'are not in this stream, nor in channels that were given with it';
  const message = `how far the guest is with ${which} ${numberList(indexes)} is not compared with the device: pages of the rings ${why}`;
  return { ...placeOf(section), rule: 'not-checked', severity: 'note', message };
}

function checkQueue(
  { section, node, path, index, size, lastAvailable }: Queue,
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

async function readyQueues(opened: OpenedStream, sections: readonly Section[]): Promise<readonly Queue[]> {
  const queues: Queue[] = [];
  for (const section of sections) {
    if (section.scanner || !VIRTIO_DEVICE.test(section.idstr)) continue;
    const { root } = await layoutOf(opened, section);
    for (const { node, path } of walkPairs(root, undefined, noShape))
      if (node.type === 'virtio' && node.kind === 'struct') queues.push(...queuesOf(section, node, path));
  }
  return queues.slice(0, MAX_QUEUES);
}

function queuesOf(section: Section, device: LayoutNode, path: readonly PathComponent[]): Queue[] {
  const features = guestFeatures(device);
  if (features === undefined || (features & (VIRTIO_F_IOMMU_PLATFORM | VIRTIO_F_RING_PACKED)) !== 0n)
    return [];
  const isLegacy = (features & VIRTIO_F_VERSION_1) === 0n;
  const subsections = childNamed(device, 'virtio');
  // The guest has another byte order than the target has at first.
  if (isLegacy && childNamed(subsections, 'virtio/device_endian')) return [];
  if (isCutOff(childNamed(device, 'transport'))) return [];
  const rings = [...childrenOf(childNamed(childNamed(subsections, 'virtio/virtqueues'), 'vq'))];
  return [...childrenOf(childNamed(device, 'vq'))].flatMap((node, index): Queue[] => {
    const size = numberOf(childNamed(node, 'num'));
    const descriptors = integerOf(childNamed(node, 'desc'));
    const lastAvailable = numberOf(childNamed(node, 'last_avail_idx'));
    if (!size || !descriptors || lastAvailable === undefined) return [];
    const align = integerOf(childNamed(node, 'align'));
    const available = integerOf(childNamed(rings[index], 'vring.avail'));
    const used = integerOf(childNamed(rings[index], 'vring.used'));
    const own = isLegacy
      ? legacyRings(descriptors, BigInt(size), align)
      : available && used && { available, used };
    if (!own) return [];
    return [
      {
        section,
        node,
        path: [...path, 'vq', index],
        index,
        size,
        lastAvailable,
        descriptors,
        ...own,
        isLegacy,
      },
    ];
  });
}

/** Is it a PCI device that may not access memory? */
function isCutOff(transport: LayoutNode | undefined): boolean {
  const config = firstOfType(transport, 'pci config');
  return config !== undefined && ((numberOf(childNamed(config, 'command')) ?? 0) & PCI_COMMAND_MASTER) === 0;
}

interface Mappings {
  readonly mappings: readonly Mapping[];
  readonly bigEndian: boolean;
}

/** Undefined where the machine's layout is not known. */
async function mappingsOf(opened: OpenedStream): Promise<Mappings | undefined> {
  const state = deviceState(opened);
  const [cpu] = await state.allFields('cpu');
  const architecture = cpu && findArchitecture(cpu);
  if (!architecture) return undefined;
  try {
    const { mappings } = await placeBlocks(state, architecture);
    return { mappings, bigEndian: BIG_ENDIAN_TARGETS.has(architecture.name) };
  } catch (error) {
    problemIn(error);
    return undefined;
  }
}

/** Where the indexes are. Undefined where not all of descriptors and rings is memory: QEMU then takes them as 0. */
function placeRings(
  { size, descriptors, available, used }: Queue,
  mappings: readonly Mapping[],
): { readonly available: BlockRange; readonly used: BlockRange } | undefined {
  const lengths = vringLengths(BigInt(size));
  const table = placeOfRange(descriptors, lengths.descriptors, mappings);
  const availableRing = placeOfRange(available, lengths.available, mappings);
  const usedRing = placeOfRange(used, lengths.used, mappings);
  if (!table || !availableRing || !usedRing) return undefined;
  return { available: indexIn(availableRing), used: indexIn(usedRing) };
}

function indexIn({ block, offset }: BlockRange): BlockRange {
  return { block, offset: offset + RING_INDEX, length: INDEX_SIZE };
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

function placeOfRange(address: bigint, length: bigint, mappings: readonly Mapping[]): BlockRange | undefined {
  if (address < LOW_MEMORY || address % 2n !== 0n || address + length > BigInt(Number.MAX_SAFE_INTEGER))
    return undefined;
  const start = Number(address);
  const found = mappings.find(
    (mapping) => mapping.address <= start && start + Number(length) <= mapping.address + mapping.length,
  );
  return (
    found && { block: found.block, offset: found.offset + start - found.address, length: Number(length) }
  );
}
