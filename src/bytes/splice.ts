import { joinedSource } from './joined.ts';
import { type Range, rangeLength } from './range.ts';
import { type ByteSource, type FinishedSource, locate } from './source.ts';

/** What a spliced source consists of: bytes of its own, and ranges of another source. */
export type Piece = Uint8Array | Range;

export function pieceLength(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.byteLength : rangeLength(piece);
}

/** A source put together of parts of another one and of new bytes: an edited copy, of which nothing is copied. */
export function splicedSource(source: ByteSource, pieces: readonly Piece[]): FinishedSource {
  return joinedSource(source.name, pieces.map(pieceLength), {
    read(part, skip, length, into) {
      const piece = pieces[part]!;
      return piece instanceof Uint8Array
        ? piece.subarray(skip, skip + length)
        : source.read(piece.start + skip, length, into);
    },
    locate(part, skip) {
      const piece = pieces[part]!;
      return piece instanceof Uint8Array
        ? { offset: undefined, length: piece.byteLength - skip }
        : locate(source, piece.start + skip);
    },
  });
}
