import { DecodeError } from '../../bytes/diagnostic.ts';
import { type FinishedSource, readExactly } from '../../bytes/source.ts';
import { viewOf } from '../../bytes/view.ts';

/** A PT_LOAD: `fileSize` bytes at `offset` in the file, `memorySize` bytes (the rest zero) at `address`. */
interface LoadHeader {
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly executable: boolean;
  readonly writable: boolean;
}

/** Part of a program header that is no PT_LOAD. */
interface ProgramRange {
  readonly offset: number;
  readonly address: number;
  /** Bytes in the file. */
  readonly size: number;
}

/** What the ELF and program headers say; section headers are not needed, so a file without any is as good. */
export interface ElfHeader {
  readonly littleEndian: boolean;
  /** ET_EXEC: addresses are final. ET_DYN (PIE or shared library): addresses need relocation. */
  readonly positionIndependent: boolean;
  readonly machine: number;
  /** Sorted by address; no two share an address. */
  readonly loads: readonly LoadHeader[];
  readonly dynamic: ProgramRange | undefined;
  readonly notes: readonly ProgramRange[];
  /** PT_GNU_RELRO: constants that hold addresses; read-only once they are relocated. */
  readonly relro: ProgramRange | undefined;
  /** PT_GNU_EH_FRAME: the table of function starts. */
  readonly exceptionFrames: ProgramRange | undefined;
}

const ELF_MAGIC = 0x7f454c46;
const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
/** Real binaries have about a dozen program headers. */
const MAX_PROGRAM_HEADERS = 128;
/** Bytes that all PT_LOADs together may take in memory: real QEMUs have 40 MiB, with debug information apart. */
const MAX_LOADED = 1 << 30;

const ET_EXEC = 2;
const ET_DYN = 3;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_NOTE = 4;
const PT_GNU_EH_FRAME = 0x6474e550;
const PT_GNU_RELRO = 0x6474e552;
const PF_X = 1;
const PF_W = 2;

const usedKinds: ReadonlySet<number> = new Set([PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_GNU_EH_FRAME, PT_GNU_RELRO]);

/** A problem in an ELF file. `start` and `end` are offsets in the file. */
export function elfError(source: FinishedSource, message: string, start: number, end = start): DecodeError {
  return new DecodeError({
    severity: 'error',
    code: 'bad-elf',
    message: `${source.name}: ${message}`,
    range: { start, end: Math.max(start, end) },
  });
}

/**
 * Reads the headers of an ELF64 executable or shared library of either byte order (System V gABI, chapters 4 and 5).
 * Throws DecodeError `not-elf` for a file of another kind, and `bad-elf` for other ELF files and for headers that point
 * outside the file or at each other.
 */
export async function readElfHeader(source: FinishedSource): Promise<ElfHeader> {
  const start = await source.read(0, HEADER_SIZE);
  if (start.byteLength < 4 || viewOf(start).getUint32(0) !== ELF_MAGIC) throw notElf(source, start);
  if (start.byteLength < HEADER_SIZE)
    throw elfError(source, 'the file ends inside the ELF header', 0, source.size);
  const header = viewOf(start);
  if (header.getUint8(4) !== 2) throw elfError(source, 'not a 64-bit ELF file', 4, 5);
  const order = header.getUint8(5);
  if (order !== 1 && order !== 2) throw elfError(source, `unknown ELF byte order ${order}`, 5, 6);
  const littleEndian = order === 1;
  const type = header.getUint16(16, littleEndian);
  if (type !== ET_EXEC && type !== ET_DYN)
    throw elfError(
      source,
      `ELF type ${type} is neither an executable nor a shared library (an object file or core dump?)`,
      16,
      18,
    );
  const machine = header.getUint16(18, littleEndian);
  const tableOffset = readAddress(header, 32, littleEndian);
  const entrySize = header.getUint16(54, littleEndian);
  const count = header.getUint16(56, littleEndian);
  if (count === 0) throw elfError(source, 'no program headers: nothing is loaded from it', 56, 58);
  if (count > MAX_PROGRAM_HEADERS) throw elfError(source, `${count} program headers cannot be`, 56, 58);
  if (entrySize < PROGRAM_HEADER_SIZE)
    throw elfError(source, `program headers of ${entrySize} bytes cannot be`, 54, 56);
  const tableSize = entrySize * count;
  if (tableOffset === undefined || tableOffset + tableSize > source.size)
    throw elfError(source, 'the program headers lie outside the file (is it cut short?)', 32, 40);
  const table = viewOf(await readExactly(source, tableOffset, tableSize));

  const loads: LoadHeader[] = [];
  const notes: ProgramRange[] = [];
  let dynamic: ProgramRange | undefined;
  let exceptionFrames: ProgramRange | undefined;
  let relro: ProgramRange | undefined;
  for (let i = 0; i < count; i++) {
    const at = i * entrySize;
    const kind = table.getUint32(at, littleEndian);
    if (!usedKinds.has(kind)) continue;
    const flags = table.getUint32(at + 4, littleEndian);
    const offset = readAddress(table, at + 8, littleEndian);
    const address = readAddress(table, at + 16, littleEndian);
    const fileSize = readAddress(table, at + 32, littleEndian);
    const memorySize = readAddress(table, at + 40, littleEndian);
    const place = tableOffset + at;
    if (
      offset === undefined ||
      address === undefined ||
      fileSize === undefined ||
      memorySize === undefined ||
      !Number.isSafeInteger(address + memorySize)
    )
      throw elfError(source, `program header ${i} has impossible numbers`, place, place + entrySize);
    if (offset + fileSize > source.size)
      throw elfError(
        source,
        `program header ${i} needs bytes up to ${offset + fileSize}, the file has ${source.size}: it is cut short`,
        place,
        place + entrySize,
      );
    if (kind === PT_LOAD) {
      if (fileSize > memorySize)
        throw elfError(source, `program header ${i} is larger in the file than in memory`, place, place + 48);
      const executable = (flags & PF_X) !== 0;
      const writable = (flags & PF_W) !== 0;
      if (memorySize > 0) loads.push({ offset, address, fileSize, memorySize, executable, writable });
    } else {
      const range = { offset, address, size: fileSize };
      if (kind === PT_DYNAMIC) dynamic = range;
      else if (kind === PT_NOTE) notes.push(range);
      else if (kind === PT_GNU_RELRO) relro = range;
      else exceptionFrames = range;
    }
  }
  loads.sort((a, b) => a.address - b.address);
  checkLoads(source, loads);
  const positionIndependent = type === ET_DYN;
  return { littleEndian, positionIndependent, machine, loads, dynamic, notes, relro, exceptionFrames };
}

function notElf(source: FinishedSource, start: Uint8Array): DecodeError {
  const isScript = start[0] === 0x23 && start[1] === 0x21;
  const what = isScript ? 'a script, not a binary: name the binary that it starts' : 'not an ELF file';
  return new DecodeError({ severity: 'error', code: 'not-elf', message: `${source.name} is ${what}` });
}

function checkLoads(source: FinishedSource, loads: readonly LoadHeader[]): void {
  if (loads.length === 0) throw elfError(source, 'no PT_LOAD: nothing is loaded from it', 0);
  let end = 0;
  let bytes = 0;
  for (const load of loads) {
    if (load.address < end)
      throw elfError(source, 'two PT_LOADs share addresses', load.offset, load.offset + load.fileSize);
    end = load.address + load.memorySize;
    bytes += load.fileSize;
  }
  // Segments may share a page of the file, not more: else a small file could ask for much memory.
  if (bytes > MAX_LOADED || bytes > source.size + loads.length * 0x10000)
    throw elfError(source, `its PT_LOADs ask for ${bytes} bytes, more than can be`, 0);
}

/** A 64-bit number; undefined above 2^53. */
function readAddress(view: DataView, at: number, littleEndian: boolean): number | undefined {
  const high = view.getUint32(littleEndian ? at + 4 : at, littleEndian);
  const low = view.getUint32(littleEndian ? at : at + 4, littleEndian);
  return high < 0x200000 ? high * 0x1_0000_0000 + low : undefined;
}
