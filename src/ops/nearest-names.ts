import { formatPath } from '../bytes/diagnostic.ts';
import { globPattern } from '../bytes/glob.ts';
import { MAX_NEAREST_LENGTH, Nearest } from '../bytes/nearest.ts';
import { walk } from '../layout/children.ts';
import type { Layout } from '../layout/node.ts';
import { layouts, type OpenedStream } from '../layout/open.ts';
import { compileSelectors, sectionNames } from './select.ts';

/** Fields of one section that are looked at. */
const MAX_FIELDS = 2000;

/** A selector that matches nothing, and names that it may have meant, the nearest first. */
interface UnmatchedSelector {
  readonly selector: string;
  readonly nearest: readonly string[];
}

/**
 * Those of the selectors that match nothing in the streams, with what may have been meant: names of fields where the
 * first part of the selector is that of a section, else of sections.
 */
export async function unmatchedSelectors(
  streams: readonly OpenedStream[],
  selectors: readonly string[],
): Promise<readonly UnmatchedSelector[]> {
  const selections = selectors.flatMap((selector) => compileSelectors([selector]) ?? []);
  const nearest = selectors.map((selector) => new NearestNames(selector));
  for (const opened of streams) {
    for await (const layout of layouts(opened)) {
      for (const names of nearest) names.add(layout);
      const open = selections.filter((selection) => selection.unmatched().length > 0);
      if (open.length > 0)
        for (const { path } of walk(layout.root))
          for (const selection of open) selection.matches(layout, path);
    }
  }
  return selectors.flatMap((selector, i) =>
    selections[i]!.unmatched().length === 0 ? [] : [{ selector, nearest: nearest[i]!.list() }],
  );
}

/** Layouts are shown to it one by one. */
class NearestNames {
  readonly #selector: string;
  readonly #sections: Nearest;
  /** Of sections by what is in front of the selector's first slash. */
  readonly #heads: Nearest | undefined;
  readonly #tail: string;
  readonly #fields: Nearest;

  constructor(selector: string) {
    this.#selector = selector.slice(0, MAX_NEAREST_LENGTH);
    this.#sections = new Nearest(this.#selector);
    this.#fields = new Nearest(this.#selector);
    const slash = this.#selector.indexOf('/');
    this.#heads = slash > 0 ? new Nearest(this.#selector.slice(0, slash)) : undefined;
    this.#tail = this.#selector.slice(slash);
  }

  add(layout: Layout): void {
    for (const name of sectionNames(layout)) {
      // A name without an instance id is shorter.
      if (this.#selector.includes('@') || !name.includes('@')) {
        this.#sections.add(name);
        this.#heads?.add(name);
      }
      for (
        let slash = this.#selector.indexOf('/');
        slash > 0;
        slash = this.#selector.indexOf('/', slash + 1)
      ) {
        const start = this.#selector.slice(0, slash);
        if (globPattern(start).test(name)) this.#addFields(layout, start);
      }
    }
  }

  /** The nearest first; none where all are far away. */
  list(): readonly string[] {
    const heads = this.#heads?.list().map((name) => name + this.#tail) ?? [];
    return [this.#fields.list(), this.#sections.list(), heads].find(({ length }) => length > 0) ?? [];
  }

  #addFields(layout: Layout, start: string): void {
    let count = 0;
    for (const { path } of walk(layout.root)) {
      if (path.length > 0) this.#fields.add(`${start}/${formatPath(path)}`);
      if (++count === MAX_FIELDS) return;
    }
  }
}
