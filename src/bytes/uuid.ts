/** A UUID of 32 hex digits as people know it: `8-4-4-4-12`. */
export function uuidText(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
