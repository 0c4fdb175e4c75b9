import { type ByteSource, locate } from './source.ts';

/** The bytes `[start, end)` of a source, as a source of their own. */
export function sliceSource(source: ByteSource, start: number, end: number = source.size): ByteSource {
  const from = Math.min(start, source.size);
  const size = Math.max(0, Math.min(end, source.size) - from);
  const room = (offset: number) => Math.max(0, size - offset);
  return {
    name: source.name,
    size,
    read: (offset, length, into) => source.read(from + offset, Math.min(length, room(offset)), into),
    async locate(offset) {
      const place = await locate(source, from + offset);
      return { offset: place.offset, length: Math.min(place.length, room(offset)) };
    },
  };
}
