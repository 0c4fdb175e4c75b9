import type { Range } from '../bytes/range.ts';
import { DISCARDED, type PageRuns, ZERO } from './page-runs.ts';
import type { PageKind, PageSink } from './page-sink.ts';
import type { RamBlock } from './ram-block.ts';
import { RunStack } from './run-stack.ts';

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

/**
 * The pages that MIG_CMD_POSTCOPY_RAM_DISCARD takes back: they were sent, and then written to, so that what was sent is
 * of no use (migration/ram.c, ram_postcopy_send_discard_bitmap and ram_discard_range). Each has to come again behind the
 * switch to postcopy. What comes again makes the runs of those that miss shorter: that takes memory by what is sent.
 */
export class DiscardedPages implements PageSink {
  readonly needsContent = false;
  /** Of blocks of which something was discarded, by idstr; an address is the offset in the block. */
  readonly #blocks = new Map<string, RunStack>();
  #pageSize = 0;

  discard({ idstr }: RamBlock, start: number, end: number): void {
    let runs = this.#blocks.get(idstr);
    if (!runs) {
      runs = new RunStack(0);
      this.#blocks.set(idstr, runs);
    }
    runs.put(start, end, DISCARDED, 0);
  }

  pages({ idstr }: RamBlock, offset: number, count: number, _kind: PageKind, pageSize: number): void {
    this.#pageSize ||= pageSize;
    // What it is does not matter, but that it came.
    this.#blocks.get(idstr)?.put(offset, offset + count * pageSize, ZERO, 0);
  }

  /** What is missing so far, without blocks that miss nothing. `pageSize` is for streams without a page behind. */
  missing(pageSize: number): MissingPages[] {
    const unit = this.#pageSize || pageSize;
    return [...this.#blocks].flatMap(([block, runs]) => missingOf(block, runs.list(), unit));
  }
}

function missingOf(block: string, { count, start, end, kind }: PageRuns, unit: number): MissingPages[] {
  const ranges: Range[] = [];
  let rangeCount = 0;
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    if (kind[i] !== DISCARDED) continue;
    if (rangeCount++ < MAX_RANGES) ranges.push({ start: start[i]!, end: end[i]! });
    bytes += end[i]! - start[i]!;
  }
  return bytes === 0 ? [] : [{ block, pages: Math.ceil(bytes / unit), ranges, rangeCount }];
}
