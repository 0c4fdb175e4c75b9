import { type FinishedSource, readExactly } from '../../bytes/source.ts';
import { viewOf } from '../../bytes/view.ts';
import { decodeText } from '../../bytes/window.ts';

/** A section of an ELF64 file, by its section header. */
export interface ElfSection {
  readonly name: string;
  /** SHT_* */
  readonly type: number;
  readonly offset: number;
  /** Bytes in the file. */
  readonly size: number;
  /** Index of another section; of a symbol table, the one of its strings. */
  readonly link: number;
  readonly compressed: boolean;
  /** It says that it is where the file is not: it cannot be read. */
  readonly isOutside: boolean;
}

/** The sections of an ELF file. */
export interface ElfSections {
  readonly source: FinishedSource;
  readonly littleEndian: boolean;
  /** By index. */
  readonly sections: readonly ElfSection[];
}

/**
 * Decodes a compressed section, which unpacks to `size` bytes; undefined for one that unpacks to more. Throws an Error
 * that says why it cannot.
 */
export type DecompressSection = (
  format: 'zlib' | 'zstd',
  bytes: Uint8Array,
  size: number,
) => Promise<Uint8Array | undefined>;

const ELF_MAGIC = 0x7f454c46;
const SECTION_HEADER_SIZE = 64;
/** Real binaries have some forty; objects with a section for each function some thousands. */
const MAX_SECTIONS = 65_536;
const MAX_NAME = 256;
/** Bytes of a section, unpacked: those of a QEMU of 300 MB have 150 MB. */
const MAX_SECTION = 1 << 30;
/** Times a section may unpack to its size; zlib and zstd make some ten times of real ones. */
const MAX_UNPACKED_TIMES = 200;
const SHT_NOBITS = 8;
const SHF_COMPRESSED = 0x800;
const ELFCOMPRESS_ZLIB = 1;
const ELFCOMPRESS_ZSTD = 2;
const COMPRESSION_HEADER_SIZE = 24;

/**
 * Reads the section headers of an ELF64 file (System V gABI, chapter 4). Undefined where there are none: who loads a
 * program does not need them, and a stripped one may have lost them. Throws an Error where they cannot be what it says.
 */
export async function readSections(source: FinishedSource): Promise<ElfSections | undefined> {
  const start = await source.read(0, 64);
  const header = viewOf(start);
  if (start.byteLength < 64 || header.getUint32(0) !== ELF_MAGIC || header.getUint8(4) !== 2)
    return undefined;
  const littleEndian = header.getUint8(5) === 1;
  const at = sizeAt(header, 40, littleEndian);
  const entrySize = header.getUint16(58, littleEndian);
  let count = header.getUint16(60, littleEndian);
  let namesIndex = header.getUint16(62, littleEndian);
  if (at === 0) return undefined;
  if (at === undefined || at + entrySize > source.size)
    throw new Error('its section headers are outside of the file');
  if (entrySize < SECTION_HEADER_SIZE) throw new Error(`its section headers have ${entrySize} bytes each`);
  const first = viewOf(await readExactly(source, at, entrySize));
  // What does not fit into the header is in the first section header.
  if (count === 0) count = sizeAt(first, 32, littleEndian) ?? 0;
  if (namesIndex === 0xffff) namesIndex = first.getUint32(40, littleEndian);
  if (count === 0) return undefined;
  if (count > MAX_SECTIONS || at + count * entrySize > source.size)
    throw new Error(`it has ${count} section headers, more than can be`);
  if (namesIndex >= count) throw new Error('its sections have no names');
  const table = viewOf(await readExactly(source, at, count * entrySize));
  const rows = Array.from({ length: count }, (_, i) => {
    const row = i * entrySize;
    return {
      name: table.getUint32(row, littleEndian),
      type: table.getUint32(row + 4, littleEndian),
      flags: table.getUint32(littleEndian ? row + 8 : row + 12, littleEndian),
      offset: sizeAt(table, row + 24, littleEndian),
      size: sizeAt(table, row + 32, littleEndian),
      link: table.getUint32(row + 40, littleEndian),
    };
  });
  const strings = rows[namesIndex]!;
  if (!isInside(source, strings) || strings.size > MAX_SECTIONS * MAX_NAME)
    throw new Error('the names of its sections are outside of the file');
  const names = await readExactly(source, strings.offset, strings.size);
  const sections = rows.map((row): ElfSection => {
    const end = names.indexOf(0, row.name);
    const name = end < row.name || end > row.name + MAX_NAME ? '' : decodeText(names.subarray(row.name, end));
    const { type, link } = row;
    const compressed = (row.flags & SHF_COMPRESSED) !== 0;
    const isOutside = type !== SHT_NOBITS && !isInside(source, row);
    // One that is not in the file is empty.
    if (type === SHT_NOBITS || !isInside(source, row))
      return { name, type, offset: 0, size: 0, link, compressed: false, isOutside };
    return { name, type, offset: row.offset, size: row.size, link, compressed, isOutside };
  });
  return { source, littleEndian, sections };
}

/**
 * The content of a section, unpacked; undefined for one that is not there. Throws an Error with its name and the reason
 * where it cannot be read.
 */
export async function readSection(
  { source, littleEndian }: ElfSections,
  section: ElfSection | undefined,
  decompress: DecompressSection | undefined,
): Promise<Uint8Array | undefined> {
  if (section?.isOutside) throw new Error(`${section.name} is outside of the file`);
  if (!section || section.size === 0) return undefined;
  const { name, offset, size } = section;
  if (size > MAX_SECTION) throw new Error(`${name} has ${size} bytes, more than can be`);
  if (!section.compressed) return readExactly(source, offset, size);
  if (size < COMPRESSION_HEADER_SIZE) throw new Error(`${name} is too short to be compressed`);
  const bytes = await readExactly(source, offset, size);
  const header = viewOf(bytes);
  const type = header.getUint32(0, littleEndian);
  const unpacked = sizeAt(header, 8, littleEndian);
  if (unpacked === undefined || unpacked > MAX_SECTION || unpacked > size * MAX_UNPACKED_TIMES)
    throw new Error(`${name} says that it unpacks to more than can be`);
  const format = type === ELFCOMPRESS_ZLIB ? 'zlib' : type === ELFCOMPRESS_ZSTD ? 'zstd' : undefined;
  if (format === undefined) throw new Error(`${name} is compressed in an unknown way (${type})`);
  if (!decompress) throw new Error(`${name} is compressed`);
  let content: Uint8Array | undefined;
  try {
    content = await decompress(format, bytes.subarray(COMPRESSION_HEADER_SIZE), unpacked);
  } catch (error) {
    throw new Error(`${name} cannot be unpacked: ${error instanceof Error ? error.message : error}`);
  }
  if (!content) throw new Error(`${name} unpacks to more than it says`);
  if (content.byteLength !== unpacked)
    throw new Error(`${name} unpacks to ${content.byteLength} bytes, not ${unpacked}`);
  return content;
}

/** The section of a name; the first, where several have it. */
export function sectionNamed({ sections }: ElfSections, name: string): ElfSection | undefined {
  return sections.find((section) => section.name === name);
}

function isInside(
  source: FinishedSource,
  range: { readonly offset: number | undefined; readonly size: number | undefined },
): range is { readonly offset: number; readonly size: number } {
  const { offset, size } = range;
  return offset !== undefined && size !== undefined && offset + size <= source.size;
}

/** A 64-bit number; undefined above 2^53. */
function sizeAt(view: DataView, at: number, littleEndian: boolean): number | undefined {
  const high = view.getUint32(littleEndian ? at + 4 : at, littleEndian);
  const low = view.getUint32(littleEndian ? at : at + 4, littleEndian);
  return high < 0x20_0000 ? high * 0x1_0000_0000 + low : undefined;
}
