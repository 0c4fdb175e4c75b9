import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { SchemaTables } from '../../src/layout/tables.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { at, checkTree, decodeHex, decodeInfo, leaf } from './decode-info.ts';

describe('scsi-requests', () => {
  test('an idle disk has none', () => {
    expect(leaf(decodeHex('scsi-requests', '00'))).toEqual({
      value: new Uint8Array(1),
      meaning: 'none in flight',
    });
  });

  test('a list that does not end, or begins with another state, stays bytes', () => {
    expect(decodeHex('scsi-requests', '01')).toBeUndefined();
    expect(decodeHex('scsi-requests', `01${'2a'.repeat(40)}`)).toBeUndefined();
    expect(decodeHex('scsi-requests', `03${'00'.repeat(40)}`)).toBeUndefined();
    expect(decodeHex('scsi-requests', `01${'00'.repeat(20)}`)).toBeUndefined();
    expect(decodeHex('scsi-requests', '')).toBeUndefined();
  });
});

describe('usb-redir', () => {
  // QEMU 7.2.22: qemu-system-x86_64 -machine pc -m 8M -nodefaults -device piix3-usb-uhci \
  //   -chardev socket,id=c,path=u.sock,server=on,wait=off -device usb-redir,chardev=c, and something connected to u.sock
  test('parser', () => {
    const state = `5052552800000004000000ff${'00'.repeat(27)}`;
    const node = decodeHex('usb-redir-parser', `0000002831${state}`)!;
    checkTree(node, 44);
    expect(leaf(node, 'length').value).toBe(40);
    // usbredirparser.c of usbredir: USBREDIRPARSER_SERIALIZE_MAGIC, as the host writes it.
    expect((leaf(node, 'state').value as Uint8Array).subarray(0, 4)).toEqual(
      new Uint8Array(Buffer.from('31505255', 'hex')),
    );
    expect(decodeHex('usb-redir-parser', '00000029315052')).toBeUndefined();
  });

  test('empty queues', () => {
    const packets = decodeHex('usb-redir-bufpq', '00000000')!;
    checkTree(packets, 4);
    expect(leaf(packets, 'count').value).toBe(0);
    checkTree(decodeHex('usb-redir-packet-id-q', '00000000')!, 4);
  });

  test('queues with packets', () => {
    const packets = decodeHex('usb-redir-bufpq', '000000020000000300000000aabbcc00000000ffffffff')!;
    checkTree(packets, 23);
    expect(leaf(packets, 'packets', 0, 'data').value).toEqual(new Uint8Array([0xaa, 0xbb, 0xcc]));
    expect(leaf(packets, 'packets', 1, 'status').value).toBe(-1);
    const ids = decodeHex('usb-redir-packet-id-q', `00000002${'00'.repeat(7)}05${'00'.repeat(7)}06`)!;
    checkTree(ids, 20);
    expect(leaf(ids, 'ids', 1).value).toBe(6n);
  });

  test('a count that the bytes do not bear out stays bytes', () => {
    for (const hex of ['ffffffff', '0000000100000000', `00000001${'00'.repeat(9)}`, '000000']) {
      expect(decodeHex('usb-redir-packet-id-q', hex)).toBeUndefined();
      expect(decodeHex('usb-redir-bufpq', hex)).toBeUndefined();
    }
  });
});

test('GByteArray', () => {
  // QEMU 11.1, -chardev qemu-vdagent: `outbuf` of an agent that nobody talks to.
  checkTree(decodeHex('GByteArray', '00000000')!, 4);
  const node = decodeHex('GByteArray', '00000003010203')!;
  checkTree(node, 7);
  expect(leaf(node, 'data').value).toEqual(new Uint8Array([1, 2, 3]));
  expect(decodeHex('GByteArray', '000000040102')).toBeUndefined();
});

describe('virtio-gpu', async () => {
  const tablesOf = async (file: string) =>
    new SchemaTables(await openSchema(fileURLToPath(new URL(`../../schemas/${file}`, import.meta.url))));
  const old = await tablesOf('7.2-x86_64.json.gz');
  const later = await tablesOf('10.0-aarch64.json.gz');

  test('no resource: one scanout without and with a frame buffer', () => {
    // QEMU 5.2 and 10.0 of aarch64 virt with virtio-gpu-device; two scanouts of 10.0 with max_outputs=2.
    const node = decodeHex('virtio-gpu', `0000000000000000${'00000001'}${'00'.repeat(40)}`, old)!;
    checkTree(node, 52);
    expect(leaf(node, 'scanouts', 'parent_obj.conf.max_outputs').value).toBe(1);
    const scanout = ['scanouts', 'parent_obj.scanout'] as const;
    expect(() => at(node, ...scanout, 'fb.format')).toThrow();
    const newer = decodeHex('virtio-gpu', `0000000000000000${'00000001'}${'00'.repeat(64)}`, later)!;
    checkTree(newer, 76);
    expect(leaf(newer, ...scanout, 'fb.format').value).toBe(0);
    checkTree(decodeHex('virtio-gpu', `0000000000000000${'00000002'}${'00'.repeat(128)}`, later)!, 140);
  });

  test('four scanouts of which three have a frame buffer', () => {
    // QEMU 10.0 with max_outputs=4 wrote 244 bytes: it asks for every scanout but the first what is in other memory.
    const node = decodeHex('virtio-gpu', `0000000000000000${'00000004'}${'00'.repeat(232)}`, later)!;
    checkTree(node, 244);
  });

  test('a frame buffer of Linux', () => {
    // QEMU 7.2.22, pc with virtio-gpu-pci: the first resource, of 1280 x 800. Of its 205 pieces of memory there are
    // three here, and its pixels are black.
    const pixels = 1280 * 800 * 4;
    const head = Buffer.from(
      '00000002000005000000032000000002000000030000000003a15000000010000000000003a14000000010000000000003a1300000001000',
      'hex',
    );
    const tail = Buffer.from(`0000000000000001${'00000001'}${'00'.repeat(40)}`, 'hex');
    const bytes = new Uint8Array(head.length + pixels + tail.length);
    bytes.set(head);
    bytes.set(tail, head.length + pixels);
    const node = decodeInfo('virtio-gpu', bytes, old)!;
    checkTree(node, bytes.length);
    expect(leaf(node, 0, 'width').value).toBe(1280);
    expect(leaf(node, 0, 'height').value).toBe(800);
    expect(leaf(node, 0, 'format')).toEqual({ value: 2, meaning: 'B8G8R8X8' });
    expect(leaf(node, 0, 'iov', 2, 'addr').value).toBe(0x3a13000n);
    expect(leaf(node, 0, 'iov', 2, 'iov_len').value).toBe(4096);
    expect((leaf(node, 0, 'image').value as Uint8Array).length).toBe(pixels);
    expect(leaf(node, 'scanouts', 'parent_obj.enable').value).toBe(1);
  });

  test('an unknown format, and bytes that are left over, stay bytes', () => {
    expect(decodeHex('virtio-gpu', `00000001${'00'.repeat(100)}`, old)).toBeUndefined();
    expect(
      decodeHex('virtio-gpu', `0000000100000001000000010000000200004001${'00'.repeat(100)}`, old),
    ).toBeUndefined();
    expect(decodeHex('virtio-gpu', `0000000000000000${'00000001'}${'00'.repeat(41)}`, old)).toBeUndefined();
    expect(decodeHex('virtio-gpu', '0000', old)).toBeUndefined();
  });
});
