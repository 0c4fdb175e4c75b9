import { appendTo } from '../bytes/append-to.ts';
import type { PathComponent } from '../bytes/diagnostic.ts';
import { type FeatureProperty, virtioFeatureProperty } from '../infos/virtio/feature-properties.ts';
import { setBits, virtioFeatureName, virtioFeatureNames } from '../infos/virtio/features.ts';
import { UPPER_FEATURES, virtioTypeOf } from '../infos/virtio/meanings.ts';
import { childNamed, childrenOf, firstOfType, integerOf, numberOf } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';
import type { Destination } from './destination.ts';
import { propertyOf, settingsText } from './device-settings.ts';
import type { Finding } from './finding.ts';
import { numberList, sentenceList } from './number-list.ts';
import type { PropertyValue } from './profile.ts';
import type { ValueInput } from './value-input.ts';
import { failedFieldWords, isOlder, wordsOf } from './version.ts';
import { noShape, walkPairs } from './walk-pairs.ts';

/** include/hw/virtio/virtio.h */
const VIRTIO_QUEUE_MAX = 1024;
const VIRTIO_NO_VECTOR = 0xffff;
/** Bits 42 to 49 are no features (Virtio 1.3, 2.2): no device offers them. */
const RESERVED_FEATURES = 0xffn << 42n;
/** Device types of the specification whose queues have a size or number that can be set. */
const VIRTIO_ID_NET = 1;
const VIRTIO_ID_BLOCK = 2;
const VIRTIO_ID_CONSOLE = 3;
const VIRTIO_ID_SCSI = 8;
const VIRTIO_ID_FS = 26;
/** With most back ends (hw/net/virtio-net.c, virtio_net_max_tx_queue_size). */
const MOST_ENTRIES: Readonly<Record<string, number>> = { tx_queue_size: 256 };
const MSIX = 'msix state';
/** First QEMU seen that refuses a queue which is larger than the one it made; 10.2 does not. */
export const LIMITS_QUEUES = [11, 1] as const;

/** What is said of several virtqueues of a device at once; QEMU's words are about the first. */
interface QueueProblem {
  readonly index: number;
  readonly queue: LayoutNode;
  /** Behind the numbers of the queues, in the singular. */
  readonly text: string;
  readonly says?: string;
  readonly fix?: string | undefined;
}

interface LargeQueue extends QueueProblem {
  readonly size: number;
  /** The destination has none of that number, which is not a matter of its size. */
  readonly isMissing: boolean;
}

/** hw/virtio/virtio.c, virtio_load, and what buses and devices add to it. */
export function checkVirtio(input: ValueInput): readonly Finding[] {
  const { node } = input;
  const findings: Finding[] = [];
  const add = (message: string, at: LayoutNode | undefined, says?: string) =>
    findings.push({
      ...{ rule: 'virtio-queues', severity: 'blocks', message },
      ...(at ? { range: at } : {}),
      ...(says === undefined ? {} : { says }),
    });
  const count = childNamed(node, 'num_queues');
  const queues = numberOf(count);
  if (queues !== undefined && queues > VIRTIO_QUEUE_MAX) {
    const says = `Invalid number of virtqueues: 0x${queues.toString(16)}`;
    add(`${queues} virtqueues; a device has ${VIRTIO_QUEUE_MAX} at the most`, count, says);
  }
  const select = childNamed(node, 'queue_sel');
  const selected = numberOf(select);
  if (selected !== undefined && selected >= VIRTIO_QUEUE_MAX)
    add(`virtqueue ${selected} is selected; a device has ${VIRTIO_QUEUE_MAX} at the most`, select);
  return [
    ...findings,
    ...checkVectors(input),
    ...checkQueues(input),
    ...checkFeatures(input),
    ...checkPorts(input),
  ];
}

function checkQueues(input: ValueInput): Finding[] {
  const { node, ownNode, destination } = input;
  const queues = [...childrenOf(childNamed(node, 'vq'))];
  const ownQueues = [...childrenOf(childNamed(ownNode, 'vq'))];
  const { qemuVersion } = destination;
  const limitsSizes =
    ownQueues.length > 0 && qemuVersion !== undefined && !isOlder(qemuVersion, LIMITS_QUEUES);
  const empty: QueueProblem[] = [];
  const advanced: QueueProblem[] = [];
  const large: LargeQueue[] = [];
  for (const [index, queue] of queues.entries()) {
    const last = numberOf(childNamed(queue, 'last_avail_idx')) ?? 0;
    const ring = integerOf(childNamed(queue, 'desc')) ?? 0n;
    const size = numberOf(childNamed(queue, 'num')) ?? 0;
    const room = numberOf(childNamed(ownQueues[index], 'num')) ?? 0;
    if (ring !== 0n && size === 0) {
      const says = "address_space_cache_init: Assertion `len > 0' failed.";
      empty.push({ index, queue, text: 'a ring and no entries', says });
    }
    if (ring === 0n && last !== 0) {
      const says = `VQ ${index} address 0x0 inconsistent with Host index 0x${last.toString(16)}`;
      advanced.push({ index, queue, text: `no ring, and an index of ${last}`, says });
    }
    if (size > room && limitsSizes) {
      const text =
        room === 0
          ? `${size} entries, and the destination has no such queue`
          : `${size} entries, where the destination has room for ${room}`;
      const says = `VQ ${index} vring.num ${size} exceeds allocated max ${room}`;
      large.push({ index, queue, text, says, size, isMissing: room === 0 });
    }
  }
  const fix = large.length > 0 ? queueSizeFix(input, large, queues.length) : undefined;
  return [...queueFinding(empty), ...queueFinding(advanced), ...queueFinding(large, fix)];
}

/** One finding for all queues of a device that have the same kind of problem. */
function queueFinding(problems: readonly QueueProblem[], fix?: string): Finding[] {
  const [first] = problems;
  if (!first) return [];
  const indexes = new Map<string, number[]>();
  for (const { text, index } of problems) appendTo(indexes, text, index);
  const parts = [...indexes].map(([text, alike]) => {
    const [noun, verb] = alike.length === 1 ? ['virtqueue', 'has'] : ['virtqueues', 'have'];
    return `${noun} ${numberList(alike)} ${verb} ${text}`;
  });
  return [
    {
      ...{ rule: 'virtio-queues', severity: 'blocks', range: first.queue, message: sentenceList(parts) },
      ...(first.says === undefined ? {} : { says: first.says }),
      ...(fix === undefined ? {} : { fix }),
    },
  ];
}

/** The properties that make the destination's queues as many and as large as those of the stream, where there are such. */
function queueSizeFix(input: ValueInput, large: readonly LargeQueue[], count: number): string {
  const missing = large.some(({ isMissing }) => isMissing);
  const small = large.filter(({ isMissing }) => !isMissing);
  const parts = [
    ...(missing ? [queueCountFix(input, count)] : []),
    ...(small.length > 0 ? [smallQueueFix(input, small, count)] : []),
  ];
  return parts.join('; ');
}

/** By device type: what decides how many queues it has, and its value for so many. */
const QUEUE_COUNTS: ReadonlyMap<number, { readonly property: string; of(queues: number): number }> = new Map([
  [VIRTIO_ID_BLOCK, { property: 'num-queues', of: (queues: number) => queues }],
  // Two for each port, and two for control.
  [VIRTIO_ID_CONSOLE, { property: 'max_ports', of: (queues: number) => queues / 2 - 1 }],
  // Those for control and events come on top.
  [VIRTIO_ID_SCSI, { property: 'num_queues', of: (queues: number) => queues - 2 }],
  // The one for what has priority comes on top.
  [VIRTIO_ID_FS, { property: 'num-request-queues', of: (queues: number) => queues - 1 }],
]);

function queueCountFix({ node, section, destination }: ValueInput, count: number): string {
  const type = node.kind === 'struct' ? virtioTypeOf(node, section.idstr) : undefined;
  const counted = QUEUE_COUNTS.get(type ?? 0);
  const setting =
    counted && settingsText(destination, section.idstr, { [counted.property]: String(counted.of(count)) });
  if (setting) return `at the destination ${setting}`;
  return type === VIRTIO_ID_NET
    ? 'as many queues at both sides: mq=on and a back end with the same queues='
    : 'as many queues at both sides';
}

function smallQueueFix(
  { node, section, destination }: ValueInput,
  large: readonly LargeQueue[],
  count: number,
): string {
  const { idstr } = section;
  const settings: Record<string, string> = {};
  const fixed: number[] = [];
  const type = node.kind === 'struct' ? virtioTypeOf(node, idstr) : undefined;
  for (const { index, size } of large) {
    const name = queueSizeProperties(type, index, count).find(
      (candidate) => settingsText(destination, idstr, { [candidate]: '' }) !== undefined,
    );
    if (name === undefined || size > (MOST_ENTRIES[name] ?? size)) fixed.push(index);
    else settings[name] = String(Math.max(size, Number(settings[name] ?? 0)));
  }
  const text = settingsText(destination, idstr, settings);
  if (fixed.length === 0 && text !== undefined) return `at the destination ${text}`;
  const which = fixed.length === 1 ? 'virtqueue' : 'virtqueues';
  return `a QEMU before 11.1 at the destination, which does not compare the sizes, or a source that does not make all queues that large: no property of the destination's device sets those of ${which} ${numberList(fixed)}`;
}

/** What the size of a queue is called by devices that have a property for it, the likeliest first. */
function queueSizeProperties(type: number | undefined, index: number, count: number): readonly string[] {
  switch (type) {
    case VIRTIO_ID_NET:
      // Pairs, and then the one for control.
      if (index === count - 1 && count % 2 === 1) return [];
      return [index % 2 === 0 ? 'rx_queue_size' : 'tx_queue_size'];
    case VIRTIO_ID_SCSI:
      return ['virtqueue_size'];
    case VIRTIO_ID_BLOCK:
    case VIRTIO_ID_FS:
      return ['queue-size'];
    default:
      return [];
  }
}

function checkFeatures({ node, section, destination }: ValueInput): Finding[] {
  const accepted = guestFeatures(node);
  if (accepted === undefined) return [];
  const { idstr } = section;
  const offer = destination.facts?.virtioFeatures(idstr);
  const refused = accepted & (RESERVED_FEATURES | (offer?.denied ?? 0n));
  if (refused === 0n) return [];
  const type = (node.kind === 'struct' ? virtioTypeOf(node, idstr) : undefined) ?? 0;
  const names = virtioFeatureNames(type, refused).join(', ');
  return [
    {
      rule: 'virtio-features',
      severity: 'blocks',
      message: `the guest has accepted features that the destination does not offer: ${names} (0x${refused.toString(16)})`,
      says: featureWords(accepted, refused, offer?.offered, destination.qemuVersion),
      fix: featureFix(type, refused, idstr, destination),
    },
  ];
}

/** From 10.2 on 32 digits, and what is accepted is without what is refused. */
function featureWords(
  accepted: bigint,
  refused: bigint,
  offered: bigint | undefined,
  qemuVersion: string | undefined,
): string {
  const words = (digits: number, value: bigint) => {
    const hex = (number: bigint) => `0x${number.toString(16).padStart(digits, '0')}`;
    return `Features ${hex(value)} unsupported. Allowed features: ${offered === undefined ? '…' : hex(offered)}`;
  };
  return wordsOf(qemuVersion, words(1, accepted), words(32, accepted & ~refused));
}

/**
 * Properties that the destination has and that are off; for the rest those that keep the source from offering it. The
 * destination's device may not have the property.
 */
function featureFix(type: number, refused: bigint, idstr: string, destination: Destination): string {
  const on: Record<string, string> = {};
  const off: string[] = [];
  const offAtSource: string[] = [];
  const lacking: string[] = [];
  for (const bit of setBits(refused)) {
    const property = virtioFeatureProperty(type, bit);
    const value = property && propertyOf(destination, idstr, property.name);
    if (property && isOff(property, value)) on[property.name] = property.on;
    else if (property) (value === undefined ? offAtSource : off).push(`${property.name}=${property.off}`);
    else lacking.push(virtioFeatureName(type, bit) ?? `bit ${bit}`);
  }
  const there = settingsText(destination, idstr, on);
  const parts: string[] = [];
  if (there !== undefined)
    parts.push(`at the destination ${there}${Object.values(on).includes('…') ? ', as at the source' : ''}`);
  if (offAtSource.length > 0)
    parts.push(
      `for the device at the source ${offAtSource.join(',')}, with the guest started anew, or a QEMU at the destination whose device has the property`,
    );
  if (off.length > 0)
    parts.push(
      `for the device at both sides ${off.join(',')}, with the guest started anew at the source, or a QEMU and a back end at the destination that offer this`,
    );
  if (lacking.length > 0)
    parts.push(
      refused & RESERVED_FEATURES
        ? 'an undamaged copy of the stream'
        : `a back end and a machine type at the destination that offer ${lacking.join(', ')}`,
    );
  return parts.join('; ');
}

function isOff({ off }: FeatureProperty, value: PropertyValue | undefined): boolean {
  if (typeof value === 'boolean') return value === (off === 'on');
  return value !== undefined && String(value) === off;
}

function checkVectors(input: ValueInput): Finding[] {
  const { node, ownNode, section, destination } = input;
  const vectors = ownNode && vectorCount(ownNode);
  if (vectors === undefined) return [];
  const users = [
    childNamed(childNamed(node, 'transport'), 'config_vector'),
    ...[...childrenOf(childNamed(node, 'vq'))].map((queue) => childNamed(queue, 'vector')),
  ];
  const beyond = users.flatMap((at) => {
    const vector = numberOf(at);
    return at && vector !== undefined && vector !== VIRTIO_NO_VECTOR && vector >= vectors
      ? [{ at, vector }]
      : [];
  });
  const [first] = beyond;
  if (!first) return [];
  const used = [...new Set(beyond.map(({ vector }) => vector))].sort((a, b) => a - b);
  const which = used.length === 1 ? `MSI-X vector ${used[0]} is` : `MSI-X vectors ${numberList(used)} are`;
  const setting = settingsText(destination, section.idstr, { vectors: String(used.at(-1)! + 1) });
  return [
    {
      rule: 'virtio-vector',
      severity: 'blocks',
      range: first.at,
      message: `${which} in use, and the destination has ${vectors}`,
      says: failedFieldWords(section.idstr, 'virtio', 'virtio', destination.qemuVersion),
      fix: setting ? `at the destination ${setting}, or more` : 'as many vectors at both sides',
    },
  ];
}

/** hw/char/virtio-serial-bus.c, fetch_active_ports_list and what is in front of it. */
function checkPorts({ node, ownNode, section, destination }: ValueInput): Finding[] {
  for (const { node: at, own, path } of walkPairs(node, ownNode, noShape)) {
    const [words, ownWords] = at.name === 'max_nr_ports' ? [portWords(at), own && portWords(own)] : [];
    if (words !== undefined && ownWords !== undefined && words !== ownWords) {
      const setting = settingsText(destination, section.idstr, { max_ports: String(portCount(at)) });
      return [
        {
          rule: 'virtio-serial-ports',
          severity: 'blocks',
          range: at,
          message: `the map of ports has ${words} words, and ${ownWords} at the destination`,
          says: `Missing section footer for ${section.idstr}`,
          fix: setting ? `at the destination ${setting}` : 'the same number of ports at both sides',
        },
      ];
    }
    if (at.kind !== 'leaf' || own?.kind !== 'leaf' || !isPortsMap(path) || at.value === own.value) continue;
    return [
      {
        rule: 'virtio-serial-ports',
        severity: 'blocks',
        range: at,
        message: `ports ${String(at.value)} (a bit for each) are there, and ${String(own.value)} at the destination`,
        says: failedFieldWords(section.idstr, 'virtio', 'virtio', destination.qemuVersion),
        fix: 'the same ports with the same nr= at both sides',
      },
    ];
  }
  return [];
}

/** Words of 32 bits of the map of ports. */
function portWords(node: LayoutNode): number | undefined {
  const count = portCount(node);
  return count === undefined ? undefined : Math.ceil(count / 32);
}

/** It may be in the other byte order. */
function portCount(node: LayoutNode): number | undefined {
  const written = numberOf(node);
  return written !== undefined && written > 0xffff ? written >>> 24 : written;
}

function isPortsMap(path: readonly PathComponent[]): boolean {
  return path.some((name) => name === 'ports_map');
}

/** The low 32 bits, or all that subsections have. */
export function guestFeatures(node: LayoutNode): bigint | undefined {
  const subsections = childNamed(node, 'virtio');
  const whole = integerOf(childNamed(childNamed(subsections, 'virtio/64bit_features'), 'guest_features'));
  const upper = integerOf(childNamed(childNamed(subsections, 'virtio/128bit_features'), UPPER_FEATURES));
  const low = whole ?? integerOf(childNamed(node, 'guest_features_lo'));
  return low === undefined ? undefined : low | ((upper ?? 0n) << 64n);
}

function vectorCount(node: LayoutNode): number | undefined {
  const msix = firstOfType(node, MSIX);
  return msix && [...childrenOf(childNamed(msix, 'vectors'))].length;
}
