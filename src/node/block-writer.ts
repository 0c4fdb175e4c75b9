import type { MemoryVisitor } from '../memory/memory-visitor.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { writeFully } from './output.ts';

/** Pages that follow each other are gathered up to this many bytes for one write. */
const STAGE_SIZE = 512 << 10;

/** Where the bytes of a block go: into an open file, from an offset in bytes on. */
export interface BlockPlace {
  readonly fd: number;
  readonly start: number;
}

/**
 * Writes memory to its places in files. What was never written there must read as zeros: then pages of zeros stay holes.
 * Throws what the file system throws.
 */
export class BlockWriter implements MemoryVisitor {
  readonly #place: (block: RamBlock) => BlockPlace | undefined;
  readonly #stage = new Uint8Array(STAGE_SIZE);
  #staged: { readonly place: BlockPlace; readonly offset: number; length: number } | undefined;

  /** `place` is asked for each run of pages; those of a block without a place are dropped. */
  constructor(place: (block: RamBlock) => BlockPlace | undefined) {
    this.#place = place;
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
    const place = this.#place(block);
    if (!place) return;
    if (stride === pageSize) this.#write(place, offset, bytes, start, count * pageSize);
    else {
      for (let index = 0; index < count; index++) {
        this.#write(place, offset + index * pageSize, bytes, start + index * stride, pageSize);
      }
    }
  }

  fill(block: RamBlock, offset: number, length: number, byte: number): void {
    const place = this.#place(block);
    if (!place || byte === 0) return;
    const bytes = new Uint8Array(Math.min(length, STAGE_SIZE)).fill(byte);
    for (let done = 0; done < length; done += bytes.length)
      this.#write(place, offset + done, bytes, 0, Math.min(bytes.length, length - done));
  }

  /** What is not known is left as it is, in a file that is there all the same. */
  unknown(block: RamBlock): void {
    this.#place(block);
  }

  /** Writes what was gathered; to be called behind the last page. */
  flush(): void {
    if (!this.#staged) return;
    const { place, offset, length } = this.#staged;
    this.#staged = undefined;
    writeFully(place.fd, this.#stage.subarray(0, length), place.start + offset);
  }

  /** Writes `length` bytes of `bytes` from `start` on, now or together with what follows. */
  #write(place: BlockPlace, offset: number, bytes: Uint8Array, start: number, length: number): void {
    const staged = this.#staged;
    const follows =
      staged?.place.fd === place.fd &&
      staged.place.start + staged.offset + staged.length === place.start + offset;
    if (staged && follows && staged.length + length <= STAGE_SIZE) {
      this.#stage.set(bytes.subarray(start, start + length), staged.length);
      staged.length += length;
      return;
    }
    this.flush();
    // What is long already gains nothing by being gathered.
    if (length > STAGE_SIZE / 4) {
      writeFully(place.fd, bytes.subarray(start, start + length), place.start + offset);
      return;
    }
    this.#stage.set(bytes.subarray(start, start + length));
    this.#staged = { place, offset, length };
  }
}
