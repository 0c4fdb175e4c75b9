import type { Fields } from './fields.ts';
import { MAX_ADDRESS } from './physical-map.ts';

/** A note that the guest's kernel has made of itself, in its memory. */
export interface GuestNote {
  /** Guest physical. */
  readonly address: number;
  readonly length: number;
}

/** MAX_GUEST_NOTE_SIZE of QEMU. */
const MAX_LENGTH = 1 << 20;
const FORMAT_ELF = 1n;

/** What the device `vmcoreinfo` was told by the guest (hw/misc/vmcoreinfo.c); undefined where it was told nothing. */
export function guestNote(device: Fields | undefined): GuestNote | undefined {
  if (device?.integer('has_vmcoreinfo') !== 1n) return undefined;
  const format = device.integer('vmcoreinfo.guest_format');
  const length = device.integer('vmcoreinfo.size') ?? 0n;
  const address = device.integer('vmcoreinfo.paddr') ?? 0n;
  if (format !== FORMAT_ELF || length === 0n || length > MAX_LENGTH || address > MAX_ADDRESS)
    return undefined;
  return { address: Number(address), length: Number(length) };
}
