import { bytes, type InfoReader, type ReaderSteps } from '../reader.ts';
import { findCapability } from './pci-config.ts';

const CAPABILITY_MSIX = 0x11;
const MSIX_TABLE_SIZE_MASK = 0x7ff;
const ENTRY_LENGTH = 16;

/**
 * hw/pci/msix.c, msix_save: nothing without the capability; else the table, 16 bytes for each vector, and the pending
 * bits in whole bytes.
 */
export const readMsixState: InfoReader = function* ({ place }) {
  const config = (yield { request: 'pciConfig', object: place.object }) as Uint8Array | undefined;
  const vectors = config ? msixVectors(config) : 0;
  if (vectors > 0) yield* readMsixTables(vectors);
};

export function* readMsixTables(vectors: number): ReaderSteps<void> {
  yield* bytes('table', 'buffer', vectors * ENTRY_LENGTH);
  yield* bytes('pba', 'buffer', Math.ceil(vectors / 8));
}

/** Vectors of the MSI-X capability in a configuration space; 0 where there is none. */
export function msixVectors(config: Uint8Array): number {
  const at = findCapability(config, CAPABILITY_MSIX);
  return at === undefined ? 0 : ((config[at + 2]! | (config[at + 3]! << 8)) & MSIX_TABLE_SIZE_MASK) + 1;
}
