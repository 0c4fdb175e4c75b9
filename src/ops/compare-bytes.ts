import { type Range, totalLength } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { type ChangedRange, RangeList } from './range-list.ts';

/** Bytes of a source, in pieces that follow each other. */
interface SourceBytes {
  readonly source: FinishedSource;
  readonly pieces: readonly Range[];
}

interface BytesDiff {
  readonly lengthA: number;
  readonly lengthB: number;
  /** Bytes that differ, as far as both sides go; offsets from the first byte. The first ones, as many as RangeList keeps. */
  readonly ranges: readonly ChangedRange[];
  readonly differing: number;
}

const WINDOW = 1 << 20;

/** Compares bytes of two sources, place by place. */
export async function compareBytes(a: SourceBytes, b: SourceBytes): Promise<BytesDiff> {
  const readerA = new PieceReader(a);
  const readerB = new PieceReader(b);
  const ranges = new RangeList();
  for (let offset = 0; ; ) {
    const length = Math.min(await readerA.load(), await readerB.load());
    if (length === 0) break;
    const bytesA = readerA.take(length);
    const bytesB = readerB.take(length);
    for (let i = 0; i < length; i++) if (bytesA[i] !== bytesB[i]) ranges.addAt(offset + i, offset + i);
    offset += length;
  }
  return { lengthA: totalLength(a.pieces), lengthB: totalLength(b.pieces), ...ranges.found };
}

class PieceReader {
  readonly #source: FinishedSource;
  readonly #pieces: readonly Range[];
  #piece = 0;
  #offset = 0;
  #bytes: Uint8Array = new Uint8Array();

  constructor({ source, pieces }: SourceBytes) {
    this.#source = source;
    this.#pieces = pieces;
  }

  /** Bytes that can be taken; 0 at the end. */
  async load(): Promise<number> {
    while (this.#bytes.length === 0) {
      const piece = this.#pieces[this.#piece];
      if (!piece) return 0;
      const start = piece.start + this.#offset;
      const length = Math.min(WINDOW, piece.end - start);
      if (length > 0) this.#bytes = await this.#source.read(start, length);
      this.#offset += length;
      if (length > 0 && this.#bytes.length > 0) break;
      this.#piece++;
      this.#offset = 0;
    }
    return this.#bytes.length;
  }

  take(length: number): Uint8Array {
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }
}
