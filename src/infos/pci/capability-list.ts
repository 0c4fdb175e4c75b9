/** Registers of a PCI configuration space (PCI Local Bus Specification 3.0, 6.1 and 6.7). */
const STATUS = 0x06;
const STATUS_CAPABILITY_LIST = 0x10;
const CAPABILITY_POINTER = 0x34;
const FIRST_CAPABILITY = 0x40;
const MAX_CAPABILITIES = 48;
/** Bytes of the configuration space of a conventional device, in which capabilities are; what is behind is PCIe's own. */
export const CONVENTIONAL_SIZE = 256;

/** Where the capability of an id is in a configuration space; undefined where there is none. */
export function findCapability(config: Uint8Array, id: number): number | undefined {
  if (config.length < CONVENTIONAL_SIZE || (config[STATUS]! & STATUS_CAPABILITY_LIST) === 0) return undefined;
  let at = config[CAPABILITY_POINTER]! & 0xfc;
  for (let i = 0; i < MAX_CAPABILITIES && at >= FIRST_CAPABILITY; i++) {
    if (config[at] === id) return at;
    at = config[at + 1]! & 0xfc;
  }
  return undefined;
}
