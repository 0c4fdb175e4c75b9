import type { PageRuns } from '../ram/page-runs.ts';
import type { PageSource } from '../ram/page-sink.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import type { RunStore } from './run-store.ts';
import type { Spool } from './spool.ts';
import type { XbzrleDeltas } from './xbzrle-deltas.ts';

/** A RAMBlock, and where its bytes are among those of all blocks. */
export interface IndexedBlock {
  readonly block: RamBlock;
  /** Of its first byte. */
  readonly address: number;
}

/**
 * Where the last version of every page of a stream stands: runs of pages, of which each takes 26 bytes, whatever its
 * length. Nothing is in it of the pages of mapped-ram, whose bitmaps are in the stream.
 */
export class PageIndex {
  /** TARGET_PAGE_SIZE, bytes; undefined in a stream without a page. */
  readonly pageSize: number | undefined;
  readonly blocks: readonly IndexedBlock[];
  /** What runs of kind PLAIN, PACKED, COMPRESSED, DELTA and PAYLOAD are in. */
  readonly sources: readonly PageSource[];
  readonly deltas: XbzrleDeltas;
  /** What runs of kind SPOOLED are in. */
  readonly spools: Spool[];
  readonly #store: RunStore;
  readonly #addresses: ReadonlyMap<string, IndexedBlock>;

  constructor(parts: {
    readonly pageSize: number | undefined;
    readonly blocks: readonly IndexedBlock[];
    readonly sources: readonly PageSource[];
    readonly deltas: XbzrleDeltas;
    readonly spools: Spool[];
    readonly store: RunStore;
  }) {
    this.pageSize = parts.pageSize;
    this.blocks = parts.blocks;
    this.sources = parts.sources;
    this.deltas = parts.deltas;
    this.spools = parts.spools;
    this.#store = parts.store;
    this.#addresses = new Map(parts.blocks.map((placed) => [placed.block.idstr, placed]));
  }

  /** Bytes that it takes in memory. */
  get byteLength(): number {
    return this.#store.byteLength + this.deltas.byteLength;
  }

  /** Whether it was too large for memory. */
  get isSpilled(): boolean {
    return this.#store.isSpilled;
  }

  block(idstr: string): IndexedBlock | undefined {
    return this.#addresses.get(idstr);
  }

  /** The block that an address is in, or the last before it. */
  blockAt(address: number): IndexedBlock {
    let [from, to] = [0, this.blocks.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.blocks[middle]!.address <= address) from = middle + 1;
      else to = middle;
    }
    return this.blocks[from - 1]!;
  }

  /** All runs in order of their addresses, in lists of bounded length. Throws what the spool throws. */
  runs(): AsyncGenerator<PageRuns> {
    return this.#store.all();
  }

  /** The same of what is from address `start` to before `end`. */
  runsWithin(start: number, end: number): AsyncGenerator<PageRuns> {
    return this.#store.within(start, end, this.pageSize ?? 0);
  }

  /** Notes that pages are elsewhere now. Throws what the spool throws. */
  put(runs: PageRuns): Promise<void> {
    return this.#store.put(runs, this.pageSize ?? 0);
  }

  /** Closes the spools. */
  async close(): Promise<void> {
    await this.#store.close();
    for (const spool of this.spools.splice(0)) await spool.close();
  }
}
