import { printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import { type ByteSource, readExactly } from '../bytes/source.ts';
import { u64At } from '../bytes/view.ts';
import type { Window } from '../bytes/window.ts';
import type { PageSink } from './page-sink.ts';
import type { MappedRam, RamBlock } from './ram-block.ts';
import { type NamedSection, sectionError } from './section-error.ts';
import { isTargetPageSize } from './target-page-size.ts';

/** MappedRamHeader, packed: u32 version, u64 page size, u64 bitmap offset, u64 pages offset. */
export const MAPPED_RAM_HEADER_SIZE = 28;
export const MAPPED_RAM_VERSION = 1;

/** Bytes of a bitmap held at a time: half a million pages. */
const BITMAP_CHUNK = 64 << 10;

interface MappedRamContext extends NamedSection {
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
  await window.require(MAPPED_RAM_HEADER_SIZE, 'a mapped-ram header');
  const start = window.offset;
  const { view, pos } = window;
  const version = view.getUint32(pos);
  const pageSize = u64At(view, pos + 4);
  const bitmapOffset = u64At(view, pos + 12);
  const pagesOffset = u64At(view, pos + 20);
  window.pos += MAPPED_RAM_HEADER_SIZE;
  const bad = (message: string) =>
    sectionError(
      context,
      'bad-ram',
      `mapped-ram header of RAMBlock '${printable(block.idstr)}': ${message}`,
      start,
      start + MAPPED_RAM_HEADER_SIZE,
    );
  if (version !== MAPPED_RAM_VERSION) {
    const message = `mapped-ram header version ${version}; only version ${MAPPED_RAM_VERSION} is known`;
    throw sectionError(context, 'unsupported', message, start, start + 4);
  }
  if (!isTargetPageSize(pageSize)) throw bad(`page size ${view.getBigUint64(pos + 4)}`);
  if (context.pageSize !== undefined && pageSize !== context.pageSize) {
    throw bad(`page size ${pageSize}, but the stream's is ${context.pageSize}`);
  }
  if (bitmapOffset === 0 && pagesOffset === 0) return { mapped: undefined, fileOffset };
  const base = bitmapOffset - window.offset;
  if (base < 0 || (fileOffset !== undefined && base !== fileOffset)) {
    throw bad(
      `the bitmap is at 0x${view.getBigUint64(pos + 12).toString(16)} instead of right behind the header`,
    );
  }
  const bitmapEnd = bitmapOffset + Math.ceil(Math.floor(block.length / pageSize) / 8);
  if (pagesOffset < bitmapEnd || pagesOffset % pageSize !== 0) {
    throw bad(
      `pages at 0x${view.getBigUint64(pos + 20).toString(16)}, the bitmap ends at ${hexOffset(bitmapEnd)}`,
    );
  }
  const mapped = { version, pageSize, bitmapOffset: bitmapOffset - base, pagesOffset: pagesOffset - base };
  if (!(await window.reaches(mapped.pagesOffset + block.length))) {
    const message = `the stream ends inside the pages of RAMBlock '${printable(block.idstr)}', which take ${block.length} bytes from ${hexOffset(mapped.pagesOffset)}`;
    throw sectionError(context, 'truncated', message, Math.min(mapped.pagesOffset, window.end), window.end);
  }
  return { mapped, fileOffset: base };
}

/** Pages that follow each other. */
interface PresentPages {
  readonly page: number;
  readonly count: number;
}

/**
 * The pages that the bitmap of a mapped-ram block marks as present, from page `first` to before page `end`, in order. The
 * bitmap is in the byte order of the machine that wrote it; it is read as little endian, which on a big-endian host
 * changes which pages of a word are meant, but not how many. Throws DecodeError `truncated`.
 */
export async function* presentPages(
  source: ByteSource,
  block: RamBlock,
  { pageSize, bitmapOffset }: MappedRam,
  first = 0,
  end = Math.floor(block.length / pageSize),
): AsyncGenerator<PresentPages> {
  let run = { page: first, count: 0 };
  const firstByte = Math.floor(first / 8);
  const endByte = Math.ceil(end / 8);
  for (let byte = firstByte; byte < endByte; byte += BITMAP_CHUNK) {
    const bitmap = await readExactly(source, bitmapOffset + byte, Math.min(BITMAP_CHUNK, endByte - byte));
    const last = Math.min(end, (byte + bitmap.length) * 8);
    for (let page = Math.max(first, byte * 8); page < last; ) {
      const bits = bitmap[Math.floor(page / 8) - byte]!;
      const isWhole = page % 8 === 0 && page + 8 <= last;
      const step = isWhole && (bits === 0 || bits === 0xff) ? 8 : 1;
      if ((bits & (1 << (page % 8))) !== 0) {
        if (run.page + run.count !== page) {
          if (run.count > 0) yield run;
          run = { page, count: 0 };
        }
        run = { page: run.page, count: run.count + step };
      }
      page += step;
    }
  }
  if (run.count > 0) yield run;
}

/**
 * Counts the pages that the bitmap of a mapped block marks as present and, with a sink, delivers them in order. Leaves
 * the window where it is.
 */
export async function scanMappedPages(
  window: Window,
  block: RamBlock,
  sink: PageSink | undefined,
): Promise<number> {
  const { mapped } = block;
  if (!mapped) return 0;
  const { pageSize, pagesOffset } = mapped;
  const from = { source: window.source, hasRecords: false };
  let total = 0;
  for await (const { page, count } of presentPages(window.source, block, mapped)) {
    total += count;
    const offset = page * pageSize;
    sink?.pages(block, offset, count, 'mapped', pageSize, pagesOffset + offset, from);
  }
  return total;
}
