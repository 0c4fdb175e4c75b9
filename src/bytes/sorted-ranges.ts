import { pieceAt } from './piece-at.ts';
import type { Range } from './range.ts';

/** Ranges that do not overlap, in order. */
export class SortedRanges {
  readonly #ranges: readonly Range[];
  readonly #starts: readonly number[];

  constructor(ranges: readonly Range[]) {
    this.#ranges = ranges;
    this.#starts = ranges.map(({ start }) => start);
  }

  /** Whether one of them has all of a range, which is not empty. */
  contains({ start, end }: Range): boolean {
    const around = this.#ranges[pieceAt(this.#starts, start)];
    return start < end && around !== undefined && around.start <= start && end <= around.end;
  }

  /** How many bytes of a range are in them. */
  bytesWithin({ start, end }: Range): number {
    let bytes = 0;
    for (let i = pieceAt(this.#starts, start); i < this.#ranges.length; i++) {
      const range = this.#ranges[i]!;
      if (range.start >= end) break;
      bytes += Math.max(0, Math.min(range.end, end) - Math.max(range.start, start));
    }
    return bytes;
  }
}
