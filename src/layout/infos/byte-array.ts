import { FieldReader } from './field-reader.ts';
import type { InfoCodec } from './table.ts';

/** A GByteArray, as QEMU 11.1 writes it: length and bytes. */
export const resolveByteArray: InfoCodec = ({ section }, { type }, place) => {
  const reader = new FieldReader(section, place);
  reader.buffer('data', reader.uint32('length'));
  return reader.finish(place, type);
};
