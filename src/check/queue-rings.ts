import { type PathComponent, problemIn } from '../bytes/diagnostic.ts';
import { deviceState } from '../core/device-state.ts';
import type { Mapping } from '../core/physical-map.ts';
import { placeBlocks } from '../core/placement.ts';
import { findArchitecture } from '../core/registers/architectures.ts';
import { legacyRings, vringLengths } from '../infos/virtio/rings.ts';
import { childNamed, childrenOf, firstOfType, integerOf, numberOf } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';
import { layoutOf, type OpenedStream } from '../layout/open.ts';
import type { BlockRange } from '../memory/guest-memory.ts';
import type { Section } from '../stream/stream.ts';
import { MAX_RING_QUEUES } from './profile.ts';
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
const BIG_ENDIAN_TARGETS: ReadonlySet<string> = new Set(['ppc64', 's390x']);

/** A split virtqueue that is set up, as virtio_load sees it. */
export interface SplitQueue {
  readonly section: Section;
  readonly node: LayoutNode;
  readonly path: readonly PathComponent[];
  readonly index: number;
  /** Entries. */
  readonly size: number;
  readonly lastAvailable: number;
}

/** A virtqueue of which it is known where its rings are. */
export interface PlacedQueue {
  readonly queue: SplitQueue;
  /** Where the index of each ring is, a u16. */
  readonly available: PlacedIndex;
  readonly used: PlacedIndex;
  /** Byte order of the indexes. */
  readonly littleEndian: boolean;
}

export interface PlacedIndex extends BlockRange {
  /** Guest physical. */
  readonly address: number;
}

interface ReadyQueue extends SplitQueue {
  /** Guest physical. */
  readonly descriptors: bigint;
  readonly available: bigint;
  readonly used: bigint;
  readonly isLegacy: boolean;
}

/**
 * Virtqueues of these sections whose rings are in RAM, and where (hw/virtio/virtio.c, virtio_load). Those of which it is
 * not known are left out; it is of a capture, too, by the RAMBlocks that it lists.
 */
export async function placeQueues(
  opened: OpenedStream,
  sections: readonly Section[],
): Promise<readonly PlacedQueue[]> {
  const queues = await readyQueues(opened, sections);
  const mappings = queues.length > 0 ? await mappingsOf(opened) : undefined;
  if (!mappings) return [];
  return queues.flatMap((queue) => {
    const rings = placeRings(queue, mappings.mappings);
    return rings ? [{ queue, ...rings, littleEndian: !queue.isLegacy || !mappings.bigEndian }] : [];
  });
}

async function readyQueues(
  opened: OpenedStream,
  sections: readonly Section[],
): Promise<readonly ReadyQueue[]> {
  const queues: ReadyQueue[] = [];
  for (const section of sections) {
    if (section.scanner || !VIRTIO_DEVICE.test(section.idstr)) continue;
    const { root } = await layoutOf(opened, section);
    for (const { node, path } of walkPairs(root, undefined, noShape))
      if (node.type === 'virtio' && node.kind === 'struct') queues.push(...queuesOf(section, node, path));
  }
  return queues.slice(0, MAX_RING_QUEUES);
}

function queuesOf(section: Section, device: LayoutNode, path: readonly PathComponent[]): ReadyQueue[] {
  const features = guestFeatures(device);
  if (features === undefined || (features & (VIRTIO_F_IOMMU_PLATFORM | VIRTIO_F_RING_PACKED)) !== 0n)
    return [];
  const isLegacy = (features & VIRTIO_F_VERSION_1) === 0n;
  const subsections = childNamed(device, 'virtio');
  // The guest has another byte order than the target has at first.
  if (isLegacy && childNamed(subsections, 'virtio/device_endian')) return [];
  if (isCutOff(childNamed(device, 'transport'))) return [];
  const rings = [...childrenOf(childNamed(childNamed(subsections, 'virtio/virtqueues'), 'vq'))];
  return [...childrenOf(childNamed(device, 'vq'))].flatMap((node, index): ReadyQueue[] => {
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
  const { sender } = opened;
  const found = deviceState(opened);
  const state = sender && found.blocks.length === 0 ? { ...found, blocks: sender.ramBlocks } : found;
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
  { size, descriptors, available, used }: ReadyQueue,
  mappings: readonly Mapping[],
): { readonly available: PlacedIndex; readonly used: PlacedIndex } | undefined {
  const lengths = vringLengths(BigInt(size));
  const table = placeOfRange(descriptors, lengths.descriptors, mappings);
  const availableRing = placeOfRange(available, lengths.available, mappings);
  const usedRing = placeOfRange(used, lengths.used, mappings);
  if (!table || !availableRing || !usedRing) return undefined;
  return { available: indexIn(availableRing, available), used: indexIn(usedRing, used) };
}

function indexIn({ block, offset }: BlockRange, ring: bigint): PlacedIndex {
  return { block, offset: offset + RING_INDEX, length: INDEX_SIZE, address: Number(ring) + RING_INDEX };
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
