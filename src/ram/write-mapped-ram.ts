import { ByteWriter } from '../bytes/byte-writer.ts';
import { MAPPED_RAM_HEADER_SIZE, MAPPED_RAM_VERSION } from './mapped-ram.ts';
import type { MappedRam, RamBlock } from './ram-block.ts';
import { RAM_SAVE_FLAG_MEM_SIZE } from './ram-flags.ts';
import { writeEndOfSection } from './write-ram.ts';

/** What QEMU aligns pages to: MAPPED_RAM_FILE_OFFSET_ALIGNMENT (migration/ram.c), which direct I/O takes. */
const ALIGNMENT = 1 << 20;
/** Bytes of a word of a bitmap. */
const WORD = 8;

/** Bytes at their place in a file. */
export interface PlacedBytes {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The body of a START record with mapped-ram: the list of blocks, with room for their bitmaps and pages. */
export interface MappedBlockList {
  /** All that is no bitmap and no page, in order. */
  readonly parts: readonly PlacedBytes[];
  /** Where bitmaps and pages of blocks belong, by idstr. */
  readonly mapped: ReadonlyMap<string, MappedRam>;
  /** Where the body ends. */
  readonly end: number;
}

/**
 * Lays out the body of the START record that begins at `start` in a file which begins with the stream: as
 * `readMappedRamHeader` reads it (migration/ram.c, ram_save_setup and mapped_ram_setup_ramblock). `pageSize` is
 * TARGET_PAGE_SIZE. Offsets and sizes in bytes.
 */
export function layOutMappedBlocks(
  blocks: readonly RamBlock[],
  pageSize: number,
  start: number,
): MappedBlockList {
  const parts: PlacedBytes[] = [];
  const mapped = new Map<string, MappedRam>();
  const total = blocks.reduce((sum, { length }) => sum + length, 0);
  let offset = start;
  const put = (bytes: Uint8Array) => {
    parts.push({ offset, bytes });
    offset += bytes.byteLength;
  };
  put(new ByteWriter(8).u64(BigInt(total) | BigInt(RAM_SAVE_FLAG_MEM_SIZE)).finish());
  for (const { idstr, length, address } of blocks) {
    const entry = new ByteWriter().text8(idstr).u64(BigInt(length));
    if (address !== undefined) entry.u64(address);
    const bitmapOffset = offset + entry.length + MAPPED_RAM_HEADER_SIZE;
    const bitmapEnd = bitmapOffset + bitmapLength(length, pageSize);
    const pagesOffset = Math.ceil(bitmapEnd / ALIGNMENT) * ALIGNMENT;
    entry.u32(MAPPED_RAM_VERSION).u64(BigInt(pageSize)).u64(BigInt(bitmapOffset)).u64(BigInt(pagesOffset));
    put(entry.finish());
    mapped.set(idstr, { version: MAPPED_RAM_VERSION, pageSize, bitmapOffset, pagesOffset });
    offset = pagesOffset + length;
  }
  put(writeEndOfSection());
  return { parts, mapped, end: offset };
}

/** Bytes of the bitmap of a block: a bit for each page, in whole words. */
export function bitmapLength(length: number, pageSize: number): number {
  return Math.ceil(Math.floor(length / pageSize) / (8 * WORD)) * WORD;
}
