import { CONFIG_HEADER_LENGTH } from './readers/pci-config.ts';
import type { ObjectId, Shadow } from './shadow.ts';

/** Where the bytes of an object's PCI configuration space are kept, whatever member points to them. */
const PCI_CONFIG = -500_000_000;

export function storePciConfig(shadow: Shadow, object: ObjectId, content: Uint8Array): void {
  const read = (index: number) => BigInt(content[index]!);
  shadow.storeArray({ object, offset: PCI_CONFIG, size: 1, count: content.length, read });
}

export function loadPciConfig(shadow: Shadow, object: ObjectId): Uint8Array | undefined {
  const content: number[] = [];
  for (let at = 0; at < CONFIG_HEADER_LENGTH; at++) {
    const byte = shadow.load(object, PCI_CONFIG + at, 1);
    if (byte === undefined) break;
    content.push(Number(byte));
  }
  return content.length > 0 ? Uint8Array.from(content) : undefined;
}
