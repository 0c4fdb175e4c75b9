/** Bytes of a buffer, or elements of an array, from `start` to before `end`, on both sides. */
export interface ChangedRange {
  readonly startA: number;
  readonly endA: number;
  readonly startB: number;
  readonly endB: number;
}

/** Ranges that are kept. */
const MAX_RANGES = 256;

/** Ranges that grow at their end: the first MAX_RANGES. */
export class RangeList {
  readonly #ranges: { startA: number; endA: number; startB: number; endB: number }[] = [];
  #differing = 0;

  get found(): { readonly ranges: readonly ChangedRange[]; readonly differing: number } {
    return { ranges: this.#ranges, differing: this.#differing };
  }

  /** Adds what is at these places; without `inB` or `inA` only one side has it. */
  addAt(indexA: number, indexB: number, inA = 1, inB = 1): void {
    this.#differing++;
    const last = this.#ranges.at(-1);
    if (last?.endA === indexA && last.endB === indexB) {
      last.endA += inA;
      last.endB += inB;
    } else if (this.#ranges.length < MAX_RANGES)
      this.#ranges.push({ startA: indexA, endA: indexA + inA, startB: indexB, endB: indexB + inB });
  }
}
