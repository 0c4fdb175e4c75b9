import { badArgument, type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { type ByteSource, readExactly } from '../bytes/source.ts';
import {
  CODE_BITS,
  CODE_MASK,
  COMPRESSED,
  DELTA,
  DISCARDED,
  FILL,
  PACKED,
  PAYLOAD,
  type PageRuns,
  PLAIN,
  SPOOLED,
  strideOf,
  UNDECODABLE,
  valueBehind,
  ZERO,
} from '../ram/page-runs.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { RunStack } from '../ram/run-stack.ts';
import { tryDecodePage } from './decode-page.ts';
import { readMapped } from './encodings/mapped.ts';
import type { Inflater } from './inflater.ts';
import type { MemoryVisitor } from './memory-visitor.ts';
import type { IndexedBlock, PageIndex } from './page-index.ts';
import { visitPayloads } from './payload-pages.ts';
import { memorySpool, type OpenSpool, type Spool } from './spool.ts';
import { visitMapped, visitRuns } from './visit.ts';

/**
 * What is known of bytes of memory. `content` and `zero` are known; of the others nothing is. `never-sent`: no page is in
 * the stream, as with x-ignore-shared or where the stream is cut. `elsewhere`: pages went over channels that were not
 * given, so that the stream says nothing of any. `discarded`: postcopy took the page back, and it did not come again.
 * `undecodable`: the page is there, and damaged, or in an encoding that cannot be read.
 */
export type MemoryState = 'content' | 'zero' | 'never-sent' | 'elsewhere' | 'discarded' | 'undecodable';

/** Bytes of a block from `offset` on, of which the same is known. */
export interface MemoryRange {
  readonly offset: number;
  readonly length: number;
  readonly state: MemoryState;
}

/** What was read of memory. */
export interface MemoryBytes {
  /** Zeros where nothing is known. */
  readonly bytes: Uint8Array;
  /** In order, without gaps. */
  readonly ranges: readonly MemoryRange[];
  /** Whether all of it is known. */
  readonly isKnown: boolean;
}

/** Is it known of all of them what is there? */
export function areKnown(ranges: readonly { readonly state: string }[]): boolean {
  return ranges.every(({ state }) => state === 'content' || state === 'zero');
}

/** Bytes of a block. */
export interface BlockRange {
  readonly block: string;
  readonly offset: number;
  readonly length: number;
}

export interface GuestMemoryOptions {
  readonly inflater?: Inflater | undefined;
  readonly openSpool?: OpenSpool | undefined;
  /** Pages went over channels that were not given. */
  readonly isElsewhere?: boolean;
}

interface OpenedSpool {
  readonly spool: Spool;
  /** Of runs of pages that are in it. */
  readonly kind: number;
}

/** Bytes of decoded pages that need no spool other than one in memory. */
const SMALL_SPOOL = 16 << 20;
/** Bytes that are read at a time of pages with something between them. */
const READ_SIZE = 512 << 10;

/**
 * The memory of a guest as a stream holds it, whatever the encoding: the last version of each page, to be read at any
 * place or as a whole. Reading is in a source or a spool; nothing of the memory is kept.
 */
export class GuestMemory {
  readonly index: PageIndex;
  readonly #source: ByteSource;
  readonly #inflater: Inflater | undefined;
  readonly #openSpool: OpenSpool;
  readonly #isElsewhere: boolean;
  /** What decompressed pages are kept in: in memory while they are few. Pages are at their addresses in both. */
  #fewPages: OpenedSpool | undefined;
  #manyPages: OpenedSpool | undefined;
  /** Bytes in memory. */
  #fewBytes = 0;
  #isClosed = false;
  /** The page that was decoded last. */
  #decoded:
    | { readonly kind: number; readonly value: number; readonly page: Uint8Array | undefined }
    | undefined;

  /** `source` is the main stream. */
  constructor(
    source: ByteSource,
    index: PageIndex,
    { inflater, openSpool, isElsewhere = false }: GuestMemoryOptions = {},
  ) {
    this.#source = source;
    this.index = index;
    this.#inflater = inflater;
    this.#openSpool = openSpool ?? (async () => memorySpool());
    this.#isElsewhere = isElsewhere;
  }

  /** RAMBlocks in the order in which they were announced. */
  get blocks(): readonly RamBlock[] {
    return this.index.blocks.map(({ block }) => block);
  }

  /** TARGET_PAGE_SIZE, bytes; undefined in a stream without a page. */
  get pageSize(): number | undefined {
    return this.index.pageSize;
  }

  /**
   * Reads `length` bytes of a block from `offset` on. Pages of multifd channels that are compressed are decompressed and
   * put into a spool first, all of them, unless `prepare` was called.
   *
   * Throws DecodeError: `bad-argument` for bytes that no block has, and where it was closed, `io` where source or spool fails.
   */
  read(idstr: string, offset: number, length: number): Promise<MemoryBytes> {
    return this.#whileOpen(() => this.#read(idstr, offset, length));
  }

  async #read(idstr: string, offset: number, length: number): Promise<MemoryBytes> {
    const placed = this.#placed({ block: idstr, offset, length });
    const into = new Uint8Array(length);
    const ranges: MemoryRange[] = [];
    const note = (state: MemoryState, bytes: number) => {
      const last = ranges.at(-1);
      const at = last ? last.offset + last.length : offset;
      if (last?.state === state) ranges[ranges.length - 1] = { ...last, length: last.length + bytes };
      else if (bytes > 0) ranges.push({ offset: at, length: bytes, state });
    };
    const { mapped } = placed.block;
    if (mapped) await readMapped(this.#source, placed.block, mapped, offset, into, note);
    else await this.#readIndexed(placed, offset, into, note);
    return { bytes: into, ranges, isKnown: areKnown(ranges) };
  }

  /**
   * Decompresses pages of multifd channels, and keeps them in a spool: those of `ranges`, or all. Throws DecodeError `io`
   * where there is no room, or source or spool fails; pages that cannot be decompressed are `undecodable` from then on.
   * Returns what is wrong with the channels.
   */
  prepare(ranges?: readonly BlockRange[]): Promise<readonly Diagnostic[]> {
    return this.#whileOpen(() => this.#prepare(ranges));
  }

  async #prepare(ranges?: readonly BlockRange[]): Promise<readonly Diagnostic[]> {
    const runs = await this.#payloads(ranges);
    if (runs.count === 0) return [];
    const pageSize = this.pageSize ?? 0;
    let needed = 0;
    for (let i = 0; i < runs.count; i++) needed += runs.end[i]! - runs.start[i]!;
    const { spool, kind } = await this.#pageSpool(needed);
    const known = new RunStack(pageSize);
    const diagnostics = await visitPayloads(this.index, runs, this.#inflater, {
      toTheEnd: ranges === undefined,
      async take(start, bytes) {
        await spool.write(start, bytes);
        known.put(start, start + bytes.length, kind, start);
      },
      lose: (start, end) => known.put(start, end, UNDECODABLE, 0),
    });
    await this.index.put(known.take());
    return diagnostics;
  }

  /** Where decompressed pages of so many bytes are to go. */
  async #pageSpool(needed: number): Promise<OpenedSpool> {
    const { spools } = this.index;
    const add = (spool: Spool): OpenedSpool => ({
      spool,
      kind: SPOOLED | ((spools.push(spool) - 1) << CODE_BITS),
    });
    if (this.#fewBytes + needed <= SMALL_SPOOL) {
      this.#fewBytes += needed;
      this.#fewPages ??= add(memorySpool());
      return this.#fewPages;
    }
    this.#manyPages ??= add(await this.#openSpool(needed));
    return this.#manyPages;
  }

  /**
   * Gives all that was sent of memory to a visitor: what stands in the stream in the order in which it stands there, so
   * that it is read from its start to its end, and all else before or behind that. Pages that were never sent are left
   * out, and so are those of mapped-ram that are zero. Returns what is wrong with pages that cannot be decoded.
   * `onProgress` is called with the bytes of memory that were visited. Throws DecodeError `io`, and what the visitor
   * throws.
   */
  visit(visitor: MemoryVisitor, onProgress?: (bytes: number) => void): Promise<readonly Diagnostic[]> {
    return this.#whileOpen(() => this.#visit(visitor, onProgress));
  }

  /** Whether anything of a block was sent. Throws DecodeError `bad-argument` where there is no such block. */
  holds(idstr: string): Promise<boolean> {
    return this.#whileOpen(async () => {
      const { block, address } = this.#placed({ block: idstr, offset: 0, length: 0 });
      if (block.mapped) return true;
      for await (const { count, kind } of this.index.runsWithin(address, address + block.length))
        for (let i = 0; i < count; i++)
          if (!this.#isElsewhere || (kind[i]! & CODE_MASK) !== ZERO) return true;
      return false;
    });
  }

  async #visit(
    visitor: MemoryVisitor,
    onProgress: ((bytes: number) => void) | undefined,
  ): Promise<readonly Diagnostic[]> {
    const diagnostics: Diagnostic[] = [];
    const visit = { visitor, index: this.index, inflater: this.#inflater, diagnostics, onProgress };
    for (const { block } of this.index.blocks)
      if (block.mapped) await visitMapped(visit, this.#source, block, block.mapped);
    // In many lists, channels would be decompressed for each.
    if (this.index.isSpilled) diagnostics.push(...(await this.#prepare()));
    for await (const runs of this.index.runs()) await visitRuns(visit, runs);
    return diagnostics;
  }

  /** Closes what was opened for it: not its sources. What is asked of it then, or was not answered yet, throws. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.index.close();
  }

  /** What comes of something that needs the index and its spools. */
  async #whileOpen<T>(work: () => Promise<T>): Promise<T> {
    const refuseClosed = () => {
      if (this.#isClosed) throw badArgument('the memory of this guest was closed');
    };
    refuseClosed();
    try {
      const result = await work();
      refuseClosed();
      return result;
    } catch (error) {
      refuseClosed();
      throw error;
    }
  }

  #placed({ block, offset, length }: BlockRange): IndexedBlock {
    const placed = this.index.block(block);
    if (!placed) throw badArgument(`there is no RAMBlock '${printable(block)}'`);
    const isInside =
      Number.isSafeInteger(offset) && length >= 0 && offset >= 0 && offset <= placed.block.length - length;
    if (isInside && Number.isSafeInteger(length)) return placed;
    const size = placed.block.length;
    throw badArgument(`${length} bytes at ${offset} of RAMBlock '${printable(block)}', which has ${size}`);
  }

  async #readIndexed(
    { address }: IndexedBlock,
    offset: number,
    into: Uint8Array,
    note: (state: MemoryState, bytes: number) => void,
  ): Promise<void> {
    const absent = this.#isElsewhere ? 'elsewhere' : 'never-sent';
    const start = address + offset;
    const end = start + into.length;
    const pageSize = this.pageSize ?? 1;
    let at = start;
    const whole = [Math.floor(start / pageSize) * pageSize, Math.ceil(end / pageSize) * pageSize] as const;
    for await (const runs of this.#readable(...whole)) {
      for (let i = 0; i < runs.count; i++) {
        const from = Math.max(start, runs.start[i]!);
        const to = Math.min(end, runs.end[i]!);
        if (from >= to) continue;
        note(absent, from - at);
        const part = into.subarray(from - start, to - start);
        note(await this.#readRun(runs.kind[i]!, runs.value[i]!, from - runs.start[i]!, part), to - from);
        at = to;
      }
    }
    note(absent, end - at);
  }

  /** Runs of a range, after pages were decompressed that have to be. */
  async *#readable(start: number, end: number): AsyncGenerator<PageRuns> {
    for await (const runs of this.index.runsWithin(start, end)) {
      const hasPayloads = runs.kind.some((kind) => (kind & CODE_MASK) === PAYLOAD);
      if (hasPayloads) await this.#prepare();
      if (hasPayloads) yield* this.index.runsWithin(runs.start[0]!, runs.end[runs.count - 1]!);
      else yield runs;
    }
  }

  /** Fills `into` with what is `skipped` bytes behind the start of a run. */
  async #readRun(kind: number, value: number, skipped: number, into: Uint8Array): Promise<MemoryState> {
    switch (kind & CODE_MASK) {
      case ZERO:
        return this.#isElsewhere ? 'elsewhere' : 'zero';
      case FILL:
        into.fill(value);
        return 'content';
      case PLAIN:
      case PACKED:
        await this.#readStrided(kind, value, skipped, into);
        return 'content';
      case SPOOLED:
        await this.index.spools[kind >> CODE_BITS]!.read(value + skipped, into);
        return 'content';
      case COMPRESSED:
      case DELTA: {
        const page = await this.#decode(kind, value);
        if (!page) return 'undecodable';
        into.set(page.subarray(skipped, skipped + into.length));
        return 'content';
      }
      case DISCARDED:
        return 'discarded';
      default:
        return 'undecodable';
    }
  }

  async #readStrided(kind: number, value: number, skipped: number, into: Uint8Array): Promise<void> {
    const { source } = this.index.sources[kind >> CODE_BITS]!;
    const pageSize = this.pageSize!;
    const gap = strideOf(kind, pageSize) - pageSize;
    if (gap === 0) {
      into.set(await readExactly(source, value + skipped, into.length));
      return;
    }
    const most = Math.floor(READ_SIZE / pageSize);
    for (let done = 0; done < into.length; ) {
      const inside = (skipped + done) % pageSize;
      const pages = Math.min(most, Math.ceil((inside + into.length - done) / pageSize));
      const length = Math.min(pages * pageSize - inside, into.length - done);
      const place = valueBehind(kind, value, skipped + done - inside, pageSize) + inside;
      const bytes = await readExactly(source, place, length + (pages - 1) * gap);
      let from = 0;
      for (let page = 0; page < pages; page++) {
        const part = Math.min(page === 0 ? pageSize - inside : pageSize, into.length - done);
        into.set(bytes.subarray(from, from + part), done);
        done += part;
        from += part + gap;
      }
    }
  }

  async #decode(kind: number, value: number): Promise<Uint8Array | undefined> {
    if (this.#decoded?.kind === kind && this.#decoded.value === value) return this.#decoded.page;
    const page = await tryDecodePage(this.index, kind, value, this.#inflater);
    this.#decoded = { kind, value, page };
    return page;
  }

  /** Pages that are in what multifd payloads decompress to: those that `ranges` touch, or all. */
  async #payloads(ranges: readonly BlockRange[] | undefined): Promise<PageRuns> {
    const pageSize = this.pageSize ?? 0;
    const found = new RunStack(pageSize);
    const add = async (lists: AsyncGenerator<PageRuns>) => {
      for await (const { count, start, end, kind, value } of lists)
        for (let i = 0; i < count; i++)
          if ((kind[i]! & CODE_MASK) === PAYLOAD) found.put(start[i]!, end[i]!, kind[i]!, value[i]!);
    };
    if (!ranges) await add(this.index.runs());
    for (const range of ranges ?? []) {
      const { address } = this.#placed(range);
      const from = Math.floor((address + range.offset) / pageSize) * pageSize;
      const to = Math.ceil((address + range.offset + range.length) / pageSize) * pageSize;
      await add(this.index.runsWithin(from, to));
    }
    return found.take();
  }
}
