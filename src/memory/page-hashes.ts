import type { Diagnostic } from '../bytes/diagnostic.ts';
import { viewOf } from '../bytes/view.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { MemoryVisitor } from './memory-visitor.ts';

/** Pages of one chunk. As few as that, since a small stream can have one page in each of a great many chunks. */
const CHUNK_PAGES = 32;
const CHUNK_WORDS = 2 * CHUNK_PAGES;
/** Chunks of one slab, which is an allocation: 1 MiB. */
const SLAB_CHUNKS = 1 << 12;
/** Chunks that are kept: 512 MiB, enough for 256 GiB of pages of 4 KiB. */
const MAX_CHUNKS = 1 << 21;

/** Page n of a block is page n % CHUNK_PAGES of chunk n / CHUNK_PAGES. */
interface BlockHashes {
  /** TARGET_PAGE_SIZE, bytes. */
  readonly pageSize: number;
  /** Where each chunk is in the slabs. */
  readonly chunks: Map<number, number>;
}

/** Two words for each page, see `PageHashes`. */
interface Chunk {
  readonly words: Uint32Array;
  /** Of its first page. */
  readonly start: number;
}

/** What is known of the content of a page: its first word is odd when there is a hash. */
const NOT_SENT = 0;
const NOT_DECODED = 2;

// So that nobody can make pages that differ and have the same hash. Both streams of a comparison have the same.
const SEED_LOW = Math.floor(Math.random() * 2 ** 32) | 0;
const SEED_HIGH = Math.floor(Math.random() * 2 ** 32) | 0;

/**
 * Keeps a hash of 63 bits of each page of a memory that it visits: 8 bytes for a page. Hashes are of use in this process
 * only.
 */
export class PageHashes implements MemoryVisitor {
  /** Pages that are not followed, as there are too many. */
  unfollowed = 0;
  readonly #blocks = new Map<string, BlockHashes>();
  readonly #slabs: Uint32Array[] = [];
  readonly #fills = new Map<number, Uint32Array>();
  #chunkCount = 0;
  /** TARGET_PAGE_SIZE, bytes. */
  readonly #pageSize: number;
  // Of the page before.
  #ramBlock: RamBlock | undefined;
  #block: BlockHashes | undefined;
  #chunkIndex = -1;
  #chunk: Chunk | undefined;

  /** `pageSize` is TARGET_PAGE_SIZE, bytes. */
  constructor(pageSize: number) {
    this.#pageSize = pageSize;
  }

  /** TARGET_PAGE_SIZE of a block, bytes; undefined where none of its pages came. */
  pageSize(idstr: string): number | undefined {
    return this.#blocks.get(idstr)?.pageSize;
  }

  /** Of which chunks of a block there is anything, in no order. @internal */
  chunkIndexes(idstr: string): Iterable<number> {
    return this.#blocks.get(idstr)?.chunks.keys() ?? [];
  }

  /** @internal */
  chunk(idstr: string, index: number): Chunk | undefined {
    const place = this.#blocks.get(idstr)?.chunks.get(index);
    return place === undefined ? undefined : this.#chunkAt(place);
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
    const view = viewOf(bytes);
    for (let index = 0; index < count; index++)
      this.#hash(block, offset / pageSize + index, view, start + index * stride, pageSize);
  }

  fill(block: RamBlock, offset: number, length: number, byte: number): void {
    const pageSize = this.#pageSize;
    const [low, high] = this.#fillHash(byte, pageSize);
    for (let page = offset / pageSize; page < (offset + length) / pageSize; page++)
      this.#put(block, page, low!, high!, pageSize);
  }

  /** What postcopy took back is as if it were not sent. */
  unknown(block: RamBlock, offset: number, length: number, why: 'discarded' | 'undecodable'): void {
    const pageSize = this.#pageSize;
    if (why === 'discarded') return;
    for (let page = offset / pageSize; page < (offset + length) / pageSize; page++)
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

  #put(block: RamBlock, page: number, low: number, high: number, pageSize: number): void {
    const chunk = this.#chunkOf(block, page, pageSize);
    if (!chunk) return;
    const at = chunk.start + 2 * (page % CHUNK_PAGES);
    chunk.words[at] = low;
    chunk.words[at + 1] = high;
  }

  #hash(block: RamBlock, page: number, view: DataView, start: number, pageSize: number): void {
    const chunk = this.#chunkOf(block, page, pageSize);
    if (chunk) hashBytes(view, start, pageSize, chunk.words, chunk.start + 2 * (page % CHUNK_PAGES));
  }

  #chunkOf(ramBlock: RamBlock, page: number, pageSize: number): Chunk | undefined {
    const index = Math.floor(page / CHUNK_PAGES);
    if (ramBlock === this.#ramBlock && index === this.#chunkIndex && this.#chunk) return this.#chunk;
    if (ramBlock !== this.#ramBlock) {
      this.#ramBlock = ramBlock;
      this.#block = this.#blocks.get(ramBlock.idstr);
    }
    let block = this.#block;
    if (block?.pageSize !== pageSize) {
      block = { pageSize, chunks: new Map() };
      this.#block = block;
      this.#blocks.set(ramBlock.idstr, block);
    }
    let place = block.chunks.get(index);
    if (place === undefined) {
      if (this.#chunkCount === MAX_CHUNKS) {
        this.unfollowed++;
        return undefined;
      }
      place = this.#chunkCount++;
      if (place % SLAB_CHUNKS === 0) this.#slabs.push(new Uint32Array(SLAB_CHUNKS * CHUNK_WORDS));
      block.chunks.set(index, place);
    }
    this.#chunkIndex = index;
    this.#chunk = this.#chunkAt(place);
    return this.#chunk;
  }

  #chunkAt(place: number): Chunk {
    const start = (place % SLAB_CHUNKS) * CHUNK_WORDS;
    return { words: this.#slabs[Math.floor(place / SLAB_CHUNKS)]!, start };
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

/** Hashes all pages of a memory, and what is wrong with them. Throws what `GuestMemory.visit` throws. */
export async function hashPages(
  memory: GuestMemory,
): Promise<{ readonly pages: PageHashes; readonly diagnostics: readonly Diagnostic[] }> {
  const pages = new PageHashes(memory.pageSize ?? 0);
  const diagnostics = [...(await memory.visit(pages))];
  if (pages.unfollowed > 0) {
    const message = `${pages.unfollowed} pages were not compared: they are too many`;
    diagnostics.push({ severity: 'error', code: 'unsupported', section: 'ram', message });
  }
  return { pages, diagnostics };
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
  const idA = a.block.idstr;
  const idB = b.block.idstr;
  const pageSize = a.hashes.pageSize(idA) ?? b.hashes.pageSize(idB);
  if (pageSize === undefined) return;
  const zero = new Uint32Array(2);
  hashBytes(new DataView(new ArrayBuffer(pageSize)), 0, pageSize, zero, 0);
  const absent = (zeroIfAbsent: boolean) => (zeroIfAbsent ? zero : new Uint32Array(2));
  const absentA = absent(a.zeroIfAbsent);
  const absentB = absent(b.zeroIfAbsent);
  const indexes = Float64Array.from([...a.hashes.chunkIndexes(idA), ...b.hashes.chunkIndexes(idB)]).sort();
  let current: PagePair = 'neither';
  let first = 0;
  let next = 0;
  for (const [place, index] of indexes.entries()) {
    if (index === indexes[place - 1]) continue;
    const chunkA = a.hashes.chunk(idA, index);
    const chunkB = b.hashes.chunk(idB, index);
    for (let page = 0; page < CHUNK_PAGES; page++) {
      const number = index * CHUNK_PAGES + page;
      const pair = pairOf(chunkA, absentA, chunkB, absentB, page);
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
  chunkA: Chunk | undefined,
  absentA: Uint32Array,
  chunkB: Chunk | undefined,
  absentB: Uint32Array,
  page: number,
): PagePair {
  const sentA = wordOf(chunkA, page, 0);
  const sentB = wordOf(chunkB, page, 0);
  if (sentA === NOT_SENT && sentB === NOT_SENT) return 'neither';
  const lowA = sentA === NOT_SENT ? absentA[0]! : sentA;
  const lowB = sentB === NOT_SENT ? absentB[0]! : sentB;
  if (lowA === NOT_DECODED || lowB === NOT_DECODED) return 'undecoded';
  if (lowB === NOT_SENT) return 'onlyA';
  if (lowA === NOT_SENT) return 'onlyB';
  const highA = sentA === NOT_SENT ? absentA[1]! : wordOf(chunkA, page, 1);
  const highB = sentB === NOT_SENT ? absentB[1]! : wordOf(chunkB, page, 1);
  return lowA === lowB && highA === highB ? 'same' : 'changed';
}

function wordOf(chunk: Chunk | undefined, page: number, word: 0 | 1): number {
  return chunk ? chunk.words[chunk.start + 2 * page + word]! : NOT_SENT;
}
