import { bits, hex } from '../bits.ts';
import type { Meaning } from '../field-reader.ts';

/** A register of a structure in PCI configuration space, little endian; `offset` is from the structure's begin. */
export type Register = { readonly name: string; readonly offset: number } & (
  | { readonly type: 'uint8' | 'le16' | 'le32'; readonly size: number; readonly meaning?: Meaning<number> }
  | { readonly type: 'le64'; readonly size: 8; readonly meaning?: Meaning<bigint> }
  | { readonly type: 'buffer'; readonly size: number; readonly meaning?: Meaning<Uint8Array> }
);

export function u8(offset: number, name: string, meaning?: Meaning<number>): Register {
  return { name, offset, type: 'uint8', size: 1, ...(meaning ? { meaning } : {}) };
}

export function le16(offset: number, name: string, meaning?: Meaning<number>): Register {
  return { name, offset, type: 'le16', size: 2, ...(meaning ? { meaning } : {}) };
}

export function le32(offset: number, name: string, meaning?: Meaning<number>): Register {
  return { name, offset, type: 'le32', size: 4, ...(meaning ? { meaning } : {}) };
}

export function le64(offset: number, name: string, meaning?: Meaning<bigint>): Register {
  return { name, offset, type: 'le64', size: 8, ...(meaning ? { meaning } : {}) };
}

export function buffer(offset: number, name: string, size: number): Register {
  return { name, offset, type: 'buffer', size };
}

/** What the meaning of a capability's registers hangs on outside of it. */
export interface PciDevice {
  readonly vendorId: number;
  /** Without the multifunction bit. */
  readonly headerType: number;
  /** Port type and link width in the PCI Express capability; undefined for a device without one. */
  readonly express: { readonly portType: number; readonly maxLinkWidth: number } | undefined;
}

/** A capability, as the specification of PCI or PCI Express lays it out. */
export interface Capability {
  /** For paths. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /**
   * Its registers in order of offset, but for the header. `at` begins with the capability and ends at the next one, or
   * where the configuration space does, so that it may be shorter than the specification wants.
   */
  registers(at: DataView, device: PciDevice): readonly Register[];
}

/** A register of `at`; 0 where `at` ends before. */
export function peek8(at: DataView, offset: number): number {
  return offset + 1 <= at.byteLength ? at.getUint8(offset) : 0;
}

export function peek16(at: DataView, offset: number): number {
  return offset + 2 <= at.byteLength ? at.getUint16(offset, true) : 0;
}

export function peek32(at: DataView, offset: number): number {
  return offset + 4 <= at.byteLength ? at.getUint32(offset, true) : 0;
}

/** `n` base address registers from `offset` on. One of 64 bits takes two places and is one register of 8 bytes. */
export function baseAddresses(at: DataView, offset: number, n: number, name: string): Register[] {
  const registers: Register[] = [];
  for (let i = 0; i < n; i++) {
    const place = offset + 4 * i;
    const low = peek32(at, place);
    const isWide = (low & 7) === 4;
    if (isWide && i + 1 < n) registers.push(le64(place, `${name}${i++}`, addressMeaning));
    else registers.push(le32(place, `${name}${i}`, addressMeaning));
  }
  return registers;
}

const MEMORY_KINDS = ['memory, 32 bit', 'memory below 1 MiB', 'memory, 64 bit', 'memory, reserved kind'];

/** A base address register. One of 0 is absent, or memory that no address was given to: nothing is said. */
function addressMeaning(value: number | bigint): string | undefined {
  const low = bits(value, 0, 32);
  if (BigInt(value) === 0n) return undefined;
  const isIo = bits(low, 0, 1) === 1;
  const kind = isIo ? 'I/O' : `${MEMORY_KINDS[bits(low, 1, 2)]}${bits(low, 3, 1) ? ', prefetchable' : ''}`;
  const address = BigInt(value) & (isIo ? ~3n : ~15n);
  return address === 0n ? kind : `${kind} at ${hex(address)}`;
}
