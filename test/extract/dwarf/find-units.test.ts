import { describe, expect, test } from 'vitest';
import { memorySource } from '../../../src/bytes/source.ts';
import { readDebugFile } from '../../../src/extract/debug-files.ts';
import type { DebugData, DebugSections } from '../../../src/extract/dwarf/debug-data.ts';
import { DebugData as Data } from '../../../src/extract/dwarf/debug-data.ts';
import { findUnits } from '../../../src/extract/dwarf/find-units.ts';
import { findSourcePlaces } from '../../../src/extract/dwarf/source-places.ts';
import { schemaOfBytes, symbolFixture } from '../symbol-fixtures.ts';

async function debugData(bytes: Uint8Array): Promise<DebugData> {
  const { data } = await readDebugFile(memorySource(bytes, 'qemu'), undefined, {
    decompress: () => Promise.reject(new Error('nothing is compressed')),
    open: () => Promise.resolve(undefined),
    crc32: () => Promise.resolve(0),
    warn() {},
  });
  if (!data) throw new Error('no debug information');
  return data;
}

const none: ReadonlySet<number> = new Set();

describe.for(['qemu-10.0-devices', 'qemu-10.0-devices-clang'])('of %s', (name) => {
  test('only the unit is read that has a function or a variable', async () => {
    const bytes = symbolFixture(name);
    const data = await debugData(bytes);
    const { vmsds, functions, symbols } = await schemaOfBytes(bytes);
    const places = [
      ...vmsds.map(({ address }, i) => ({ address, symbol: symbols?.vmsds[i], isFunction: false })),
      ...functions.map(({ address }, i) => ({ address, symbol: symbols?.functions[i], isFunction: true })),
    ];
    let count = 0;
    for (const { address, symbol, isFunction } of places) {
      if (symbol?.line === undefined) continue;
      const only = new Set([address]);
      const wanted = isFunction ? { functions: only, variables: none } : { functions: none, variables: only };
      const units = findUnits(data, wanted);
      expect(units).toHaveLength(1);
      expect(data.root(units[0]!).name?.replace(/^(\.\.\/)+/, '')).toMatch(/\.c$/);
      expect(findSourcePlaces(data, wanted).get(address)?.name).toBe(symbol.name);
      count++;
    }
    expect(count).toBeGreaterThan(20);
    expect(findUnits(data, { functions: none, variables: none })).toEqual([]);
  });
});

/** DW_TAG_compile_unit with attributes, none of which has children, and one DW_TAG_subprogram `f` at 0x10. */
function unit(attributes: readonly (readonly [number, number, readonly number[]])[]): {
  readonly abbrev: readonly number[];
  readonly info: readonly number[];
} {
  const abbrev = [
    ...[1, 0x11, 1, ...attributes.flatMap((attribute) => attribute.slice(0, 2) as number[]), 0, 0],
    // DW_AT_name as text, DW_AT_low_pc as an address
    ...[2, 0x2e, 0, 0x03, 0x08, 0x11, 0x01, 0, 0],
    0,
  ];
  const entries = [
    ...[1, ...attributes.flatMap(([, , bytes]) => bytes)],
    ...[2, 0x66, 0, 0x10, 0, 0, 0, 0, 0, 0, 0],
    0,
  ];
  return { abbrev, info: [5, 0, 1, 8, 0, 0, 0, 0, ...entries] };
}

const DW_AT_low_pc = 0x11;
const DW_AT_high_pc = 0x12;
const DW_AT_ranges = 0x55;
const DW_FORM_addr = 0x01;
const DW_FORM_data4 = 0x06;
const DW_FORM_sec_offset = 0x17;
const address = (value: number) => [value, 0, 0, 0, 0, 0, 0, 0];

function dataOf(
  attributes: Parameters<typeof unit>[0],
  sections: Partial<DebugSections> = {},
  version = 5,
): DebugData {
  const { abbrev, info } = unit(attributes);
  // DWARF 4 has no kind, and the size of addresses behind the offset.
  const content = version === 5 ? info : [version, 0, 0, 0, 0, 0, 8, ...info.slice(8)];
  return new Data({
    littleEndian: true,
    info: Uint8Array.from([content.length, 0, 0, 0, ...content]),
    abbrev: Uint8Array.from(abbrev),
    str: undefined,
    lineStr: undefined,
    strOffsets: undefined,
    line: undefined,
    addr: undefined,
    rnglists: undefined,
    ranges: undefined,
    ...sections,
  });
}

/** Is the unit read for a function there? */
function isFound(data: DebugData, functionAt: number): boolean {
  return findUnits(data, { functions: new Set([functionAt]), variables: none }).length === 1;
}

describe('where the code of a unit is', () => {
  test('is said by an address and a length, or another address', () => {
    const length = dataOf([
      [DW_AT_low_pc, DW_FORM_addr, address(8)],
      [DW_AT_high_pc, DW_FORM_data4, [16, 0, 0, 0]],
    ]);
    const end = dataOf([
      [DW_AT_low_pc, DW_FORM_addr, address(8)],
      [DW_AT_high_pc, DW_FORM_addr, address(24)],
    ]);
    for (const data of [length, end]) {
      expect([7, 8, 23, 24].map((at) => isFound(data, at))).toEqual([false, true, true, false]);
      expect(findSourcePlaces(data, { functions: new Set([16]), variables: none }).get(16)?.name).toBe('f');
    }
  });

  test('is said by a list, of DWARF 5 or before', () => {
    const listed = [
      [DW_AT_low_pc, DW_FORM_addr, address(4)],
      [DW_AT_ranges, DW_FORM_sec_offset, [2, 0, 0, 0]],
    ] as const;
    // From the base of the unit, then from an address of its own, and each other kind.
    const rnglists = Uint8Array.from([
      ...[0, 0, 4, 4, 12],
      ...[5, ...address(32), 4, 0, 8],
      ...[6, ...address(64), ...address(72)],
      ...[7, ...address(80), 8],
      ...[1, 0, 4, 0, 8, 2, 1, 2, 3, 1, 8],
      0,
    ]);
    const addr = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, ...address(96), ...address(112), ...address(116)]);
    const five = dataOf(listed, { rnglists, addr });
    const places = [8, 15, 16, 32, 39, 40, 64, 72, 80, 88, 96, 104, 112, 116, 119, 120];
    expect(places.filter((at) => isFound(five, at))).toEqual([8, 15, 32, 39, 64, 80, 96, 112, 116, 119]);
    const ranges = Uint8Array.from([
      ...[0, 0, ...address(4), ...address(12)],
      ...[...new Array(8).fill(0xff), ...address(32), ...address(0), ...address(8)],
      ...[...address(0), ...address(0)],
    ]);
    const four = dataOf(listed, { ranges }, 4);
    expect(places.filter((at) => isFound(four, at))).toEqual([8, 15, 32, 39]);
  });

  test('may be said by two units, both of which are read', () => {
    const { sections } = dataOf([
      [DW_AT_low_pc, DW_FORM_addr, address(8)],
      [DW_AT_high_pc, DW_FORM_data4, [16, 0, 0, 0]],
    ]);
    const twice = new Data({ ...sections, info: Uint8Array.from([...sections.info, ...sections.info]) });
    expect(findUnits(twice, { functions: new Set([16, 20]), variables: none })).toEqual(twice.units);
  });

  test('that is not said, or damaged, does not hide it', () => {
    const open = dataOf([]);
    const onlyStart = dataOf([[DW_AT_low_pc, DW_FORM_addr, address(0)]]);
    const gone = dataOf([[DW_AT_ranges, DW_FORM_sec_offset, [0, 0, 0, 0]]]);
    for (const data of [open, onlyStart, gone])
      expect(findSourcePlaces(data, { functions: new Set([16]), variables: none }).get(16)?.name).toBe('f');
    const damaged = dataOf([[DW_AT_ranges, DW_FORM_sec_offset, [0, 0, 0, 0]]], {
      rnglists: Uint8Array.of(9),
    });
    expect(isFound(damaged, 16)).toBe(true);
    expect(damaged.leftOut.warnings()).toEqual([
      expect.stringContaining('.debug_rnglists at 0x1: unknown kind of range 9'),
    ]);
  });
});
