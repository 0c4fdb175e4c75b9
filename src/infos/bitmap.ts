import { leafNode } from './field-reader.ts';
import type { Info } from './info.ts';
import { setBitRanges } from './set-bits.ts';

/**
 * migration/vmstate-types.c, put_bitmap: words of 64 bits, each big endian, the first bits in the first word. The size
 * of the field is in bits.
 */
export const bitmap: Info = {
  names: ['bitmap'],
  length: (size) => Math.ceil(size / 64) * 8,
  memorySize: (length) => length * 8,
  open({ section }, place) {
    const { start, end } = place;
    const value = section.bytes.subarray(start - section.base, end - section.base);
    if (value.length === 0 || value.length % 8 !== 0) return undefined;
    const ranges = setBitRanges(value.length, (n) => value[(n & ~7) + 7 - (n & 7)]!);
    return leafNode(place, place.type, value, ranges && `bits ${ranges}`);
  },
};
