/** A half-open range `[start, end)` of byte offsets, absolute in the stream unless the owner says otherwise. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export function rangeLength(range: Range): number {
  return range.end - range.start;
}

export function totalLength(ranges: readonly Range[]): number {
  return ranges.reduce((sum, range) => sum + rangeLength(range), 0);
}

/** `0x1a2b`, the way offsets are written in every message. */
export function hexOffset(offset: number): string {
  return `0x${offset.toString(16)}`;
}
