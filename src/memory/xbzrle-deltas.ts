import { CODE_MASK, DELTA, NONE } from '../ram/page-runs.ts';

const DELTA_SIZE = 8 + 8 + 2;

/** XBZRLE deltas of pages, in the order in which they were sent, and what each applies to. */
export class XbzrleDeltas {
  #count = 0;
  #offset = new Float64Array(0);
  #earlierValue = new Float64Array(0);
  #earlierKind = new Uint16Array(0);

  /** Bytes that they take. */
  get byteLength(): number {
    return this.#count * DELTA_SIZE;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds the delta whose encoded page begins at an offset in its source. Returns its place in the list. */
  add(offset: number): number {
    if (this.#count === this.#offset.length) this.#grow();
    this.#offset[this.#count] = offset;
    this.#earlierKind[this.#count] = NONE;
    return this.#count++;
  }

  /**
   * Tells which version of the page was before a delta, or before those that it is known to follow: the first that is
   * told is the last before them.
   */
  link(delta: number, kind: number, value: number): void {
    let first = delta;
    while ((this.#earlierKind[first]! & CODE_MASK) === DELTA) first = this.#earlierValue[first]!;
    if (this.#earlierKind[first] !== NONE) return;
    this.#earlierKind[first] = kind;
    this.#earlierValue[first] = value;
  }

  offset(delta: number): number {
    return this.#offset[delta]!;
  }

  /** Kind and value of the version before; NONE where there is none. */
  earlier(delta: number): { readonly kind: number; readonly value: number } {
    return { kind: this.#earlierKind[delta]!, value: this.#earlierValue[delta]! };
  }

  /** Forgets all, when their pages are kept elsewhere. */
  clear(): void {
    this.#count = 0;
  }

  #grow(): void {
    const capacity = Math.max(64, 2 * this.#count);
    const offset = new Float64Array(capacity);
    offset.set(this.#offset);
    this.#offset = offset;
    const value = new Float64Array(capacity);
    value.set(this.#earlierValue);
    this.#earlierValue = value;
    const kind = new Uint16Array(capacity);
    kind.set(this.#earlierKind);
    this.#earlierKind = kind;
  }
}
