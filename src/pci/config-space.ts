/** What is where in a PCI configuration space: lists of capabilities, and what they say of MSI-X. All is little endian. */

/** Bytes of the configuration space of a conventional device, in which capabilities are; what is behind is PCIe's own. */
export const CONVENTIONAL_SIZE = 0x100;

/** Ids of capabilities (PCI Code and ID Assignment Specification). */
export const PCI_EXPRESS = 0x10;
export const MSI_X = 0x11;

const STATUS = 0x06;
export const STATUS_HAS_CAPABILITIES = 0x10;
/** Where the pointer to the first capability is, and the first place that it can point to. */
export const CAPABILITY_POINTER = 0x34;
const HEADER_SIZE = 0x40;
/** What an empty slot reads as. */
const NO_CAPABILITY = 0xff;

const MSIX_TABLE_SIZE_MASK = 0x7ff;
/** Bytes of an entry of the MSI-X table (PCI Local Bus Specification 3.0, section 6.8.2). */
export const MSIX_VECTOR_SIZE = 16;

/** A capability that a list leads to; `start` is its offset in the configuration space. */
export interface PciListEntry {
  readonly id: number;
  readonly start: number;
}

/** Where a header has the pointer to its capabilities, and how long it is. */
interface CapabilityPointer {
  readonly pointer: number;
  readonly headerSize: number;
}

/**
 * The list of capabilities, in its order (PCI Local Bus Specification 3.0, section 6.7): a byte of id, a byte that points
 * at the next one. The guest has written some of it: pointers may lead anywhere, and in circles.
 */
export function pciCapabilities(
  config: Uint8Array,
  { pointer, headerSize }: CapabilityPointer = { pointer: CAPABILITY_POINTER, headerSize: HEADER_SIZE },
): PciListEntry[] {
  const entries = new Map<number, PciListEntry>();
  if (config.length < CONVENTIONAL_SIZE || !(config[STATUS]! & STATUS_HAS_CAPABILITIES)) return [];
  // The low two bits of a pointer are reserved.
  let start = config[pointer]! & ~3;
  while (start >= headerSize && !entries.has(start)) {
    const id = config[start]!;
    if (id === NO_CAPABILITY) break;
    entries.set(start, { id, start });
    start = config[start + 1]! & ~3;
  }
  return [...entries.values()];
}

/**
 * The list of extended capabilities, in its order (PCI Express Base Specification): at 0x100 begins a list of headers
 * with id, version and the next one's place.
 */
export function pciExtendedCapabilities(config: Uint8Array): PciListEntry[] {
  const entries = new Map<number, PciListEntry>();
  const view = new DataView(config.buffer, config.byteOffset, config.byteLength);
  let start = CONVENTIONAL_SIZE;
  while (start >= CONVENTIONAL_SIZE && start + 4 <= config.length && !entries.has(start)) {
    const header = view.getUint32(start, true);
    if (header === 0 || header === 0xffffffff) break;
    entries.set(start, { id: header & 0xffff, start });
    start = (header >>> 20) & ~3;
  }
  return [...entries.values()];
}

/** Where the capability of an id is; undefined where there is none. */
export function findCapability(config: Uint8Array, wanted: number): number | undefined {
  return pciCapabilities(config).find(({ id }) => id === wanted)?.start;
}

/** Vectors of the MSI-X capability in a configuration space; 0 where there is none. */
export function msixVectors(config: Uint8Array): number {
  const at = findCapability(config, MSI_X);
  return at === undefined ? 0 : ((config[at + 2]! | (config[at + 3]! << 8)) & MSIX_TABLE_SIZE_MASK) + 1;
}

/** Bytes that hw/pci/msix.c, msix_save, puts for so many vectors: the table, and a pending bit for each in whole bytes. */
export function msixStateLength(vectors: number): number {
  return vectors * MSIX_VECTOR_SIZE + Math.ceil(vectors / 8);
}
