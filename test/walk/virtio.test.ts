import { expect, test } from 'vitest';
import { field, fromHex, vmsd, walkSection } from './walk-field.ts';

/**
 * Sections that QEMU 7.2.22 wrote: `qemu-system-x86_64 -M microvm -S` with
 * `-device virtio-serial-device,max_ports=4 -device virtserialport,nr=3`, `-device virtio-blk-device,num-queues=2,
 * queue-size=64`, `-device virtio-rng-device`. Expected is what x-query-virtio-status (`num-vqs`, `status`) and
 * x-query-virtio-queue-status (`vring-num`, `vring-align`) said of the same run.
 */
const SERIAL = `
  00000000 00000000 00000000 00000000 00000000 0000000c 00000000 00000000
  00000000 0000000a 00000080 00001000 00000000 00000000 00000000 00800000
  10000000 00000000 00000000 00000020 00001000 00000000 00000000 00000000
  00200000 10000000 00000000 00000000 00000080 00001000 00000000 00000000
  00000000 00800000 10000000 00000000 00000000 00000080 00001000 00000000
  00000000 00000000 00800000 10000000 00000000 00000000 00000080 00001000
  00000000 00000000 00000000 00800000 10000000 00000000 00000000 00000000
  00000004 00000009 00000001 00000003 00000000 00000515 76697274 696f2f36
  34626974 5f666561 74757265 73000000 01000000 00000000 00`;
const BLK = `
  00000000 00000000 00000000 00000000 00000000 00000039 00000000 00000000
  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
  00000000 00000000 00000000 00000000 00000000 02000000 40000010 00000000
  00000000 00000000 00004000 00100000 00000000 00000000 00000515 76697274
  696f2f36 34626974 5f666561 74757265 73000000 01000000 00000000 00`;
const RNG = `
  00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000008
  00001000 00000000 00000000 00000515 76697274 696f2f36 34626974 5f666561
  74757265 73000000 01000000 00000000 00`;

const features = vmsd('virtio/64bit_features', [field('guest_features', 'uint64', 176, 8)]);
const virtio = vmsd('virtio', [], [features]);

function walkDevice(name: string, hex: string) {
  const root = vmsd(name, [field('virtio', 'virtio')]);
  return walkSection(fromHex(hex), `virtio-mmio@00000000feb02e00/${name}`, root, [virtio])!;
}

test('virtio-rng over MMIO', () => {
  expect(walkDevice('virtio-rng', RNG).leaves).toEqual({
    'virtio/transport/host_features_sel': 0,
    'virtio/transport/guest_features_sel': 0,
    'virtio/transport/guest_page_shift': 0,
    'virtio/status': 0,
    'virtio/isr': 0,
    'virtio/queue_sel': 0,
    'virtio/guest_features_lo': 0,
    'virtio/config_len': 0,
    'virtio/num_queues': 1,
    'virtio/vq/0/num': 8,
    'virtio/vq/0/align': 4096,
    'virtio/vq/0/desc': 0n,
    'virtio/vq/0/last_avail_idx': 0,
    'virtio/virtio/virtio/64bit_features/(header)': '27 bytes',
    'virtio/virtio/virtio/64bit_features/guest_features': 0n,
  });
});

test('virtio-blk: two queues of 64 entries, and no request in flight', () => {
  expect(walkDevice('virtio-blk', BLK).leaves).toMatchObject({
    'virtio/num_queues': 2,
    'virtio/vq/0/num': 64,
    'virtio/vq/1/num': 64,
    'virtio/vq/1/align': 4096,
    'virtio/rq/(more)': 0,
  });
});

test('virtio-serial: ten queues, and the port that was asked for', () => {
  const { leaves } = walkDevice('virtio-console', SERIAL);
  expect(leaves).toMatchObject({
    'virtio/num_queues': 10,
    'virtio/vq/0/num': 128,
    'virtio/vq/2/num': 32,
    'virtio/vq/9/num': 128,
    'virtio/serial/max_nr_ports': 4,
    'virtio/serial/nr_active_ports': 1,
    'virtio/serial/ports/0/id': 3,
    'virtio/serial/ports/0/guest_connected': false,
    'virtio/serial/ports/0/elem_popped': 0,
  });
  expect(leaves['virtio/serial/ports_map/0']).toBe(0b1001);
});

test('a device that says it has more queues than fit is not read', () => {
  const bytes = fromHex(RNG);
  bytes[27] = 2;
  const root = vmsd('virtio-rng', [field('virtio', 'virtio')]);
  expect(walkSection(bytes, 'virtio-rng', root, [virtio])).toBeUndefined();
});
