import type { PageKind, PageSink } from './page-sink.ts';
import type { RamBlock } from './ram-block.ts';

/** Pages of one chunk: 8 KiB of hashes. */
const CHUNK_PAGES = 1 << 10;
/** Chunks that are kept: 512 MiB, enough for 256 GiB of pages of 4 KiB. */
const MAX_CHUNKS = 1 << 16;

/** Two words for each page, see `PageHashes`. Page n of a block is page n % CHUNK_PAGES of chunk n / CHUNK_PAGES. */
export interface BlockHashes {
  /** TARGET_PAGE_SIZE, bytes. */
  readonly pageSize: number;
  readonly chunks: Map<number, Uint32Array>;
}

/** What is known of the content of a page: its first word is odd when there is a hash. */
const NOT_SENT = 0;
const NOT_DECODED = 2;

export interface PageHashesOptions {
  /** Decompresses a zlib stream to at most as many bytes; throws where it is damaged. Without it, no such page is known. */
  inflate?(data: Uint8Array, pageSize: number): Uint8Array;
}

// So that nobody can make pages that differ and have the same hash. Both streams of a comparison have the same.
const SEED_LOW = Math.floor(Math.random() * 2 ** 32) | 0;
const SEED_HIGH = Math.floor(Math.random() * 2 ** 32) | 0;

/**
 * Keeps a hash of 63 bits of the last version of each page, while a stream is scanned: 8 bytes for a page. Hashes are of
 * use in this process only. An XBZRLE delta says nothing without the page that it applies to: pages that end with one are
 * `undecoded`, and for the caller to `set`.
 */
export class PageHashes implements PageSink {
  /** Sends of pages that are not followed, as there are too many. */
  unfollowed = 0;
  readonly #blocks = new Map<string, BlockHashes>();
  readonly #inflate: PageHashesOptions['inflate'];
  readonly #fills = new Map<number, Uint32Array>();
  #chunkCount = 0;
  // Of the page before.
  #ramBlock: RamBlock | undefined;
  #block: BlockHashes | undefined;
  #chunkIndex = -1;
  #chunk: Uint32Array | undefined;

  constructor({ inflate }: PageHashesOptions = {}) {
    this.#inflate = inflate;
  }

  get blocks(): ReadonlyMap<string, BlockHashes> {
    return this.#blocks;
  }

  page(
    block: RamBlock,
    offset: number,
    kind: PageKind,
    data: Uint8Array,
    fill: number,
    pageSize: number,
  ): void {
    const page = offset / pageSize;
    switch (kind) {
      case 'plain':
      case 'mapped':
        this.set(block, page, data, pageSize);
        return;
      case 'zero':
      case 'fill':
        this.#copy(block, page, this.#fillHash(kind === 'zero' ? 0 : fill, pageSize), pageSize);
        return;
      case 'compressed':
        this.#setCompressed(block, page, data, pageSize);
        return;
      case 'xbzrle':
        this.#put(block, page, NOT_DECODED, 0, pageSize);
    }
  }

  pages(
    block: RamBlock,
    offset: number,
    count: number,
    bytes: Uint8Array,
    start: number,
    stride: number,
    pageSize: number,
  ): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let index = 0; index < count; index++)
      this.#hash(block, offset / pageSize + index, view, start + index * stride, pageSize);
  }

  /** Sets the content of a page. */
  set(block: RamBlock, page: number, data: Uint8Array, pageSize: number): void {
    this.#hash(block, page, new DataView(data.buffer, data.byteOffset, data.byteLength), 0, pageSize);
  }

  /** False for a page whose last version is there, but could not be decoded. */
  isDecoded(block: RamBlock, page: number): boolean {
    const chunk = this.#blocks.get(block.idstr)?.chunks.get(Math.floor(page / CHUNK_PAGES));
    return chunk?.[2 * (page % CHUNK_PAGES)] !== NOT_DECODED;
  }

  /** All pages of which `isDecoded` is false. */
  *undecoded(): Generator<{ readonly idstr: string; readonly page: number; readonly pageSize: number }> {
    for (const [idstr, { pageSize, chunks }] of this.#blocks) {
      for (const [index, chunk] of chunks) {
        for (let page = 0; page < CHUNK_PAGES; page++)
          if (chunk[2 * page] === NOT_DECODED) yield { idstr, page: index * CHUNK_PAGES + page, pageSize };
      }
    }
  }

  #setCompressed(block: RamBlock, page: number, data: Uint8Array, pageSize: number): void {
    try {
      const content = this.#inflate?.(data, pageSize);
      if (content?.length === pageSize) {
        this.set(block, page, content, pageSize);
        return;
      }
    } catch {
      // As without the means to decompress it.
    }
    this.#put(block, page, NOT_DECODED, 0, pageSize);
  }

  #fillHash(fill: number, pageSize: number): Uint32Array {
    let hash = this.#fills.get(fill);
    if (!hash) {
      hash = new Uint32Array(2);
      hashBytes(new DataView(new Uint8Array(pageSize).fill(fill).buffer), 0, pageSize, hash, 0);
      this.#fills.set(fill, hash);
    }
    return hash;
  }

  #copy(block: RamBlock, page: number, hash: Uint32Array, pageSize: number): void {
    this.#put(block, page, hash[0]!, hash[1]!, pageSize);
  }

  #put(block: RamBlock, page: number, low: number, high: number, pageSize: number): void {
    const chunk = this.#chunkOf(block, page, pageSize);
    if (!chunk) return;
    const at = 2 * (page % CHUNK_PAGES);
    chunk[at] = low;
    chunk[at + 1] = high;
  }

  #hash(block: RamBlock, page: number, view: DataView, start: number, pageSize: number): void {
    const chunk = this.#chunkOf(block, page, pageSize);
    if (chunk) hashBytes(view, start, pageSize, chunk, 2 * (page % CHUNK_PAGES));
  }

  #chunkOf(ramBlock: RamBlock, page: number, pageSize: number): Uint32Array | undefined {
    const index = Math.floor(page / CHUNK_PAGES);
    if (ramBlock === this.#ramBlock && index === this.#chunkIndex && this.#chunk) return this.#chunk;
    if (ramBlock !== this.#ramBlock) {
      this.#ramBlock = ramBlock;
      this.#block = this.#blocks.get(ramBlock.idstr);
    }
    let block = this.#block;
    if (block?.pageSize !== pageSize) {
      // The scan believed in another size at first; what it gave until then was of no content.
      block = { pageSize, chunks: new Map() };
      this.#block = block;
      this.#blocks.set(ramBlock.idstr, block);
    }
    let chunk = block.chunks.get(index);
    if (!chunk) {
      if (this.#chunkCount === MAX_CHUNKS) {
        this.unfollowed++;
        return undefined;
      }
      this.#chunkCount++;
      chunk = new Uint32Array(2 * CHUNK_PAGES);
      block.chunks.set(index, chunk);
    }
    this.#chunkIndex = index;
    this.#chunk = chunk;
    return chunk;
  }
}

/** Hashes `length` bytes (a multiple of 8) into two words of `into`. Each step is a permutation of the 64 bits. */
function hashBytes(view: DataView, start: number, length: number, into: Uint32Array, at: number): void {
  let low = SEED_LOW;
  let high = SEED_HIGH;
  for (let pos = start; pos < start + length; pos += 8) {
    low = Math.imul(low ^ view.getInt32(pos, true), 0x9e3779b1);
    high = (Math.imul(high ^ view.getInt32(pos + 4, true), 0x85ebca77) + low) | 0;
    low ^= high >>> 15;
  }
  into[at] = low | 1;
  into[at + 1] = high;
}

/** What two sides have of a page. */
export type PagePair = 'same' | 'changed' | 'onlyA' | 'onlyB' | 'neither' | 'undecoded';

/**
 * Compares what two streams hold of a block, page by page in order, from page 0 to before `pages`. A page that was not
 * sent is zeros where that is what its absence means. Calls back for runs of pages with the same result.
 */
export function comparePages(
  a: { readonly hashes: PageHashes; readonly block: RamBlock; readonly zeroIfAbsent: boolean },
  b: { readonly hashes: PageHashes; readonly block: RamBlock; readonly zeroIfAbsent: boolean },
  visit: (pair: PagePair, first: number, count: number) => void,
): void {
  const hashesA = a.hashes.blocks.get(a.block.idstr);
  const hashesB = b.hashes.blocks.get(b.block.idstr);
  const pageSize = hashesA?.pageSize ?? hashesB?.pageSize;
  if (pageSize === undefined) return;
  const zero = new Uint32Array(2);
  hashBytes(new DataView(new ArrayBuffer(pageSize)), 0, pageSize, zero, 0);
  const absent = (zeroIfAbsent: boolean) => (zeroIfAbsent ? zero : new Uint32Array(2));
  const absentA = absent(a.zeroIfAbsent);
  const absentB = absent(b.zeroIfAbsent);
  const indexes = new Set([...(hashesA?.chunks.keys() ?? []), ...(hashesB?.chunks.keys() ?? [])]);
  let current: PagePair = 'neither';
  let first = 0;
  let next = 0;
  for (const index of [...indexes].sort((x, y) => x - y)) {
    const chunkA = hashesA?.chunks.get(index);
    const chunkB = hashesB?.chunks.get(index);
    for (let page = 0; page < CHUNK_PAGES; page++) {
      const number = index * CHUNK_PAGES + page;
      const pair = pairOf(chunkA, absentA, chunkB, absentB, 2 * page);
      if (pair === current && number === next) {
        next++;
        continue;
      }
      if (next > first) visit(current, first, next - first);
      current = pair;
      first = number;
      next = number + 1;
    }
  }
  if (next > first) visit(current, first, next - first);
}

function pairOf(
  chunkA: Uint32Array | undefined,
  absentA: Uint32Array,
  chunkB: Uint32Array | undefined,
  absentB: Uint32Array,
  at: number,
): PagePair {
  const sentA = chunkA !== undefined && chunkA[at] !== NOT_SENT;
  const sentB = chunkB !== undefined && chunkB[at] !== NOT_SENT;
  if (!sentA && !sentB) return 'neither';
  const lowA = sentA ? chunkA[at]! : absentA[0]!;
  const lowB = sentB ? chunkB[at]! : absentB[0]!;
  if (lowA === NOT_DECODED || lowB === NOT_DECODED) return 'undecoded';
  if (lowB === NOT_SENT) return 'onlyA';
  if (lowA === NOT_SENT) return 'onlyB';
  const highA = sentA ? chunkA[at + 1] : absentA[1];
  const highB = sentB ? chunkB[at + 1] : absentB[1];
  return lowA === lowB && highA === highB ? 'same' : 'changed';
}
