import type { Info } from './info.ts';

/** migration/vmstate-types.c, put_unused_buffer: zeros in the place of what older versions had there. */
export const unusedBuffer: Info = {
  names: ['unused_buffer'],
  length: (size) => size,
  fault: (content) => (content.some((byte) => byte !== 0) ? 'an unused buffer that is not zero' : undefined),
};
