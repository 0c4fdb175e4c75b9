import { type DecodeError, printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { Window } from '../bytes/window.ts';
import type { SectionType } from '../stream/records.ts';
import { MAX_BLOCKS, readBlockList } from './block-list.ts';
import type { ChannelSummary } from './channels.ts';
import { DiscardedPages, type MissingPages } from './discarded-pages.ts';
import { scanMappedPages } from './mapped-ram.ts';
import type { PageDelivery } from './multifd/channel.ts';
import {
  BLOCK_LIST,
  commonOffset,
  countPages,
  createPageLoop,
  END_OF_SECTION,
  MULTIFD_FLUSH,
  type PageLoop,
  putBlock,
  scanLoaded,
} from './page-loop.ts';
import { joinSinks, type PageKind, pageKinds } from './page-sink.ts';
import { findPageSize } from './page-size.ts';
import type { MappedRam, RamBlock } from './ram-block.ts';
import { RAM_SAVE_FLAG_EOS, RAM_SAVE_FLAG_MEM_SIZE, RAM_SAVE_FLAGS } from './ram-flags.ts';
import type { IterativeContext, SectionReader } from './scanner.ts';
import { requireVersion, sectionError } from './section-error.ts';
import { isTargetPageSize } from './target-page-size.ts';

/** The only version of the section since QEMU 0.14. */
const VERSION = 4;
/** Ranges of missing pages that a message names. */
const SHOWN_RANGES = 8;
/** Pages beyond their block that are left out one by one. */
const MAX_BAD_PAGES = 16;

/** Pages of one kind: how many, and the bytes that they take in the stream behind the record headers. */
export interface PageCount {
  pages: number;
  bytes: number;
}

export type PageCounts = Record<PageKind, PageCount>;

export interface RamBlockSummary extends RamBlock {
  readonly pages: PageCounts;
}

/** Records of one type of the section (START, PART, END). */
export interface RamSectionCount {
  sections: number;
  /** Pages of all kinds. */
  pages: number;
  /** Bytes of the bodies, from the first RAM record to behind EOS. */
  bytes: number;
}

export interface RamSummary {
  readonly kind: 'ram';
  /**
   * TARGET_PAGE_SIZE in bytes: as it was given, else as page contents showed it, else the largest that all page
   * offsets are multiples of. Undefined while there is nothing to tell it from.
   */
  readonly pageSize: number | undefined;
  /** Sum of the lengths in the block list, bytes. */
  readonly totalLength: number;
  readonly blocks: readonly RamBlockSummary[];
  /** Pages of all blocks. */
  readonly pages: PageCounts;
  /** Bytes of record headers (u64 and block name) and markers. */
  readonly headerBytes: number;
  /** Bytes of the block list, its record header included. */
  readonly blockListBytes: number;
  /** RAM_SAVE_FLAG_EOS, _MULTIFD_FLUSH and _HOOK records. */
  readonly eos: number;
  readonly multifdFlush: number;
  readonly hook: number;
  readonly sections: Readonly<Record<SectionType, RamSectionCount>>;
  /** Pages that postcopy discarded and that did not come again, in the channels neither. */
  readonly missing: readonly MissingPages[];
  /** The further connections, where they were given. Their pages are in no other count. */
  readonly channels?: readonly ChannelSummary[];
  /** The stream had pages, and they were taken out on purpose: of a profile. */
  readonly pagesLeftOut?: true;
}

/**
 * Scanner of the section `ram`, version 4 (migration/ram.c, ram_load). Throws DecodeError `unsupported` for other
 * versions when scanning starts, `bad-ram` for records that cannot be, `truncated` where the stream ends inside one.
 */
export function createRamScanner(context: IterativeContext): SectionReader<RamSummary> {
  return new RamScanner(context);
}

class RamScanner implements SectionReader<RamSummary> {
  readonly #context: IterativeContext;
  #pageSize: number | undefined;
  #totalLength = 0;
  #blockListBytes = 0;
  #badPages = 0;
  #discarded: DiscardedPages | undefined;
  readonly #loop: PageLoop;
  readonly #sections: Record<SectionType, RamSectionCount> = {
    SECTION_START: { sections: 0, pages: 0, bytes: 0 },
    SECTION_PART: { sections: 0, pages: 0, bytes: 0 },
    SECTION_END: { sections: 0, pages: 0, bytes: 0 },
    SECTION_FULL: { sections: 0, pages: 0, bytes: 0 },
  };

  constructor(context: IterativeContext) {
    this.#context = context;
    // What the stream says of itself may be wrong.
    const { pageSize } = context;
    this.#pageSize = pageSize !== undefined && isTargetPageSize(pageSize) ? pageSize : undefined;
    this.#loop = createPageLoop(context, this.#pageSize ?? 4096, context.sink, (error) =>
      this.#reportPage(error),
    );
  }

  async scan(window: Window, type: SectionType): Promise<void> {
    const start = window.offset;
    requireVersion(this.#context, VERSION, start);
    this.#context.sink?.section?.(type);
    const pagesBefore = this.#loop.pageCount;
    try {
      await this.#scanRecords(window);
    } finally {
      const count = this.#sections[type];
      count.sections++;
      count.pages += this.#loop.pageCount - pagesBefore;
      count.bytes += window.offset - start;
    }
  }

  async #scanRecords(window: Window): Promise<void> {
    // The block list comes first in its section: the page size need not be known for it.
    let sizeKnown = false;
    for (;;) {
      await window.require(8, 'a RAM record');
      if (isBlockList(window)) {
        await this.#readBlocks(window);
        continue;
      }
      if (!sizeKnown && !isEndOfSection(window)) {
        await this.#settlePageSize(window);
        sizeKnown = true;
      }
      let needed = scanLoaded(this.#loop, window);
      while (needed > 0) {
        const waiting = this.#loop.sink?.drain?.();
        if (waiting) await waiting;
        await window.require(needed, 'a RAM record');
        needed = scanLoaded(this.#loop, window);
      }
      if (needed === BLOCK_LIST) await this.#readBlocks(window);
      // Before QEMU 8.0, and for its machine types, the channels are waited for at the end of each record.
      if (needed === MULTIFD_FLUSH || (needed === END_OF_SECTION && this.#loop.multifdFlush === 0)) {
        await this.#syncChannels();
      }
      if (needed === END_OF_SECTION) return;
    }
  }

  async #syncChannels(): Promise<void> {
    const { channels } = this.#context;
    if (!channels) return;
    await channels.sync(this.#pageSize, this.#delivery());
    this.#pageSize ??= channels.pageSize;
  }

  #delivery(): PageDelivery {
    return {
      blocks: new Map(this.#loop.blocks.map((block) => [block.idstr, block])),
      sink: this.#loop.sink,
    };
  }

  /** A page beyond its block is left out; when there are many, something else is wrong. */
  #reportPage(error: DecodeError): void {
    this.#badPages++;
    if (this.#badPages > MAX_BAD_PAGES) throw error;
    this.#context.report(error.diagnostic);
  }

  async finish(): Promise<void> {
    const { channels } = this.#context;
    if (channels) await channels.finish(this.#pageSize, this.#delivery());
    else this.#reportMissingPages();
    for (const missing of this.#missing()) this.#reportDiscarded(missing);
  }

  discard(idstr: string, ranges: readonly { readonly start: bigint; readonly length: bigint }[]): void {
    const block = this.#loop.blocks[this.#loop.blockIndex.get(idstr) ?? -1];
    if (!block) return;
    if (!this.#discarded) {
      // Only from here on: most streams discard nothing.
      this.#discarded = new DiscardedPages();
      const { sink } = this.#context;
      this.#loop.sink = joinSinks(sink ? [this.#discarded, sink] : [this.#discarded]);
    }
    const most = BigInt(block.length);
    for (const { start, length } of ranges) {
      const end = start + length < most ? start + length : most;
      if (start < end) this.#loop.sink?.discard?.(block, Number(start), Number(end));
    }
  }

  #missing(): readonly MissingPages[] {
    return this.#discarded?.missing(this.#pageSize ?? this.#loop.pageSize) ?? [];
  }

  #reportDiscarded({ block, pages, ranges, rangeCount }: MissingPages): void {
    const { channels, report } = this.#context;
    const shown = ranges
      .slice(0, SHOWN_RANGES)
      .map(({ start, end }) => `${hexOffset(start)} to ${hexOffset(end)}`);
    const more = rangeCount > shown.length ? ` and ${rangeCount - shown.length} more ranges` : '';
    const where = channels
      ? ''
      : ', unless they went over a postcopy preempt channel, which is given with --channel';
    const message = `${pages} page${pages === 1 ? '' : 's'} of RAMBlock '${printable(block)}' were discarded at the switch to postcopy and not sent again${where}: ${shown.join(', ')}${more}; what was sent before is out of date`;
    report({ severity: 'warning', code: 'missing-pages', message });
  }

  #reportMissingPages(): void {
    const { capabilities, pagesLeftOut, report, sink } = this.#context;
    const summary = this.summary();
    const { multifdFlush } = summary;
    const missing = bytesElsewhere(summary, this.#pageSize ?? this.#loop.pageSize);
    if (missing <= 0) return;
    if (!pagesLeftOut && multifdFlush === 0 && capabilities.has('x-ignore-shared')) return;
    const why = pagesLeftOut
      ? 'they were left out on purpose, as from every profile'
      : multifdFlush > 0
        ? 'its pages went over multifd channels: give them with --channel'
        : 'it went over multifd channels, which are given with --channel, or it was shared with the destination (cpr)';
    const message = `${missing} of ${this.#totalLength} bytes of RAM are not in this stream; ${why}`;
    // Who looks at device state, or counts, needs no page.
    const isNeeded = sink?.needsContent === true;
    report({ severity: isNeeded ? 'error' : 'note', code: 'missing-pages', message });
  }

  async #settlePageSize(window: Window): Promise<void> {
    if (this.#pageSize === undefined) {
      const found = await findPageSize(window, this.#loop, this.#context);
      this.#loop.pageSize = found.pageSize;
      if (found.certain) this.#pageSize = found.pageSize;
    } else {
      this.#loop.pageSize = this.#pageSize;
    }
  }

  /** Reads a block list. Another one in the same stream (COLO sends one a checkpoint) updates the blocks. */
  async #readBlocks(window: Window): Promise<void> {
    const context = this.#context;
    const start = window.offset;
    const { view, pos } = window;
    const totalLength = view.getUint32(pos) * 2 ** 32 + ((view.getUint32(pos + 4) & ~RAM_SAVE_FLAGS) >>> 0);
    if (!Number.isSafeInteger(totalLength)) {
      const message = `the block list announces ${view.getBigUint64(pos)} bytes of RAM`;
      throw sectionError(context, 'bad-ram', message, start, start + 8);
    }
    window.pos += 8;
    const { idstr, instanceId, capabilities } = context;
    const pageSize = this.#pageSize;
    const list = await readBlockList(window, totalLength, { idstr, instanceId, capabilities, pageSize });
    const end = window.offset;
    this.#totalLength = totalLength;
    this.#blockListBytes += end - start;
    for (const block of list) {
      if (this.#loop.blocks.length >= MAX_BLOCKS && !this.#loop.blockIndex.has(block.idstr)) {
        throw sectionError(context, 'bad-ram', `more than ${MAX_BLOCKS} RAMBlocks`, start, end);
      }
      const index = putBlock(this.#loop, block);
      if (block.mapped) await this.#scanMapped(window, block, block.mapped, index);
    }
    window.seek(end);
  }

  async #scanMapped(window: Window, block: RamBlock, mapped: MappedRam, index: number): Promise<void> {
    const pages = await scanMappedPages(window, block, this.#context.sink);
    countPages(this.#loop, index, 'mapped', pages, pages * mapped.pageSize);
    // Between the header and what follows the block are the bitmap, padding and the pages.
    this.#blockListBytes -= mapped.pagesOffset + block.length - mapped.bitmapOffset;
    this.#pageSize = mapped.pageSize;
  }

  summary(): RamSummary {
    const { blocks, pages, payload, headerBytes, eos, multifdFlush, hook } = this.#loop;
    const total = emptyCounts();
    const summaries = blocks.map((block, blockIndex) => {
      const counts = emptyCounts();
      for (const [kindIndex, kind] of pageKinds.entries()) {
        const slot = blockIndex * pageKinds.length + kindIndex;
        counts[kind] = { pages: pages[slot] ?? 0, bytes: payload[slot] ?? 0 };
        total[kind].pages += counts[kind].pages;
        total[kind].bytes += counts[kind].bytes;
      }
      return { ...block, pages: counts };
    });
    return {
      kind: 'ram',
      pageSize: this.#pageSize ?? (commonOffset(this.#loop) || undefined),
      totalLength: this.#totalLength,
      blocks: summaries,
      pages: total,
      headerBytes,
      blockListBytes: this.#blockListBytes,
      eos,
      multifdFlush,
      hook,
      ...(this.#context.pagesLeftOut ? { pagesLeftOut: true as const } : {}),
      sections: copyCounts(this.#sections),
      missing: this.#missing(),
      ...(this.#context.channels ? { channels: this.#context.channels.summaries() } : {}),
    };
  }
}

/**
 * Bytes of RAM that are not in a stream of which no page has content: they went another way. The first round sends every
 * page, if only as zero; with mapped-ram what is zero is not recorded.
 */
export function bytesElsewhere(
  { pages, totalLength, blocks, pageSize: shown = 0 }: RamSummary,
  pageSize = shown,
): number {
  const { plain, zero, xbzrle, compressed, fill, mapped } = pages;
  const isOtherwiseSent = plain.pages + xbzrle.pages + compressed.pages + fill.pages + mapped.pages > 0;
  if (isOtherwiseSent || blocks.some((block) => block.mapped)) return 0;
  return Math.max(0, totalLength - zero.pages * pageSize);
}

function emptyCounts(): PageCounts {
  const none = () => ({ pages: 0, bytes: 0 });
  return { plain: none(), zero: none(), fill: none(), xbzrle: none(), compressed: none(), mapped: none() };
}

/** Many sections have nothing in them but this, where the pages wait for something else to be sent. */
function isEndOfSection(window: Window): boolean {
  return (
    window.view.getUint32(window.pos) === 0 && window.view.getUint32(window.pos + 4) === RAM_SAVE_FLAG_EOS
  );
}

function isBlockList(window: Window): boolean {
  return (window.view.getUint32(window.pos + 4) & RAM_SAVE_FLAGS) === RAM_SAVE_FLAG_MEM_SIZE;
}

function copyCounts(
  sections: Readonly<Record<SectionType, RamSectionCount>>,
): Record<SectionType, RamSectionCount> {
  const { SECTION_START, SECTION_PART, SECTION_END, SECTION_FULL } = sections;
  return {
    SECTION_START: { ...SECTION_START },
    SECTION_PART: { ...SECTION_PART },
    SECTION_END: { ...SECTION_END },
    SECTION_FULL: { ...SECTION_FULL },
  };
}
