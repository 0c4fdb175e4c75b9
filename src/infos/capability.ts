import { decodeText } from '../bytes/window.ts';
import type { Info } from './info.ts';
import { bytes, integer } from './reader.ts';

/** migration/savevm.c, put_capability: u8 length and the capability's name. */
export const capability: Info = {
  names: ['capability'],
  *read() {
    const length = yield* integer('len', 'uint8');
    if (length > 0) yield* bytes('name', 'buffer', length);
  },
  open({ section }, { name, type, start, end }) {
    const pos = start - section.base;
    const length = section.bytes[pos];
    if (length === undefined || start + 1 + length !== end) return undefined;
    const value = decodeText(section.bytes.subarray(pos + 1, pos + 1 + length));
    return { kind: 'leaf', name, type, start, end, value };
  },
};
