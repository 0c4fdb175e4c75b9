/** All of some bytes, to take numbers from. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/**
 * A big-endian u64 that is a size or an offset. Beyond 2^53 it is not exact, but then more than anything has that it is
 * held against; a message has the bigint that is there.
 */
export function u64At(view: DataView, pos: number): number {
  return view.getUint32(pos) * 2 ** 32 + view.getUint32(pos + 4);
}

/** The first four bytes as a big-endian number; 0 where there are fewer. */
export function magicOf(bytes: Uint8Array): number {
  return bytes.byteLength < 4 ? 0 : viewOf(bytes).getUint32(0);
}
