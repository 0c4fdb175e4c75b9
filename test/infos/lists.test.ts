import { describe, expect, test } from 'vitest';
import { at, checkTree, decodeHex, decodeInfo, leaf, meaning } from './decode-info.ts';

describe('scsi-requests', () => {
  test('an idle disk has none', () => {
    expect(leaf(decodeHex('scsi-requests', '00'))).toEqual({
      value: new Uint8Array(1),
      meaning: 'none in flight',
    });
  });

  test('a write that the disk had no room for', () => {
    // QEMU 11.1, pc with virtio-scsi-pci and scsi-hd,werror=stop, Linux writing: the first bytes, some of what the
    // adapter and the disk wrote after them, and the end. CDB: WRITE(10) of 1 block at 0x700.
    const rest = '000000020000000100000000000000032000';
    const node = decodeHex('scsi-requests', `012a0000000007000001000000000000000000002a00000000${rest}00`)!;
    checkTree(node, 25 + 18 + 1);
    expect(meaning(node, 0, 'state')).toBe('to be retried');
    expect(meaning(node, 0, 'cdb')).toBe('WRITE(10)');
    expect(leaf(node, 0, 'tag').value).toBe(0x2a);
    expect(leaf(node, 0, 'lun').value).toBe(0);
    expect(leaf(node, '(rest)').value).toEqual(new Uint8Array(Buffer.from(rest, 'hex')));
    expect(leaf(node, '(more)').value).toBe(0);
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
    expect(at(packets, 'packets')).toMatchObject({ kind: 'array', length: 0 });
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

describe('virtio-gpu', () => {
  test('no resource: one scanout without and with a frame buffer', () => {
    // QEMU 5.2 and 10.0 of aarch64 virt with virtio-gpu-device; two scanouts of 10.0 with max_outputs=2.
    const old = decodeHex('virtio-gpu', `0000000000000000${'00000001'}${'00'.repeat(40)}`)!;
    checkTree(old, 52);
    expect(leaf(old, 'max_outputs').value).toBe(1);
    expect(() => at(old, 'scanout', 0, 'fb.format')).toThrow();
    const node = decodeHex('virtio-gpu', `0000000000000000${'00000001'}${'00'.repeat(64)}`)!;
    checkTree(node, 76);
    expect(leaf(node, 'scanout', 0, 'fb.format').value).toBe(0);
    checkTree(decodeHex('virtio-gpu', `0000000000000000${'00000002'}${'00'.repeat(128)}`)!, 140);
  });

  test('four scanouts of which three have a frame buffer are left as they are', () => {
    // QEMU 10.0 with max_outputs=4 wrote 244 bytes.
    const node = decodeHex('virtio-gpu', `0000000000000000${'00000004'}${'00'.repeat(232)}`)!;
    checkTree(node, 244);
    expect(at(node, 'scanout')).toMatchObject({ kind: 'leaf', type: 'buffer' });
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
    const node = decodeInfo('virtio-gpu', bytes)!;
    checkTree(node, bytes.length);
    expect(leaf(node, 0, 'width').value).toBe(1280);
    expect(leaf(node, 0, 'height').value).toBe(800);
    expect(leaf(node, 0, 'format')).toEqual({ value: 2, meaning: 'B8G8R8X8' });
    expect(leaf(node, 0, 'iov', 2, 'addr').value).toBe(0x3a13000n);
    expect(leaf(node, 0, 'iov', 2, 'len').value).toBe(4096);
    expect((leaf(node, 0, 'pixels').value as Uint8Array).length).toBe(pixels);
    expect(leaf(node, 'enable').value).toBe(1);
  });

  test('an unknown format, too much memory, and bytes that are left over stay bytes', () => {
    expect(decodeHex('virtio-gpu', `00000001${'00'.repeat(100)}`)).toBeUndefined();
    expect(
      decodeHex('virtio-gpu', `0000000100000001000000010000000200004001${'00'.repeat(100)}`),
    ).toBeUndefined();
    expect(decodeHex('virtio-gpu', `0000000000000000${'00000001'}${'00'.repeat(41)}`)).toBeUndefined();
    expect(decodeHex('virtio-gpu', `0000000000000000${'00000020'}${'00'.repeat(32 * 40)}`)).toBeUndefined();
    expect(decodeHex('virtio-gpu', '0000')).toBeUndefined();
  });
});
