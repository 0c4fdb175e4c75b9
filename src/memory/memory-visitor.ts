import type { RamBlock } from '../ram/ram-block.ts';

/** Takes all pages of a memory in the order in which they are read fastest. What it returns is waited for. */
export interface MemoryVisitor {
  /**
   * `count` pages that follow each other in `block` from `offset` on: the first begins at `start` in `bytes`, each of the
   * others `stride` bytes behind the one before. `bytes` is valid during the call only.
   */
  pages(
    block: RamBlock,
    offset: number,
    count: number,
    bytes: Uint8Array,
    start: number,
    stride: number,
    pageSize: number,
  ): void | Promise<void>;
  /** Bytes of `block` that are all the same; mostly zeros. */
  fill?(block: RamBlock, offset: number, length: number, byte: number): void | Promise<void>;
  /** Bytes that were sent and are not known: postcopy took them back, or they cannot be decoded. */
  unknown?(
    block: RamBlock,
    offset: number,
    length: number,
    why: 'discarded' | 'undecodable',
  ): void | Promise<void>;
}
