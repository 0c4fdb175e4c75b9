import type { SectionType } from '../stream/records.ts';
import { type PageKind, type PageSink, pageKinds } from './page-sink.ts';
import type { RamBlock } from './ram-block.ts';

/** Pages that one chunk follows. */
const CHUNK_PAGES = 1 << 14;
const CHUNK_WORDS = CHUNK_PAGES / 32;
/** Chunks that are followed: 96 MiB, enough for 1.5 TiB of pages of 4 KiB. */
const MAX_CHUNKS = (96 << 20) / (2 * 4 * CHUNK_WORDS);
/** Chunks whose pages have counts of their own: 64 MiB, enough for 128 GiB of pages that are sent again. */
const MAX_COUNTED_CHUNKS = (64 << 20) / (2 * CHUNK_PAGES);
/** More sends of one page are not told apart. */
const MAX_TIMES = 0xffff;
/** Rounds, and counts of blocks in rounds, after which no more rounds are told apart. */
const MAX_ROUNDS = 1 << 16;
const MAX_ROUND_COUNTS = 1 << 20;

/** Pages that follow each other; they take memory only when one of them was sent. */
interface Chunk {
  /** A bit for each page: sent. */
  readonly sent: Uint32Array;
  /** A bit for each page: nothing but zeros when it was sent last. */
  readonly zero: Uint32Array;
  /** How many times each page was sent again; made when one is. */
  again: Uint16Array | undefined;
}

/** A pass of QEMU over the dirty pages. Pages by kind, in the order of `pageKinds`. */
export interface Round {
  readonly phase: 'precopy' | 'postcopy';
  readonly pages: Float64Array;
}

/** What is known of one page, or of many together (then of the one that was sent most). */
export interface Usage {
  /** How many times it was sent. */
  times: number;
  /** Whether it holds something other than zeros, by what was sent last. */
  content: boolean;
}

/** A page's place in the order in which QEMU searches for pages to send. */
interface SendOrder {
  /** Of its block. */
  order: number;
  page: number;
}

function isBehind(order: number, page: number, other: SendOrder): boolean {
  return order > other.order || (order === other.order && page > other.page);
}

function moveTo(to: SendOrder, order: number, page: number): void {
  to.order = order;
  to.page = page;
}

/** What was sent of one RAMBlock. */
export class BlockUsage {
  /** Where it is in the order in which pages are sent. */
  readonly order: number;
  /** Pages that were sent at all. */
  sentPages = 0;
  /** Pages that were sent more than once, where counts of pages tell. */
  repeatedPages = 0;
  /** Pages of those rounds that have any. */
  readonly rounds: { readonly round: number; pages: number }[] = [];
  /** @internal */
  readonly chunks = new Map<number, Chunk>();

  constructor(order: number) {
    this.order = order;
  }
}

/**
 * Counts how many times each page is sent, and in which round, while a stream is scanned. Memory is bounded, whatever
 * the size of the guest: what does not fit is counted in total only, and `unfollowed` says so.
 *
 * A round is what QEMU sends between asking for dirty pages and asking again. The stream does not say when it asks, but
 * a new round is needed where the search begins anew at the first RAMBlock (migration/ram.c, find_dirty_block): at a
 * page that is not behind the one before it, in the order of the block list. The first round lasts until some page comes
 * for the second time, since a background snapshot has its pages in any order, but no page twice. What section END
 * holds is one round: QEMU asks before it, and not inside. After the switch to postcopy, pages come in the order in
 * which they are needed, each once: one round, too.
 *
 * Pages of several channels (multifd) come in order only from one point to the next at which all wait for each other, so
 * that a page is compared with those before the last such point.
 *
 * So there are never more rounds than `dirty-sync-count` of query-migrate says, but for a background snapshot, which
 * asks for nothing. The count is higher by the times that no page was dirty: up to 10.x, QEMU asks twice before section
 * END, once to see whether little enough is left.
 */
export class PageUsage implements PageSink {
  readonly needsContent = false;
  readonly rounds: Round[] = [];
  /** Sends of pages that could not be followed one by one. */
  unfollowed = 0;
  /** Whether it was a stream's sink: without a record of RAM there is nothing to count. */
  hasSections = false;
  readonly #blocks = new Map<string, BlockUsage>();
  #pageSize = 0;
  #chunks = 0;
  #countedChunks = 0;
  #roundCounts = 0;
  #round: Round | undefined;
  #phase: Round['phase'] = 'precopy';
  /** Whether what comes is one round, in whatever order. */
  #isOneRound = false;
  /** Whether a page came again. */
  #repeated = false;
  /** Whether pages come from several channels, so that only those before the last point of waiting are in order. */
  #hasChannels = false;
  /** The last place, in the order in which pages are sent, since the round began; and the one to compare with. */
  readonly #furthest: SendOrder = { order: -1, page: -1 };
  readonly #before: SendOrder = { order: -1, page: -1 };
  // Of the page before.
  #ramBlock: RamBlock | undefined;
  #block: BlockUsage | undefined;
  #chunkIndex = -1;
  #chunk: Chunk | undefined;

  /** Unit in which pages are counted, bytes: the smallest page size that the scan believed in. 0 without pages. */
  get pageSize(): number {
    return this.#pageSize;
  }

  block(idstr: string): BlockUsage | undefined {
    return this.#blocks.get(idstr);
  }

  section(type: SectionType): void {
    this.hasSections = true;
    if (this.#phase === 'postcopy') return;
    this.#isOneRound = type === 'SECTION_END';
    if (this.#isOneRound) this.#round = undefined;
  }

  synchronised(): void {
    this.#hasChannels = true;
    moveTo(this.#before, this.#furthest.order, this.#furthest.page);
  }

  postcopy(): void {
    this.#phase = 'postcopy';
    this.#isOneRound = true;
    this.#round = undefined;
  }

  pages(ramBlock: RamBlock, offset: number, count: number, kind: PageKind, pageSize: number): void {
    for (let i = 0; i < count; i++) this.#page(ramBlock, offset + i * pageSize, kind, pageSize);
  }

  #page(ramBlock: RamBlock, offset: number, kind: PageKind, pageSize: number): void {
    if (this.#pageSize === 0) this.#pageSize = pageSize;
    const block = ramBlock === this.#ramBlock && this.#block ? this.#block : this.#enter(ramBlock);
    const page = Math.floor(offset / this.#pageSize);
    const isAgain = this.#countPage(block, page, kind === 'zero');
    const isSearchedAnew = this.#repeated ? !isBehind(block.order, page, this.#before) : isAgain;
    if (isAgain) this.#repeated = true;
    if (this.#round === undefined || (isSearchedAnew && !this.#isOneRound)) {
      this.#beginRound();
      moveTo(this.#before, -1, -1);
      moveTo(this.#furthest, -1, -1);
    }
    if (isBehind(block.order, page, this.#furthest)) moveTo(this.#furthest, block.order, page);
    if (!this.#hasChannels) moveTo(this.#before, block.order, page);
    const round = this.rounds.length - 1;
    this.rounds[round]!.pages[pageKinds.indexOf(kind)]! += 1;
    const last = block.rounds.at(-1);
    if (last?.round === round) last.pages++;
    else {
      block.rounds.push({ round, pages: 1 });
      this.#roundCounts++;
    }
  }

  /**
   * Calls back for each `pages` pages of a block that follow each other (a power of two), where one of them was sent,
   * in order. Pages are in units of `pageSize`. The Usage is valid during the call only.
   */
  forEach(idstr: string, pages: number, visit: (page: number, usage: Usage) => void): void {
    const block = this.#blocks.get(idstr);
    if (!block) return;
    const usage: Usage = { times: 0, content: false };
    let current = -1;
    const put = (page: number, times: number, content: boolean) => {
      const cell = page - (page % pages);
      if (cell !== current) {
        if (current >= 0) visit(current, usage);
        current = cell;
        usage.times = 0;
        usage.content = false;
      }
      if (times > usage.times) usage.times = times;
      if (content) usage.content = true;
    };
    for (const index of [...block.chunks.keys()].sort((a, b) => a - b)) {
      const chunk = block.chunks.get(index)!;
      for (let word = 0; word < CHUNK_WORDS; word++) {
        const sent = chunk.sent[word]!;
        if (sent === 0) continue;
        const zero = chunk.zero[word]!;
        if (pages >= 32 && !chunk.again) {
          put(index * CHUNK_PAGES + word * 32, 1, (sent & ~zero) !== 0);
          continue;
        }
        for (let bit = 0; bit < 32; bit++) {
          const mask = 1 << bit;
          if ((sent & mask) === 0) continue;
          const at = word * 32 + bit;
          put(index * CHUNK_PAGES + at, 1 + (chunk.again?.[at] ?? 0), (zero & mask) === 0);
        }
      }
    }
    if (current >= 0) visit(current, usage);
  }

  #enter(ramBlock: RamBlock): BlockUsage {
    let block = this.#blocks.get(ramBlock.idstr);
    if (!block) {
      block = new BlockUsage(this.#blocks.size);
      this.#blocks.set(ramBlock.idstr, block);
    }
    this.#ramBlock = ramBlock;
    this.#block = block;
    this.#chunkIndex = -1;
    return block;
  }

  /** Returns whether the page was sent before. */
  #countPage(block: BlockUsage, page: number, isZero: boolean): boolean {
    const chunk = this.#chunkOf(block, Math.floor(page / CHUNK_PAGES));
    if (!chunk) {
      this.unfollowed++;
      return false;
    }
    const bit = page % CHUNK_PAGES;
    const word = bit >> 5;
    const mask = 1 << (bit & 31);
    if (isZero) chunk.zero[word]! |= mask;
    else chunk.zero[word]! &= ~mask;
    if ((chunk.sent[word]! & mask) !== 0) {
      this.#countAgain(block, chunk, bit);
      return true;
    }
    chunk.sent[word]! |= mask;
    block.sentPages++;
    return false;
  }

  #chunkOf(block: BlockUsage, index: number): Chunk | undefined {
    if (index === this.#chunkIndex) return this.#chunk;
    let chunk = block.chunks.get(index);
    if (!chunk && this.#chunks < MAX_CHUNKS) {
      this.#chunks++;
      chunk = {
        sent: new Uint32Array(CHUNK_WORDS),
        zero: new Uint32Array(CHUNK_WORDS),
        again: undefined,
      };
      block.chunks.set(index, chunk);
    }
    this.#chunkIndex = index;
    this.#chunk = chunk;
    return chunk;
  }

  #countAgain(block: BlockUsage, chunk: Chunk, bit: number): void {
    if (!chunk.again && this.#countedChunks < MAX_COUNTED_CHUNKS) {
      this.#countedChunks++;
      chunk.again = new Uint16Array(CHUNK_PAGES);
    }
    if (!chunk.again) {
      this.unfollowed++;
      return;
    }
    const again = chunk.again[bit]!;
    if (again === 0) block.repeatedPages++;
    if (again < MAX_TIMES) chunk.again[bit] = again + 1;
  }

  #beginRound(): void {
    const last = this.rounds.at(-1);
    const isFull = this.rounds.length >= MAX_ROUNDS || this.#roundCounts >= MAX_ROUND_COUNTS;
    if (last && last.phase === this.#phase && isFull) this.#round = last;
    else {
      this.#round = { phase: this.#phase, pages: new Float64Array(pageKinds.length) };
      this.rounds.push(this.#round);
    }
  }
}
