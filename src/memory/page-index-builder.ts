import { DecodeError } from '../bytes/diagnostic.ts';
import {
  CODE_BITS,
  CODE_MASK,
  COMPRESSED,
  DELTA,
  DISCARDED,
  FILL,
  MAX_SOURCES,
  PACKED,
  PAYLOAD,
  type PageRuns,
  PLAIN,
  SPOOLED,
  UNDECODABLE,
  ZERO,
} from '../ram/page-runs.ts';
import type { PageKind, PageSink, PageSource } from '../ram/page-sink.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { RunStack } from '../ram/run-stack.ts';
import { targetPageSizes } from '../ram/target-page-size.ts';
import { tryDecodePage } from './decode-page.ts';
import type { Inflater } from './inflater.ts';
import { type IndexedBlock, PageIndex } from './page-index.ts';
import { RunStore } from './run-store.ts';
import { memorySpool, type OpenSpool, type Spool } from './spool.ts';
import { XbzrleDeltas } from './xbzrle-deltas.ts';

/** Bytes of an index beyond which it is moved to a spool. */
const INDEX_LIMIT = 128 << 20;
/** Blocks begin at multiples of the largest page size, and have that much behind them that is no block. */
const ALIGNMENT = Math.max(...targetPageSizes);

export interface MemoryOptions {
  /** Decompresses pages. */
  readonly inflater?: Inflater;
  /** Where to keep what takes too much memory; in memory, as far as it goes, unless it is given. */
  readonly openSpool?: OpenSpool;
  /** Bytes of an index, and of XBZRLE deltas, beyond which it is moved to a spool: 128 MiB unless it is given. */
  readonly indexLimit?: number;
}

/** Page sizes that a scan may believe in, one after another. */
const MAX_PAGE_SIZES = 8;

interface KnownBlock extends IndexedBlock {
  block: RamBlock;
  address: number;
  /** Bytes up to the next block. */
  room: number;
}

/** Makes the index of a stream's pages while it is scanned. */
export class PageIndexBuilder implements PageSink {
  readonly needsContent = true;
  readonly #inflater: Inflater | undefined;
  readonly #openSpool: OpenSpool;
  readonly #limit: number;
  readonly #blocks = new Map<string, KnownBlock>();
  #end = 0;
  readonly #sources: PageSource[] = [];
  readonly #deltas = new XbzrleDeltas();
  readonly #link = (delta: number, kind: number, value: number) => this.#deltas.link(delta, kind, value);
  readonly #store: RunStore;
  readonly #spools: Spool[] = [];
  #pageSize = 0;
  #pageSizes = 0;
  /** What came since runs were put into the store last. */
  #recent: RunStack;
  // Of the pages before.
  #last: KnownBlock | undefined;
  #source: PageSource | undefined;
  #sourceBits = 0;

  constructor({ inflater, openSpool, indexLimit = INDEX_LIMIT }: MemoryOptions = {}) {
    this.#inflater = inflater;
    this.#openSpool = openSpool ?? (async () => memorySpool());
    this.#limit = indexLimit;
    this.#store = new RunStore(indexLimit / 2, this.#openSpool);
    this.#recent = new RunStack(0, this.#link);
  }

  pages(
    block: RamBlock,
    offset: number,
    count: number,
    kind: PageKind,
    pageSize: number,
    value: number,
    from: PageSource,
  ): void {
    const known = this.#last?.block === block ? this.#last : this.#enter(block);
    // The bitmaps say where those pages are.
    if (kind === 'mapped') return;
    if (pageSize !== this.#pageSize) this.#changePageSize(pageSize);
    const start = known.address + offset;
    const end = start + count * pageSize;
    switch (kind) {
      case 'zero':
        this.#recent.put(start, end, ZERO, 0);
        return;
      case 'fill':
        this.#recent.put(start, end, FILL, value);
        return;
      case 'plain': {
        const code = from.packets ? PAYLOAD : from.hasRecords ? PLAIN : PACKED;
        this.#recent.put(start, end, code | this.#bitsOf(from), value);
        return;
      }
      case 'compressed':
        this.#recent.put(start, end, COMPRESSED | this.#bitsOf(from), value);
        return;
      case 'xbzrle':
        this.#recent.put(start, end, DELTA | this.#bitsOf(from), this.#deltas.add(value));
    }
  }

  discard(block: RamBlock, start: number, end: number): void {
    const { address } = this.#enter(block);
    const unit = this.#pageSize || 1;
    const from = Math.floor(start / unit) * unit;
    this.#recent.put(address + from, address + Math.ceil(end / unit) * unit, DISCARDED, 0);
  }

  drain(): Promise<void> | undefined {
    // A quarter for each, and the rest for the store.
    const most = this.#limit / 4;
    if (this.#recent.byteLength <= most && this.#deltas.byteLength <= most) return undefined;
    return this.#relieve();
  }

  /**
   * `pageSize` is what the stream has shown in the end. Throws what the spool throws, and DecodeError `bad-ram` and
   * `unsupported` where the lengths of blocks are none that can be.
   */
  async finish(pageSize: number | undefined, blocks: readonly RamBlock[]): Promise<PageIndex> {
    if (pageSize !== undefined && pageSize !== this.#pageSize) this.#changePageSize(pageSize);
    for (const block of blocks) this.#enter(block);
    await this.#settle();
    return new PageIndex({
      pageSize: this.#pageSize || undefined,
      blocks: [...this.#blocks.values()].sort((a, b) => a.address - b.address),
      sources: this.#sources,
      deltas: this.#deltas,
      spools: this.#spools,
      store: this.#store,
    });
  }

  #enter(block: RamBlock): KnownBlock {
    let known = this.#blocks.get(block.idstr);
    const room = Math.ceil(block.length / ALIGNMENT + 1) * ALIGNMENT;
    if (!known) {
      known = { block, address: this.#allocate(room), room };
      this.#blocks.set(block.idstr, known);
    }
    if (room > known.room) this.#move(known, room);
    known.block = block;
    this.#last = known;
    return known;
  }

  #allocate(room: number): number {
    const address = this.#end;
    this.#end += room;
    if (this.#end <= Number.MAX_SAFE_INTEGER) return address;
    const message = `RAMBlocks of ${this.#end} bytes together: more than any guest has`;
    throw new DecodeError({ severity: 'error', code: 'bad-ram', section: 'ram', message });
  }

  /** A block that a later list says is longer gets another place, and its runs with it. */
  #move(known: KnownBlock, room: number): void {
    const { address, room: before } = known;
    known.address = this.#allocate(room);
    known.room = room;
    const by = known.address - address;
    this.#remake((start, end, put) => {
      const isIn = start >= address && start < address + before;
      put(isIn ? start + by : start, isIn ? end + by : end);
    });
  }

  /**
   * The scan believed in another page size until now. It does so while all pages are zero, so that nothing tells; their
   * offsets are right, but each is longer, or shorter.
   */
  #changePageSize(pageSize: number): void {
    if (++this.#pageSizes > MAX_PAGE_SIZES) {
      const message = 'pages of one size, and then another, again and again';
      throw new DecodeError({ severity: 'error', code: 'bad-ram', section: 'ram', message });
    }
    const before = this.#pageSize;
    this.#pageSize = pageSize;
    this.#remake((start, end, put, kind) => {
      const code = kind & CODE_MASK;
      if (code !== DISCARDED && code !== ZERO && code !== FILL) return;
      if (code === DISCARDED || pageSize > before) {
        put(Math.floor(start / pageSize) * pageSize, Math.ceil(end / pageSize) * pageSize);
      } else for (let page = start; page < end; page += before) put(page, page + pageSize);
    });
  }

  /** Puts all runs anew, as `change` says. */
  #remake(
    change: (start: number, end: number, put: (start: number, end: number) => void, kind: number) => void,
  ): void {
    if (this.#store.isSpilled) {
      const message = 'the page size, or the length of a RAMBlock, changes too late in this stream';
      throw new DecodeError({ severity: 'error', code: 'unsupported', section: 'ram', message });
    }
    const lists: PageRuns[] = [this.#store.take(), this.#recent.take()];
    this.#recent = new RunStack(this.#pageSize, this.#link);
    for (const { count, start, end, kind, value } of lists)
      for (let i = 0; i < count; i++)
        change(start[i]!, end[i]!, (from, to) => this.#recent.put(from, to, kind[i]!, value[i]!), kind[i]!);
  }

  #bitsOf(from: PageSource): number {
    if (from === this.#source) return this.#sourceBits;
    let index = this.#sources.indexOf(from);
    if (index < 0) index = this.#sources.push(from) - 1;
    if (index >= MAX_SOURCES) {
      const message = `pages of more than ${MAX_SOURCES} channels`;
      throw new DecodeError({ severity: 'error', code: 'unsupported', message });
    }
    this.#source = from;
    this.#sourceBits = index << CODE_BITS;
    return this.#sourceBits;
  }

  async #settle(): Promise<void> {
    await this.#store.put(this.#recent.take(), this.#pageSize, this.#link);
  }

  async #relieve(): Promise<void> {
    await this.#settle();
    if (this.#deltas.byteLength > this.#limit / 4) await this.#decodeDeltas();
  }

  /** Puts the pages that end with a delta together and keeps them in a spool, so that the deltas can be forgotten. */
  async #decodeDeltas(): Promise<void> {
    const pageSize = this.#pageSize;
    const decoded = new RunStack(pageSize);
    const index = { pageSize, sources: this.#sources, spools: this.#spools, deltas: this.#deltas };
    let spool: Spool | undefined = this.#spools[0];
    for await (const { count, start, end, kind, value } of this.#store.all()) {
      for (let i = 0; i < count; i++) {
        if ((kind[i]! & CODE_MASK) !== DELTA) continue;
        if (!spool) {
          spool = await this.#openSpool(this.#deltas.count * pageSize);
          this.#spools.push(spool);
        }
        const page = await tryDecodePage(index, kind[i]!, value[i]!, this.#inflater);
        if (page) await spool.write(start[i]!, page);
        decoded.put(start[i]!, end[i]!, page ? SPOOLED : UNDECODABLE, page ? start[i]! : 0);
      }
    }
    await this.#store.put(decoded.take(), pageSize);
    this.#deltas.clear();
  }
}
