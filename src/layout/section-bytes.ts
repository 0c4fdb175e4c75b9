import { viewOf } from '../bytes/view.ts';

/** Bytes of a section: `bytes[0]` is at `base` in the stream. */
export interface SectionBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly base: number;
}

export function sectionBytes(bytes: Uint8Array, base: number): SectionBytes {
  return { bytes, view: viewOf(bytes), base };
}
