import { flags } from './bits.ts';
import { FieldReader } from './field-reader.ts';
import { setBitRanges } from './set-bits.ts';
import type { InfoCodec } from './table.ts';

/** Bytes of a vector, and the most vectors there can be: PCI Local Bus Specification 3.0, section 6.8.2. */
const VECTOR_SIZE = 16;
const MAX_VECTORS = 2048;

/**
 * hw/pci/msix.c, msix_save: the table of vectors as the guest sees it, little endian, then a pending bit for each. How
 * many there are follows from the size. Nothing is written for a device whose MSI-X is off.
 */
export const resolveMsixState: InfoCodec = ({ section }, { type }, place) => {
  const size = place.end - place.start;
  const vectors = Math.floor((size * 8) / (VECTOR_SIZE * 8 + 1));
  const pendingSize = Math.ceil(vectors / 8);
  if (vectors === 0 || vectors > MAX_VECTORS || vectors * VECTOR_SIZE + pendingSize !== size)
    return undefined;
  const reader = new FieldReader(section, place);
  reader.array('vectors', vectors, (index) =>
    reader.struct(index, () => {
      reader.le64('address');
      reader.le32('data');
      reader.le32('control', flags({ 0: 'masked' }));
    }),
  );
  reader.buffer('pending', pendingSize, (bytes) => {
    const ranges = setBitRanges(bytes.length, (n) => bytes[n]!);
    return ranges === undefined ? undefined : `vectors ${ranges}`;
  });
  return reader.finish(place, type);
};
