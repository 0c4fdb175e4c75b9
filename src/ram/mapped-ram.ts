import { printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { Window } from '../bytes/window.ts';
import { countBits } from './bitmap.ts';
import type { PageSink } from './page-sink.ts';
import type { MappedRam, RamBlock } from './ram-block.ts';
import { type NamedSection, sectionError } from './section-error.ts';
import { isTargetPageSize } from './target-page-size.ts';

/** MappedRamHeader, packed: u32 version, u64 page size, u64 bitmap offset, u64 pages offset. */
const HEADER_SIZE = 28;
const VERSION = 1;
/** Bytes of a bitmap held at a time: half a million pages. */
const BITMAP_CHUNK = 64 << 10;
/** Bytes of pages read at a time. */
const PAGES_CHUNK = 512 << 10;
const NO_BYTES = new Uint8Array(0);

export interface MappedRamContext extends NamedSection {
  /** TARGET_PAGE_SIZE in bytes where it is known. */
  readonly pageSize: number | undefined;
}

/**
 * Reads the MappedRamHeader of a block, which ends its entry in the block list (migration/ram.c,
 * mapped_ram_setup_ramblock). Its offsets count from the start of the file that QEMU wrote to, and the bitmap follows
 * the header at once: so the bitmap's offset tells where in that file the stream starts (libvirt puts a header of its
 * own before it). The result has them relative to the stream, and `fileOffset`, which is the same for all blocks.
 *
 * A block that x-ignore-shared leaves out has both offsets 0 (seen from QEMU 11.1): then `mapped` is undefined, and
 * the list goes on behind the header.
 *
 * Throws DecodeError `bad-ram`, `truncated`, or `unsupported` for another version.
 */
export async function readMappedRamHeader(
  window: Window,
  block: RamBlock,
  fileOffset: number | undefined,
  context: MappedRamContext,
): Promise<{ mapped: MappedRam | undefined; fileOffset: number | undefined }> {
  await window.require(HEADER_SIZE, 'a mapped-ram header');
  const start = window.offset;
  const { view, pos } = window;
  const version = view.getUint32(pos);
  const pageSize = view.getUint32(pos + 4) * 2 ** 32 + view.getUint32(pos + 8);
  const bitmapOffset = view.getUint32(pos + 12) * 2 ** 32 + view.getUint32(pos + 16);
  const pagesOffset = view.getUint32(pos + 20) * 2 ** 32 + view.getUint32(pos + 24);
  window.pos += HEADER_SIZE;
  const bad = (message: string) =>
    sectionError(
      context,
      'bad-ram',
      `mapped-ram header of RAMBlock '${printable(block.idstr)}': ${message}`,
      start,
      start + HEADER_SIZE,
    );
  if (version !== VERSION) {
    const message = `mapped-ram header version ${version}; only version ${VERSION} is known`;
    throw sectionError(context, 'unsupported', message, start, start + 4);
  }
  if (!isTargetPageSize(pageSize)) throw bad(`page size ${pageSize}`);
  if (context.pageSize !== undefined && pageSize !== context.pageSize) {
    throw bad(`page size ${pageSize}, but the stream's is ${context.pageSize}`);
  }
  if (bitmapOffset === 0 && pagesOffset === 0) return { mapped: undefined, fileOffset };
  const base = bitmapOffset - window.offset;
  if (base < 0 || (fileOffset !== undefined && base !== fileOffset)) {
    throw bad(`the bitmap is at ${hexOffset(bitmapOffset)} instead of right behind the header`);
  }
  const bitmapEnd = bitmapOffset + Math.ceil(Math.floor(block.length / pageSize) / 8);
  if (pagesOffset < bitmapEnd || pagesOffset % pageSize !== 0) {
    throw bad(`pages at ${hexOffset(pagesOffset)}, the bitmap ends at ${hexOffset(bitmapEnd)}`);
  }
  const mapped = { version, pageSize, bitmapOffset: bitmapOffset - base, pagesOffset: pagesOffset - base };
  if (!(await window.reaches(mapped.pagesOffset + block.length))) {
    const message = `the stream ends inside the pages of RAMBlock '${printable(block.idstr)}', which take ${block.length} bytes from ${hexOffset(mapped.pagesOffset)}`;
    throw sectionError(context, 'truncated', message, Math.min(mapped.pagesOffset, window.end), window.end);
  }
  return { mapped, fileOffset: base };
}

/**
 * Counts the pages that the bitmap of a mapped block marks as present and, with a sink, delivers them in order.
 * The bitmap is in the byte order of the machine that wrote it; it is read as little endian, which on a big-endian
 * host changes which pages of a word are meant, but not how many. Leaves the window anywhere.
 */
export async function scanMappedPages(
  window: Window,
  block: RamBlock,
  sink: PageSink | undefined,
): Promise<number> {
  const mapped = block.mapped;
  if (!mapped) return 0;
  const pageCount = Math.floor(block.length / mapped.pageSize);
  let count = 0;
  for (let first = 0; first < pageCount; first += BITMAP_CHUNK * 8) {
    const pages = Math.min(BITMAP_CHUNK * 8, pageCount - first);
    const length = Math.ceil(pages / 8);
    window.seek(mapped.bitmapOffset + first / 8);
    await window.require(length, 'the bitmap of a mapped-ram block');
    count += countBits(window.bytes, window.pos, pages);
    if (sink) {
      // A copy: the pages are read through the same window.
      const bitmap = window.bytes.slice(window.pos, window.pos + length);
      await deliverPages(window, block, mapped, bitmap, first, pages, sink);
    }
  }
  return count;
}

async function deliverPages(
  window: Window,
  block: RamBlock,
  mapped: MappedRam,
  bitmap: Uint8Array,
  first: number,
  pages: number,
  sink: PageSink,
): Promise<void> {
  const { pageSize, pagesOffset } = mapped;
  const wantsData = sink.wantsData ?? true;
  const maxRun = PAGES_CHUNK / pageSize;
  let page = 0;
  while (page < pages) {
    const byte = bitmap[page >> 3] ?? 0;
    if (byte === 0) {
      page = (page | 7) + 1;
      continue;
    }
    if ((byte & (1 << (page & 7))) === 0) {
      page++;
      continue;
    }
    let end = page + 1;
    while (end < pages && end - page < maxRun && ((bitmap[end >> 3] ?? 0) & (1 << (end & 7))) !== 0) end++;
    const offset = (first + page) * pageSize;
    if (wantsData) {
      window.seek(pagesOffset + offset);
      await window.require((end - page) * pageSize, 'a mapped-ram page');
    }
    if (sink.pages) sink.pages(block, offset, end - page, window.bytes, window.pos, pageSize, pageSize);
    else
      for (let index = 0; index < end - page; index++) {
        const start = window.pos + index * pageSize;
        const data = wantsData ? window.bytes.subarray(start, start + pageSize) : NO_BYTES;
        sink.page(block, offset + index * pageSize, 'mapped', data, 0, pageSize);
      }
    page = end;
  }
}
