import leven from 'leven';

/** Names that are suggested. */
const MAX_SUGGESTED = 3;
/** Characters of a name that are looked at: comparing two takes the product. */
export const MAX_NEAREST_LENGTH = 200;

/** The names that are nearest to one. */
export class Nearest {
  readonly #wanted: string;
  readonly #farthest: number;
  readonly #found = new Map<string, number>();

  constructor(wanted: string) {
    this.#wanted = wanted.slice(0, MAX_NEAREST_LENGTH).toLowerCase();
    this.#farthest = Math.max(2, Math.floor(this.#wanted.length / 3));
  }

  add(name: string): void {
    if (this.#found.has(name) || name.length > MAX_NEAREST_LENGTH) return;
    const near = name.toLowerCase();
    // Who knows a part of the name is near, too.
    const isPart = this.#wanted.length > 2 && (near.includes(this.#wanted) || this.#wanted.includes(near));
    const distance = isPart
      ? Number(near !== this.#wanted)
      : leven(this.#wanted, near, { maxDistance: this.#farthest + 1 });
    if (distance > this.#farthest) return;
    this.#found.set(name, distance);
    if (this.#found.size > MAX_SUGGESTED) {
      const [worst] = [...this.#found].reduce((a, b) => (b[1] >= a[1] ? b : a));
      this.#found.delete(worst);
    }
  }

  /** The nearest first; none where all are far away. */
  list(): readonly string[] {
    return [...this.#found].sort((a, b) => a[1] - b[1]).map(([name]) => name);
  }
}
