import {
  setBits,
  virtioDeviceName,
  virtioFeatureName,
  virtioFeatureNames,
  virtioTypesWith,
} from './features.ts';

/** A property of a QEMU device that switches a virtio feature. */
export interface FeatureProperty {
  readonly name: string;
  /** What it is set to so that the device offers the feature, as far as its back end does; `…` where that is a number. */
  readonly on: string;
  /** What it is set to so that the device does not offer it. */
  readonly off: string;
}

/** `name` where it is a bit that is on or off; else name, value with the feature, value without it. */
type Entry = string | readonly [name: string, on: string, off: string];
type Entries = Readonly<Record<number, Entry>>;

/** Of every device (include/hw/virtio/virtio.h, DEFINE_VIRTIO_COMMON_FEATURES; hw/virtio/virtio-pci.c). */
const TRANSPORT: Entries = {
  24: 'notify_on_empty',
  27: 'any_layout',
  28: 'indirect_desc',
  29: 'event_idx',
  32: ['disable-modern', 'off', 'on'],
  33: 'iommu_platform',
  34: 'packed',
  35: 'in_order',
  40: 'queue_reset',
};

/**
 * By device type of the virtio specification: the properties of virtio and vhost devices of QEMU 5.2 to 11.1 (their
 * sources, and what `-device X,help` of each has). Features without a property come from the back end, or are always
 * offered.
 */
const OWN: Readonly<Record<number, Entries>> = {
  // hw/net/virtio-net.c
  1: {
    0: 'csum',
    1: 'guest_csum',
    2: 'ctrl_guest_offloads',
    3: ['host_mtu', '…', '0'],
    6: 'gso',
    7: 'guest_tso4',
    8: 'guest_tso6',
    9: 'guest_ecn',
    10: 'guest_ufo',
    11: 'host_tso4',
    12: 'host_tso6',
    13: 'host_ecn',
    14: 'host_ufo',
    15: 'mrg_rxbuf',
    16: 'status',
    17: 'ctrl_vq',
    18: 'ctrl_rx',
    19: 'ctrl_vlan',
    20: 'ctrl_rx_extra',
    21: 'guest_announce',
    22: 'mq',
    23: 'ctrl_mac_addr',
    54: 'guest_uso4',
    55: 'guest_uso6',
    56: 'host_uso',
    57: 'hash',
    60: 'rss',
    61: 'guest_rsc_ext',
    62: 'failover',
    63: ['speed', '…', '-1'],
    65: 'guest_tunnel',
    66: 'guest_tunnel_csum',
    67: 'host_tunnel',
    68: 'host_tunnel_csum',
  },
  // hw/block/virtio-blk.c, vhost-user-blk.c
  2: {
    7: 'scsi',
    9: ['write-cache', 'on', 'off'],
    11: 'config-wce',
    12: ['num-queues', '…', '1'],
    13: 'discard',
    14: 'write-zeroes',
  },
  // hw/char/virtio-serial-bus.c
  3: { 1: ['max_ports', '…', '1'], 2: 'emergency-write' },
  // hw/virtio/virtio-balloon.c
  5: { 2: 'deflate-on-oom', 3: 'free-page-hint', 4: 'page-poison', 5: 'free-page-reporting' },
  // hw/scsi/virtio-scsi.c, vhost-scsi.c, vhost-user-scsi.c
  8: { 1: 'hotplug', 2: 'param_change', 3: 't10_pi' },
  // hw/display/virtio-gpu.c; their bits in QEMU's struct are not those of the features.
  16: { 1: 'edid', 3: 'blob' },
  // hw/virtio/vhost-vsock-common.c
  19: { 1: ['seqpacket', 'on', 'off'] },
  // hw/virtio/virtio-mem.c
  24: { 1: ['unplugged-inaccessible', 'on', 'off'] },
  // hw/audio/vhost-user-snd.c
  25: { 0: 'controls' },
};

/** The property that switches a feature of a device type, by its bit. */
export function virtioFeatureProperty(deviceType: number, bit: number): FeatureProperty | undefined {
  const entry = OWN[deviceType]?.[bit] ?? (virtioFeatureName(deviceType, bit) ? TRANSPORT[bit] : undefined);
  if (entry === undefined) return undefined;
  const [name, on, off] = typeof entry === 'string' ? [entry, 'on', 'off'] : entry;
  return { name, on, off };
}

/** What every virtio device of QEMU has had as a property for long (DEFINE_VIRTIO_COMMON_FEATURES). */
const COMMON = 'indirect_desc';
/** Features that came with their property, which every device has since (RING_RESET: 7.2). */
const NEWER: readonly number[] = [40];

/**
 * Features that a device does not offer for certain, by its properties: those whose switch is off, and those that came
 * later than its QEMU. `settingOf` gives the value of a property, undefined where there is none.
 */
export function deniedVirtioFeatures(deviceType: number, settingOf: (name: string) => unknown): bigint {
  let denied = 0n;
  for (const bit of Object.keys({ ...TRANSPORT, ...OWN[deviceType] }).map(Number)) {
    const property = virtioFeatureProperty(deviceType, bit);
    const value = property && settingOf(property.name);
    // Of a number, or of what can be `auto`, others than this one can decide.
    const isOff = typeof value === 'boolean' && value === (property?.off === 'on');
    const isLater = value === undefined && NEWER.includes(bit) && settingOf(COMMON) !== undefined;
    if (isOff || isLater) denied |= 1n << BigInt(bit);
  }
  return denied;
}

/** Features that a guest has accepted and a device does not offer. */
interface RefusedFeatures {
  /** Of the virtio specification; undefined where all of the features are such as any device can have. */
  readonly deviceType: number | undefined;
  /** Name of that type. */
  readonly device: string | undefined;
  /** As the specification has them: `GUEST_USO4`; one without a name as `bit N`. */
  readonly names: readonly string[];
  /** What switches them off, for a command line: `guest_uso4=off`. Those that no property switches are left out. */
  readonly settings: readonly string[];
}

/**
 * What QEMU's words `Features ACCEPTED unsupported. Allowed features: OFFERED` are about. They do not say of what device
 * type they are: where `known` does not either, one element for each type that has all of the features in both numbers,
 * or else all that are refused. Empty where nothing is refused: QEMU 10.2 and later leave that out of ACCEPTED.
 */
export function refusedVirtioFeatures(accepted: bigint, offered: bigint, known?: number): RefusedFeatures[] {
  const refused = accepted & ~offered;
  const bits = setBits(refused);
  if (bits.length === 0) return [];
  const describe = (deviceType: number | undefined): RefusedFeatures => ({
    deviceType,
    device: deviceType === undefined ? undefined : virtioDeviceName(deviceType),
    names: virtioFeatureNames(deviceType ?? 0, refused),
    settings: bits.flatMap((bit) => {
      const property = virtioFeatureProperty(deviceType ?? 0, bit);
      return property ? [`${property.name}=${property.off}`] : [];
    }),
  });
  // Type 0 is none, and has the features of all.
  if (bits.every((bit) => virtioFeatureName(0, bit) !== undefined)) return [describe(undefined)];
  if (known !== undefined) return [describe(known)];
  const [all, some] = [virtioTypesWith(accepted | offered), virtioTypesWith(refused)];
  return (all.length > 0 ? all : some).map(describe);
}
