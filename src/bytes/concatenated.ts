import { pieceAt } from './piece-at.ts';
import { type FinishedSource, locate } from './source.ts';

/** Sources one behind the other, as one; its name is that of the first. */
export function concatenatedSource(sources: readonly [FinishedSource, ...FinishedSource[]]): FinishedSource {
  const starts: number[] = [];
  let size = 0;
  for (const source of sources) {
    starts.push(size);
    size += source.size;
  }
  const find = (offset: number): { source: FinishedSource; skip: number } => {
    const i = pieceAt(starts, offset);
    return { source: sources[i]!, skip: offset - starts[i]! };
  };
  return {
    name: sources[0].name,
    size,
    end: () => Promise.resolve(size),
    async read(offset, length, into) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      const bytes = into ? into.subarray(0, wanted) : new Uint8Array(wanted);
      for (let done = 0; done < wanted; ) {
        const { source, skip } = find(offset + done);
        const left = Math.min(wanted - done, source.size - skip);
        const target = bytes.subarray(done, done + left);
        const content = await source.read(skip, left, target);
        // It has become shorter.
        if (content.byteLength === 0) return bytes.subarray(0, done);
        if (content.buffer !== target.buffer || content.byteOffset !== target.byteOffset) target.set(content);
        done += content.byteLength;
      }
      return bytes;
    },
    async locate(offset) {
      if (offset < 0 || offset >= size) return { offset: undefined, length: 0 };
      const { source, skip } = find(offset);
      const place = await locate(source, skip);
      return { offset: place.offset, length: Math.min(place.length, source.size - skip) };
    },
  };
}
