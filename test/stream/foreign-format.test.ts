import { openSync, readFileSync, readSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { scanStream } from '../../src/stream/scan.ts';
import { fixtureFile, pickFixture, temporaryFile, vmwalk } from '../cli/run.ts';

/** Bytes with a text at an offset, zeros elsewhere; each character is a byte. */
function withMagic(magic: string, offset = 0, length = 0x9000): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(Buffer.from(magic, 'latin1'), offset);
  return bytes;
}

/** The first 64 KiB of the program that runs this. */
function program(): Uint8Array {
  const bytes = new Uint8Array(1 << 16);
  readSync(openSync(process.execPath, 'r'), bytes);
  return bytes;
}

function elfCore(bigEndian: boolean): Uint8Array {
  const bytes = withMagic('\x7fELF\x02');
  bytes[5] = bigEndian ? 2 : 1;
  bytes[bigEndian ? 17 : 16] = 4;
  return bytes;
}

const cases: readonly [string, Uint8Array, RegExp][] = [
  ['an ELF core', elfCore(false), /^this is an ELF core, .*migrate/],
  ['one of s390x', elfCore(true), /^this is an ELF core, /],
  ['a program', program(), /^this is an ELF program or library, .*--qemu/],
  ['what dump-guest-memory -z writes', withMagic('KDUMP   \x06\0\0\0'), /^this is a kdump core .*crash/],
  ['a flattened kdump', withMagic('makedumpfile\0\0\0\0'), /^this is a kdump core/],
  ['a capture', withMagic('\xd4\xc3\xb2\xa1\x02\0\x04\0'), /^this is a network capture/],
  ['a capture of the new format', withMagic('\x0a\x0d\x0d\x0a'), /^this is a network capture/],
  ['a partitioned disk', withMagic('EFI PART', 512), /^this is a raw disk image \(GPT\), .*scan/],
  ['a disk with a boot sector', withMagic('\x55\xaa', 510), /^this is a raw disk image \(boot sector\), /],
  ['a file system', withMagic('\x53\xef', 0x438), /^this is an ext2, ext3 or ext4 file system, .*scan/],
  ['a CD', withMagic('CD001', 0x8001), /^this is an ISO 9660 image, /],
  ['a disk of VMware', withMagic('KDMV'), /^this is a VMDK disk image, .*qcow2/],
  ['a disk of VirtualBox', withMagic('\x7f\x10\xda\xbe', 64), /^this is a VDI disk image, /],
  ['a zip', withMagic('PK\x03\x04'), /^this is a zip archive, .*unpack/],
  ['a tar', withMagic('ustar', 257), /^this is a tar archive, .*unpack/],
  ['text', Buffer.from('Nov 30 03:12:55 host qemu-system-x86_64[1]:'), /^this is text, /],
  ['a schema', Buffer.from('{"version": 1, "vmsds": []}'), /^this is JSON, .*--schema/],
  ['a domain', Buffer.from("<domain type='kvm' id='3'>"), /^this is XML, .*libvirt/],
  ['zeros', new Uint8Array(1 << 16), /^this is nothing but zeros .*scan/],
  ['anything else', withMagic('\x01\x02\x03\x04\xff'), /^not a QEMU migration stream: .* 0x01020304, .*scan/],
  ['nothing', new Uint8Array(0), /^the file is empty$/],
  ['three bytes', Buffer.from('QEV'), /^too short .*: 3 bytes, /],
];

describe('a file that is no stream', () => {
  test.each(cases)('%s', async (_what, bytes, message) => {
    await expect(scanStream(memorySource(bytes, 'x'))).rejects.toMatchObject({
      code: 'not-a-stream',
      message: expect.stringMatching(message),
    });
  });

  test('in a container: both are named, and the status is that of trouble', async () => {
    const file = temporaryFile(gzipSync(elfCore(false)), 'vm.gz');
    const { status, stderr } = await vmwalk(['info', file]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^vmwalk: error: .*vm\.gz: inside the gzip: this is an ELF core, .*\n$/);
  });

  test('the core of a VM, as ram core writes it', async () => {
    const stream = fixtureFile(pickFixture(({ name }) => name.includes('xbzrle')));
    const core = `${stream}.core`;
    expect(await vmwalk(['ram', 'core', stream, '-o', core])).toMatchObject({ status: 0 });
    const { status, stderr } = await vmwalk(['dump', core]);
    expect([status, stderr]).toEqual([2, expect.stringContaining('this is an ELF core')]);
  });

  test('an image without snapshots: what else can be tried', async () => {
    const image = readFileSync(fileURLToPath(new URL('../../fixtures/images/v2.qcow2.gz', import.meta.url)));
    const bytes = gunzipSync(image);
    // The number of snapshots (docs/interop/qcow2.txt of QEMU).
    bytes.writeUInt32BE(0, 60);
    const { status, stderr } = await vmwalk(['info', temporaryFile(bytes, 'disk.qcow2')]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(/no snapshots; .*scan/)]);
  });
});
