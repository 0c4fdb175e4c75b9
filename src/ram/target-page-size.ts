/** Values of TARGET_PAGE_SIZE, in bytes, the common ones first. */
export const targetPageSizes: readonly number[] = [4096, 8192, 16384, 1024, 2048, 32768, 65536, 256, 512];

/** Whether a target can have pages of this many bytes. */
export function isTargetPageSize(bytes: number): boolean {
  return targetPageSizes.includes(bytes);
}
