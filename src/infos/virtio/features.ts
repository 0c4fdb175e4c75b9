/** Names by bit number. */
type Bits = Readonly<Record<number, string>>;

/**
 * Of the transport and the rings, for all devices: Virtual I/O Device (VIRTIO) specification 1.4, "Reserved Feature
 * Bits" and its legacy interface; those of vhost, which back ends put into the same word, from the vhost-user protocol.
 * Names are the specification's without `VIRTIO_F_` in front.
 */
const TRANSPORT_BITS: Bits = {
  24: 'NOTIFY_ON_EMPTY',
  26: 'VHOST_LOG_ALL',
  27: 'ANY_LAYOUT',
  28: 'RING_INDIRECT_DESC',
  29: 'RING_EVENT_IDX',
  30: 'VHOST_USER_PROTOCOL_FEATURES',
  32: 'VERSION_1',
  33: 'ACCESS_PLATFORM',
  34: 'RING_PACKED',
  35: 'IN_ORDER',
  36: 'ORDER_PLATFORM',
  37: 'SR_IOV',
  38: 'NOTIFICATION_DATA',
  39: 'NOTIF_CONFIG_DATA',
  40: 'RING_RESET',
  41: 'ADMIN_VQ',
  43: 'SUSPEND',
};

interface VirtioDevice {
  readonly name: string;
  readonly bits: Bits;
}

/**
 * By device id: the same specification, "Device Types", and "Feature bits" of each. Of those that it has no section for,
 * the bits of Linux' include/uapi/linux/virtio_*.h. Names are without `VIRTIO_NET_F_` and its like in front.
 */
const devices: Readonly<Record<number, VirtioDevice>> = {
  1: {
    name: 'network',
    bits: {
      0: 'CSUM',
      1: 'GUEST_CSUM',
      2: 'CTRL_GUEST_OFFLOADS',
      3: 'MTU',
      5: 'MAC',
      6: 'GSO',
      7: 'GUEST_TSO4',
      8: 'GUEST_TSO6',
      9: 'GUEST_ECN',
      10: 'GUEST_UFO',
      11: 'HOST_TSO4',
      12: 'HOST_TSO6',
      13: 'HOST_ECN',
      14: 'HOST_UFO',
      15: 'MRG_RXBUF',
      16: 'STATUS',
      17: 'CTRL_VQ',
      18: 'CTRL_RX',
      19: 'CTRL_VLAN',
      20: 'CTRL_RX_EXTRA',
      21: 'GUEST_ANNOUNCE',
      22: 'MQ',
      23: 'CTRL_MAC_ADDR',
      50: 'DEVICE_STATS',
      51: 'HASH_TUNNEL',
      52: 'VQ_NOTF_COAL',
      53: 'NOTF_COAL',
      54: 'GUEST_USO4',
      55: 'GUEST_USO6',
      56: 'HOST_USO',
      57: 'HASH_REPORT',
      59: 'GUEST_HDRLEN',
      60: 'RSS',
      61: 'RSC_EXT',
      62: 'STANDBY',
      63: 'SPEED_DUPLEX',
      64: 'RSS_CONTEXT',
      65: 'GUEST_UDP_TUNNEL_GSO',
      66: 'GUEST_UDP_TUNNEL_GSO_CSUM',
      67: 'HOST_UDP_TUNNEL_GSO',
      68: 'HOST_UDP_TUNNEL_GSO_CSUM',
      69: 'OUT_NET_HEADER',
      70: 'IPSEC',
    },
  },
  2: {
    name: 'block',
    bits: {
      0: 'BARRIER',
      1: 'SIZE_MAX',
      2: 'SEG_MAX',
      4: 'GEOMETRY',
      5: 'RO',
      6: 'BLK_SIZE',
      7: 'SCSI',
      9: 'FLUSH',
      10: 'TOPOLOGY',
      11: 'CONFIG_WCE',
      12: 'MQ',
      13: 'DISCARD',
      14: 'WRITE_ZEROES',
      15: 'LIFETIME',
      16: 'SECURE_ERASE',
      17: 'ZONED',
    },
  },
  3: { name: 'console', bits: { 0: 'SIZE', 1: 'MULTIPORT', 2: 'EMERG_WRITE' } },
  4: { name: 'entropy', bits: {} },
  5: {
    name: 'balloon',
    bits: {
      0: 'MUST_TELL_HOST',
      1: 'STATS_VQ',
      2: 'DEFLATE_ON_OOM',
      3: 'FREE_PAGE_HINT',
      4: 'PAGE_POISON',
      5: 'PAGE_REPORTING',
    },
  },
  6: { name: 'ioMemory', bits: {} },
  7: { name: 'rpmsg', bits: {} },
  8: { name: 'SCSI host', bits: { 0: 'INOUT', 1: 'HOTPLUG', 2: 'CHANGE', 3: 'T10_PI' } },
  9: { name: '9P transport', bits: { 0: 'MOUNT_TAG' } },
  10: { name: 'mac80211 wlan', bits: {} },
  11: { name: 'rproc serial', bits: {} },
  12: { name: 'CAIF', bits: {} },
  13: { name: 'memory balloon', bits: {} },
  16: {
    name: 'GPU',
    bits: {
      0: 'VIRGL',
      1: 'EDID',
      2: 'RESOURCE_UUID',
      3: 'RESOURCE_BLOB',
      4: 'CONTEXT_INIT',
      5: 'BLOB_ALIGNMENT',
    },
  },
  17: { name: 'RTC', bits: { 0: 'ALARM' } },
  18: { name: 'input', bits: {} },
  19: { name: 'socket', bits: { 0: 'STREAM', 1: 'SEQPACKET', 2: 'NO_IMPLIED_STREAM' } },
  20: {
    name: 'crypto',
    bits: {
      0: 'REVISION_1',
      1: 'CIPHER_STATELESS_MODE',
      2: 'HASH_STATELESS_MODE',
      3: 'MAC_STATELESS_MODE',
      4: 'AEAD_STATELESS_MODE',
      5: 'AKCIPHER_STATELESS_MODE',
    },
  },
  21: { name: 'signal distribution', bits: {} },
  22: { name: 'pstore', bits: {} },
  23: {
    name: 'IOMMU',
    bits: {
      0: 'INPUT_RANGE',
      1: 'DOMAIN_RANGE',
      2: 'MAP_UNMAP',
      3: 'BYPASS',
      4: 'PROBE',
      5: 'MMIO',
      6: 'BYPASS_CONFIG',
    },
  },
  24: { name: 'memory', bits: { 0: 'ACPI_PXM', 1: 'UNPLUGGED_INACCESSIBLE', 2: 'PERSISTENT_SUSPEND' } },
  25: { name: 'sound', bits: { 0: 'CTLS' } },
  26: { name: 'file system', bits: { 0: 'NOTIFICATION' } },
  27: { name: 'PMEM', bits: { 0: 'SHMEM_REGION' } },
  28: { name: 'RPMB', bits: {} },
  29: { name: 'mac80211 hwsim', bits: {} },
  30: { name: 'video encoder', bits: {} },
  31: { name: 'video decoder', bits: {} },
  32: { name: 'SCMI', bits: { 0: 'P2A_CHANNELS', 1: 'SHARED_MEMORY' } },
  33: { name: 'Nitro secure module', bits: {} },
  34: { name: 'I2C adapter', bits: { 0: 'ZERO_LENGTH_REQUEST' } },
  35: { name: 'watchdog', bits: {} },
  36: { name: 'CAN', bits: { 0: 'CAN_CLASSIC', 1: 'CAN_FD', 2: 'RTR_FRAMES', 3: 'LATE_TX_ACK' } },
  38: { name: 'parameter server', bits: {} },
  39: { name: 'audio policy', bits: {} },
  40: { name: 'Bluetooth', bits: { 0: 'VND_HCI', 1: 'MSFT_EXT', 2: 'AOSP_EXT', 3: 'CONFIG_V2' } },
  41: { name: 'GPIO', bits: { 0: 'IRQ' } },
  42: { name: 'RDMA', bits: {} },
  43: { name: 'camera', bits: {} },
  44: { name: 'ISM', bits: {} },
  45: { name: 'SPI', bits: {} },
  46: { name: 'TEE', bits: {} },
  47: { name: 'CPU balloon', bits: {} },
  48: { name: 'media', bits: {} },
  49: { name: 'USB', bits: {} },
};

/** Name of a device type. */
export function virtioDeviceName(deviceId: number): string | undefined {
  return devices[deviceId]?.name;
}

/**
 * Names of the bits that are set in a word of features, in order of bit; one without a name as `bit N`. Bits of the
 * device's own come first, as a type may use for itself what is reserved now. A word of 128 bits is taken as well.
 */
export function virtioFeatureNames(deviceId: number, features: bigint): string[] {
  return setBits(features).map((bit) => virtioFeatureName(deviceId, bit) ?? `bit ${bit}`);
}

/** Name of a feature of a device type by its bit. */
export function virtioFeatureName(deviceId: number, bit: number): string | undefined {
  return devices[deviceId]?.bits[bit] ?? TRANSPORT_BITS[bit];
}

/** Bits that are set in a word of features of up to 128 bits, the lowest first. */
export function setBits(features: bigint): number[] {
  const bits: number[] = [];
  let rest = BigInt.asUintN(128, features);
  for (let bit = 0; rest !== 0n; bit++, rest >>= 1n) if (rest & 1n) bits.push(bit);
  return bits;
}

/** Device types that have a name for every one of these features. */
export function virtioTypesWith(features: bigint): number[] {
  const bits = setBits(features);
  return Object.keys(devices)
    .map(Number)
    .filter((type) => bits.every((bit) => virtioFeatureName(type, bit) !== undefined));
}

/**
 * Bit of a feature by the name of its macro, in Linux' headers and in QEMU: `VIRTIO_NET_F_MAC`, `VIRTIO_F_VERSION_1`,
 * `VIRTIO_RING_F_EVENT_IDX`. Undefined for one that is not known.
 */
export function virtioFeatureBit(deviceId: number, macro: string): number | undefined {
  const [, scope = '', name = ''] = /^([A-Z\d_]+?)_F_(.+)$/.exec(macro) ?? [];
  const transport = TRANSPORT_SCOPES[scope];
  const bits = transport === undefined ? (devices[deviceId]?.bits ?? {}) : TRANSPORT_BITS;
  const found = Object.entries(bits).find(([, known]) => known === `${transport ?? ''}${name}`);
  return found && Number(found[0]);
}

/** What a name among TRANSPORT_BITS has in front, by the beginning of the macro. */
const TRANSPORT_SCOPES: Readonly<Record<string, string>> = {
  VIRTIO: '',
  VIRTIO_RING: 'RING_',
  VHOST: 'VHOST_',
  VHOST_USER: 'VHOST_USER_',
};

/**
 * Device type of a PCI device of vendor 0x1af4, section "PCI Device Discovery": 0x1040 and the type, or one of the
 * transitional ids. Undefined for what is no virtio device.
 */
export function virtioPciDeviceType(pciDeviceId: number): number | undefined {
  if (pciDeviceId >= 0x1040 && pciDeviceId < 0x1080) return pciDeviceId - 0x1040;
  return TRANSITIONAL[pciDeviceId];
}

const TRANSITIONAL: Readonly<Record<number, number>> = {
  4096: 1,
  4097: 2,
  4098: 5,
  4099: 3,
  4100: 8,
  4101: 4,
  4105: 9,
};

/** Section "Device Status Field". */
export const VIRTIO_STATUS_BITS: Bits = {
  0: 'ACKNOWLEDGE',
  1: 'DRIVER',
  2: 'DRIVER_OK',
  3: 'FEATURES_OK',
  4: 'SUSPEND',
  6: 'NEEDS_RESET',
  7: 'FAILED',
};
