import { hexOffset } from '../bytes/range.ts';
import { type FinishedSource, readExactly } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import type { Qcow2Header } from './qcow2-header.ts';

const SUBCLUSTERS = 32;
const SECTOR = 512;
const TWO_TO_32 = 2 ** 32;
/** Bytes of L2 tables that are held. */
const L2_CACHE = 8 << 20;

/** High and low halves of table entries (block/qcow2.h). Bit 63, that the refcount is one, says nothing to a reader. */
const OFFSET_HIGH = 0x00ffffff;
const OFFSET_LOW = 0xfffffe00;
const L1_RESERVED_HIGH = 0x7f000000;
const L1_RESERVED_LOW = 0x1ff;
const L2_COMPRESSED_HIGH = 0x40000000;
const L2_RESERVED_HIGH = 0x3f000000;
const L2_RESERVED_LOW = 0x1fe;
const L2_ZERO_LOW = 1;

/** Bytes of a snapshot that are in the file in one piece, or not at all. */
export type Extent =
  | { readonly kind: 'stored'; readonly offset: number; readonly length: number }
  /** Never written, or said to be zero. */
  | { readonly kind: 'zero'; readonly length: number }
  | CompressedExtent
  | LostExtent;

/** Bytes that cannot be found. */
interface LostExtent {
  readonly kind: 'lost';
  /** What is wrong, and where in the file. */
  readonly problem: string;
  readonly length: 0;
}

/** A part of one compressed cluster. */
export interface CompressedExtent {
  readonly kind: 'compressed';
  readonly offset: number;
  /** Bytes from there on that the cluster may take: it is known in sectors only. */
  readonly size: number;
  /** The first byte of the part, in the cluster. */
  readonly skip: number;
  readonly length: number;
}

/** An L2 table: where it is in the file, and its bytes. */
interface L2Table {
  readonly offset: number;
  readonly view: DataView;
}

/**
 * Finds the bytes of one snapshot in an image, through its L1 table and the L2 tables of that (QEMU:
 * block/qcow2-cluster.c, qcow2_get_host_offset). What QEMU finds corrupt, and what is past the end of the file, is lost;
 * so is what has reserved bits set, which QEMU never writes.
 */
export class ClusterMap {
  readonly clusterSize: number;
  readonly #file: FinishedSource;
  readonly #header: Qcow2Header;
  readonly #l1: DataView;
  readonly #l1Offset: number;
  readonly #entrySize: number;
  /** Bytes of the snapshot that one L2 table maps. */
  readonly #coverage: number;
  /** By their offset in the file; the one that was used last is at the end. */
  readonly #l2Tables = new Map<number, Promise<L2Table>>();

  constructor(file: FinishedSource, header: Qcow2Header, l1: Uint8Array, l1Offset: number) {
    this.#file = file;
    this.#header = header;
    this.#l1 = viewOf(l1);
    this.#l1Offset = l1Offset;
    this.#entrySize = header.extendedL2 ? 16 : 8;
    this.clusterSize = 2 ** header.clusterBits;
    this.#coverage = this.clusterSize * (this.clusterSize / this.#entrySize);
  }

  /** Where the first L2 table behind the disk begins to map. */
  roundUpToTable(offset: number): number {
    return Math.ceil(offset / this.#coverage) * this.#coverage;
  }

  /** The longest extent that begins at `offset`, of at most `atMost` (from 1) bytes. Throws `io`. */
  async extent(offset: number, atMost: number): Promise<Extent> {
    let found: Extent | undefined;
    for (let at = offset, end = offset + atMost; at < end; ) {
      const tableEnd = Math.min(end, (Math.floor(at / this.#coverage) + 1) * this.#coverage);
      const table = await this.#l2Table(at);
      while (at < tableEnd) {
        const next = this.#extentIn(table, at, tableEnd - at);
        const joined: Extent | undefined = found ? join(found, next) : next;
        if (!joined || joined.kind === 'lost') return joined ?? found!;
        found = joined;
        at = offset + found.length;
      }
    }
    return found ?? { kind: 'zero', length: 0 };
  }

  /** The L2 table for an offset; undefined where there is none, as nothing was written there. */
  async #l2Table(offset: number): Promise<L2Table | LostExtent | undefined> {
    const index = Math.floor(offset / this.#coverage);
    const place = this.#l1Offset + 8 * index;
    if (8 * index >= this.#l1.byteLength) {
      return lost(
        `the L1 table ends at ${hexOffset(this.#l1Offset + this.#l1.byteLength)}, before the VM state does`,
      );
    }
    const high = this.#l1.getUint32(8 * index);
    const low = this.#l1.getUint32(8 * index + 4);
    if (high & L1_RESERVED_HIGH || low & L1_RESERVED_LOW)
      return lostEntry('L1', place, 'has reserved bits set');
    const l2Offset = entryOffset(high, low);
    if (l2Offset === 0) return undefined;
    const problem = this.#misplaced(l2Offset, this.clusterSize);
    if (problem) return lostEntry('L1', place, `names an L2 table ${problem}`);
    return this.#readL2Table(l2Offset);
  }

  #readL2Table(offset: number): Promise<L2Table> {
    let table = this.#l2Tables.get(offset);
    this.#l2Tables.delete(offset);
    table ??= readExactly(this.#file, offset, this.clusterSize).then((bytes) => ({
      offset,
      view: viewOf(bytes),
    }));
    // One that could not be read is not held.
    table.catch(() => this.#l2Tables.delete(offset));
    this.#l2Tables.set(offset, table);
    if (this.#l2Tables.size > Math.max(2, L2_CACHE / this.clusterSize)) {
      const [oldest] = this.#l2Tables.keys();
      this.#l2Tables.delete(oldest!);
    }
    return table;
  }

  #extentIn(table: L2Table | LostExtent | undefined, offset: number, atMost: number): Extent {
    if (!table) return { kind: 'zero', length: atMost };
    return 'view' in table ? this.#extentInCluster(table, offset, atMost) : table;
  }

  /** The extent at `offset`, not beyond its cluster. */
  #extentInCluster({ offset: tableOffset, view }: L2Table, offset: number, atMost: number): Extent {
    const skip = offset % this.clusterSize;
    const pos = this.#entrySize * Math.floor((offset % this.#coverage) / this.clusterSize);
    const high = view.getUint32(pos);
    const low = view.getUint32(pos + 4);
    const place = tableOffset + pos;
    const length = Math.min(atMost, this.clusterSize - skip);
    if (high & L2_COMPRESSED_HIGH) return this.#compressedExtent(high, low, place, skip, length);
    const { extendedL2, version } = this.#header;
    const flagged = (low & L2_ZERO_LOW) !== 0;
    if (high & L2_RESERVED_HIGH || low & L2_RESERVED_LOW || (flagged && (extendedL2 || version === 2))) {
      return lostEntry('L2', place, 'has reserved bits set');
    }
    const cluster = entryOffset(high, low);
    if (!extendedL2) {
      if (flagged || cluster === 0) return { kind: 'zero', length };
      return this.#storedExtent(cluster, place, skip, length);
    }
    const zeroBits = view.getUint32(pos + 8);
    const storedBits = view.getUint32(pos + 12);
    if (cluster === 0 ? storedBits !== 0 : (zeroBits & storedBits) !== 0) {
      return lostEntry('L2', place, 'has subclusters that cannot be');
    }
    const subcluster = this.clusterSize / SUBCLUSTERS;
    const first = Math.floor(skip / subcluster);
    const stored = (storedBits >>> first) & 1;
    let end = first + 1;
    while (end < SUBCLUSTERS && ((storedBits >>> end) & 1) === stored) end++;
    const part = Math.min(length, end * subcluster - skip);
    return stored ? this.#storedExtent(cluster, place, skip, part) : { kind: 'zero', length: part };
  }

  #storedExtent(cluster: number, place: number, skip: number, length: number): Extent {
    // A file may end inside a cluster of which the rest was never written.
    const problem = this.#misplaced(cluster, skip + 1);
    if (problem) return lostEntry('L2', place, `names a cluster ${problem}`);
    const offset = cluster + skip;
    return { kind: 'stored', offset, length: Math.min(length, this.#file.size - offset) };
  }

  /** The offset takes the low bits, the number of further sectors the rest, fewer the larger clusters are. */
  #compressedExtent(high: number, low: number, place: number, skip: number, length: number): Extent {
    const highOffsetBits = 62 - (this.#header.clusterBits - 8) - 32;
    const offset = (high & (2 ** highOffsetBits - 1)) * TWO_TO_32 + low;
    const sectors = ((high & (L2_COMPRESSED_HIGH - 1)) >>> highOffsetBits) + 1;
    if (offset >= this.#file.size) {
      return lostEntry(
        'L2',
        place,
        `names a compressed cluster at ${hexOffset(offset)}, past the end of the file`,
      );
    }
    return { kind: 'compressed', offset, size: sectors * SECTOR - (offset % SECTOR), skip, length };
  }

  /** What is wrong with the place of a cluster of which `needed` bytes are read. */
  #misplaced(offset: number, needed: number): string | undefined {
    if (offset % this.clusterSize !== 0) return `at ${hexOffset(offset)}, inside a cluster`;
    if (offset + needed > this.#file.size) return `at ${hexOffset(offset)}, past the end of the file`;
    return undefined;
  }
}

function lost(problem: string): LostExtent {
  return { kind: 'lost', problem, length: 0 };
}

function lostEntry(table: 'L1' | 'L2', place: number, problem: string): LostExtent {
  return lost(`the ${table} entry at ${hexOffset(place)} of the file ${problem}`);
}

/** Beyond 2^53 it is not exact, but then far past the end of any file. */
function entryOffset(high: number, low: number): number {
  return (high & OFFSET_HIGH) * TWO_TO_32 + ((low & OFFSET_LOW) >>> 0);
}

/** Two extents as one, where the second continues the first. */
function join(first: Extent, second: Extent): Extent | undefined {
  const length = first.length + second.length;
  if (first.kind === 'zero' && second.kind === 'zero') return { kind: 'zero', length };
  if (first.kind !== 'stored' || second.kind !== 'stored') return undefined;
  if (first.offset + first.length !== second.offset) return undefined;
  return { kind: 'stored', offset: first.offset, length };
}
