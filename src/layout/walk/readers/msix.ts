import { bytes, type InfoReader } from '../reader.ts';

const STATUS = 0x06;
const STATUS_CAPABILITY_LIST = 0x10;
const CAPABILITY_POINTER = 0x34;
const CAPABILITY_MSIX = 0x11;
const MSIX_TABLE_SIZE_MASK = 0x7ff;
const MAX_CAPABILITIES = 48;
const ENTRY_LENGTH = 16;

/**
 * hw/pci/msix.c, msix_save: nothing without the capability; else the table, 16 bytes for each vector, and the pending
 * bits in whole bytes.
 */
export const readMsixState: InfoReader = function* ({ place }) {
  const config = (yield { request: 'pciConfig', object: place.object }) as Uint8Array | undefined;
  const vectors = config ? msixVectors(config) : 0;
  if (vectors === 0) return;
  yield* bytes('table', 'buffer', vectors * ENTRY_LENGTH);
  yield* bytes('pba', 'buffer', Math.ceil(vectors / 8));
};

/** Vectors of the MSI-X capability in a configuration space; 0 where there is none. */
export function msixVectors(config: Uint8Array): number {
  if (config.length < 256 || (config[STATUS]! & STATUS_CAPABILITY_LIST) === 0) return 0;
  let at = config[CAPABILITY_POINTER]! & 0xfc;
  for (let i = 0; i < MAX_CAPABILITIES && at >= 0x40; i++) {
    if (config[at] === CAPABILITY_MSIX)
      return ((config[at + 2]! | (config[at + 3]! << 8)) & MSIX_TABLE_SIZE_MASK) + 1;
    at = config[at + 1]! & 0xfc;
  }
  return 0;
}
