import { encodeText } from '../bytes/byte-writer.ts';
import { badArgument, DecodeError, type Diagnostic } from '../bytes/diagnostic.ts';
import { sliceSource } from '../bytes/slice.ts';
import { type FinishedSource, readExactly } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import { decodeText } from '../bytes/window.ts';
import type { Container } from './container.ts';

const MAGIC = 'LibvirtQemudSave';
/** The magic until libvirt has written all of the image. */
const MAGIC_PARTIAL = 'LibvirtQemudPart';
const MAX_VERSION = 2;
/** virQEMUSaveHeader (libvirt, src/qemu/qemu_saveimage.h): the magic, five u32 and fourteen unused ones. */
const HEADER_SIZE = 92;
/** Bytes of a domain XML; libvirt's own parser takes no more than 10 MB of text. */
const MAX_XML = 16 << 20;
/** qemuSaveFormat (qemu_saveimage.c), by number. Version 1 knows none but raw. */
const FORMATS = ['raw', 'gzip', 'bzip2', 'xz', 'lzop', 'zstd', 'sparse'];

/**
 * An image of `virsh save`, of a managed save, or the memory file of an external snapshot: a header in the byte order of
 * the host, the domain XML, a cookie, room for the XML to grow, and the stream. The stream is compressed or raw;
 * `sparse` is raw with mapped-ram, whose offsets count from the start of the image: its reader sees that by itself.
 * What is in front of the stream is taken from the header, how it is compressed from its own first bytes.
 */
export const libvirtSaveImage: Container = {
  kind: 'libvirt save image',
  matches: (head) => {
    const magic = decodeText(head.subarray(0, MAGIC.length));
    return magic === MAGIC || magic === MAGIC_PARTIAL;
  },
  async open(source) {
    const diagnostics: Diagnostic[] = [];
    const warn = (message: string) =>
      diagnostics.push({ severity: 'warning', code: 'bad-container', message });
    const header = await readHeader(source);
    const { version, dataLength, format, wasRunning } = header;
    if (header.partial) warn('the save image is incomplete: libvirt did not come to the end of writing it');
    let xmlLength = dataLength;
    if (header.cookieOffset > dataLength) {
      warn(
        `the cookie of the save image is at ${header.cookieOffset}, behind the ${dataLength} bytes of XML`,
      );
    } else if (header.cookieOffset > 0) xmlLength = header.cookieOffset;
    if (xmlLength > MAX_XML) warn(`of ${xmlLength} bytes of domain XML, the first ${MAX_XML} are read`);
    const xmlBytes = await readExactly(source, HEADER_SIZE, Math.min(xmlLength, MAX_XML));
    if (!xmlBytes.includes(0)) warn('the domain XML has no end');
    const xml = textOf(xmlBytes);
    const domain = domainName(xml);
    const formatName = version < 2 ? 'raw' : FORMATS[format];
    if (formatName === undefined)
      warn(`save format ${format} is not known; the highest is ${FORMATS.length - 1}`);
    const cookieBytes =
      xmlLength === header.cookieOffset && dataLength - xmlLength <= MAX_XML
        ? await readExactly(source, HEADER_SIZE + xmlLength, dataLength - xmlLength)
        : undefined;
    return {
      source: sliceSource(source, HEADER_SIZE + dataLength),
      diagnostics,
      xml,
      ...(cookieBytes ? { cookie: textOf(cookieBytes) } : {}),
      details: {
        ...(domain === undefined ? {} : { domain }),
        state: wasRunning ? 'running' : 'paused',
        format: formatName ?? `unknown (${format})`,
        version,
      },
    };
  },
};

interface SaveHeader {
  readonly partial: boolean;
  readonly version: number;
  /** Bytes between the header and the stream. */
  readonly dataLength: number;
  /** Whether the guest ran when it was saved, and is to run when it is restored. */
  readonly wasRunning: boolean;
  readonly format: number;
  /** Of the cookie, from the start of the XML; 0 where there is none. */
  readonly cookieOffset: number;
}

/** Reads the header as qemuSaveImageReadHeader does: a version that is too high is one of the other byte order. */
async function readHeader(source: FinishedSource): Promise<SaveHeader> {
  const bad = (message: string, start: number, end: number) =>
    new DecodeError(
      { severity: 'error', code: 'bad-container', message, range: { start, end } },
      { source: source.name },
    );
  if (source.size < HEADER_SIZE) throw bad('the libvirt save image ends in its header', 0, source.size);
  const bytes = await readExactly(source, 0, HEADER_SIZE);
  const view = viewOf(bytes);
  const littleEndian = view.getUint32(16, true) <= MAX_VERSION;
  const field = (index: number) => view.getUint32(16 + 4 * index, littleEndian);
  const version = field(0);
  if (version > MAX_VERSION) {
    throw bad(
      `libvirt save image of version 0x${version.toString(16)}; the highest is ${MAX_VERSION}`,
      16,
      20,
    );
  }
  const dataLength = field(1);
  if (HEADER_SIZE + dataLength >= source.size) {
    const message = `the libvirt save image ends at ${source.size}, in front of its stream: ${dataLength} bytes of domain XML are to come first`;
    throw bad(message, 20, 24);
  }
  return {
    partial: decodeText(bytes.subarray(0, MAGIC.length)) === MAGIC_PARTIAL,
    version,
    dataLength,
    wasRunning: field(2) !== 0,
    format: field(3),
    cookieOffset: field(4),
  };
}

/** Text that a zero ends. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeText(end < 0 ? bytes : bytes.subarray(0, end));
}

/** What is in front of the stream in a save image. */
export interface SaveImageHead {
  readonly xml: string;
  /** What libvirt keeps beside the XML (the CPU as it was started, …), as XML. */
  readonly cookie?: string | undefined;
  /** Whether the guest is to run when it is restored. */
  readonly isRunning: boolean;
}

/** Bytes that libvirt leaves behind the XML, so that it may grow (`virsh save-image-edit`). */
const ROOM = 64 << 10;

/**
 * What libvirt writes in front of a stream that is not compressed (src/qemu/qemu_saveimage.c, virQEMUSaveDataWrite), as
 * on a host of little byte order; libvirt on another one turns it round. Throws DecodeError `bad-argument` for an XML that
 * is no domain's, or is longer than libvirt takes.
 */
export function writeSaveImageHead({ xml, cookie, isRunning }: SaveImageHead): Uint8Array {
  if (!/<domain[\s>]/.test(xml) || xml.includes('\0')) throw badArgument('the XML is of no domain');
  const texts = [encodeText(`${xml}\0`), ...(cookie === undefined ? [] : [encodeText(`${cookie}\0`)])];
  const length = texts.reduce((sum, bytes) => sum + bytes.byteLength, 0);
  if (length > MAX_XML) throw badArgument(`${length} bytes of domain XML; ${MAX_XML} are possible`);
  const bytes = new Uint8Array(HEADER_SIZE + length + ROOM);
  bytes.set(encodeText(MAGIC));
  const view = viewOf(bytes);
  const fields = [
    MAX_VERSION,
    length + ROOM,
    Number(isRunning),
    0,
    cookie === undefined ? 0 : texts[0]!.byteLength,
  ];
  for (const [i, field] of fields.entries()) view.setUint32(MAGIC.length + 4 * i, field, true);
  let offset = HEADER_SIZE;
  for (const text of texts) {
    bytes.set(text, offset);
    offset += text.byteLength;
  }
  return bytes;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
  '&amp;': '&',
};

/** The text of the first `name` element, which libvirt writes as the first of the domain. */
function domainName(xml: string): string | undefined {
  const start = xml.indexOf('<name>');
  const end = xml.indexOf('</name>', start);
  if (start < 0 || end < 0) return undefined;
  return xml.slice(start + '<name>'.length, end).replace(/&[a-z]+;/g, (entity) => ENTITIES[entity] ?? entity);
}
