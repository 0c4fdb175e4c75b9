/** RAM_SAVE_FLAG_*: the low bits of the u64 that begins a RAM record (migration/ram.h; ram.c before 8.1). */
export const RAM_SAVE_FLAG_ZERO = 0x002;
export const RAM_SAVE_FLAG_MEM_SIZE = 0x004;
export const RAM_SAVE_FLAG_PAGE = 0x008;
export const RAM_SAVE_FLAG_EOS = 0x010;
export const RAM_SAVE_FLAG_CONTINUE = 0x020;
export const RAM_SAVE_FLAG_XBZRLE = 0x040;
export const RAM_SAVE_FLAG_HOOK = 0x080;
export const RAM_SAVE_FLAG_COMPRESS_PAGE = 0x100;
export const RAM_SAVE_FLAG_MULTIFD_FLUSH = 0x200;

/** All bits that can be flags. Block lengths are multiples of the host's page size, so they never reach down here. */
export const RAM_SAVE_FLAGS = 0x3ff;

const names: readonly (readonly [number, string])[] = [
  [0x001, 'FULL'],
  [RAM_SAVE_FLAG_ZERO, 'ZERO'],
  [RAM_SAVE_FLAG_MEM_SIZE, 'MEM_SIZE'],
  [RAM_SAVE_FLAG_PAGE, 'PAGE'],
  [RAM_SAVE_FLAG_EOS, 'EOS'],
  [RAM_SAVE_FLAG_CONTINUE, 'CONTINUE'],
  [RAM_SAVE_FLAG_XBZRLE, 'XBZRLE'],
  [RAM_SAVE_FLAG_HOOK, 'HOOK'],
  [RAM_SAVE_FLAG_COMPRESS_PAGE, 'COMPRESS_PAGE'],
  [RAM_SAVE_FLAG_MULTIFD_FLUSH, 'MULTIFD_FLUSH'],
];

/** `0x28 (PAGE | CONTINUE)`, for messages. */
export function formatRamFlags(flags: number): string {
  const known = names.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  return known.length === 0 ? `0x${flags.toString(16)}` : `0x${flags.toString(16)} (${known.join(' | ')})`;
}
