import { describe, expect, test } from 'vitest';
import {
  virtioDeviceName,
  virtioFeatureNames,
  virtioPciDeviceType,
} from '../../src/infos/virtio/features.ts';

/**
 * Guest features of devices of QEMU 7.2.22 under Linux 6.1: the word in `virtio/64bit_features` of the stream, and what
 * `x-query-virtio-status` said, without its explanations. That QEMU did not know bit 40 yet: `unknown-dev-features` was
 * 1099511627776.
 */
const TRANSPORT = ['RING_INDIRECT_DESC', 'RING_EVENT_IDX', 'VERSION_1', 'RING_RESET'];
const cases: readonly [device: number, name: string, features: bigint, names: readonly string[]][] = [
  [
    1,
    'network',
    0x10130af8024n,
    [
      'CTRL_GUEST_OFFLOADS',
      'MAC',
      'MRG_RXBUF',
      'STATUS',
      'CTRL_VQ',
      'CTRL_RX',
      'CTRL_VLAN',
      'GUEST_ANNOUNCE',
      'CTRL_MAC_ADDR',
      ...TRANSPORT,
    ],
  ],
  [
    2,
    'block',
    0x10130006e54n,
    [
      'SEG_MAX',
      'GEOMETRY',
      'BLK_SIZE',
      'FLUSH',
      'TOPOLOGY',
      'CONFIG_WCE',
      'DISCARD',
      'WRITE_ZEROES',
      ...TRANSPORT,
    ],
  ],
  [8, 'SCSI host', 0x10130000006n, ['HOTPLUG', 'CHANGE', ...TRANSPORT]],
  [5, 'balloon', 0x10120000002n, ['STATS_VQ', 'RING_EVENT_IDX', 'VERSION_1', 'RING_RESET']],
  [3, 'console', 0x10130000002n, ['MULTIPORT', ...TRANSPORT]],
  [16, 'GPU', 0x10130000002n, ['EDID', ...TRANSPORT]],
];

describe('features that Linux accepted of QEMU', () => {
  for (const [device, name, features, names] of cases) {
    test(name, () => {
      expect(virtioDeviceName(device)).toBe(name);
      expect(virtioFeatureNames(device, features)).toEqual(names);
    });
  }
});

test('bits without a name, devices without a name, and more than 64 bits', () => {
  expect(virtioFeatureNames(4, 1n << 49n)).toEqual(['bit 49']);
  expect(virtioFeatureNames(9999, 1n | (1n << 32n))).toEqual(['bit 0', 'VERSION_1']);
  expect(virtioFeatureNames(1, 1n << 67n)).toEqual(['HOST_UDP_TUNNEL_GSO']);
  expect(virtioFeatureNames(1, 0n)).toEqual([]);
  expect(virtioFeatureNames(1, -1n)).toHaveLength(128);
});

test('PCI device ids', () => {
  // include/hw/pci/pci.h of QEMU: PCI_DEVICE_ID_VIRTIO_BALLOON, and PCI_DEVICE_ID_VIRTIO_10_BASE.
  expect(virtioPciDeviceType(0x1002)).toBe(5);
  expect(virtioPciDeviceType(0x1040 + 26)).toBe(26);
  expect(virtioPciDeviceType(0x1110)).toBeUndefined();
});
