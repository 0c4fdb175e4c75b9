import { CONFIG_HEADER_LENGTH } from './readers/pci-config.ts';
import type { ObjectId, Shadow } from './shadow.ts';

/** Keeps the bytes of an object's PCI configuration space, whatever member points to them: as many as conventional PCI has. */
export function storePciConfig(shadow: Shadow, object: ObjectId, content: Uint8Array): void {
  if (content.length > 0) shadow.keepBytes(object, content.subarray(0, CONFIG_HEADER_LENGTH));
}

export function loadPciConfig(shadow: Shadow, object: ObjectId): Uint8Array | undefined {
  return shadow.bytesOf(object);
}
