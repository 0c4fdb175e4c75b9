import fc from 'fast-check';
import { expect, test } from 'vitest';
import { locate, memorySource } from '../../src/bytes/source.ts';
import { type Piece, splicedSource } from '../../src/bytes/splice.ts';

const BASE = Uint8Array.from({ length: 50 }, (_, i) => 100 + i);

const piece: fc.Arbitrary<Piece> = fc.oneof(
  fc.uint8Array({ maxLength: 9, max: 99 }),
  fc
    .tuple(fc.nat({ max: BASE.length }), fc.nat({ max: BASE.length }))
    .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) })),
);

test('any part of a spliced source is that of its pieces one behind the other', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(piece), fc.nat(200), fc.nat(200), async (pieces, offset, length) => {
      const source = splicedSource(memorySource(BASE, 'name'), pieces);
      const expected = Buffer.concat(
        pieces.map((part) => (part instanceof Uint8Array ? part : BASE.subarray(part.start, part.end))),
      );
      expect(source.size).toBe(expected.length);
      const wanted = expected.subarray(offset, offset + length);
      expect(Buffer.from(await source.read(offset, length))).toEqual(wanted);
      const into = new Uint8Array(length);
      const read = await source.read(offset, length, into);
      expect(read.buffer).toBe(into.buffer);
      expect(Buffer.from(read)).toEqual(wanted);
      // Bytes of the base are where their values say, new ones nowhere.
      const place = await locate(source, offset);
      const byte = expected[offset];
      expect(place.offset).toBe(byte === undefined || byte < 100 ? undefined : byte - 100);
      if (byte !== undefined) expect(place.length).toBeGreaterThan(0);
      expect(place.length).toBeLessThanOrEqual(Math.max(0, expected.length - offset));
    }),
  );
});
