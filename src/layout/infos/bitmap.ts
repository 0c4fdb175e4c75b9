import { leafNode } from './field-reader.ts';
import { setBitRanges } from './set-bits.ts';
import type { InfoCodec } from './table.ts';

/** migration/vmstate-types.c, put_bitmap: words of 64 bits, each big endian, the first bits in the first word. */
export const resolveBitmap: InfoCodec = ({ section }, { type }, place) => {
  const { start, end } = place;
  const value = section.bytes.subarray(start - section.base, end - section.base);
  if (value.length === 0 || value.length % 8 !== 0) return undefined;
  const ranges = setBitRanges(value.length, (n) => value[(n & ~7) + 7 - (n & 7)]!);
  return leafNode(place, type, value, ranges && `bits ${ranges}`);
};
