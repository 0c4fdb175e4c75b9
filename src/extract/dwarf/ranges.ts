import {
  DW_RLE_base_address,
  DW_RLE_base_addressx,
  DW_RLE_end_of_list,
  DW_RLE_offset_pair,
  DW_RLE_start_end,
  DW_RLE_start_length,
  DW_RLE_startx_endx,
  DW_RLE_startx_length,
} from './constants.ts';
import type { Cursor } from './cursor.ts';
import type { Unit } from './units.ts';

/** A part of the code, as it was linked. */
export interface CodeRange {
  readonly start: number;
  /** Behind it. */
  readonly end: number;
}

/** Where addresses of a list come from. */
export interface RangeAddresses {
  /** That of the unit, which offsets are from. */
  readonly base: number;
  /** By index in .debug_addr. */
  indexed(index: number): number | undefined;
}

/**
 * Reads the list that the cursor is at, in .debug_ranges, or from DWARF 5 on in .debug_rnglists, up to a number of
 * entries. Throws DwarfProblem.
 */
export function readRanges(
  cursor: Cursor,
  unit: Unit,
  addresses: RangeAddresses,
  limit: number,
): readonly CodeRange[] {
  return unit.version < 5
    ? oldRanges(cursor, unit, addresses.base, limit)
    : rangeList(cursor, unit, addresses, limit);
}

function addressOf(cursor: Cursor, { addressSize }: Unit): number | undefined {
  return addressSize === 8 ? cursor.u64() : cursor.u32();
}

/** DWARF 4, 2.17.3. */
function oldRanges(cursor: Cursor, unit: Unit, first: number, limit: number): readonly CodeRange[] {
  const ranges: CodeRange[] = [];
  let base = first;
  for (let i = 0; i < limit; i++) {
    const start = addressOf(cursor, unit);
    const end = addressOf(cursor, unit);
    if (start === 0 && end === 0) break;
    // The highest address there is says that the other one is a base.
    if (start === undefined || start === 0xffff_ffff) base = end ?? 0;
    else ranges.push({ start: base + start, end: base + (end ?? start) });
  }
  return ranges;
}

/** DWARF 5, 7.25. */
function rangeList(
  cursor: Cursor,
  unit: Unit,
  addresses: RangeAddresses,
  limit: number,
): readonly CodeRange[] {
  const ranges: CodeRange[] = [];
  let { base } = addresses;
  const address = () => addressOf(cursor, unit) ?? 0;
  const indexed = () => addresses.indexed(cursor.index()) ?? 0;
  const add = (start: number, end: number) => ranges.push({ start, end });
  const addLength = (start: number) => add(start, start + cursor.index());
  for (let i = 0; i < limit; i++) {
    const kind = cursor.u8();
    switch (kind) {
      case DW_RLE_end_of_list:
        return ranges;
      case DW_RLE_base_addressx:
        base = indexed();
        break;
      case DW_RLE_base_address:
        base = address();
        break;
      case DW_RLE_startx_endx:
        add(indexed(), indexed());
        break;
      case DW_RLE_startx_length:
        addLength(indexed());
        break;
      case DW_RLE_offset_pair:
        add(base + cursor.index(), base + cursor.index());
        break;
      case DW_RLE_start_end:
        add(address(), address());
        break;
      case DW_RLE_start_length:
        addLength(address());
        break;
      default:
        throw cursor.problem(`unknown kind of range ${kind}`);
    }
  }
  return ranges;
}
