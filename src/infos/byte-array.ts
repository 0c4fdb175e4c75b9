import type { Info } from './info.ts';
import { bytes, integer } from './reader.ts';

/** QEMU 11, VMSTATE_GBYTEARRAY: a length and as many bytes. */
export const byteArray: Info = {
  names: ['GByteArray'],
  *read() {
    const length = yield* integer('length', 'uint32');
    if (length > 0) yield* bytes('data', 'buffer', length);
  },
};
