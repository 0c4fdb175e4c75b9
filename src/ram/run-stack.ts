import { type LinkDelta, NO_RUNS, overlay, type PageRuns, RUN_SIZE, RunWriter } from './page-runs.ts';

/**
 * Takes runs of pages in the order in which they are sent, of which the last that covers a page counts. Pages mostly
 * come in rising order; where they do not, a new list of runs begins. Of two lists that follow each other the later is
 * put over the earlier one as soon as it is half as long, so that there are few, and each run is moved few times.
 */
export class RunStack {
  readonly #pageSize: number;
  readonly #link: LinkDelta;
  /** From the oldest on. */
  #lists: PageRuns[] = [];
  readonly #open: RunWriter;

  constructor(pageSize: number, link: LinkDelta = () => {}) {
    this.#pageSize = pageSize;
    this.#link = link;
    this.#open = new RunWriter(16, pageSize);
  }

  /** Bytes that the runs take. */
  get byteLength(): number {
    return this.#lists.reduce((sum, { count }) => sum + count, this.#open.count) * RUN_SIZE;
  }

  put(start: number, end: number, kind: number, value: number): void {
    if (start < this.#open.end) this.#close();
    this.#open.push(start, end, kind, value);
  }

  /** All of them as one list, which stays in the stack. */
  list(): PageRuns {
    const list = this.take();
    if (list.count > 0) this.#lists.push(list);
    return list;
  }

  /** All of them as one list; the stack is empty afterwards. */
  take(): PageRuns {
    this.#close();
    const lists = this.#lists;
    this.#lists = [];
    // From the youngest on: those are the shortest.
    return lists.reduceRight((newer, older) => this.#overlay(older, newer), NO_RUNS);
  }

  #close(): void {
    if (this.#open.count === 0) return;
    const lists = this.#lists;
    lists.push(this.#open.take());
    while (lists.length > 1 && lists.at(-2)!.count <= 2 * lists.at(-1)!.count) {
      const newer = lists.pop()!;
      lists.push(this.#overlay(lists.pop()!, newer));
    }
  }

  #overlay(older: PageRuns, newer: PageRuns): PageRuns {
    return newer.count === 0 ? older : overlay(older, newer, this.#pageSize, this.#link);
  }
}
