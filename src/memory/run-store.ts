import { type LinkDelta, NO_RUNS, overlay, type PageRuns, RUN_SIZE, sliceRuns } from '../ram/page-runs.ts';
import { SpilledRuns } from './spilled-runs.ts';
import type { OpenSpool } from './spool.ts';

/** The runs of all pages: in memory, or, where they take more than a limit there, in a spool. */
export class RunStore {
  readonly #limit: number;
  readonly #openSpool: OpenSpool;
  #runs: PageRuns = NO_RUNS;
  #spilled: SpilledRuns | undefined;

  /** `limit` is in bytes. */
  constructor(limit: number, openSpool: OpenSpool) {
    this.#limit = limit;
    this.#openSpool = openSpool;
  }

  /** Bytes in memory. */
  get byteLength(): number {
    return this.#spilled?.byteLength ?? this.#runs.count * RUN_SIZE;
  }

  get isSpilled(): boolean {
    return this.#spilled !== undefined;
  }

  /** Puts newer runs over those that are here. Throws what the spool throws. */
  async put(newer: PageRuns, pageSize: number, link: LinkDelta = () => {}): Promise<void> {
    if (newer.count === 0) return;
    if (!this.#spilled) {
      this.#runs = overlay(this.#runs, newer, pageSize, link);
      if (this.byteLength <= this.#limit) return;
    }
    const runs = this.#spilled ? newer : this.#runs;
    this.#runs = NO_RUNS;
    // As many again can come of the parts that newer runs leave of older ones.
    const spool = await this.#openSpool(2 * runs.count * RUN_SIZE + (this.#spilled?.spooledBytes ?? 0));
    this.#spilled = await SpilledRuns.merge(this.#spilled, runs, pageSize, link, spool);
  }

  /** Takes all runs out. Only while they are in memory. */
  take(): PageRuns {
    const runs = this.#runs;
    this.#runs = NO_RUNS;
    return runs;
  }

  /** All runs, in order and in lists of bounded length. */
  async *all(): AsyncGenerator<PageRuns> {
    if (!this.#spilled) yield this.#runs;
    else for (const leaf of this.#spilled.leaves()) yield await this.#spilled.load(leaf);
  }

  /** Runs, or parts of them, from `start` to before `end`, in order. */
  async *within(start: number, end: number, pageSize: number): AsyncGenerator<PageRuns> {
    if (!this.#spilled) yield sliceRuns(this.#runs, start, end, pageSize);
    else
      for (const leaf of this.#spilled.leavesOf(start, end))
        yield sliceRuns(await this.#spilled.load(leaf), start, end, pageSize);
  }

  async close(): Promise<void> {
    this.#runs = NO_RUNS;
    await this.#spilled?.close();
  }
}
