import { flags } from '../bits.ts';
import { FieldReader } from '../field-reader.ts';
import type { Info } from '../info.ts';
import { bytes, type ReaderSteps } from '../reader.ts';
import { setBitRanges } from '../set-bits.ts';
import { findCapability } from './capability-list.ts';

const CAPABILITY_MSIX = 0x11;
const MSIX_TABLE_SIZE_MASK = 0x7ff;
/** Bytes of a vector, and the most vectors there can be: PCI Local Bus Specification 3.0, section 6.8.2. */
const VECTOR_SIZE = 16;
const MAX_VECTORS = 2048;

/**
 * hw/pci/msix.c, msix_save: the table of vectors as the guest sees it, little endian, then a pending bit for each in
 * whole bytes. How many there are is in the capability, and follows from the size. Nothing is written for a device
 * whose MSI-X is off.
 */
export const msixState: Info = {
  names: ['msix state'],
  *read({ place }) {
    const config = (yield { request: 'pciConfig', object: place.object }) as Uint8Array | undefined;
    const vectors = config ? msixVectors(config) : 0;
    if (vectors > 0) yield* readMsixTables(vectors);
  },
  open({ section }, place) {
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
    reader.buffer('pending', pendingSize, (bits) => {
      const ranges = setBitRanges(bits.length, (n) => bits[n]!);
      return ranges === undefined ? undefined : `vectors ${ranges}`;
    });
    return reader.finish(place);
  },
};

export function* readMsixTables(vectors: number): ReaderSteps<void> {
  yield* bytes('table', 'buffer', vectors * VECTOR_SIZE);
  yield* bytes('pba', 'buffer', Math.ceil(vectors / 8));
}

/** Vectors of the MSI-X capability in a configuration space; 0 where there is none. */
export function msixVectors(config: Uint8Array): number {
  const at = findCapability(config, CAPABILITY_MSIX);
  return at === undefined ? 0 : ((config[at + 2]! | (config[at + 3]! << 8)) & MSIX_TABLE_SIZE_MASK) + 1;
}
