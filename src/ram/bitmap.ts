/** Counts the bits set among the `count` of a bitmap that starts at byte `start`, least significant bit first. */
export function countBits(bytes: Uint8Array, start: number, count: number): number {
  const whole = start + (count >> 3);
  let total = 0;
  for (let index = start; index < whole; index++) total += countByte(bytes[index] ?? 0);
  const rest = count & 7;
  return rest === 0 ? total : total + countByte((bytes[whole] ?? 0) & ((1 << rest) - 1));
}

function countByte(byte: number): number {
  let bits = byte - ((byte >> 1) & 0x55);
  bits = (bits & 0x33) + ((bits >> 2) & 0x33);
  return (bits + (bits >> 4)) & 0x0f;
}
