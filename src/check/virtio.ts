import type { PathComponent } from '../bytes/diagnostic.ts';
import { childNamed, childrenOf, integerOf, type LayoutNode } from '../layout/node.ts';
import type { Finding } from './finding.ts';
import type { ValueInput } from './values.ts';
import { isOlder } from './version.ts';
import { walkPairs } from './walk-pairs.ts';

/** include/hw/virtio/virtio.h */
const VIRTIO_QUEUE_MAX = 1024;
const VIRTIO_NO_VECTOR = 0xffff;
/** Bits 42 to 49 are no features (Virtio 1.3, 2.2): no device offers them. */
const RESERVED_FEATURES = 0xffn << 42n;
const MSIX = 'msix state';
/** First QEMU seen that refuses a queue which is larger than the one it made; 10.2 does not. */
const LIMITS_QUEUES = [11, 1] as const;

/** hw/virtio/virtio.c, virtio_load, and what buses and devices add to it. */
export function checkVirtio(input: ValueInput): readonly Finding[] {
  const { node, ownNode, section, destination } = input;
  const findings: Finding[] = [];
  const add = (finding: Finding, at: LayoutNode | undefined) =>
    findings.push(at ? { range: at, ...finding } : finding);
  const queues = integer(childNamed(node, 'num_queues'));
  if (queues !== undefined && queues > VIRTIO_QUEUE_MAX) {
    const message = `${queues} virtqueues; a device has ${VIRTIO_QUEUE_MAX} at the most`;
    const says = `Invalid number of virtqueues: 0x${queues.toString(16)}`;
    add({ rule: 'virtio-queues', severity: 'blocks', message, says }, childNamed(node, 'num_queues'));
  }
  const selected = integer(childNamed(node, 'queue_sel'));
  if (selected !== undefined && selected >= VIRTIO_QUEUE_MAX) {
    const message = `virtqueue ${selected} is selected; a device has ${VIRTIO_QUEUE_MAX} at the most`;
    add({ rule: 'virtio-queues', severity: 'blocks', message }, childNamed(node, 'queue_sel'));
  }
  const vectors = ownNode && vectorCount(ownNode);
  checkVector(input, childNamed(childNamed(node, 'transport'), 'config_vector'), vectors, add);
  const ownQueues = elements(childNamed(ownNode, 'vq'));
  const { qemuVersion } = destination;
  const limitsQueues =
    ownQueues.length > 0 && qemuVersion !== undefined && !isOlder(qemuVersion, LIMITS_QUEUES);
  let index = 0;
  for (const queue of elements(childNamed(node, 'vq'))) {
    const last = integer(childNamed(queue, 'last_avail_idx')) ?? 0;
    const ring = integerOf(childNamed(queue, 'desc')) ?? 0n;
    if (ring !== 0n && integer(childNamed(queue, 'num')) === 0) {
      const message = `virtqueue ${index} has a ring and no entries`;
      const says = "address_space_cache_init: Assertion `len > 0' failed.";
      add({ rule: 'virtio-queues', severity: 'blocks', message, says }, queue);
    }
    if (ring === 0n && last !== 0) {
      const message = `virtqueue ${index} has no ring, and an index of ${last}`;
      const says = `VQ ${index} address 0x0 inconsistent with Host index 0x${last.toString(16)}`;
      add({ rule: 'virtio-queues', severity: 'blocks', message, says }, queue);
    }
    checkVector(input, childNamed(queue, 'vector'), vectors, add);
    const size = integer(childNamed(queue, 'num')) ?? 0;
    const room = integer(childNamed(ownQueues[index], 'num')) ?? 0;
    if (size > room && limitsQueues) {
      const message = `virtqueue ${index} has ${size} entries, and the destination has room for ${room}`;
      const says = `VQ ${index} vring.num ${size} exceeds allocated max ${room}`;
      const fix = 'the same queue-size= at both sides';
      add({ rule: 'virtio-queues', severity: 'blocks', message, says, fix }, queue);
    }
    index++;
  }
  const accepted = guestFeatures(node);
  const offer = destination.facts?.virtioFeatures(section.idstr);
  const refused = (accepted ?? 0n) & (RESERVED_FEATURES | (offer?.denied ?? 0n));
  if (accepted !== undefined && refused !== 0n) {
    const hex = (value: bigint) => `0x${value.toString(16)}`;
    findings.push({
      rule: 'virtio-features',
      severity: 'blocks',
      message: `the guest has accepted features ${hex(accepted)}, of which the destination does not offer ${hex(refused)}`,
      says: `Features ${hex(accepted)} unsupported. Allowed features: ${offer?.offered === undefined ? '…' : hex(offer.offered)}`,
      fix: 'the same features of the device at both sides, and a back end (tap, vhost) that offers as much',
    });
  }
  findings.push(...checkPorts(node, ownNode));
  return findings;
}

function checkVector(
  { section }: ValueInput,
  at: LayoutNode | undefined,
  vectors: number | undefined,
  add: (finding: Finding, at: LayoutNode) => void,
): void {
  const vector = integer(at);
  if (!at || vector === undefined || vectors === undefined || vector === VIRTIO_NO_VECTOR || vector < vectors)
    return;
  add(
    {
      rule: 'virtio-vector',
      severity: 'blocks',
      message: `MSI-X vector ${vector} is in use, and the destination has ${vectors}`,
      says: `Failed to load ${section.idstr.slice(section.idstr.lastIndexOf('/') + 1)}:virtio`,
      fix: 'as many vectors at the destination (vectors=, number of queues)',
    },
    at,
  );
}

/** hw/char/virtio-serial-bus.c, fetch_active_ports_list and what is in front of it. */
function checkPorts(node: LayoutNode, own: LayoutNode | undefined): Finding[] {
  for (const { node: at, own: ours, path } of walkPairs(node, own)) {
    const words = at.name === 'max_nr_ports' ? [portWords(at), ours && portWords(ours)] : [];
    if (words[0] !== undefined && words[1] !== undefined && words[0] !== words[1]) {
      return [
        {
          rule: 'virtio-serial-ports',
          severity: 'blocks',
          range: at,
          message: `the map of ports has ${words[0]} words, and ${words[1]} at the destination`,
          says: 'Missing section footer for …/virtio-console',
          fix: 'the same max_ports= at both sides',
        },
      ];
    }
    if (at.kind !== 'leaf' || ours?.kind !== 'leaf' || !isPortsMap(path) || at.value === ours.value) continue;
    return [
      {
        rule: 'virtio-serial-ports',
        severity: 'blocks',
        range: at,
        message: `ports ${String(at.value)} (a bit for each) are there, and ${String(ours.value)} at the destination`,
        says: 'Failed to load virtio-console:virtio',
        fix: 'the same ports with the same nr= at both sides',
      },
    ];
  }
  return [];
}

/** Words of 32 bits of the map of ports. The number of ports may be in the other byte order. */
function portWords(node: LayoutNode): number | undefined {
  const written = integer(node);
  if (written === undefined) return undefined;
  return Math.ceil((written > 0xffff ? written >>> 24 : written) / 32);
}

function isPortsMap(path: readonly PathComponent[]): boolean {
  return path.some((name) => name === 'ports_map');
}

/** `features`, or all 64 bits where the subsection has them. */
export function guestFeatures(node: LayoutNode): bigint | undefined {
  let low: bigint | undefined;
  for (const { node: at } of walkPairs(node, undefined)) {
    if (at.name === 'guest_features_lo') low = integerOf(at);
    else if (at.name === 'guest_features') return integerOf(at);
  }
  return low;
}

function vectorCount(node: LayoutNode): number | undefined {
  const msix = firstOfType(node, MSIX);
  return msix && elements(childNamed(msix, 'vectors')).length;
}

/** The first node with this type, in stream order. */
export function firstOfType(node: LayoutNode | undefined, type: string): LayoutNode | undefined {
  if (!node) return undefined;
  for (const { node: at } of walkPairs(node, undefined)) if (at.type === type) return at;
  return undefined;
}

export function elements(node: LayoutNode | undefined): readonly LayoutNode[] {
  return node ? [...childrenOf(node)] : [];
}

/** Of an integer of up to 32 bits. */
export function integer(node: LayoutNode | undefined): number | undefined {
  return node?.kind === 'leaf' && typeof node.value === 'number' ? node.value : undefined;
}
