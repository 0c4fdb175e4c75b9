import { ByteWriter, encodeText } from '../bytes/byte-writer.ts';
import { badArgument } from '../bytes/diagnostic.ts';
import { viewOf } from '../bytes/view.ts';
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

/** Takes bytes, which stay as they are until what it returns is settled. */
export type TakeBytes = (bytes: Uint8Array) => void | Promise<void>;

export interface RamBodyOptions {
  /** TARGET_PAGE_SIZE in bytes. */
  readonly pageSize: number;
  /** Bytes of a body at most, or as many as a single page takes. */
  readonly most: number;
}

/** A record header with a block's name, the longest that there is, and the end of the body. */
const MOST_AROUND_PAGE = 8 + 256 + 8;

/**
 * Makes bodies of PART or END records of pages as they come, plain ones and zero ones (migration/ram.c, save_normal_page
 * and save_zero_page), each ended by RAM_SAVE_FLAG_EOS; of no pages it makes none. Each body names the block of its first
 * page, so that it can be read without those before it.
 *
 * What returns a promise is to be waited for. All throw DecodeError `bad-argument` for what does not consist of pages.
 */
export class RamBodyWriter {
  readonly #take: TakeBytes;
  readonly #pageSize: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #length = 0;
  /** Of the record before in this body. */
  #block: string | undefined;
  /** A block and its name as it is written. */
  #named: { readonly idstr: string; readonly name: Uint8Array } = { idstr: '', name: Uint8Array.of(0) };
  #fillPage: Uint8Array | undefined;
  #plain = 0;
  #zero = 0;

  /** `take` gets each body when it is full. */
  constructor(take: TakeBytes, { pageSize, most }: RamBodyOptions) {
    this.#take = take;
    this.#pageSize = pageSize;
    this.#bytes = new Uint8Array(Math.max(most, MOST_AROUND_PAGE + pageSize));
    this.#view = viewOf(this.#bytes);
  }

  /** Pages so far. */
  get written(): { readonly plain: number; readonly zero: number } {
    return { plain: this.#plain, zero: this.#zero };
  }

  /**
   * `count` pages of a block that follow each other, from `offset` in it on: the first begins at `start` in `bytes`, each
   * of the others `stride` bytes behind the one before. One that is all zeros is written as such.
   */
  pages(
    block: RamBlock,
    offset: number,
    count: number,
    bytes: Uint8Array,
    start: number,
    stride: number,
  ): void | Promise<void> {
    const pageSize = this.#pageSize;
    this.#requirePages(block, offset, count * pageSize);
    for (let i = 0; i < count; i++) {
      const at = start + i * stride;
      const isZero = isAllZeros(bytes, at, at + pageSize);
      const full = this.#makeRoom(isZero ? 1 : pageSize);
      if (full)
        return full.then(() => this.pages(block, offset + i * pageSize, count - i, bytes, at, stride));
      if (isZero) this.#zeroPage(block, offset + i * pageSize);
      else {
        this.#header(block, offset + i * pageSize, RAM_SAVE_FLAG_PAGE);
        this.#plain++;
        this.#bytes.set(bytes.subarray(at, at + pageSize), this.#length);
        this.#length += pageSize;
      }
    }
  }

  /** Pages of a block that are full of one byte: `length` bytes from `offset` on. Other bytes than 0 make plain pages. */
  fill(block: RamBlock, offset: number, length: number, byte: number): void | Promise<void> {
    const pageSize = this.#pageSize;
    this.#requirePages(block, offset, length);
    if (byte !== 0) {
      if (this.#fillPage?.[0] !== byte) this.#fillPage = new Uint8Array(pageSize).fill(byte);
      return this.pages(block, offset, length / pageSize, this.#fillPage, 0, 0);
    }
    for (let done = 0; done < length; done += pageSize) {
      const full = this.#makeRoom(1);
      if (full) return full.then(() => this.fill(block, offset + done, length - done, 0));
      this.#zeroPage(block, offset + done);
    }
  }

  /** Ends the body that was begun. */
  finish(): void | Promise<void> {
    if (this.#block === undefined) return;
    this.#u64(0, RAM_SAVE_FLAG_EOS);
    const body = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    this.#block = undefined;
    return this.#take(body);
  }

  #requirePages({ idstr }: RamBlock, offset: number, length: number): void {
    if (offset % this.#pageSize === 0 && length % this.#pageSize === 0) return;
    throw badArgument(
      `${length} bytes at ${offset} of RAMBlock '${idstr}' are no pages of ${this.#pageSize}`,
    );
  }

  #makeRoom(content: number): void | Promise<void> {
    if (this.#length + MOST_AROUND_PAGE + content <= this.#bytes.length) return;
    return this.finish();
  }

  #zeroPage(block: RamBlock, offset: number): void {
    this.#header(block, offset, RAM_SAVE_FLAG_ZERO);
    this.#bytes[this.#length++] = 0;
    this.#zero++;
  }

  #header({ idstr }: RamBlock, offset: number, flags: number): void {
    const isNamed = this.#block !== idstr;
    this.#u64(offset, isNamed ? flags : flags | RAM_SAVE_FLAG_CONTINUE);
    if (!isNamed) return;
    if (this.#named.idstr !== idstr) {
      const name = encodeText(idstr);
      this.#named = { idstr, name: new ByteWriter(1 + name.length).text8(idstr).finish() };
    }
    this.#bytes.set(this.#named.name, this.#length);
    this.#length += this.#named.name.length;
    this.#block = idstr;
  }

  #u64(offset: number, flags: number): void {
    this.#view.setUint32(this.#length, Math.floor(offset / 2 ** 32));
    this.#view.setUint32(this.#length + 4, (offset | flags) >>> 0);
    this.#length += 8;
  }
}

/** Are the bytes `[start, end)` zeros? */
export function isAllZeros(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}
