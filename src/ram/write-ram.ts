import { ByteWriter } from '../bytes/byte-writer.ts';
import { badArgument } from '../bytes/diagnostic.ts';
import type { RamBlock } from './ram-block.ts';
import {
  RAM_SAVE_FLAG_CONTINUE,
  RAM_SAVE_FLAG_EOS,
  RAM_SAVE_FLAG_MEM_SIZE,
  RAM_SAVE_FLAG_PAGE,
  RAM_SAVE_FLAG_ZERO,
} from './ram-flags.ts';

/** Ends the body of every record of the section. */
export function writeEndOfSection(): Uint8Array {
  return new ByteWriter(8).u64(BigInt(RAM_SAVE_FLAG_EOS)).finish();
}

/**
 * The body of the START record: the list of RAMBlocks (migration/ram.c, ram_save_setup), as `readBlockList` reads it. The
 * blocks of mapped-ram, whose pages stand between the entries, are not written: throws DecodeError `bad-argument`.
 */
export function writeBlockList(blocks: readonly RamBlock[]): Uint8Array {
  const total = blocks.reduce((sum, { length }) => sum + length, 0);
  const writer = new ByteWriter().u64(BigInt(total) | BigInt(RAM_SAVE_FLAG_MEM_SIZE));
  for (const { idstr, length, pageSize, address, mapped } of blocks) {
    if (mapped) throw badArgument(`RAMBlock '${idstr}' is mapped: its pages are in no records`);
    writer.text8(idstr).u64(BigInt(length));
    if (pageSize !== undefined) writer.u64(BigInt(pageSize));
    if (address !== undefined) writer.u64(address);
  }
  return writer.bytes(writeEndOfSection()).finish();
}

/** Pages that follow each other in a RAMBlock. */
export interface PageRun {
  /** idstr of the block. */
  readonly block: string;
  /** Bytes inside the block: a multiple of the page size. */
  readonly offset: number;
  /** The pages, one behind the other; or how many bytes of them are all zeros. */
  readonly content: Uint8Array | number;
}

export interface RamBodyOptions {
  /** TARGET_PAGE_SIZE in bytes. */
  readonly pageSize: number;
  /** Bytes of a body at most, or as many as a single page takes. */
  readonly most: number;
}

/**
 * Bodies of PART or END records with these pages in this order, plain ones and zero ones, each ended by
 * RAM_SAVE_FLAG_EOS; without pages there is none. Each names the block of its first page, so that it can be read without
 * those before it. A body is a view that is right until the next is asked for.
 *
 * Throws DecodeError `bad-argument` for a run that does not consist of pages.
 */
export async function* writeRamBodies(
  runs: Iterable<PageRun> | AsyncIterable<PageRun>,
  { pageSize, most }: RamBodyOptions,
): AsyncGenerator<Uint8Array> {
  const end = writeEndOfSection();
  let writer = new ByteWriter(Math.min(most, 1 << 20));
  // Of the record before in this body.
  let block: string | undefined;
  for await (const { block: ofRun, offset, content } of runs) {
    const length = typeof content === 'number' ? content : content.byteLength;
    if (offset % pageSize !== 0 || length % pageSize !== 0)
      throw badArgument(`${length} bytes at ${offset} of RAMBlock '${ofRun}' are no pages of ${pageSize}`);
    for (let pos = 0; pos < length; pos += pageSize) {
      const page = typeof content === 'number' ? undefined : content.subarray(pos, pos + pageSize);
      const isZero = page === undefined || isAllZeros(page);
      const needed = 8 + (block === ofRun ? 0 : 256) + (isZero ? 1 : pageSize) + end.byteLength;
      if (block !== undefined && writer.length + needed > most) {
        yield writer.bytes(end).finish();
        writer = new ByteWriter(Math.min(most, 1 << 20));
        block = undefined;
      }
      const flags =
        (isZero ? RAM_SAVE_FLAG_ZERO : RAM_SAVE_FLAG_PAGE) | (block === ofRun ? RAM_SAVE_FLAG_CONTINUE : 0);
      writer.u64(BigInt(offset + pos) | BigInt(flags));
      if (block !== ofRun) writer.text8(ofRun);
      block = ofRun;
      if (isZero) writer.u8(0);
      else writer.bytes(page);
    }
  }
  if (block !== undefined) yield writer.bytes(end).finish();
}

function isAllZeros(page: Uint8Array): boolean {
  for (let i = 0; i < page.length; i++) if (page[i] !== 0) return false;
  return true;
}
