import { afterEach, expect, test, vi } from 'vitest';
import { Cursor } from '../../../src/extract/dwarf/cursor.ts';
import { DebugData, type DebugSections } from '../../../src/extract/dwarf/debug-data.ts';
import { findSourcePlaces } from '../../../src/extract/dwarf/source-places.ts';

const DW_TAG_variable = 0x34;
const DW_AT_name = 0x03;
const DW_AT_location = 0x02;
const DW_FORM_string = 0x08;
const DW_FORM_exprloc = 0x18;
const DW_OP_addr = 0x03;

afterEach(() => vi.restoreAllMocks());

function uleb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** A table of abbreviations, each of a variable, and units whose tables begin with one, then with the next … of them. */
function overlapping(abbreviations: number, units: number, end: readonly number[] = [0]): DebugSections {
  const offsets: number[] = [];
  const abbrev: number[] = [];
  for (let code = 1; code <= abbreviations; code++) {
    offsets.push(abbrev.length);
    abbrev.push(...uleb(code), DW_TAG_variable, 0);
    abbrev.push(DW_AT_name, DW_FORM_string, DW_AT_location, DW_FORM_exprloc, 0, 0);
  }
  abbrev.push(...end);
  const info = Array.from({ length: units }, (_, i) => {
    // Its form is the last one, so that all are read.
    const entry = Buffer.from([...uleb(abbreviations), 0x78, 0, 9, DW_OP_addr, 0, 0x10, 0, 0, 0, 0, 0, 0]);
    const header = Buffer.alloc(12);
    header.writeUInt32LE(8 + entry.length, 0);
    header.writeUInt16LE(5, 4);
    header.writeUInt8(1, 6);
    header.writeUInt8(8, 7);
    header.writeUInt32LE(offsets[i]!, 8);
    return Buffer.concat([header, entry]);
  });
  return {
    littleEndian: true,
    info: Uint8Array.from(Buffer.concat(info)),
    abbrev: Uint8Array.from(abbrev),
    str: undefined,
    lineStr: undefined,
    strOffsets: undefined,
    line: undefined,
    addr: undefined,
    rnglists: undefined,
    ranges: undefined,
  };
}

/** Bytes of abbreviations that finding the variables of all units reads: those that a cursor of the section took. */
function bytesRead(sections: DebugSections): number {
  let count = 0;
  const { u8 } = Cursor.prototype;
  vi.spyOn(Cursor.prototype, 'u8').mockImplementation(function (this: Cursor) {
    if (this.bytes === sections.abbrev) count++;
    return u8.call(this);
  });
  findSourcePlaces(new DebugData(sections), { functions: new Set([0x2000]), variables: new Set([0x1000]) });
  vi.restoreAllMocks();
  return count;
}

test('units with tables of abbreviations in each other do not read them over and over', () => {
  const sections = overlapping(3000, 300);
  const size = sections.abbrev.byteLength;
  expect(bytesRead(sections)).toBeLessThan(10 * size + 0x1_0000);
  // With more units it does not grow.
  expect(bytesRead(overlapping(3000, 600))).toBe(bytesRead(sections));
});

test('nor do those of a table that is damaged at its end', () => {
  const sections = overlapping(3000, 300, [1]);
  expect(bytesRead(sections)).toBeLessThan(10 * sections.abbrev.byteLength + 0x1_0000);
});

test('units with tables in each other are read as far as that goes, and then say why not', () => {
  const few = new DebugData(overlapping(3000, 5));
  expect(few.units.map((unit) => few.root(unit).name)).toEqual(['x', 'x', 'x', 'x', 'x']);
  const many = new DebugData(overlapping(3000, 300));
  expect(many.root(many.units[0]!)).toMatchObject({ tag: DW_TAG_variable, name: 'x', address: 0x1000 });
  expect(() => many.units.map((unit) => many.root(unit))).toThrow('over and over');
});

test('tables that are read once are all read, however many there are', () => {
  const one = overlapping(400, 1);
  const count = 600;
  const size = one.info.byteLength;
  const info = Buffer.concat(Array.from({ length: count }, () => one.info));
  for (let i = 0; i < count; i++) info.writeUInt32LE(i * one.abbrev.byteLength, i * size + 8);
  const abbrev = Uint8Array.from(Buffer.concat(Array.from({ length: count }, () => one.abbrev)));
  const data = new DebugData({ ...one, info: Uint8Array.from(info), abbrev });
  expect(data.units).toHaveLength(count);
  for (const unit of data.units) expect(data.root(unit).address).toBe(0x1000);
  // The first ones are not kept any more, and are read again.
  expect(data.root(data.units[0]!).name).toBe('x');
});
