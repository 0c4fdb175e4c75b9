import { childrenOf } from '../../layout/children.ts';
import type { LayoutNode, LeafNode, LeafValue, StructNode } from '../../layout/node.ts';
import { bitsMeaning, flags, hex } from '../bits.ts';
import { VIRTIO_STATUS_BITS, virtioFeatureNames, virtioPciDeviceType } from './features.ts';
import { legacyRings } from './rings.ts';

/** Device types (see virtio-features.ts) by the names that QEMU's VMSDs have. */
const deviceTypes: ReadonlyMap<string, number> = new Map([
  ['vhost-scsi', 8],
  ['vhost-user-blk', 2],
  ['vhost-user-fs', 26],
  ['vhost-user-gpio', 41],
  ['vhost-user-i2c', 34],
  ['vhost-user-input', 18],
  ['vhost-user-rng', 4],
  ['vhost-user-rtc', 17],
  ['vhost-user-scmi', 32],
  ['vhost-user-snd', 25],
  ['vhost-user-spi', 45],
  ['vhost-user-vsock', 19],
  ['virtio-9p', 9],
  ['virtio-balloon', 5],
  ['virtio-blk', 2],
  ['virtio-console', 3],
  ['virtio-crypto', 20],
  ['virtio-gpu', 16],
  ['virtio-input', 18],
  ['virtio-input-host', 18],
  ['virtio-iommu', 23],
  ['virtio-mem', 24],
  ['virtio-net', 1],
  ['virtio-nsm', 33],
  ['virtio-rng', 4],
  ['virtio-sound', 25],
  ['virtio-scsi', 8],
  ['virtio-vhost_scsi', 8],
  ['virtio-vhost_vsock', 19],
]);

/** Device type by the name that sections and messages of QEMU have for a device: `virtio-net`, `vhost-user-fs`. */
export function virtioTypeByName(name: string): number | undefined {
  return deviceTypes.get(name);
}

/** Features from bit 64 on (QEMU 10.2 and later). */
export const UPPER_FEATURES = 'guest_features_ex[1]';

const STATUS = flags(VIRTIO_STATUS_BITS);

/**
 * Adds to what a reader made of a `virtio` info what values say: the device's status, features by name, and where the
 * rings of a queue are that has only one address. `idstr` names the device where no PCI configuration space does.
 */
export function withVirtioMeanings(node: StructNode, idstr: string): StructNode {
  const { children } = node;
  const type = virtioTypeOf(node, idstr);
  const hasRings = subsection(children, 'virtio/virtqueues') !== undefined;
  const features = (value: number | bigint, shift = 0n) =>
    type === undefined || value === 0n || value === 0
      ? undefined
      : virtioFeatureNames(type, BigInt(value) << shift).join(', ');
  const meaningOf = (leaf: LeafNode): string | undefined => {
    const { name, value } = leaf;
    if (typeof value !== 'number' && typeof value !== 'bigint') return undefined;
    if (name === 'status') return bitsMeaning(value, STATUS);
    if (name === UPPER_FEATURES) return features(value, 64n);
    return name === 'guest_features_lo' || name === 'guest_features' ? features(value) : undefined;
  };
  const explained = children.map((child): LayoutNode => {
    if (child.name === 'vq' && child.kind === 'array' && !hasRings)
      return { ...child, elements: [...childrenOf(child)].map(withRings) };
    if (child.name === 'virtio' && child.kind === 'struct') {
      const own = child.children.map((part) => mapLeaves(part, meaningOf));
      return { ...child, children: own };
    }
    return child.kind === 'leaf' ? mapLeaves(child, meaningOf) : child;
  });
  return { ...node, children: explained };
}

/** Device type of what a reader made of a `virtio` info. */
export function virtioTypeOf(root: Pick<StructNode, 'children'>, idstr: string): number | undefined {
  const deviceId =
    find(root, 'transport', 'pci_dev', 'config[0]', 'device_id') ??
    find(root, 'transport', 'pci_dev', 'config[1]', 'device_id');
  return (
    (typeof deviceId === 'number' ? virtioPciDeviceType(deviceId) : undefined) ?? virtioTypeOfName(idstr)
  );
}

/** Device type by the name in the idstr of a section. */
export function virtioTypeOfName(idstr: string): number | undefined {
  return deviceTypes.get(idstr.slice(idstr.lastIndexOf('/') + 1));
}

function mapLeaves(node: LayoutNode, meaningOf: (leaf: LeafNode) => string | undefined): LayoutNode {
  if (node.kind === 'leaf') {
    const meaning = meaningOf(node);
    return meaning === undefined ? node : { ...node, meaning };
  }
  if (node.kind !== 'struct') return node;
  return { ...node, children: node.children.map((child) => mapLeaves(child, meaningOf)) };
}

function withRings(queue: LayoutNode): LayoutNode {
  if (queue.kind !== 'struct') return queue;
  const value = (name: string) => {
    const found = find(queue, name);
    return typeof found === 'number' || typeof found === 'bigint' ? BigInt(found) : undefined;
  };
  const descriptors = value('desc');
  const size = value('num');
  if (!descriptors || size === undefined) return queue;
  const { available, used } = legacyRings(descriptors, size, value('align'));
  const meaning = `available ring at ${hex(available)}, used ring at ${hex(used)}`;
  return {
    ...queue,
    children: queue.children.map((child) =>
      child.kind === 'leaf' && child.name === 'desc' ? { ...child, meaning } : child,
    ),
  };
}

function subsection(children: readonly LayoutNode[], name: string): StructNode | undefined {
  const virtio = children.find((child) => child.name === 'virtio');
  for (const child of virtio ? childrenOf(virtio) : [])
    if (child.kind === 'struct' && child.name === name) return child;
  return undefined;
}

/** The value of the leaf at a path of structs. */
function find(
  { children }: { readonly children: readonly LayoutNode[] },
  ...path: readonly string[]
): LeafValue | undefined {
  const [name, ...rest] = path;
  const child = children.find((candidate) => candidate.name === name);
  if (child?.kind === 'leaf' && rest.length === 0) return child.value;
  return child?.kind === 'struct' ? find(child, ...rest) : undefined;
}
