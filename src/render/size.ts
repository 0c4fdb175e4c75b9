const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `123 B`, `4.5 KiB`, `2.0 GiB`: a size in bytes for people, exact below 1 KiB. */
export function formatSize(size: number): string {
  let value = size;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return `${size} B`;
  // 1023.97 KiB must not become 1024.0 KiB.
  if (Number(value.toFixed(1)) >= 1024 && unit < UNITS.length - 1) return `1.0 ${UNITS[unit + 1]}`;
  return `${value.toFixed(1)} ${UNITS[unit]}`;
}

/** `12.3%`, and `<0.1%` for what is little but not nothing. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0.0%';
  const percent = (100 * part) / whole;
  return percent < 0.1 ? '<0.1%' : `${percent.toFixed(1)}%`;
}
