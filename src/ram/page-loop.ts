import { type DecodeError, printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { Window } from '../bytes/window.ts';
import { decodeText } from '../bytes/window.ts';
import { type PageKind, type PageSink, type PageSource, pageKinds } from './page-sink.ts';
import type { RamBlock } from './ram-block.ts';
import {
  formatRamFlags,
  RAM_SAVE_FLAG_COMPRESS_PAGE,
  RAM_SAVE_FLAG_CONTINUE,
  RAM_SAVE_FLAG_EOS,
  RAM_SAVE_FLAG_HOOK,
  RAM_SAVE_FLAG_MEM_SIZE,
  RAM_SAVE_FLAG_MULTIFD_FLUSH,
  RAM_SAVE_FLAG_PAGE,
  RAM_SAVE_FLAG_XBZRLE,
  RAM_SAVE_FLAG_ZERO,
} from './ram-flags.ts';
import { type NamedSection, sectionError } from './section-error.ts';

/** Results of `scanLoaded` other than a number of bytes. */
export const END_OF_SECTION = 0;
export const BLOCK_LIST = -1;
export const ENOUGH_PAGES = -2;
export const MULTIFD_FLUSH = -3;

const ENCODING_FLAG_XBZRLE = 1;
/** Kinds of pages, and the places of their counts. */
const KINDS = pageKinds.length;
const PLAIN = pageKinds.indexOf('plain');
const ZERO = pageKinds.indexOf('zero');
const FILL = pageKinds.indexOf('fill');
const XBZRLE = pageKinds.indexOf('xbzrle');
const COMPRESSED = pageKinds.indexOf('compressed');
/** Not pages: a block list, and a marker (EOS, MULTIFD_FLUSH, HOOK). */
const LIST = KINDS;
const MARK = KINDS + 1;

/** The loop over page records, with what it carries from one record to the next and what it counts. */
export interface PageLoop {
  readonly section: NamedSection;
  /** RAMBlocks in the order in which they were announced, and their places by idstr. */
  readonly blocks: RamBlock[];
  readonly blockIndex: Map<string, number>;
  /** TARGET_PAGE_SIZE in bytes, a power of two. */
  pageSize: number;
  /** Index of the block of the last record with a name, -1 before the first. It lives on into the next section. */
  block: number;
  /** From one block to the next in the counts: the number of kinds, or 0 where blocks are not told apart. */
  readonly stride: number;
  /** For each block and kind the number of pages, at `block * stride + kind`. */
  pages: Float64Array;
  /** As `pages`: bytes in the stream behind the record headers. */
  payload: Float64Array;
  /** Pages of all blocks and kinds. */
  pageCount: number;
  /** Bytes of record headers: u64, and the name of the block where there is one. */
  headerBytes: number;
  records: number;
  eos: number;
  multifdFlush: number;
  hook: number;
  /** All page offsets seen, their low 32 bits ORed: the lowest bit set is a multiple of the page size. */
  offsetBits: number;
  /** Stop with ENOUGH_PAGES after this many pages. */
  pageLimit: number;
  sink: PageSink | undefined;
  /** What the records are in, as the sink is told; made when the first of them is read. */
  from: PageSource | undefined;
  /** Takes a page beyond its block, which is then left out; without it such a page ends the scan. */
  readonly reportPage: ((error: DecodeError) => void) | undefined;
}

export function createPageLoop(
  section: NamedSection,
  pageSize: number,
  sink: PageSink | undefined,
  reportPage?: (error: DecodeError) => void,
): PageLoop {
  return {
    section,
    blocks: [],
    blockIndex: new Map(),
    pageSize,
    block: -1,
    stride: KINDS,
    pages: new Float64Array(0),
    payload: new Float64Array(0),
    pageCount: 0,
    headerBytes: 0,
    records: 0,
    eos: 0,
    multifdFlush: 0,
    hook: 0,
    offsetBits: 0,
    pageLimit: Number.POSITIVE_INFINITY,
    sink,
    from: undefined,
    reportPage,
  };
}

/** A loop that goes on where `loop` is, for trying a page size: its counts are its own, and for all blocks together. */
export function createTrialLoop(loop: PageLoop, pageSize: number, pageLimit: number): PageLoop {
  const { section, blocks, blockIndex, block } = loop;
  const trial = createPageLoop(section, pageSize, undefined);
  const pages = new Float64Array(KINDS);
  return {
    ...trial,
    blocks,
    blockIndex,
    block,
    stride: 0,
    pages,
    payload: new Float64Array(KINDS),
    pageLimit,
  };
}

/** Adds a block that the block list announces, or takes over what has changed of it. Returns its index. */
export function putBlock(loop: PageLoop, block: RamBlock): number {
  const known = loop.blockIndex.get(block.idstr);
  if (known !== undefined) {
    loop.blocks[known] = block;
    return known;
  }
  const index = loop.blocks.push(block) - 1;
  loop.blockIndex.set(block.idstr, index);
  if (loop.pages.length < (index + 1) * KINDS) {
    loop.pages = grown(loop.pages, 2 * (index + 1) * KINDS);
    loop.payload = grown(loop.payload, 2 * (index + 1) * KINDS);
  }
  return index;
}

function grown(counts: Float64Array, length: number): Float64Array {
  const result = new Float64Array(length);
  result.set(counts);
  return result;
}

/** Counts pages that are not in records of their own. */
export function countPages(
  loop: PageLoop,
  block: number,
  kind: PageKind,
  pages: number,
  bytes: number,
): void {
  const slot = block * loop.stride + pageKinds.indexOf(kind);
  loop.pages[slot] = (loop.pages[slot] ?? 0) + pages;
  loop.payload[slot] = (loop.payload[slot] ?? 0) + bytes;
  loop.pageCount += pages;
}

/** The largest size that all page offsets so far are multiples of, in bytes; 0 before there is a page at another. */
export function commonOffset(loop: PageLoop): number {
  return (loop.offsetBits & -loop.offsetBits) >>> 0;
}

/** The number that zlib's compressBound gives: the most bytes that `length` bytes can take when deflated. */
function compressBound(length: number): number {
  return length + (length >> 12) + (length >> 14) + 13;
}

/**
 * Scans the records that are completely in the window (migration/ram.c, ram_load_precopy). Returns END_OF_SECTION
 * behind an EOS record, MULTIFD_FLUSH behind one of those, BLOCK_LIST at a MEM_SIZE record, ENOUGH_PAGES, or the number
 * of bytes that the record at the window's position needs in it. Page data is stepped over.
 * Throws DecodeError `bad-ram`.
 */
export function scanLoaded(loop: PageLoop, window: Window): number {
  const { bytes, view, limit } = window;
  const { blocks, pageSize, stride, pages, payload, sink } = loop;
  const flagMask = pageSize - 1;
  const maxCompressed = compressBound(pageSize);
  const base = window.offset - window.pos;
  let pos = window.pos;
  let block = loop.block;
  let blockLength = blocks[block]?.length ?? 0;
  let pagesLeft = loop.pageLimit;
  let records = 0;
  let pageCount = 0;
  let headerBytes = 0;
  let offsetBits = 0;
  let result = 8;
  // Pages that follow each other and are of one kind, for the sink: kind and value of the first, and how many.
  let runKind = -1;
  let runBlock = -1;
  let runOffset = 0;
  let runValue = 0;
  let runPages = 0;
  const runStride = pageSize + 8;
  const from: PageSource = loop.from ?? { source: window.source, hasRecords: true };
  loop.from = from;
  const flush = () => {
    if (runPages === 0) return;
    const kind = pageKinds[runKind] as PageKind;
    sink?.pages(blocks[runBlock] as RamBlock, runOffset, runPages, kind, pageSize, runValue, from);
    runPages = 0;
  };

  try {
    while (limit - pos >= 8) {
      const high = view.getUint32(pos);
      const low = view.getUint32(pos + 4);
      const flags = low & flagMask;
      let cursor = pos + 8;
      let kind = PLAIN;
      switch (flags & ~RAM_SAVE_FLAG_CONTINUE) {
        case RAM_SAVE_FLAG_PAGE:
          break;
        case RAM_SAVE_FLAG_ZERO:
          kind = ZERO;
          break;
        case RAM_SAVE_FLAG_XBZRLE:
          kind = XBZRLE;
          break;
        case RAM_SAVE_FLAG_COMPRESS_PAGE:
          kind = COMPRESSED;
          break;
        case RAM_SAVE_FLAG_MEM_SIZE:
          kind = LIST;
          break;
        case RAM_SAVE_FLAG_EOS:
        case RAM_SAVE_FLAG_MULTIFD_FLUSH:
        case RAM_SAVE_FLAG_HOOK:
          kind = MARK;
          break;
        default:
          throw badFlags(loop, base + pos, high, low, flags);
      }

      if (kind >= LIST) {
        if (kind === LIST) {
          result = BLOCK_LIST;
          break;
        }
        if (high !== 0 || low !== flags || (flags & RAM_SAVE_FLAG_CONTINUE) !== 0) {
          throw badFlags(loop, base + pos, high, low, flags);
        }
        pos += 8;
        records++;
        headerBytes += 8;
        if (flags === RAM_SAVE_FLAG_EOS) {
          loop.eos++;
          result = END_OF_SECTION;
          break;
        }
        if (flags === RAM_SAVE_FLAG_HOOK) {
          loop.hook++;
          continue;
        }
        loop.multifdFlush++;
        result = MULTIFD_FLUSH;
        break;
      }

      if ((flags & RAM_SAVE_FLAG_CONTINUE) === 0) {
        const nameLength = limit > cursor ? (bytes[cursor] ?? 0) : 0;
        if (limit - pos < 9 + nameLength) {
          result = 9 + nameLength;
          break;
        }
        const name = decodeText(bytes.subarray(cursor + 1, cursor + 1 + nameLength));
        const index = loop.blockIndex.get(name);
        if (index === undefined) {
          const message = `a page of RAMBlock '${printable(name)}', which is not in the block list`;
          throw sectionError(loop.section, 'bad-ram', message, base + pos, base + cursor + 1 + nameLength);
        }
        block = index;
        blockLength = blocks[index]?.length ?? 0;
        cursor += 1 + nameLength;
      } else if (block < 0) {
        const message =
          'the first page record says that its RAMBlock is the same as before (RAM_SAVE_FLAG_CONTINUE)';
        throw sectionError(loop.section, 'bad-ram', message, base + pos, base + pos + 8);
      }

      const offset = high * 0x100000000 + ((low - flags) >>> 0);

      // Where the bytes of the page start, and where the record ends.
      let data = cursor;
      let end = cursor + pageSize;
      let fill = 0;
      if (kind === ZERO) {
        end = cursor + 1;
        if (end <= limit) fill = bytes[cursor] ?? 0;
        if (fill !== 0) kind = FILL;
        data = end;
      } else if (kind === XBZRLE) {
        data = cursor + 3;
        end = data;
        if (end <= limit) {
          const encoded = view.getUint16(cursor + 1);
          if (bytes[cursor] !== ENCODING_FLAG_XBZRLE || encoded > pageSize) {
            throw badEncoding(loop, base + cursor, bytes[cursor] ?? 0, encoded);
          }
          end += encoded;
        }
      } else if (kind === COMPRESSED) {
        data = cursor + 4;
        end = data;
        if (end <= limit) {
          const compressed = view.getUint32(cursor);
          if (compressed > maxCompressed) throw badCompressed(loop, base + cursor, compressed, maxCompressed);
          end += compressed;
        }
      }
      if (end > limit) {
        result = end - pos;
        break;
      }

      if (offset > blockLength - pageSize) {
        const error = badOffset(loop, base + pos, block, offset);
        if (!loop.reportPage) throw error;
        loop.reportPage(error);
        pos = end;
        continue;
      }
      offsetBits |= low - flags;
      const slot = block * stride + kind;
      pages[slot] = (pages[slot] ?? 0) + 1;
      payload[slot] = (payload[slot] ?? 0) + (end - cursor);
      headerBytes += cursor - pos;
      records++;
      pageCount++;
      if (sink !== undefined) {
        const value = kind === FILL ? fill : kind === ZERO ? 0 : base + (kind === PLAIN ? data : cursor);
        // No XBZRLE or compressed page continues a run.
        if (
          runPages > 0 &&
          kind === runKind &&
          block === runBlock &&
          offset === runOffset + runPages * pageSize &&
          kind <= FILL &&
          value === (kind === PLAIN ? runValue + runPages * runStride : runValue)
        ) {
          runPages++;
        } else {
          flush();
          runKind = kind;
          runBlock = block;
          runOffset = offset;
          runValue = value;
          runPages = 1;
        }
      }
      pos = end;
      if (--pagesLeft <= 0) {
        result = ENOUGH_PAGES;
        break;
      }
    }
    return result;
  } finally {
    // Also where it throws: the window then stands at the bad record, with all before it counted and delivered.
    flush();
    window.pos = pos;
    loop.block = block;
    loop.pageLimit = pagesLeft;
    loop.records += records;
    loop.pageCount += pageCount;
    loop.headerBytes += headerBytes;
    loop.offsetBits |= offsetBits;
  }
}

function badFlags(loop: PageLoop, start: number, high: number, low: number, flags: number) {
  const word = `0x${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`;
  const message = `${word} is not a RAM record: its flags are ${formatRamFlags(flags)}; expected a page, a marker or the end of the section`;
  return sectionError(loop.section, 'bad-ram', message, start, start + 8);
}

function badOffset(loop: PageLoop, start: number, block: number, offset: number) {
  const { idstr, length } = loop.blocks[block] ?? { idstr: '', length: 0 };
  const message = `a page at ${hexOffset(offset)} of RAMBlock '${printable(idstr)}', which has ${hexOffset(length)} bytes`;
  return sectionError(loop.section, 'bad-ram', message, start, start + 8);
}

function badEncoding(loop: PageLoop, start: number, encoding: number, length: number) {
  const message =
    encoding === ENCODING_FLAG_XBZRLE
      ? `an XBZRLE page of ${length} bytes, more than the ${loop.pageSize} of a page`
      : `an XBZRLE page with encoding 0x${encoding.toString(16)}; only ${ENCODING_FLAG_XBZRLE} exists`;
  return sectionError(loop.section, 'bad-ram', message, start, start + 3);
}

function badCompressed(loop: PageLoop, start: number, length: number, most: number) {
  const message = `a compressed page of ${length} bytes; ${loop.pageSize} bytes can take at most ${most}`;
  return sectionError(loop.section, 'bad-ram', message, start, start + 4);
}
