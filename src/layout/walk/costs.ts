/** Bits that it costs to say a count that fills the section. */
export const FILLING_COST = 2;

/** Bits that it costs to say a count, or a length. */
export function countCost(value: number, isDefault: boolean): number {
  if (isDefault) return 1;
  const bits = Math.log2(value + 1);
  return Number.isInteger(Math.log2(value)) ? 2 + bits / 4 : 4 + bits;
}

/** Bits of a value by how large it is; undefined for one that cannot be. */
export function scalarCost(info: string, view: DataView, pos: number, size: number): number | undefined {
  if (info === 'bool') return view.getUint8(pos) > 1 ? undefined : 0;
  if (size === 1) return view.getUint8(pos) === 0 ? 0 : 1;
  if (size === 8) {
    const high = view.getUint32(pos);
    const low = view.getUint32(pos + 4);
    if (high === 0xffffffff && low === 0xffffffff) return 1;
    return high === 0 ? (32 - Math.clz32(low)) / 8 : 4 + (32 - Math.clz32(high)) / 4;
  }
  const value = size === 2 ? view.getUint16(pos) : view.getUint32(pos);
  if (value === (size === 2 ? 0xffff : 0xffffffff)) return 1;
  return (32 - Math.clz32(value)) / 8;
}

/**
 * Bits of `count` values, one every `stride` bytes from `pos` on; undefined where one of them cannot be.
 */
export function scalarsCost(
  info: string,
  view: DataView,
  pos: number,
  size: number,
  count: number,
  stride: number,
): number | undefined {
  let cost = 0;
  for (let i = 0, at = pos; i < count; i++, at += stride) {
    const one = scalarCost(info, view, at, size);
    if (one === undefined) return undefined;
    cost += one;
  }
  return cost;
}

/** Bits of a byte that is not zero where nothing is known of it; what a search expects of those still to come. */
export const BUFFER_BYTE_COST = 0.8;

export function bufferCost(bytes: Uint8Array): number {
  let cost = 0;
  for (const byte of bytes) if (byte !== 0) cost += BUFFER_BYTE_COST;
  return cost;
}
