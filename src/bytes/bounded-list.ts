/** Entries of one kind that are kept; of those after them, only how many they are. */
export const MAX_OF_ONE_KIND = 100;

/** What is put behind the last that is kept. */
export function moreLikeIt(more: number | undefined): string {
  return more === undefined ? '' : ` (and ${more} more like it)`;
}

interface Kind {
  count: number;
  /** Place of the last that is kept. */
  last: number;
  /** Those that are not. */
  more: number;
}

/** Collects entries in memory that is bounded, however many there are. */
export class BoundedList<T extends { readonly more?: number | undefined }> {
  readonly #kept: T[] = [];
  readonly #kinds = new Map<string, Kind>();
  readonly #kindOf: (entry: T) => string;

  constructor(kindOf: (entry: T) => string, entries: Iterable<T> = []) {
    this.#kindOf = kindOf;
    this.addAll(entries);
  }

  add(entry: T): void {
    const key = this.#kindOf(entry);
    const kind = this.#kinds.get(key) ?? { count: 0, last: 0, more: 0 };
    if (kind.count === 0) this.#kinds.set(key, kind);
    kind.more += entry.more ?? 0;
    if (kind.count === MAX_OF_ONE_KIND) {
      kind.more++;
      return;
    }
    kind.count++;
    kind.last = this.#kept.push(entry) - 1;
  }

  addAll(entries: Iterable<T>): void {
    for (const entry of entries) this.add(entry);
  }

  /** In the order in which they came; the last of a kind says how many more there were. */
  list(): readonly T[] {
    const list = this.#kept.map(({ more: _, ...entry }) => entry as T);
    for (const { last, more } of this.#kinds.values()) if (more > 0) list[last] = { ...list[last]!, more };
    return list;
  }
}
