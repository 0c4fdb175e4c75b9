import type { Range } from '../bytes/range.ts';
import type { PageSink } from './page-sink.ts';
import type { RamBlock } from './ram-block.ts';

/** Pages that one word list follows: few, as pages that are asked for lie apart. */
const CHUNK_PAGES = 512;
/** Ranges of one block that are listed. */
const MAX_RANGES = 64;

/** Pages of a RAMBlock that were discarded and did not come again. Offsets in the block, bytes. */
export interface MissingPages {
  readonly block: string;
  readonly pages: number;
  /** The first ranges, in order, and how many there are in all. */
  readonly ranges: readonly Range[];
  readonly rangeCount: number;
}

interface Discarded {
  readonly ranges: Range[];
  /** In order and without overlaps, once they were asked for. */
  merged?: readonly Range[] | undefined;
  /** A bit for each page that came after it; memory is taken by pages that are in the stream only. */
  readonly chunks: Map<number, Uint32Array>;
}

/**
 * The pages that MIG_CMD_POSTCOPY_RAM_DISCARD takes back: they were sent, and then written to, so that what was sent is
 * of no use (migration/ram.c, ram_postcopy_send_discard_bitmap and ram_discard_range). Each has to come again behind the
 * switch to postcopy.
 */
export class DiscardedPages {
  readonly #blocks = new Map<string, Discarded>();
  #pageSize = 0;

  /** Takes ranges of a RAMBlock back, in bytes, also those that came again after an earlier command. */
  discard(block: RamBlock, ranges: Iterable<{ readonly start: bigint; readonly length: bigint }>): void {
    let discarded = this.#blocks.get(block.idstr);
    if (!discarded) {
      discarded = { ranges: [], chunks: new Map() };
      this.#blocks.set(block.idstr, discarded);
    }
    discarded.merged = undefined;
    const most = BigInt(block.length);
    for (const { start, length } of ranges) {
      const end = start + length < most ? start + length : most;
      if (start < end) discarded.ranges.push({ start: Number(start), end: Number(end) });
    }
  }

  /** What the pages pass on their way to another sink. */
  sink(inner: PageSink | undefined): PageSink {
    const put = (block: RamBlock, offset: number, pageSize: number) => this.#put(block, offset, pageSize);
    return {
      wantsData: inner !== undefined && inner.wantsData !== false,
      section: (type) => inner?.section?.(type),
      postcopy: () => inner?.postcopy?.(),
      synchronised: () => inner?.synchronised?.(),
      page(block, offset, kind, data, fill, pageSize) {
        put(block, offset, pageSize);
        inner?.page(block, offset, kind, data, fill, pageSize);
      },
      ...(inner?.pages
        ? {
            pages(block, offset, count, bytes, start, stride, pageSize) {
              for (let i = 0; i < count; i++) put(block, offset + i * pageSize, pageSize);
              inner.pages?.(block, offset, count, bytes, start, stride, pageSize);
            },
          }
        : {}),
    };
  }

  /** Is the page of a byte of a RAMBlock missing so far? */
  has(idstr: string, offset: number): boolean {
    const discarded = this.#blocks.get(idstr);
    if (!discarded || this.#cameAgain(discarded, offset)) return false;
    discarded.merged ??= merge(discarded.ranges);
    const { merged } = discarded;
    let [from, to] = [0, merged.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (merged[middle]!.end <= offset) from = middle + 1;
      else to = middle;
    }
    return (merged[from]?.start ?? Number.POSITIVE_INFINITY) <= offset;
  }

  /** What is missing so far, without blocks that miss nothing. `pageSize` is for streams without a page behind. */
  missing(pageSize: number): MissingPages[] {
    const found: MissingPages[] = [];
    const unit = this.#pageSize || pageSize;
    for (const [block, { ranges, chunks }] of this.#blocks) {
      const listed: Range[] = [];
      let rangeCount = 0;
      let bytes = 0;
      for (const range of subtract(merge(ranges), pagesThatCame(chunks, unit))) {
        if (rangeCount++ < MAX_RANGES) listed.push(range);
        bytes += range.end - range.start;
      }
      if (bytes > 0) found.push({ block, pages: Math.ceil(bytes / unit), ranges: listed, rangeCount });
    }
    return found;
  }

  #cameAgain({ chunks }: Discarded, offset: number): boolean {
    if (this.#pageSize === 0) return false;
    const page = Math.floor(offset / this.#pageSize);
    const chunk = chunks.get(Math.floor(page / CHUNK_PAGES));
    const bit = page % CHUNK_PAGES;
    return chunk !== undefined && ((chunk[bit >> 5]! >>> (bit & 31)) & 1) !== 0;
  }

  #put({ idstr }: RamBlock, offset: number, pageSize: number): void {
    const discarded = this.#blocks.get(idstr);
    if (!discarded) return;
    if (this.#pageSize === 0) this.#pageSize = pageSize;
    const page = Math.floor(offset / this.#pageSize);
    const index = Math.floor(page / CHUNK_PAGES);
    let chunk = discarded.chunks.get(index);
    if (!chunk) {
      chunk = new Uint32Array(CHUNK_PAGES / 32);
      discarded.chunks.set(index, chunk);
    }
    const bit = page % CHUNK_PAGES;
    chunk[bit >> 5]! |= 1 << (bit & 31);
  }
}

/** Ranges in order, without overlaps. */
function merge(ranges: readonly Range[]): Range[] {
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}

function* pagesThatCame(chunks: ReadonlyMap<number, Uint32Array>, unit: number): Generator<Range> {
  let run: { start: number; end: number } | undefined;
  for (const index of [...chunks.keys()].sort((a, b) => a - b)) {
    const words = chunks.get(index)!;
    for (let bit = 0; bit < CHUNK_PAGES; bit++) {
      if (((words[bit >> 5]! >>> (bit & 31)) & 1) === 0) continue;
      const start = (index * CHUNK_PAGES + bit) * unit;
      if (run?.end === start) run.end += unit;
      else {
        if (run) yield run;
        run = { start, end: start + unit };
      }
    }
  }
  if (run) yield run;
}

/** What of `ranges` is in none of `others`; both in order and without overlaps. */
function* subtract(ranges: readonly Range[], others: Iterable<Range>): Generator<Range> {
  const left = others[Symbol.iterator]();
  let other = left.next();
  for (const { start, end } of ranges) {
    let from = start;
    while (!other.done && other.value.start < end) {
      if (other.value.start > from) yield { start: from, end: other.value.start };
      from = Math.max(from, other.value.end);
      if (other.value.end > end) break;
      other = left.next();
    }
    if (from < end) yield { start: from, end };
  }
}
