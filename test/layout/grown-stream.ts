import type { FinishedSource } from '../../src/bytes/source.ts';
import { openStream } from '../../src/layout/open.ts';
import type { SectionRecord } from '../../src/stream/records.ts';
import { openFixture, readFixture } from '../fixtures.ts';

/** The PART record of RAM with the most bytes, and the bytes around it. */
export interface GrowingStream {
  readonly front: Uint8Array;
  readonly part: Uint8Array;
  readonly rest: Uint8Array;
}

/** Takes a fixture apart, so that RAM can be made longer: QEMU sends as many PART records as it likes. */
export async function takeApart(name: string): Promise<GrowingStream> {
  const { stream } = await openStream(openFixture(name));
  const length = ({ range }: SectionRecord) => range.end - range.start;
  const [longest] = stream.sections
    .filter(({ idstr }) => idstr === 'ram')
    .flatMap(({ records }) => records.filter(({ type }) => type === 'SECTION_PART'))
    .sort((a, b) => length(b) - length(a));
  if (!longest) throw new Error(`${name} has no PART record of RAM`);
  const bytes = readFixture(name);
  const { start, end } = longest.range;
  return { front: bytes.subarray(0, start), part: bytes.subarray(start, end), rest: bytes.subarray(end) };
}

/** The stream with its longest PART record `times` times, made as it is read; `onRead` learns how much that is. */
export function grow(
  { front, part, rest }: GrowingStream,
  times: number,
  onRead: (length: number) => void,
): FinishedSource {
  const partsEnd = front.length + part.length * times;
  const size = partsEnd + rest.length;
  return {
    name: 'grown',
    size,
    end: async () => size,
    async read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      onRead(bytes.length);
      for (let at = 0; at < bytes.length; ) {
        const place = offset + at;
        const piece =
          place < front.length
            ? front.subarray(place)
            : place < partsEnd
              ? part.subarray((place - front.length) % part.length)
              : rest.subarray(place - partsEnd);
        bytes.set(piece.subarray(0, bytes.length - at), at);
        at += Math.min(piece.length, bytes.length - at);
      }
      return bytes;
    },
  };
}
