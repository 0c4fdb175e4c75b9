import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { applyXbzrle } from '../../src/memory/encodings/xbzrle.ts';
import { hex } from './section-bytes.ts';

/** A number of at most 14 bits: seven bits, least significant first, the top bit says that more follow. */
function uleb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >> 7];
}

/** Each maximal run of equal bytes and of changed bytes becomes a run of the delta; trailing equal bytes are left out. */
function encodeXbzrle(before: Uint8Array, after: Uint8Array): Uint8Array {
  const delta: number[] = [];
  let pos = 0;
  while (pos < after.length) {
    const same = pos;
    while (pos < after.length && before[pos] === after[pos]) pos++;
    if (pos === after.length) break;
    const changed = pos;
    while (pos < after.length && before[pos] !== after[pos]) pos++;
    delta.push(...uleb128(changed - same), ...uleb128(pos - changed), ...after.subarray(changed, pos));
  }
  return Uint8Array.from(delta);
}

test('a delta that QEMU 10.0 wrote', () => {
  // A guest that counts: it changed byte 0 and the two bytes at 256 of a page.
  const page = new Uint8Array(4096);
  expect(applyXbzrle(hex('000124ff01026253'), page)).toBe(258);
  const expected = new Uint8Array(4096);
  expected.set([0x24], 0);
  expected.set([0x62, 0x53], 256);
  expect(page).toEqual(expected);
});

test('every change of a page comes back', () => {
  const change = fc.tuple(fc.nat(4095), fc.uint8Array({ minLength: 1, maxLength: 300 }));
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), fc.array(change), (before, changes) => {
      const after = before.slice();
      for (const [offset, content] of changes) after.set(content.subarray(0, 4096 - offset), offset);
      const page = before.slice();
      applyXbzrle(encodeXbzrle(before, after), page);
      expect(page).toEqual(after);
    }),
    { numRuns: 50 },
  );
});

test('any bytes either change the page or are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (delta) => {
      const page = new Uint8Array(256);
      try {
        expect(applyXbzrle(delta, page)).toBeLessThanOrEqual(256);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
  );
});

test.each([
  ['00', /ends at 1 inside a run that stays/],
  ['0502aa', /ends inside 2 bytes/],
  ['0001aa', /^$/],
  ['000000', /an empty run that changes at 1/],
  ['0001aa0001bb', /an empty run that stays at 3/],
  ['80800100', /more than 14 bits/],
  ['ff0102aabb', /ends at 257 of 256/],
  ['81020100', /stays ends at 257 of 256/],
])('%s', (delta, message) => {
  let found = '';
  try {
    applyXbzrle(hex(delta), new Uint8Array(256));
  } catch (error) {
    found = (error as Error).message;
  }
  expect(found).toMatch(message);
});
