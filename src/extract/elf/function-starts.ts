import type { ElfHeader } from './header.ts';
import type { Image } from './image.ts';

/** Version, and how the three values after it are written: the table as 32-bit offsets from the header. */
const VERSION = 1;
const DW_EH_PE_UDATA4 = 0x03;
const DW_EH_PE_DATAREL_SDATA4 = 0x3b;
/** Real QEMUs have some 50,000 functions. */
const MAX_FUNCTIONS = 10_000_000;

/**
 * Where the functions of an object begin, in order: the search table of its PT_GNU_EH_FRAME (LSB core specification,
 * "The .eh_frame_hdr section"). Stripped files keep it. Empty where there is none of the usual form.
 */
export function readFunctionStarts(header: ElfHeader, image: Image, base: number): Float64Array {
  const none = new Float64Array(0);
  if (!header.exceptionFrames) return none;
  const start = base + header.exceptionFrames.address;
  const { size } = header.exceptionFrames;
  if (
    image.u8(start) !== VERSION ||
    image.u8(start + 2) !== DW_EH_PE_UDATA4 ||
    image.u8(start + 3) !== DW_EH_PE_DATAREL_SDATA4
  )
    return none;
  const count = Math.min(image.u32(start + 8), Math.floor((size - 12) / 8), MAX_FUNCTIONS);
  if (count <= 0) return none;
  const starts = new Float64Array(count);
  for (let i = 0; i < count; i++) starts[i] = start + image.i32(start + 12 + i * 8);
  return starts.sort();
}

/** The first of the sorted `starts` above `address`; undefined after the last. */
export function nextStart(starts: Float64Array, address: number): number | undefined {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  return starts[low];
}
