import { badArgument, type Diagnostic, printable } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import type { OpenedStream } from '../layout/open.ts';
import type { ChannelSummary } from '../ram/channels.ts';
import { ramSummaries } from '../ram/iterative.ts';
import { type PageKind, pageKinds } from '../ram/page-sink.ts';
import type { PageUsage, Round } from '../ram/page-usage.ts';
import { bytesElsewhere, type PageCounts, type RamSummary } from '../ram/ram.ts';
import type { RamBlock } from '../ram/ram-block.ts';

/** What `ram` tells of a stream. Sizes and offsets in bytes; pages are of `pageSize` bytes. */
export interface RamReport {
  readonly name: string;
  readonly size: number;
  readonly machineType: string | undefined;
  /** Undefined when the stream has no page that shows it. */
  readonly pageSize: number | undefined;
  /** Sum of the lengths of all blocks. */
  readonly totalLength: number;
  readonly blocks: readonly RamBlockReport[];
  /** Pages that were sent by kind, and their bytes; those of other channels are not among them. */
  readonly pages: PageCounts;
  /** The further connections, where they were given: their pages are in the counts of blocks, rounds and times. */
  readonly channels: readonly ChannelSummary[];
  readonly rounds: readonly RoundReport[];
  /** Pages by how many times they were sent: from 1 and 2 on, each line up to twice as many as the one before. */
  readonly times: readonly TimesReport[];
  /** Pages that follow each other and were sent again about as often, the most expensive first. */
  readonly hottest: readonly HotRange[];
  /** Bytes that XBZRLE pages would have taken more if they had been sent as they are. */
  readonly xbzrleSaved: number;
  /** Why pages are not in this stream that the guest has. */
  readonly elsewhere: readonly Elsewhere[];
  /** Sends of pages of a very large guest that were counted, but not for each page. */
  readonly unfollowed: number;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * In other channels of the migration, in shared memory (x-ignore-shared), still to be sent when the stream ends, or left
 * out of a profile.
 */
export type Elsewhere = 'multifd' | 'ignore-shared' | 'cut' | 'left-out';

export interface RamBlockReport extends RamBlock {
  /** Pages that it consists of. */
  readonly pageCount: number;
  /** Different pages that were sent, those that were sent more than once, and those that never were. */
  readonly sentPages: number;
  readonly repeatedPages: number;
  readonly neverSentPages: number;
  /** Pages that postcopy discarded and that did not come again, and the first ranges of them, bytes in the block. */
  readonly missingPages: number;
  readonly missingRanges: readonly Range[];
  /** Pages in the stream by kind, each as often as it was sent. */
  readonly pages: PageCounts;
  /** All kinds together by round (index into `rounds` of the report), without rounds that have none. */
  readonly rounds: readonly { readonly round: number; readonly pages: number }[];
}

export interface RoundReport {
  readonly phase: Round['phase'];
  readonly pages: Readonly<Record<PageKind, number>>;
  readonly total: number;
}

export interface TimesReport {
  /** Times that each of the pages was sent: from `least` to `most`. */
  readonly least: number;
  readonly most: number;
  readonly pages: number;
  /** In all. */
  readonly sends: number;
}

export interface HotRange {
  readonly block: string;
  readonly offset: number;
  readonly length: number;
  /** Times that the page was sent which was sent most. */
  readonly times: number;
  /** Of all its pages together. */
  readonly sends: number;
}

export interface RamReportOptions {
  /** Hot ranges that are listed: a whole number, 10 without it. */
  readonly ranges?: number | undefined;
}

/**
 * Reports what `usage` counted while the stream was opened. Undefined when the stream has no RAM section. Throws
 * DecodeError `bad-argument` where the stream was opened without it as its `sink`.
 */
export function ramReport(
  opened: OpenedStream,
  usage: PageUsage,
  { ranges = 10 }: RamReportOptions = {},
): RamReport | undefined {
  if (!Number.isInteger(ranges) || ranges < 0) throw badArgument(`no number of ranges: ${ranges}`);
  const { source, stream, diagnostics } = opened;
  const [summary] = ramSummaries(stream.sections);
  if (!summary) return undefined;
  if (!usage.hasSections)
    throw badArgument(`${printable(source.name)} was opened without this PageUsage as its 'sink'`);
  const { pageSize, blocks, pages, totalLength } = summary;
  const { times, hottest } = sends(summary, usage, ranges);
  return {
    name: source.name,
    size: source.size,
    machineType: stream.configuration?.machineType,
    pageSize,
    totalLength,
    blocks: blocks.map((block) => {
      // What was counted in pages of a size that was only tried says nothing.
      const counted = pageSize === undefined ? undefined : usage.block(block.idstr);
      const missing = summary.missing.find(({ block: idstr }) => idstr === block.idstr);
      const pageCount = pageSize === undefined ? 0 : Math.ceil(block.length / pageSize);
      const sentPages = counted?.sentPages ?? 0;
      return {
        ...block,
        pageCount,
        sentPages,
        repeatedPages: counted?.repeatedPages ?? 0,
        neverSentPages: pageCount - sentPages,
        missingPages: missing?.pages ?? 0,
        missingRanges: missing?.ranges ?? [],
        rounds: counted?.rounds ?? [],
      };
    }),
    pages,
    channels: summary.channels ?? [],
    rounds: usage.rounds.map(roundReport),
    times,
    hottest,
    xbzrleSaved: pages.xbzrle.pages * (pageSize ?? 0) - pages.xbzrle.bytes,
    elsewhere: elsewhere(opened, summary),
    unfollowed: usage.unfollowed,
    // What describes devices is not needed here.
    diagnostics: diagnostics.filter(({ code }) => code !== 'no-schema'),
  };
}

function roundReport({ phase, pages }: Round): RoundReport {
  const counts = Object.fromEntries(pageKinds.map((kind, i) => [kind, pages[i]])) as Record<PageKind, number>;
  return { phase, pages: counts, total: pages.reduce((sum, count) => sum + count, 0) };
}

/** Index of the line of `times`, whose counts of sends are from 2^(index-1)+1 to 2^index. */
function timesIndex(times: number): number {
  return 32 - Math.clz32(times - 1);
}

function sends(
  { blocks, pageSize }: RamSummary,
  usage: PageUsage,
  ranges: number,
): { times: TimesReport[]; hottest: HotRange[] } {
  const lines: { pages: number; sends: number }[] = [];
  const hottest = new HottestRanges(ranges);
  // A page takes more units than one where the scan believed in a smaller size at first.
  const stride = Math.max(1, Math.round((pageSize ?? 0) / (usage.pageSize || 1)));
  for (const { idstr } of blocks) {
    usage.forEach(idstr, 1, (page, { times }) => {
      const index = timesIndex(times);
      for (let missing = lines.length; missing <= index; missing++) lines.push({ pages: 0, sends: 0 });
      const line = lines[index]!;
      line.pages++;
      line.sends += times;
      if (times > 1) hottest.add(idstr, page, stride, times);
    });
  }
  hottest.finishRange();
  const times = lines.map((line, i) => ({ least: i === 0 ? 1 : 2 ** (i - 1) + 1, most: 2 ** i, ...line }));
  return {
    times: times.filter(({ pages }) => pages > 0),
    hottest: hottest.list.map(({ block, first, next, times: most, sends: all }) => ({
      block,
      offset: first * usage.pageSize,
      length: (next - first) * usage.pageSize,
      times: most,
      sends: all,
    })),
  };
}

/** Pages from `first` to before `next`, in units of the counts. */
interface GrowingRange {
  readonly block: string;
  readonly first: number;
  next: number;
  readonly level: number;
  times: number;
  sends: number;
  /** Sends that would not have been, had each page been sent once. */
  extra: number;
}

/** Keeps those ranges that were sent again most. */
class HottestRanges {
  readonly list: GrowingRange[] = [];
  readonly #limit: number;
  #range: GrowingRange | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes the next page, with its times from 2 on. */
  add(block: string, page: number, stride: number, times: number): void {
    const level = timesIndex(times);
    let range = this.#range;
    if (range?.block !== block || range.next !== page || range.level !== level) {
      this.finishRange();
      range = { block, first: page, next: page, level, times: 0, sends: 0, extra: 0 };
      this.#range = range;
    }
    range.next = page + stride;
    range.times = Math.max(range.times, times);
    range.sends += times;
    range.extra += times - 1;
  }

  finishRange(): void {
    const range = this.#range;
    this.#range = undefined;
    if (!range || (this.list.length === this.#limit && range.extra <= (this.list.at(-1)?.extra ?? 0))) return;
    const place = this.list.findIndex(({ extra }) => extra < range.extra);
    this.list.splice(place < 0 ? this.list.length : place, 0, range);
    if (this.list.length > this.#limit) this.list.pop();
  }
}

function elsewhere({ stream }: OpenedStream, summary: RamSummary): Elsewhere[] {
  if (summary.pagesLeftOut) return ['left-out'];
  const found: Elsewhere[] = [];
  const sharing = stream.configuration?.capabilities?.includes('x-ignore-shared') ?? false;
  const mapped = summary.blocks.some((block) => block.mapped);
  const ended = stream.records.some(({ kind }) => kind === 'eof');
  if (sharing) found.push('ignore-shared');
  // QEMU 5.2 to 8.0 and a stream whose pages are all elsewhere have no marker of it.
  const isMultifd = summary.multifdFlush > 0 || bytesElsewhere(summary) > 0;
  if (!summary.channels && !mapped && !sharing && ended && isMultifd) found.push('multifd');
  if (!ended) found.push('cut');
  return found;
}
