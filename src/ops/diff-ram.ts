import { type OpenedStream, ramBlocksOf } from '../layout/open.ts';
import { comparePages, type PageHashes, type PagePair } from '../memory/page-hashes.ts';
import { ramSummaries } from '../ram/iterative.ts';
import type { RamBlock } from '../ram/ram-block.ts';

/** How the memory of two VMs differs. */
export interface RamDiff {
  readonly same: boolean;
  /** Were pages compared, and not only the list of blocks? */
  readonly pagesCompared: boolean;
  /** All blocks, in the order of A, then those that only B has. */
  readonly blocks: readonly RamBlockDiff[];
}

export interface RamBlockDiff {
  readonly idstr: string;
  readonly kind: 'same' | 'changed' | 'added' | 'removed';
  readonly a?: RamBlock;
  readonly b?: RamBlock;
  /** Undefined where pages were not compared. */
  readonly pages?: BlockPagesDiff;
}

export interface BlockPagesDiff {
  /** Of either side, bytes. Where they differ, pages cannot be compared. */
  readonly pageSizeA: number | undefined;
  readonly pageSizeB: number | undefined;
  /** Pages. `undecoded`: damaged on one side. */
  readonly counts: Readonly<Record<Exclude<PagePair, 'neither'>, number>>;
  /** Those that are not the same, in order: the first MAX_RANGES. */
  readonly ranges: readonly PageRange[];
  readonly omittedRanges: number;
}

/** Bytes of a block from `start` to before `end`. */
export interface PageRange {
  readonly kind: Exclude<PagePair, 'neither' | 'same'>;
  readonly start: number;
  readonly end: number;
}

const MAX_RANGES = 10_000;

/**
 * Compares the lists of blocks that `accepts` takes, of a capture that of its VM, and pages where there are hashes of them.
 * Undefined without RAM.
 */
export function diffRam(
  a: OpenedStream,
  b: OpenedStream,
  pages: { readonly a: PageHashes; readonly b: PageHashes } | undefined,
  accepts: (idstr: string) => boolean = () => true,
): RamDiff | undefined {
  const blocksA = ramBlocksOf(a)?.filter(({ idstr }) => accepts(idstr));
  const blocksB = ramBlocksOf(b)?.filter(({ idstr }) => accepts(idstr));
  // Of a capture, what a stream says beside names and lengths is not known.
  const isListed = [a, b].some(({ stream }) => ramSummaries(stream.sections).length === 0);
  if (!blocksA && !blocksB) return undefined;
  const byName = new Map(blocksB?.map((block) => [block.idstr, block]));
  const blocks = (blocksA ?? []).map((block): RamBlockDiff => {
    const { idstr } = block;
    const other = byName.get(idstr);
    byName.delete(idstr);
    if (!other) return { idstr, kind: 'removed', a: blockOf(block) };
    const compared = pages && diffPages(block, pages.a, other, pages.b);
    const isAlike = isListed ? block.length === other.length : sameBlock(block, other);
    const isSame = isAlike && (compared?.ranges.length ?? 0) === 0;
    const sides = { a: blockOf(block), b: blockOf(other) };
    return { idstr, kind: isSame ? 'same' : 'changed', ...sides, ...(compared ? { pages: compared } : {}) };
  });
  for (const block of byName.values()) blocks.push({ idstr: block.idstr, kind: 'added', b: blockOf(block) });
  return { same: blocks.every(({ kind }) => kind === 'same'), pagesCompared: pages !== undefined, blocks };
}

function blockOf({ idstr, length, address, pageSize, mapped }: RamBlock): RamBlock {
  return {
    idstr,
    length,
    ...(address === undefined ? {} : { address }),
    ...(pageSize === undefined ? {} : { pageSize }),
    ...(mapped ? { mapped } : {}),
  };
}

function sameBlock(a: RamBlock, b: RamBlock): boolean {
  return a.length === b.length && a.address === b.address && a.pageSize === b.pageSize;
}

function diffPages(a: RamBlock, hashesA: PageHashes, b: RamBlock, hashesB: PageHashes): BlockPagesDiff {
  const counts = { same: 0, changed: 0, onlyA: 0, onlyB: 0, undecoded: 0 };
  const ranges: PageRange[] = [];
  let omittedRanges = 0;
  const pageSizeA = hashesA.pageSize(a.idstr);
  const pageSizeB = hashesB.pageSize(b.idstr);
  const pageSize = pageSizeA ?? pageSizeB ?? 0;
  if (pageSizeA === undefined || pageSizeB === undefined || pageSizeA === pageSizeB) {
    const side = (hashes: PageHashes, block: RamBlock) => ({
      hashes,
      block,
      // With mapped-ram, no page means zeros.
      zeroIfAbsent: block.mapped !== undefined,
    });
    comparePages(side(hashesA, a), side(hashesB, b), (pair, first, count) => {
      if (pair === 'neither') return;
      counts[pair] += count;
      if (pair === 'same') return;
      if (ranges.length === MAX_RANGES) omittedRanges++;
      else ranges.push({ kind: pair, start: first * pageSize, end: (first + count) * pageSize });
    });
  }
  return { pageSizeA, pageSizeB, counts, ranges, omittedRanges };
}
