import { type ByteSource, type FinishedSource, locate } from './source.ts';

/** The bytes `[start, end)` of a source, as a source of their own. */
export function sliceSource(source: FinishedSource, start: number, end?: number): FinishedSource;
export function sliceSource(source: ByteSource, start: number, end?: number): ByteSource;
export function sliceSource(
  source: ByteSource,
  start: number,
  end: number = Number.POSITIVE_INFINITY,
): ByteSource {
  const sizeIn = (whole: number) => Math.max(0, Math.min(end, whole) - Math.min(start, whole));
  const room = (offset: number) => Math.max(0, Math.min(end, source.size ?? end) - start - offset);
  return {
    name: source.name,
    get size() {
      return source.size === undefined ? undefined : sizeIn(source.size);
    },
    identity: source.identity,
    end: async () => sizeIn(await source.end()),
    read: (offset, length, into) => source.read(start + offset, Math.min(length, room(offset)), into),
    async locate(offset) {
      const place = await locate(source, start + offset);
      return { offset: place.offset, length: Math.min(place.length, room(offset)) };
    },
  };
}
