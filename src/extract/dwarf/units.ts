import type { Encoding } from './abbreviations.ts';
import { DW_UT_skeleton, DW_UT_split_compile, DW_UT_split_type, DW_UT_type } from './constants.ts';
import type { Cursor } from './cursor.ts';
import type { LeftOut } from './left-out.ts';

/** A unit of .debug_info: mostly what was made of one source file. */
export interface Unit extends Encoding {
  /** Offset of its header, of its first entry, and of what is behind it. */
  readonly start: number;
  readonly entries: number;
  readonly end: number;
  /** Offset in .debug_abbrev. */
  readonly abbreviations: number;
}

/** The units of a section, and the offsets of types by their signatures. */
interface Units {
  readonly units: readonly Unit[];
  readonly signatures: ReadonlyMap<string, number>;
}

/** More are a file that lies; the largest real ones have some ten thousand. */
const MAX_UNITS = 1_000_000;
const VERSIONS: readonly number[] = [2, 3, 4, 5];

/**
 * Reads the headers of all units (DWARF 5, 7.5.1). One of an unknown version is left out; one of an impossible length ends
 * the list.
 */
export function readUnits(cursor: Cursor, leftOut: LeftOut): Units {
  const units: Unit[] = [];
  const signatures = new Map<string, number>();
  const size = cursor.bytes.byteLength;
  cursor.pos = 0;
  while (cursor.pos < size) {
    const start = cursor.pos;
    const end = readEnd(cursor, leftOut);
    if (end === undefined) break;
    if (units.length >= MAX_UNITS) {
      leftOut.add(cursor.problem('more units than can be', start));
      break;
    }
    try {
      units.push(readHeader(cursor, start, end, signatures));
    } catch (error) {
      leftOut.add(error);
    }
    cursor.pos = end;
  }
  return { units, signatures };
}

/** Where the unit ends that begins here; undefined where that cannot be. */
function readEnd(cursor: Cursor, leftOut: LeftOut): number | undefined {
  const start = cursor.pos;
  try {
    let length: number | undefined = cursor.u32();
    if (length === 0xffff_ffff) length = cursor.u64();
    const end = cursor.pos + (length ?? Number.NaN);
    if (end - cursor.pos >= 7 && end <= cursor.bytes.byteLength) return end;
    throw cursor.problem('a unit has an impossible length', start);
  } catch (error) {
    leftOut.add(error);
    return undefined;
  }
}

/** The cursor is behind the length. Throws DwarfProblem. */
function readHeader(cursor: Cursor, start: number, end: number, signatures: Map<string, number>): Unit {
  const is64 = cursor.pos - start > 4;
  const version = cursor.u16();
  if (!VERSIONS.includes(version)) throw cursor.problem(`a unit of DWARF version ${version}`, start);
  let kind = 0;
  let addressSize: number;
  let abbreviations: number;
  if (version >= 5) {
    kind = cursor.u8();
    addressSize = cursor.u8();
    abbreviations = cursor.offset(is64);
  } else {
    abbreviations = cursor.offset(is64);
    addressSize = cursor.u8();
  }
  if (addressSize !== 4 && addressSize !== 8)
    throw cursor.problem(`a unit has addresses of ${addressSize} bytes`, start);
  if (kind === DW_UT_skeleton || kind === DW_UT_split_compile) cursor.take(8);
  if (kind === DW_UT_type || kind === DW_UT_split_type) {
    const signature = `${cursor.u32()} ${cursor.u32()}`;
    signatures.set(signature, start + cursor.offset(is64));
  }
  if (cursor.pos > end) throw cursor.problem('a unit ends inside its header', start);
  return { version, is64, addressSize, start, entries: cursor.pos, end, abbreviations };
}
