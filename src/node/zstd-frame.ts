import type { FinishedSource } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';

const MAGIC = 0xfd2fb528;
/** Of a skippable frame, whose lowest four bits are free. */
const MAGIC_SKIPPABLE = 0x184d2a50;
/** The longest frame header with its magic, and the header of a block (RFC 8878). */
const MAX_HEADER = 18;
const BLOCK_HEADER = 3;
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

/** A zstd frame in a source. */
interface ZstdFrame {
  readonly kind: 'content' | 'skippable' | 'none';
  /** Offset behind it; more than the source has where it is cut. */
  readonly end: number;
}

/** The extent of the frame at `start`, by the headers of its blocks. */
export async function findZstdFrame(source: FinishedSource, start: number): Promise<ZstdFrame> {
  const cut: ZstdFrame = { kind: 'content', end: source.size + 1 };
  const header = await source.read(start, MAX_HEADER);
  const view = viewOf(header);
  if (header.byteLength < 4) return { ...cut, kind: 'none' };
  const magic = view.getUint32(0, true);
  if ((magic & ~15) >>> 0 === MAGIC_SKIPPABLE) {
    return { kind: 'skippable', end: header.byteLength < 8 ? cut.end : start + 8 + view.getUint32(4, true) };
  }
  if (magic !== MAGIC) return { ...cut, kind: 'none' };
  if (header.byteLength < 5) return cut;
  const descriptor = header[4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const checksumSize = descriptor & 4 ? 4 : 0;
  const dictionarySize = [0, 1, 2, 4][descriptor & 3]!;
  const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  let offset = start + 5 + (singleSegment ? 0 : 1) + dictionarySize + contentSize;
  for (;;) {
    const block = await source.read(offset, BLOCK_HEADER);
    if (block.byteLength < BLOCK_HEADER) return cut;
    const word = block[0]! | (block[1]! << 8) | (block[2]! << 16);
    const type = (word >> 1) & 3;
    // The decoder says what is wrong with it.
    if (type === BLOCK_RESERVED) return { kind: 'content', end: offset + BLOCK_HEADER };
    offset += BLOCK_HEADER + (type === BLOCK_RLE ? 1 : word >> 3);
    if (word & 1) return { kind: 'content', end: offset + checksumSize };
  }
}
