import { pieceAt } from './piece-at.ts';
import type { FinishedSource, Place } from './source.ts';

/** Parts that follow each other, by their numbers. */
interface JoinedParts {
  /** Up to `length` bytes of a part from `skip` on, in `into` or anywhere else; none where it has become shorter. */
  read(part: number, skip: number, length: number, into: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Where these bytes are in the outermost file. */
  locate(part: number, skip: number): Place | Promise<Place>;
}

/** Parts of these lengths one behind the other, as one source. */
export function joinedSource(
  name: string,
  lengths: readonly number[],
  { read, locate }: JoinedParts,
): FinishedSource {
  const starts: number[] = [];
  let size = 0;
  for (const length of lengths) {
    starts.push(size);
    size += length;
  }
  return {
    name,
    size,
    end: () => Promise.resolve(size),
    async read(offset, length, into) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      const bytes = into ? into.subarray(0, wanted) : new Uint8Array(wanted);
      for (let done = 0; done < wanted; ) {
        const part = pieceAt(starts, offset + done);
        const skip = offset + done - starts[part]!;
        const left = Math.min(wanted - done, lengths[part]! - skip);
        const target = bytes.subarray(done, done + left);
        const content = await read(part, skip, left, target);
        if (content.byteLength === 0) return bytes.subarray(0, done);
        if (content.buffer !== target.buffer || content.byteOffset !== target.byteOffset) target.set(content);
        done += content.byteLength;
      }
      return bytes;
    },
    async locate(offset) {
      if (offset < 0 || offset >= size) return { offset: undefined, length: 0 };
      const part = pieceAt(starts, offset);
      const skip = offset - starts[part]!;
      const place = await locate(part, skip);
      return { offset: place.offset, length: Math.min(place.length, lengths[part]! - skip) };
    },
  };
}
