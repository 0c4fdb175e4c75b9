/**
 * The index of the piece that has an offset, by the offsets where pieces begin, in order: the last that begins at or
 * before it, and the first for what is before all of them.
 */
export function pieceAt(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle;
  }
  return low;
}
