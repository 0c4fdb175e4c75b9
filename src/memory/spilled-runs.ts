import { type LinkDelta, overlay, type PageRuns, RUN_SIZE, sliceRuns } from '../ram/page-runs.ts';
import type { Spool } from './spool.ts';

/** Runs that are written together. */
const LEAF_RUNS = 1 << 13;

/** Runs of neighbouring pages in the spool. */
interface Leaf {
  /** Address of its first run. */
  readonly start: number;
  readonly offset: number;
  readonly count: number;
}

/** Runs that were moved from memory to a spool, in order of their addresses. */
export class SpilledRuns {
  readonly #spool: Spool;
  readonly #leaves: readonly Leaf[];
  #last: { readonly leaf: Leaf; readonly runs: PageRuns } | undefined;

  private constructor(spool: Spool, leaves: readonly Leaf[]) {
    this.#spool = spool;
    this.#leaves = leaves;
  }

  /** Bytes that it takes in memory. */
  get byteLength(): number {
    return this.#leaves.length * 3 * 8;
  }

  /** Bytes that it takes in the spool. */
  get spooledBytes(): number {
    return this.#leaves.reduce((sum, { count }) => sum + count * RUN_SIZE, 0);
  }

  /** Puts newer runs over those of `older`, which is not to be used any more. Throws what the spool throws. */
  static async merge(
    older: SpilledRuns | undefined,
    newer: PageRuns,
    pageSize: number,
    link: LinkDelta,
    spool: Spool,
  ): Promise<SpilledRuns> {
    const leaves: Leaf[] = [];
    let offset = 0;
    const write = async (runs: PageRuns) => {
      for (let first = 0; first < runs.count; first += LEAF_RUNS) {
        const count = Math.min(LEAF_RUNS, runs.count - first);
        leaves.push({ start: runs.start[first]!, offset, count });
        await spool.write(offset, encode(runs, first, count));
        offset += count * RUN_SIZE;
      }
    };
    const old = older?.leaves() ?? [];
    if (old.length === 0) await write(newer);
    for (const [i, leaf] of old.entries()) {
      const from = i === 0 ? 0 : leaf.start;
      const to = old[i + 1]?.start ?? Number.POSITIVE_INFINITY;
      // A newer run that crosses the border is cut in two.
      await write(overlay(await older!.load(leaf), sliceRuns(newer, from, to, pageSize), pageSize, link));
    }
    await older?.close();
    return new SpilledRuns(spool, leaves);
  }

  leaves(): readonly Leaf[] {
    return this.#leaves;
  }

  /** The runs of a leaf; of the one that was asked for last without reading it again. */
  async load(leaf: Leaf): Promise<PageRuns> {
    if (this.#last?.leaf === leaf) return this.#last.runs;
    const bytes = new Uint8Array(leaf.count * RUN_SIZE);
    await this.#spool.read(leaf.offset, bytes);
    const runs = decode(bytes, leaf.count);
    this.#last = { leaf, runs };
    return runs;
  }

  /** Leaves that may have runs from `start` to before `end`. */
  leavesOf(start: number, end: number): readonly Leaf[] {
    const leaves = this.#leaves;
    let [from, to] = [0, leaves.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (leaves[middle]!.start <= start) from = middle + 1;
      else to = middle;
    }
    const found: Leaf[] = [];
    for (let i = Math.max(0, from - 1); i < leaves.length && leaves[i]!.start < end; i++)
      found.push(leaves[i]!);
    return found;
  }

  close(): Promise<void> {
    return this.#spool.close();
  }
}

/** Columns one behind the other. */
function encode({ start, end, value, kind }: PageRuns, first: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * RUN_SIZE);
  const wide = new Float64Array(bytes.buffer, 0, 3 * count);
  wide.set(start.subarray(first, first + count));
  wide.set(end.subarray(first, first + count), count);
  wide.set(value.subarray(first, first + count), 2 * count);
  new Uint16Array(bytes.buffer, 24 * count, count).set(kind.subarray(first, first + count));
  return bytes;
}

function decode({ buffer }: Uint8Array, count: number): PageRuns {
  return {
    count,
    start: new Float64Array(buffer, 0, count),
    end: new Float64Array(buffer, 8 * count, count),
    value: new Float64Array(buffer, 16 * count, count),
    kind: new Uint16Array(buffer, 24 * count, count),
  };
}
