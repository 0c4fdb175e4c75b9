import type { ObjectId } from '../../layout/walk/shadow.ts';
import { MSIX_VECTOR_SIZE, msixStateLength, msixVectors } from '../../pci/config-space.ts';
import { flags } from '../bits.ts';
import { FieldReader } from '../field-reader.ts';
import type { Info } from '../info.ts';
import { bytes, type ReaderSteps } from '../reader.ts';
import { setBitRanges } from '../set-bits.ts';

/** PCI Local Bus Specification 3.0, section 6.8.2. */
const MAX_VECTORS = 2048;

/**
 * hw/pci/msix.c, msix_save: the table of vectors as the guest sees it, little endian, then a pending bit for each in
 * whole bytes. How many there are is in the capability, and follows from the size. Nothing is written for a device
 * whose MSI-X is off.
 */
export const msixState: Info = {
  names: ['msix state'],
  *read({ place }) {
    const vectors = yield* loadedMsixVectors(place.object);
    if (vectors > 0) yield* readMsixVectors(vectors);
  },
  open({ section }, place) {
    const size = place.end - place.start;
    const vectors = Math.floor((size * 8) / (MSIX_VECTOR_SIZE * 8 + 1));
    if (vectors === 0 || vectors > MAX_VECTORS || msixStateLength(vectors) !== size) return undefined;
    const reader = new FieldReader(section, place);
    reader.array('vectors', vectors, (index) =>
      reader.struct(index, () => {
        reader.le64('address');
        reader.le32('data');
        reader.le32('control', flags({ 0: 'masked' }));
      }),
    );
    reader.buffer('pending', reader.left, (bits) => {
      const ranges = setBitRanges(bits.length, (n) => bits[n]!);
      return ranges === undefined ? undefined : `vectors ${ranges}`;
    });
    return reader.finish(place);
  },
};

/** Vectors that the configuration space of an object tells; 0 where it has no MSI-X. */
export function* loadedMsixVectors(object: ObjectId): ReaderSteps<number> {
  const config = (yield { request: 'pciConfig', object }) as Uint8Array | undefined;
  return config ? msixVectors(config) : 0;
}

/** Takes the bytes, which `open` shows. */
export function* readMsixVectors(vectors: number): ReaderSteps<void> {
  yield* bytes('table', 'buffer', msixStateLength(vectors));
}
