import { u64At } from '../bytes/view.ts';
import type { Window } from '../bytes/window.ts';
import { countBits } from './bitmap.ts';
import type { IterativeContext, SectionReader } from './scanner.ts';
import { requireVersion, sectionError } from './section-error.ts';

const VERSION = 1;
const DIRTY_BITMAP_MIG_FLAG_EOS = 0x01;
const DIRTY_BITMAP_MIG_FLAG_ZEROES = 0x02;
const DIRTY_BITMAP_MIG_FLAG_BITMAP_NAME = 0x04;
const DIRTY_BITMAP_MIG_FLAG_DEVICE_NAME = 0x08;
const DIRTY_BITMAP_MIG_FLAG_START = 0x10;
const DIRTY_BITMAP_MIG_FLAG_COMPLETE = 0x20;
const DIRTY_BITMAP_MIG_FLAG_BITS = 0x40;
const DIRTY_BITMAP_MIG_EXTRA_FLAGS = 0x80;
const START_FLAG_ENABLED = 0x01;
const START_FLAG_PERSISTENT = 0x02;
/** AUTOLOAD before QEMU 2.12; now without meaning. */
const START_FLAG_RESERVED = 0xf8;
/** QEMU sends 1 KiB of bits at a time and refuses ten times as much. */
const MAX_CHUNK = 10 << 10;
const SECTOR_SIZE = 512;
/** Far more bitmaps than a VM has. */
const MAX_BITMAPS = 65536;

/** One dirty bitmap of a block device. */
export interface DirtyBitmap {
  /** Node name or device, or the alias that the source maps it to. */
  readonly node: string;
  /** Name of the bitmap, or its alias. */
  readonly name: string;
  /** Bytes of the disk for each bit. */
  readonly granularity: number;
  readonly enabled: boolean;
  readonly persistent: boolean;
  /** Chunks of bits, those sent as zeros, and bytes of bits in the stream. */
  readonly chunks: number;
  readonly zeroChunks: number;
  readonly bytes: number;
  /** Bits set in what was sent. */
  readonly dirty: number;
  /** Bytes of the disk up to which bits were sent. */
  readonly covered: number;
  /** Everything was sent (DIRTY_BITMAP_MIG_FLAG_COMPLETE). */
  readonly complete: boolean;
}

export interface DirtyBitmapSummary {
  readonly kind: 'dirty-bitmap';
  readonly bitmaps: readonly DirtyBitmap[];
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * Scanner of the section `dirty-bitmap`, version 1 (migration/block-dirty-bitmap.c, dirty_bitmap_load). Each chunk
 * begins with a byte of flags and the names of node and bitmap, each only where it has changed. START: u32
 * granularity, u8 flags; COMPLETE: nothing; BITS: u64 first sector, u32 sectors, and unless ZEROES a u64 length and
 * the bits. The chunk with EOS is the last of a record. Throws DecodeError `bad-iterative`, `truncated`,
 * `unsupported`.
 */
export function createDirtyBitmapScanner(context: IterativeContext): SectionReader<DirtyBitmapSummary> {
  const bitmaps = new Map<string, Mutable<DirtyBitmap>>();
  let node: string | undefined;
  let name: string | undefined;

  async function scan(window: Window): Promise<void> {
    requireVersion(context, VERSION, window.offset);
    let flags = 0;
    while ((flags & DIRTY_BITMAP_MIG_FLAG_EOS) === 0) flags = await scanChunk(window);
  }

  async function scanChunk(window: Window): Promise<number> {
    const start = window.offset;
    const bad = (message: string) => sectionError(context, 'bad-iterative', message, start, window.offset);
    const flags = await window.readU8('a dirty bitmap');
    if ((flags & DIRTY_BITMAP_MIG_EXTRA_FLAGS) !== 0) {
      throw bad(
        `a dirty bitmap chunk with more than 8 bits of flags (0x${flags.toString(16)}), which no QEMU writes`,
      );
    }
    if ((flags & DIRTY_BITMAP_MIG_FLAG_DEVICE_NAME) !== 0) {
      node = await window.readText8('the node name of a dirty bitmap');
    }
    if ((flags & DIRTY_BITMAP_MIG_FLAG_BITMAP_NAME) !== 0) {
      name = await window.readText8('the name of a dirty bitmap');
    }
    const action =
      flags & (DIRTY_BITMAP_MIG_FLAG_START | DIRTY_BITMAP_MIG_FLAG_COMPLETE | DIRTY_BITMAP_MIG_FLAG_BITS);
    if (action === 0) {
      if ((flags & DIRTY_BITMAP_MIG_FLAG_EOS) === 0) {
        throw bad(
          `a dirty bitmap chunk with flags 0x${flags.toString(16)}; expected START, BITS, COMPLETE or EOS`,
        );
      }
      return flags;
    }
    if (node === undefined || name === undefined) {
      throw bad(
        `a dirty bitmap chunk (flags 0x${flags.toString(16)}) before the name of ${node === undefined ? 'a node' : 'a bitmap'}`,
      );
    }
    const key = JSON.stringify([node, name]);
    if (action === DIRTY_BITMAP_MIG_FLAG_START) {
      const granularity = await window.readU32('a dirty bitmap');
      const bits = await window.readU8('a dirty bitmap');
      if (granularity < SECTOR_SIZE || (granularity & (granularity - 1)) !== 0) {
        throw bad(
          `a dirty bitmap with a granularity of ${granularity} bytes; expected a power of two from ${SECTOR_SIZE} up`,
        );
      }
      if ((bits & START_FLAG_RESERVED) !== 0)
        throw bad(`a dirty bitmap with unknown flags 0x${bits.toString(16)}`);
      if (bitmaps.size === MAX_BITMAPS) throw bad(`more than ${MAX_BITMAPS} dirty bitmaps`);
      bitmaps.set(key, {
        node,
        name,
        granularity,
        enabled: (bits & START_FLAG_ENABLED) !== 0,
        persistent: (bits & START_FLAG_PERSISTENT) !== 0,
        chunks: 0,
        zeroChunks: 0,
        bytes: 0,
        dirty: 0,
        covered: 0,
        complete: false,
      });
      return flags;
    }
    const bitmap = bitmaps.get(key);
    if (!bitmap) throw bad('a dirty bitmap that no START chunk has announced');
    if (action === DIRTY_BITMAP_MIG_FLAG_COMPLETE) bitmap.complete = true;
    else if (action === DIRTY_BITMAP_MIG_FLAG_BITS) await scanBits(window, flags, bitmap, bad);
    else
      throw bad(
        `a dirty bitmap chunk with flags 0x${flags.toString(16)}; expected one of START, BITS and COMPLETE`,
      );
    return flags;
  }

  async function scanBits(
    window: Window,
    flags: number,
    bitmap: Mutable<DirtyBitmap>,
    bad: (message: string) => Error,
  ): Promise<void> {
    await window.require(12, 'a dirty bitmap');
    const { view, pos } = window;
    const firstSector = u64At(view, pos);
    const end = (firstSector + view.getUint32(pos + 8)) * SECTOR_SIZE;
    window.pos += 12;
    if (!Number.isSafeInteger(end)) throw bad(`dirty bits from sector ${view.getBigUint64(pos)}`);
    bitmap.chunks++;
    bitmap.covered = Math.max(bitmap.covered, end);
    if ((flags & DIRTY_BITMAP_MIG_FLAG_ZEROES) !== 0) {
      bitmap.zeroChunks++;
      return;
    }
    const length = await window.readU64('a dirty bitmap');
    if (length > MAX_CHUNK)
      throw bad(`a chunk of ${length} bytes of dirty bits; QEMU refuses more than ${MAX_CHUNK}`);
    const bytes = Number(length);
    await window.require(bytes, 'a dirty bitmap');
    bitmap.dirty += countBits(window.bytes, window.pos, bytes * 8);
    bitmap.bytes += bytes;
    window.pos += bytes;
  }

  return {
    scan,
    summary: () => ({
      kind: 'dirty-bitmap',
      bitmaps: [...bitmaps.values()].map((bitmap) => ({ ...bitmap })),
    }),
  };
}
