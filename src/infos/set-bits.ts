/** Ranges named before it is only counted how many more there are. */
const MAX_RANGES = 16;

/** Which bits are set, as ranges: `0-3, 7`. `byteAt` gives the byte with bits 8n to 8n+7, the lowest in bit 0. */
export function setBitRanges(bytes: number, byteAt: (n: number) => number): string | undefined {
  const ranges: string[] = [];
  let count = 0;
  let set = 0;
  let start = -1;
  const close = (end: number) => {
    count++;
    set += end - start;
    if (count <= MAX_RANGES) ranges.push(start === end - 1 ? `${start}` : `${start}-${end - 1}`);
    start = -1;
  };
  for (let n = 0; n < bytes; n++) {
    const byte = byteAt(n);
    if (byte === (start < 0 ? 0 : 0xff)) continue;
    for (let bit = 0; bit < 8; bit++) {
      const isSet = ((byte >> bit) & 1) === 1;
      if (isSet && start < 0) start = 8 * n + bit;
      else if (!isSet && start >= 0) close(8 * n + bit);
    }
  }
  if (start >= 0) close(8 * bytes);
  if (count === 0) return undefined;
  const more = count > MAX_RANGES ? `, … ${count - MAX_RANGES} more ranges, ${set} bits set` : '';
  return ranges.join(', ') + more;
}
