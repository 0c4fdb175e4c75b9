import { DecodeError, type Diagnostic, printable, problemIn } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { ByteSource } from '../bytes/source.ts';
import { presentPages } from '../ram/mapped-ram.ts';
import {
  CODE_BITS,
  CODE_MASK,
  COMPRESSED,
  DELTA,
  DISCARDED,
  FILL,
  PAYLOAD,
  type PageRuns,
  SPOOLED,
  strideOf,
  UNDECODABLE,
  ZERO,
} from '../ram/page-runs.ts';
import type { MappedRam, RamBlock } from '../ram/ram-block.ts';
import { decodePage } from './decode-page.ts';
import { ForwardReader } from './forward-reader.ts';
import type { Inflater } from './inflater.ts';
import type { MemoryVisitor } from './memory-visitor.ts';
import type { IndexedBlock, PageIndex } from './page-index.ts';
import { visitPayloads } from './payload-pages.ts';

/** Damaged pages that are reported one by one. */
const MAX_REPORTED = 20;
/** Bytes of a spool that are read at a time. */
const SPOOL_READ = 512 << 10;

/** What a visit of a memory is about. */
interface Visit {
  readonly visitor: MemoryVisitor;
  readonly index: PageIndex;
  readonly inflater: Inflater | undefined;
  /** What is wrong with pages; damaged ones, so many of them, are added. */
  readonly diagnostics: Diagnostic[];
  readonly onProgress: ((bytes: number) => void) | undefined;
}

/** Visits the pages of a block that mapped-ram keeps at their places. Throws what source and visitor throw. */
export async function visitMapped(
  visit: Visit,
  source: ByteSource,
  block: RamBlock,
  mapped: MappedRam,
): Promise<void> {
  const reader = new ForwardReader(source);
  for await (const { page, count } of presentPages(source, block, mapped)) {
    const offset = page * mapped.pageSize;
    await visitStrided(
      visit,
      reader,
      block,
      offset,
      count,
      mapped.pagesOffset + offset,
      mapped.pageSize,
      mapped.pageSize,
    );
  }
}

/** Visits the pages of a list of runs. Throws what source, spool and visitor throw. */
export async function visitRuns(visit: Visit, runs: PageRuns): Promise<void> {
  const { visitor, index, inflater } = visit;
  const pageSize = index.pageSize ?? 0;
  const blockOf = blockFinder(index);
  const inPlace: number[] = [];
  const spooled: number[] = [];
  const deltas: number[] = [];
  let hasPayloads = false;
  for (let i = 0; i < runs.count; i++) {
    const { block, address } = blockOf(runs.start[i]!);
    const offset = runs.start[i]! - address;
    const length = runs.end[i]! - runs.start[i]!;
    let waiting: unknown;
    switch (runs.kind[i]! & CODE_MASK) {
      case ZERO:
        waiting = visitor.fill?.(block, offset, length, 0);
        break;
      case FILL:
        waiting = visitor.fill?.(block, offset, length, runs.value[i]!);
        break;
      case DISCARDED:
        waiting = visitor.unknown?.(block, offset, length, 'discarded');
        break;
      case UNDECODABLE:
        reportDamaged(
          visit.diagnostics,
          `pages of ${printable(block.idstr)} from ${hexOffset(offset)} to ${hexOffset(offset + length)} cannot be decoded`,
        );
        waiting = visitor.unknown?.(block, offset, length, 'undecodable');
        break;
      case SPOOLED:
        spooled.push(i);
        break;
      case DELTA:
        deltas.push(i);
        break;
      case PAYLOAD:
        hasPayloads = true;
        break;
      default:
        inPlace.push(i);
    }
    if (waiting) await waiting;
  }
  await visitInPlace(visit, runs, inOrderOfPlace(runs, inPlace));
  if (hasPayloads) {
    const problems = await visitPayloads(index, runs, inflater, {
      toTheEnd: true,
      take(start, bytes) {
        visit.onProgress?.(bytes.length);
        const { block, address } = blockOf(start);
        return visitor.pages(block, start - address, bytes.length / pageSize, bytes, 0, pageSize, pageSize);
      },
      lose(start, end) {
        const { block, address } = blockOf(start);
        return visitor.unknown?.(block, start - address, end - start, 'undecodable');
      },
    });
    visit.diagnostics.push(...problems);
  }
  await visitSpooled(visit, runs, spooled);
  for (const i of deltas) await visitDecoded(visit, runs, i, 'xbzrle');
}

/** Places in the list of runs, in the order in which those are in their sources. */
function inOrderOfPlace({ kind, value }: PageRuns, which: readonly number[]): readonly number[] {
  const compare = (a: number, b: number) =>
    (kind[a]! >> CODE_BITS) - (kind[b]! >> CODE_BITS) || value[a]! - value[b]!;
  // Mostly they are so already.
  const isInOrder = which.every((run, i) => i === 0 || compare(which[i - 1]!, run) <= 0);
  return isInOrder ? which : which.toSorted(compare);
}

async function visitInPlace(visit: Visit, runs: PageRuns, which: readonly number[]): Promise<void> {
  const { sources, pageSize = 0 } = visit.index;
  const blockOf = blockFinder(visit.index);
  let reader: ForwardReader | undefined;
  for (const i of which) {
    const kind = runs.kind[i]!;
    if ((kind & CODE_MASK) === COMPRESSED) {
      await visitDecoded(visit, runs, i, 'compressed');
      continue;
    }
    const { source } = sources[kind >> CODE_BITS]!;
    if (reader?.window.source !== source) reader = new ForwardReader(source);
    const { block, address } = blockOf(runs.start[i]!);
    const offset = runs.start[i]! - address;
    const count = (runs.end[i]! - runs.start[i]!) / pageSize;
    await visitStrided(
      visit,
      reader,
      block,
      offset,
      count,
      runs.value[i]!,
      strideOf(kind, pageSize),
      pageSize,
    );
  }
}

/** Visits `count` pages that follow each other, from offset `place` in the source on. */
async function visitStrided(
  { visitor, onProgress }: Visit,
  reader: ForwardReader,
  block: RamBlock,
  offset: number,
  count: number,
  place: number,
  stride: number,
  pageSize: number,
): Promise<void> {
  const { window } = reader;
  await reader.moveTo(place);
  for (let done = 0; done < count; ) {
    await window.require(pageSize, 'a page');
    const loaded = window.limit - window.pos;
    const pages = Math.min(count - done, 1 + Math.floor((loaded - pageSize) / stride));
    const at = offset + done * pageSize;
    const waiting = visitor.pages(block, at, pages, window.bytes, window.pos, stride, pageSize);
    if (waiting) await waiting;
    onProgress?.(pages * pageSize);
    done += pages;
    window.seek(window.offset + (pages - 1) * stride + pageSize);
    if (done < count) await reader.moveTo(place + done * stride);
  }
}

async function visitSpooled(visit: Visit, runs: PageRuns, which: readonly number[]): Promise<void> {
  const { visitor, index, onProgress } = visit;
  const pageSize = index.pageSize ?? 0;
  const blockOf = blockFinder(index);
  const bytes = new Uint8Array(which.length > 0 ? SPOOL_READ : 0);
  for (const i of which) {
    const { block, address } = blockOf(runs.start[i]!);
    const length = runs.end[i]! - runs.start[i]!;
    for (let done = 0; done < length; done += SPOOL_READ) {
      const part = bytes.subarray(0, Math.min(SPOOL_READ, length - done));
      await index.spools[runs.kind[i]! >> CODE_BITS]!.read(runs.value[i]! + done, part);
      const offset = runs.start[i]! - address + done;
      const waiting = visitor.pages(block, offset, part.length / pageSize, part, 0, pageSize, pageSize);
      if (waiting) await waiting;
      onProgress?.(part.length);
    }
  }
}

/** Visits a page that is decoded by itself. */
async function visitDecoded(
  { visitor, index, inflater, diagnostics, onProgress }: Visit,
  runs: PageRuns,
  i: number,
  encoding: 'xbzrle' | 'compressed',
): Promise<void> {
  const pageSize = index.pageSize ?? 0;
  const { block, address } = index.blockAt(runs.start[i]!);
  const offset = runs.start[i]! - address;
  let page: Uint8Array;
  try {
    page = await decodePage(index, runs.kind[i]!, runs.value[i]!, inflater);
  } catch (error) {
    if (error instanceof DecodeError) problemIn(error);
    const reason = error instanceof Error ? error.message : String(error);
    reportDamaged(
      diagnostics,
      `${encoding} page of ${printable(block.idstr)} at ${hexOffset(offset)} is damaged: ${reason}`,
    );
    await visitor.unknown?.(block, offset, pageSize, 'undecodable');
    return;
  }
  onProgress?.(pageSize);
  await visitor.pages(block, offset, 1, page, 0, pageSize, pageSize);
}

function reportDamaged(diagnostics: Diagnostic[], message: string): void {
  const damaged = diagnostics.filter(({ section }) => section === 'ram').length + 1;
  if (damaged > MAX_REPORTED) return;
  const rest = damaged === MAX_REPORTED ? '; more are not reported' : '';
  diagnostics.push({ severity: 'error', code: 'bad-ram', section: 'ram', message: message + rest });
}

/** Finds the block of an address; mostly that of the address before. */
function blockFinder(index: PageIndex): (address: number) => IndexedBlock {
  let last: IndexedBlock | undefined;
  return (address) => {
    const isLast = last && address >= last.address && address < last.address + last.block.length;
    if (!last || !isLast) last = index.blockAt(address);
    return last;
  };
}
