import { pieceAt } from './piece-at.ts';
import type { Range } from './range.ts';
import { type ByteSource, locate } from './source.ts';

/** Where the bytes of a part of a source are in the outermost file, looked up beforehand. */
export interface FileOffsets {
  /** Undefined for a byte that is not stored as such (compressed, a hole). */
  of(offset: number): number | undefined;
}

/** For the offsets of a range, its end included. */
export async function fileOffsets(source: ByteSource, { start, end }: Range): Promise<FileOffsets> {
  const starts: number[] = [];
  const places: (number | undefined)[] = [];
  for (let offset = start; offset <= end; ) {
    const place = await locate(source, offset);
    starts.push(offset);
    places.push(place.offset);
    if (place.length === 0) break;
    offset += place.length;
  }
  return {
    of(offset) {
      const i = pieceAt(starts, offset);
      const place = places[i];
      return place === undefined ? undefined : place + (offset - starts[i]!);
    },
  };
}
