import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OpenOptions } from '../../src/layout/open.ts';
import { readFixture } from '../fixtures.ts';
import { decode, violations } from './decode.ts';
import { print, unprintable } from './print.ts';
import { campaign, cases, readSpecimen, readTables, type Specimen, specimens, tabled } from './specimens.ts';

/** Type bytes, terminators and NULL markers: bytes that mean something somewhere. */
const MEANINGFUL = [0x00, 0xff, 0x7e, 0x05, 0x30, 0x04, 0x07, 0x08, 0x7b, 0x22, 0x5d];

/** One change to bytes; places are parts of a million of the length, so that a change fits any stream. */
type Change = (bytes: Uint8Array) => Uint8Array;

const place = fc.nat(999_999);
const at = (bytes: Uint8Array, millionth: number) => Math.floor((bytes.length * millionth) / 1_000_000);
const filler = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc
    .tuple(fc.constantFrom(...MEANINGFUL), fc.integer({ min: 1, max: 300 }))
    .map(([byte, length]) => new Uint8Array(length).fill(byte)),
);

const overwrite = fc.tuple(place, filler).map(
  ([where, bytes]): Change =>
    (old) => {
      const changed = Uint8Array.from(old);
      const start = at(old, where);
      changed.set(bytes.subarray(0, old.length - start), start);
      return changed;
    },
);
const insert = fc.tuple(place, filler).map(
  ([where, bytes]): Change =>
    (old) =>
      Buffer.concat([old.subarray(0, at(old, where)), bytes, old.subarray(at(old, where))]),
);
const remove = fc.tuple(place, fc.integer({ min: 1, max: 2000 })).map(
  ([where, length]): Change =>
    (old) =>
      Buffer.concat([old.subarray(0, at(old, where)), old.subarray(at(old, where) + length)]),
);
const repeat = fc.tuple(place, place).map(
  ([a, b]): Change =>
    (old) => {
      const [start, end] = [at(old, Math.min(a, b)), at(old, Math.max(a, b))];
      return Buffer.concat([old.subarray(0, end), old.subarray(start)]);
    },
);
const splice = fc.tuple(fc.nat(specimens.length - 1), place, place).map(
  ([which, a, b]): Change =>
    (old) => {
      const other = readFixture(specimens[which]!.name);
      return Buffer.concat([old.subarray(0, at(old, a)), other.subarray(at(other, b))]);
    },
);
const change = fc.oneof({ weight: 4, arbitrary: overwrite }, insert, remove, repeat, splice);

/** Mangles a fixture in `runs` ways, decodes what comes out, and prints all of it. */
async function mangle({ bytes }: Specimen, runs: number, options?: OpenOptions): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
      const mangled = changes.reduce((old, apply) => apply(old), bytes);
      const decoded = await decode(mangled, options);
      if (decoded) {
        expect(violations(decoded)).toEqual([]);
        expect(unprintable(await print(decoded))).toEqual([]);
      }
    }),
    { numRuns: runs },
  );
}

describe.each(specimens)('$name, mangled', ({ name }) => {
  test('is decoded and printed without an exception', async () => {
    const specimen = await readSpecimen(name);
    await mangle(specimen, Math.min(60 * campaign, cases(specimen)));
  });
});

test('there are tables for some of them', () => {
  expect(tabled.length).toBeGreaterThan(3);
});

describe.each(tabled)('$name, mangled and without its description', (fixture) => {
  test('is decoded by the tables of its QEMU, and printed, without an exception', async () => {
    const tables = await readTables(fixture);
    const specimen = await readSpecimen(fixture.name);
    await mangle(specimen, 5 * campaign, { tables, ignoreVmdesc: true });
  });
});
