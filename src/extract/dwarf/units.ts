import type { Encoding } from './abbreviations.ts';
import { DW_UT_skeleton, DW_UT_split_compile, DW_UT_split_type, DW_UT_type } from './constants.ts';
import type { Cursor } from './cursor.ts';

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

/** Reads the headers of all units (DWARF 5, 7.5.1). One of an unknown version is left out; a damaged one ends the list. */
export function readUnits(cursor: Cursor): Units {
  const units: Unit[] = [];
  const signatures = new Map<string, number>();
  const size = cursor.bytes.byteLength;
  cursor.pos = 0;
  while (cursor.pos + 12 <= size && units.length < MAX_UNITS) {
    const start = cursor.pos;
    let length: number | undefined = cursor.u32();
    const is64 = length === 0xffff_ffff;
    if (is64) length = cursor.u64();
    if (length === undefined || (!is64 && length >= 0xffff_fff0)) break;
    const end = cursor.pos + length;
    if (length < 7 || end > size) break;
    const unit = readHeader(cursor, start, end, is64, signatures);
    if (unit) units.push(unit);
    cursor.pos = end;
  }
  return { units, signatures };
}

function readHeader(
  cursor: Cursor,
  start: number,
  end: number,
  is64: boolean,
  signatures: Map<string, number>,
): Unit | undefined {
  const version = cursor.u16();
  if (!VERSIONS.includes(version)) return undefined;
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
  if (addressSize !== 4 && addressSize !== 8) return undefined;
  if (kind === DW_UT_skeleton || kind === DW_UT_split_compile) cursor.take(8);
  if (kind === DW_UT_type || kind === DW_UT_split_type) {
    const signature = `${cursor.u32()} ${cursor.u32()}`;
    signatures.set(signature, start + cursor.offset(is64));
  }
  if (cursor.pos > end) return undefined;
  return { version, is64, addressSize, start, entries: cursor.pos, end, abbreviations };
}
