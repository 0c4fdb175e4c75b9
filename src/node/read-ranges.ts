import type { Range } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';

const PIECE = 1 << 20;

/** The bytes of ranges of a source, in pieces that the caller may keep. */
export async function* readRanges(
  source: FinishedSource,
  ranges: readonly Range[],
): AsyncGenerator<Uint8Array> {
  for (const { start, end } of ranges) {
    for (let offset = start; offset < end; offset += PIECE) {
      yield (await source.read(offset, Math.min(PIECE, end - offset))).slice();
    }
  }
}
