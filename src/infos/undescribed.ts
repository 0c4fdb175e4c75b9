import type { Info } from './info.ts';
import { bytes, choose, remaining } from './reader.ts';

/** Lengths that are tried at the most. */
const MAX_LENGTHS = 1000;

/**
 * Stands in a learned schema for what QEMU never describes: all bytes up to what has to come behind, or some less where
 * more comes behind than has to.
 */
export const undescribed: Info = {
  names: ['undescribed'],
  *read() {
    const { left, behind } = yield* remaining();
    const most = left - behind;
    const options = Array.from({ length: Math.min(most + 1, MAX_LENGTHS) }, (_, i) => ({
      value: BigInt(most - i),
      cost: 1 + i,
    }));
    const length = yield* choose('length', options);
    if (length > 0) yield* bytes('data', 'buffer', length);
  },
};
