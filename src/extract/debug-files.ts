import { DecodeError } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { decodeText } from '../bytes/window.ts';
import { DebugData, type DebugSections } from './dwarf/debug-data.ts';
import { StructTypes } from './dwarf/struct-types.ts';
import {
  type DecompressSection,
  type ElfSections,
  readSection,
  readSections,
  sectionNamed,
} from './elf/sections.ts';
import { readSymbolTable, type SymbolTable } from './elf/symbol-table.ts';

/** What reading symbols needs of the platform. */
export interface DebugEnvironment {
  readonly decompress: DecompressSection;
  /**
   * Looks for a file with the debug information of another one, and opens the first that `isRight`. Undefined where
   * there is none. It stays open as long as the extraction goes on.
   */
  open(
    wanted: WantedDebugFile,
    isRight: (candidate: FinishedSource) => Promise<boolean>,
  ): Promise<FinishedSource | undefined>;
  /** CRC-32 of a whole file, as .gnu_debuglink has it. */
  crc32(source: FinishedSource): Promise<number>;
  /** Called with what could not be read, in a line. */
  warn(message: string): void;
}

/** A file with debug information that another one names. */
export interface WantedDebugFile {
  /** `supplement`: what dwz took out of several files. */
  readonly kind: 'debug' | 'supplement';
  /** Name of the source that names it. */
  readonly of: string;
  /** Lower-case hex digits. */
  readonly buildId: string | undefined;
  /** A file name (.gnu_debuglink), or a path (.gnu_debugaltlink). */
  readonly link: string | undefined;
}

/** Symbols and debug information of an ELF file of a program; what it does not have is undefined. */
export interface DebugFile {
  /** Name of the file that the debug information is in. */
  readonly name: string;
  readonly symbols: SymbolTable | undefined;
  readonly data: DebugData | undefined;
  readonly types: StructTypes | undefined;
}

const SHT_NOTE = 7;
const NT_GNU_BUILD_ID = 3;
const MAX_NOTE = 4096;
const MAX_LINK = 4096;
/** Of a build id, which is put into a path. */
const BUILD_ID_BYTES = 64;

/**
 * Symbols and debug information of a file: its own, or those of the file that its build id or .gnu_debuglink names.
 * Tables are read without them, too: what is damaged is left out, with a warning. `buildId` has lower-case hex digits.
 */
export async function readDebugFile(
  source: FinishedSource,
  buildId: string | undefined,
  environment: DebugEnvironment,
): Promise<DebugFile> {
  const reader = new DebugFileReader(environment);
  const none: DebugFile = { name: source.name, symbols: undefined, data: undefined, types: undefined };
  const elf = await reader.orWarn(source, () => readSections(source));
  const own = elf ? await reader.read(elf) : none;
  if (own.data) return own;
  const separate = await reader.orWarn(source, () => reader.openSeparate(source, buildId, elf));
  if (!separate) return own;
  const other = await reader.read(separate);
  return { ...other, symbols: own.symbols ?? other.symbols };
}

class DebugFileReader {
  readonly #environment: DebugEnvironment;

  constructor(environment: DebugEnvironment) {
    this.#environment = environment;
  }

  /** What a reader gives, or undefined and a warning. */
  async orWarn<T>(source: FinishedSource, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof Error) || (error instanceof DecodeError && error.code === 'changed'))
        throw error;
      this.#environment.warn(`${source.name}: its debug information is not used: ${error.message}`);
      return undefined;
    }
  }

  async read(elf: ElfSections): Promise<DebugFile> {
    const { source } = elf;
    const decompress = this.#environment.decompress;
    const symbols = await this.orWarn(source, () => readSymbolTable(elf, decompress));
    const data = await this.orWarn(source, async () => {
      const sections = await this.#debugSections(elf);
      if (!sections) return undefined;
      const supplement = await this.#openSupplement(elf);
      return new DebugData(sections, supplement && (await this.#debugSections(supplement)));
    });
    return { name: source.name, symbols, data, types: data && new StructTypes(data) };
  }

  async #debugSections(elf: ElfSections): Promise<DebugSections | undefined> {
    const read = (name: string) => readSection(elf, sectionNamed(elf, name), this.#environment.decompress);
    const info = await read('.debug_info');
    const abbrev = info && (await read('.debug_abbrev'));
    if (!info) return undefined;
    if (!abbrev) throw new Error('.debug_info has no .debug_abbrev');
    return {
      littleEndian: elf.littleEndian,
      info,
      abbrev,
      str: await read('.debug_str'),
      lineStr: await read('.debug_line_str'),
      strOffsets: await read('.debug_str_offsets'),
      line: await read('.debug_line'),
      addr: await read('.debug_addr'),
      rnglists: await read('.debug_rnglists'),
      ranges: await read('.debug_ranges'),
    };
  }

  /** The file with the debug information of a binary that has none of its own. */
  async openSeparate(
    source: FinishedSource,
    buildId: string | undefined,
    elf: ElfSections | undefined,
  ): Promise<ElfSections | undefined> {
    const link = elf && (await readSection(elf, sectionNamed(elf, '.gnu_debuglink'), undefined));
    const end = link?.indexOf(0) ?? -1;
    const name = link && end > 0 && end < MAX_LINK ? decodeText(link.subarray(0, end)) : undefined;
    if (buildId === undefined && name === undefined) return undefined;
    // A name, padded to a multiple of four bytes, then a CRC (GDB's manual, "Debugging information in separate files").
    const crcAt = (end + 4) & ~3;
    const crc =
      elf && link && name !== undefined && crcAt + 4 <= link.byteLength
        ? new DataView(link.buffer, link.byteOffset).getUint32(crcAt, elf.littleEndian)
        : undefined;
    return this.#open({ kind: 'debug', of: source.name, buildId, link: name }, crc);
  }

  /** What dwz moved out of this file and others. */
  async #openSupplement(elf: ElfSections): Promise<ElfSections | undefined> {
    const section = await readSection(elf, sectionNamed(elf, '.gnu_debugaltlink'), undefined);
    const end = section?.indexOf(0) ?? -1;
    if (!section || end <= 0 || end > MAX_LINK) return undefined;
    const wanted: WantedDebugFile = {
      kind: 'supplement',
      of: elf.source.name,
      buildId: hex(section.subarray(end + 1)),
      link: decodeText(section.subarray(0, end)),
    };
    const found = await this.#open(wanted, undefined);
    if (!found)
      this.#environment.warn(
        `${elf.source.name}: a part of its debug information is in ${wanted.link}, which is not there`,
      );
    return found;
  }

  async #open(wanted: WantedDebugFile, crc: number | undefined): Promise<ElfSections | undefined> {
    let found: ElfSections | undefined;
    const isRight = async (candidate: FinishedSource): Promise<boolean> => {
      found = await readSections(candidate);
      if (!found) return false;
      const buildId = await readBuildIdSection(found);
      if (wanted.buildId !== undefined && buildId !== undefined) return buildId === wanted.buildId;
      return crc !== undefined && (await this.#environment.crc32(candidate)) === crc;
    };
    const source = await this.#environment.open(wanted, isRight);
    return source && found;
  }
}

/** The build id of a file by its section, which is also there in a file that only has debug information. */
async function readBuildIdSection(elf: ElfSections): Promise<string | undefined> {
  for (const section of elf.sections) {
    if (section.type !== SHT_NOTE || section.size > MAX_NOTE || section.isOutside) continue;
    const note = await readSection(elf, section, undefined);
    if (!note || note.byteLength < 16) continue;
    const view = new DataView(note.buffer, note.byteOffset, note.byteLength);
    const size = view.getUint32(4, elf.littleEndian);
    const isGnu = view.getUint32(0, elf.littleEndian) === 4 && decodeText(note.subarray(12, 16)) === 'GNU\0';
    if (!isGnu || view.getUint32(8, elf.littleEndian) !== NT_GNU_BUILD_ID) continue;
    return hex(note.subarray(16, 16 + size));
  }
  return undefined;
}

function hex(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength === 0 || bytes.byteLength > BUILD_ID_BYTES) return undefined;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
