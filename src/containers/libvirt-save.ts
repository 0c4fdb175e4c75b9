import { DecodeError, type Diagnostic } from '../bytes/diagnostic.ts';
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
    const end = xmlBytes.indexOf(0);
    if (end < 0) warn('the domain XML has no end');
    const xml = decodeText(end < 0 ? xmlBytes : xmlBytes.subarray(0, end));
    const domain = domainName(xml);
    const formatName = version < 2 ? 'raw' : FORMATS[format];
    if (formatName === undefined)
      warn(`save format ${format} is not known; the highest is ${FORMATS.length - 1}`);
    return {
      source: sliceSource(source, HEADER_SIZE + dataLength),
      diagnostics,
      xml,
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
