import { describe, expect, test } from 'vitest';
import {
  deniedVirtioFeatures,
  refusedVirtioFeatures,
  virtioFeatureProperty,
} from '../../src/infos/virtio/feature-properties.ts';
import { tablesOf } from '../check/recorded.ts';

const NET = 1;
const MTU = 1n << 3n;

describe('features that QEMU refused', () => {
  test('are named with the properties that switch them off', () => {
    // QEMU 8.1 of a virtio-net whose tap device does not segment UDP, after a migration from one whose does.
    expect(refusedVirtioFeatures(0x1c0010130afffafn, 0x10179bfffefn)).toEqual([
      {
        deviceType: NET,
        device: 'network',
        names: ['GUEST_USO4', 'GUEST_USO6', 'HOST_USO'],
        settings: ['guest_uso4=off', 'guest_uso6=off', 'host_uso=off'],
      },
    ]);
  });

  test('that any device can have are of none', () => {
    expect(refusedVirtioFeatures(0x1_3000_0000n, 0x1_1000_0000n)).toEqual([
      { deviceType: undefined, device: undefined, names: ['RING_EVENT_IDX'], settings: ['event_idx=off'] },
    ]);
  });

  test('are not among those that QEMU 10.2 and later print as accepted', () => {
    expect(refusedVirtioFeatures(0x0n, 0x10179000000n)).toEqual([]);
  });
});

test.each([
  [
    NET,
    'virtio-net-device',
    '11.1',
    [0, 1, 2, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23],
  ],
  [NET, 'virtio-net-device', '10.0', [54, 55, 56, 57, 60, 61]],
  [2, 'virtio-blk-device', '7.2', [7, 11, 13, 14]],
  [3, 'virtio-serial-device', '10.0', [2]],
  [5, 'virtio-balloon-device', '5.2', [2, 3, 4, 5]],
  [8, 'virtio-scsi-device', '7.2', [1, 2]],
  [8, 'vhost-scsi', '10.0', [3]],
  [NET, 'virtio-device', '11.1', [24, 27, 28, 29, 33, 34, 35, 40]],
])('of type %d, %s of QEMU %s has the properties of bits %j', async (type, name, version, bits) => {
  const { schema } = await tablesOf(version, 'x86_64');
  const lists = schema.types.find((each) => each.name === name)?.propertyLists ?? [];
  const properties = lists.flatMap((list) => schema.propertyLists[list]!.properties);
  for (const bit of bits) {
    const switched = properties.find((property) => property.bit === bit && property.type === 'bool');
    expect(virtioFeatureProperty(type, bit)?.name).toBe(switched?.name);
  }
});

test('bits of a property that are not those of a feature switch none', () => {
  // QEMU 11.1 has host_tunnel as bit 3 of the upper word, where bit 3 of the lower one is the MTU.
  expect(deniedVirtioFeatures(NET, (name) => name !== 'host_tunnel') & MTU).toBe(0n);
  expect(deniedVirtioFeatures(NET, (name) => name !== 'host_tunnel')).toBe((1n << 67n) | (1n << 32n));
  // As edid is bit 3 of the struct of a GPU, and bit 1 of its features.
  expect(deniedVirtioFeatures(16, (name) => (name === 'edid' ? false : undefined))).toBe(2n);
  // QEMU 5.2 refuses RING_RESET ("Features 0x10130006e54 unsupported. Allowed features: 0x179006e54"): it has no such property.
  expect(deniedVirtioFeatures(2, (name) => (name === 'indirect_desc' ? true : undefined))).toBe(1n << 40n);
});
