import type { ByteSource } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';

/** A file that is no migration stream: what it is instead, and what to do with it. */
interface ForeignFormat {
  readonly name: string;
  readonly advice?: string;
  matches(head: Uint8Array): boolean;
}

/** Bytes that a format is known by: the magic of an ISO 9660 image, the last looked for, ends here. */
const HEAD_LENGTH = 0x8006;

const scanForOne = "'vmwalk scan FILE' finds the streams that are in it, if any";
const makeOne =
  'a stream is what migrate "exec:cat > FILE" of the monitor, virsh save and a snapshot of a qcow2 image have';
const unpackIt = 'unpack it, and give the file that is in it';
const diskImage = 'the state of a VM is in a snapshot of a qcow2 image, or in a file of its own';

/** Magic numbers are those of the formats' own documents and of file(1); the first that matches is meant. */
const formats: readonly ForeignFormat[] = [
  { name: 'an ELF core', advice: `debuggers read it; ${makeOne}`, matches: (head) => elfType(head) === 4 },
  {
    name: 'an ELF program or library',
    advice: "--qemu takes a QEMU binary, and 'vmwalk schema extract' its tables",
    matches: (head) => elfType(head) !== undefined,
  },
  {
    name: 'a kdump core (makedumpfile, dump-guest-memory -z)',
    advice: `crash and makedumpfile read it; ${makeOne}`,
    matches: at(0, 'KDUMP   ', 'DISKDUMP', 'makedumpfile\0'),
  },
  { name: 'a LiME memory dump', advice: makeOne, matches: at(0, 'EMiL') },
  { name: 'a Windows crash dump', advice: makeOne, matches: at(0, 'PAGEDUMP', 'PAGEDU64') },
  {
    name: 'a network capture (pcap)',
    advice: 'what crossed the network is in packets there, and has to be put together first',
    matches: at(
      0,
      '\xd4\xc3\xb2\xa1',
      '\xa1\xb2\xc3\xd4',
      '\x4d\x3c\xb2\xa1',
      '\xa1\xb2\x3c\x4d',
      '\x0a\x0d\x0d\x0a',
    ),
  },
  { name: 'a VirtualBox saved state', matches: at(0, '\x7fVirtualBox SavedState') },
  { name: 'a VMware snapshot', matches: at(0, '\xd0\xbe\xd2\xbe', '\xd1\xba\xd1\xba', '\xd2\xbe\xd2\xbe') },
  {
    name: 'a Xen save file',
    matches: (head) => at(0, '\xff'.repeat(8))(head) || at(0, 'LibxlFmt', 'Xen saved domain')(head),
  },
  { name: 'a VMDK disk image', advice: diskImage, matches: at(0, 'KDMV', 'COWD', '# Disk DescriptorFile') },
  { name: 'a VHDX disk image', advice: diskImage, matches: at(0, 'vhdxfile') },
  { name: 'a VHD disk image', advice: diskImage, matches: at(0, 'conectix') },
  { name: 'a VDI disk image', advice: diskImage, matches: at(64, '\x7f\x10\xda\xbe') },
  { name: 'a QED disk image', advice: diskImage, matches: at(0, 'QED\0') },
  {
    name: 'a LUKS volume',
    advice: 'what is in it is encrypted: open it first',
    matches: at(0, 'LUKS\xba\xbe'),
  },
  { name: 'a zip archive', advice: unpackIt, matches: at(0, 'PK\x03\x04', 'PK\x05\x06') },
  { name: 'a 7z archive', advice: unpackIt, matches: at(0, '7z\xbc\xaf\x27\x1c') },
  { name: 'a tar archive', advice: unpackIt, matches: at(257, 'ustar') },
  { name: 'an lz4 file', advice: `lz4 is not read: ${unpackIt}`, matches: at(0, '\x04\x22\x4d\x18') },
  { name: 'an archive of ar (a .deb package or .a library)', advice: unpackIt, matches: at(0, '!<arch>\n') },
  { name: 'an RPM package', advice: unpackIt, matches: at(0, '\xed\xab\xee\xdb') },
  { name: 'an ISO 9660 image', advice: scanForOne, matches: at(0x8001, 'CD001') },
  { name: 'a raw disk image (GPT)', advice: `${diskImage}; ${scanForOne}`, matches: at(512, 'EFI PART') },
  {
    name: 'an ext2, ext3 or ext4 file system',
    advice: scanForOne,
    matches: at(0x438, '\x53\xef'),
  },
  { name: 'an XFS file system', advice: scanForOne, matches: at(0, 'XFSB') },
  {
    name: 'a raw disk image (boot sector)',
    advice: `${diskImage}; ${scanForOne}`,
    matches: at(510, '\x55\xaa'),
  },
  {
    name: 'XML',
    advice: 'a libvirt save image has the domain XML in front of the stream, in one file',
    matches: at(0, '<?xml', '<domain', '<!--'),
  },
  {
    name: 'JSON',
    advice: 'a schema goes behind --schema, output of -dump-vmstate to compat',
    matches: (head) => /^\s*[[{]\s*["[{\]}]/.test(String.fromCharCode(...head.subarray(0, 256))),
  },
  { name: 'text', matches: isText },
  {
    name: 'nothing but zeros at its beginning: raw memory or a raw disk, perhaps',
    advice: scanForOne,
    matches: (head) => head.length > 0 && head.every((byte) => byte === 0),
  },
];

/**
 * What a file is that does not begin like a migration stream, with the next step, as one line; undefined where that is
 * not known. Reads at most 32 KiB.
 */
export async function describeForeignFormat(source: ByteSource): Promise<string | undefined> {
  const head = await source.read(0, HEAD_LENGTH);
  const format = formats.find(({ matches }) => matches(head));
  if (!format) return undefined;
  const { name, advice } = format;
  return `this is ${name}, not a QEMU migration stream${advice === undefined ? '' : `: ${advice}`}`;
}

/** Whether one of these stands at a place; each character is a byte. */
function at(offset: number, ...magics: readonly string[]): (head: Uint8Array) => boolean {
  return (head) =>
    magics.some(
      (magic) =>
        head.length >= offset + magic.length &&
        Array.from(magic).every((character, i) => head[offset + i] === character.charCodeAt(0)),
    );
}

/** e_type of an ELF file, in the byte order that e_ident says. */
function elfType(head: Uint8Array): number | undefined {
  if (!at(0, '\x7fELF')(head) || head.length < 18) return undefined;
  return viewOf(head).getUint16(16, head[5] !== 2);
}

function isText(head: Uint8Array): boolean {
  const [start, end] = [head.subarray(0, 512), head.length > 512 ? 512 : head.length];
  return end >= 16 && start.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d));
}
