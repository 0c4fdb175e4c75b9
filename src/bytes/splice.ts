import { pieceAt } from './piece-at.ts';
import { type Range, rangeLength } from './range.ts';
import { type ByteSource, type FinishedSource, locate, type Place } from './source.ts';

/** What a spliced source consists of: bytes of its own, and ranges of another source. */
export type Piece = Uint8Array | Range;

export function pieceLength(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.byteLength : rangeLength(piece);
}

/** A source put together of parts of another one and of new bytes: an edited copy, of which nothing is copied. */
export function splicedSource(source: ByteSource, pieces: readonly Piece[]): FinishedSource {
  const starts: number[] = [];
  let size = 0;
  for (const piece of pieces) {
    starts.push(size);
    size += pieceLength(piece);
  }
  /** The last piece that begins at an offset or in front of it, and how far in it that is. */
  const find = (offset: number): { piece: Piece; skip: number } | undefined => {
    if (offset < 0 || offset >= size) return undefined;
    const i = pieceAt(starts, offset);
    return { piece: pieces[i]!, skip: offset - starts[i]! };
  };
  return {
    name: source.name,
    size,
    end: () => Promise.resolve(size),
    async read(offset, length, into) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      const bytes = into ? into.subarray(0, wanted) : new Uint8Array(wanted);
      for (let done = 0; done < wanted; ) {
        const { piece, skip } = find(offset + done)!;
        const left = Math.min(wanted - done, pieceLength(piece) - skip);
        const target = bytes.subarray(done, done + left);
        const content =
          piece instanceof Uint8Array
            ? piece.subarray(skip, skip + left)
            : await source.read(piece.start + skip, left, target);
        // Its source has become shorter.
        if (content.byteLength === 0) return bytes.subarray(0, done);
        if (content.buffer !== target.buffer || content.byteOffset !== target.byteOffset) target.set(content);
        done += content.byteLength;
      }
      return bytes;
    },
    async locate(offset): Promise<Place> {
      const found = find(offset);
      if (!found) return { offset: undefined, length: 0 };
      const { piece, skip } = found;
      const left = pieceLength(piece) - skip;
      if (piece instanceof Uint8Array) return { offset: undefined, length: left };
      const place = await locate(source, piece.start + skip);
      return { offset: place.offset, length: Math.min(place.length, left) };
    },
  };
}
