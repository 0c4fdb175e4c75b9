import type { Finding } from './finding.ts';
import type { ValueInput } from './values.ts';

/** Offsets in the configuration space, and bits (PCI Local Bus 3.0; PCI Express Base). */
const STATUS = 0x06;
const STATUS_CAP_LIST = 0x10;
const INTERFACE = 0x09;
const CLASS = 0x0a;
/** Mass storage, IDE; and the bits of its interface that switch a channel to native mode. */
const CLASS_IDE = 0x0101;
const NATIVE_MODE = 0x05;
const HEADER_TYPE = 0x0e;
const BASE_ADDRESS_0 = 0x10;
const BRIDGE_HEADER = 0x01;
const CAPABILITY_LIST = 0x34;
const FIRST_CAPABILITY = 0x40;
const LEGACY_SIZE = 0x100;
const CAP_ID_VENDOR = 0x09;
const CAP_ID_SSVID = 0x0d;
const CAP_ID_EXP = 0x10;
const CAP_ID_MSI = 0x05;
const CAP_ID_MSIX = 0x11;
const CAP_ID_PM = 0x01;
const EXT_CAP_ID_DSN = 0x03;
/** cfg_type of virtio's window into its BARs, which the guest writes. */
const VIRTIO_PCI_CAP_PCI_CFG = 5;
const MAX_CAPABILITIES = 48;
const MAX_EXTENDED_CAPABILITIES = 64;

/** A PCI configuration space, byte by byte: bits that a load compares and that no guest can write. */
export type ConfigMask = Uint8Array;

/**
 * Bits that are compared for certain (hw/pci/pci.c, pci_init_cmask, pci_add_capability, pci_register_bar): those of
 * the header that identify the device, BARs as far as their type or size is known, and of capabilities the parts that
 * no specification lets a guest write. QEMU compares some more, which depend on the device.
 */
export function comparedBits(
  own: Uint8Array,
  bars: readonly { readonly bar: number; readonly size: bigint }[] = [],
): ConfigMask {
  const mask = new Uint8Array(own.length);
  for (const at of [0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, HEADER_TYPE, CAPABILITY_LIST])
    mask[at] = 0xff;
  // Guests write the mode of some (hw/ide/via.c, via_ide_realize).
  if (((own[CLASS + 1]! << 8) | own[CLASS]!) === CLASS_IDE) mask[INTERFACE]! &= ~NATIVE_MODE;
  mask[STATUS] = STATUS_CAP_LIST;
  const isBridge = ((own[HEADER_TYPE] ?? 0) & 0x7f) === BRIDGE_HEADER;
  if (isBridge) for (const at of [0x1c, 0x1d, 0x24, 0x26]) mask[at] = 0x0f;
  maskBars(mask, own, isBridge ? 2 : 6, bars);
  maskCapabilities(mask, own);
  maskExtendedCapabilities(mask, own);
  return mask;
}

function maskBars(
  mask: ConfigMask,
  own: Uint8Array,
  count: number,
  sizes: readonly { readonly bar: number; readonly size: bigint }[],
): void {
  for (let bar = 0; bar < count; bar++) {
    const at = BASE_ADDRESS_0 + 4 * bar;
    const type = own[at] ?? 0;
    const size = sizes.find((known) => known.bar === bar)?.size;
    // Without a size, a BAR of zero may be none; then nothing of it is compared.
    if (size === undefined && (type & 0x0f) === 0) continue;
    const is64 = (type & 1) === 0 && (type & 6) === 4;
    let bits = size === undefined ? (type & 1 ? 3n : 0xfn) : size - 1n;
    for (let i = 0; i < (is64 ? 8 : 4); i++, bits >>= 8n) mask[at + i] = Number(bits & 0xffn);
    if (is64) bar++;
  }
}

function maskCapabilities(mask: ConfigMask, own: Uint8Array): void {
  if (!((own[STATUS] ?? 0) & STATUS_CAP_LIST)) return;
  let at = (own[CAPABILITY_LIST] ?? 0) & 0xfc;
  for (let i = 0; i < MAX_CAPABILITIES && at >= FIRST_CAPABILITY && at < LEGACY_SIZE - 4; i++) {
    mask.fill(0xff, at, at + 2);
    const fill = (from: number, to: number) => mask.fill(0xff, at + from, Math.min(LEGACY_SIZE, at + to));
    switch (own[at]) {
      case CAP_ID_PM:
        fill(2, 4);
        break;
      case CAP_ID_MSI:
        // All of the control register but the enable bit and the number of messages.
        mask[at + 2] = 0x8e;
        mask[at + 3] = 0xff;
        break;
      case CAP_ID_VENDOR:
        fill(2, 4);
        if (own[0] === 0xf4 && own[1] === 0x1a && own[at + 3] !== VIRTIO_PCI_CAP_PCI_CFG)
          fill(4, own[at + 2] ?? 0);
        break;
      case CAP_ID_SSVID:
        fill(2, 8);
        break;
      case CAP_ID_EXP:
        // What the device, its link and its slot are capable of; version 1 of the capability ends behind the link.
        fill(2, 8);
        for (const from of (own[at + 2] ?? 0) & 0x0e ? [0x0c, 0x14, 0x24, 0x2c] : [0x0c])
          fill(from, from + 4);
        break;
      case CAP_ID_MSIX:
        // Size of the table, and where it and the pending bits are.
        mask[at + 2] = 0xff;
        mask[at + 3] = 0x07;
        fill(4, 12);
        break;
    }
    at = (own[at + 1] ?? 0) & 0xfc;
  }
}

function maskExtendedCapabilities(mask: ConfigMask, own: Uint8Array): void {
  let at = LEGACY_SIZE;
  for (let i = 0; i < MAX_EXTENDED_CAPABILITIES && at >= LEGACY_SIZE && at + 4 <= own.length; i++) {
    if (own[at] === 0 && own[at + 1] === 0) return;
    const isSerialNumber = own[at] === EXT_CAP_ID_DSN && own[at + 1] === 0;
    mask.fill(0xff, at, at + (isSerialNumber ? 12 : 4));
    at = ((own[at + 2] ?? 0) >> 4) | ((own[at + 3] ?? 0) << 4);
  }
}

/** hw/pci/pci.c, get_pci_config_device: the first byte whose read-only bits differ ends the load. */
export function checkPciConfig({ node, ownNode, section, destination }: ValueInput): readonly Finding[] {
  const bytes = contentOf(node);
  const own = ownNode && contentOf(ownNode);
  if (!bytes || !own || bytes.length !== own.length) return [];
  const mask = comparedBits(own, destination.facts?.barSizes(section.idstr));
  for (let i = 0; i < own.length; i++) {
    const read = bytes[i]!;
    const device = own[i]!;
    if (((read ^ device) & mask[i]!) === 0) continue;
    const hex = (value: number) => value.toString(16);
    return [
      {
        rule: 'pci-config',
        severity: 'blocks',
        range: { start: node.start + i, end: node.start + i + 1 },
        message: `byte 0x${hex(i)} of the configuration space (${meaning(i)}) is 0x${hex(read)}, and 0x${hex(device)} at the destination`,
        says: `get_pci_config_device: Bad config data: i=0x${hex(i)} read: ${hex(read)} device: ${hex(device)} cmask: … wmask: … w1cmask:…`,
        fix: fixOf(i),
      },
    ];
  }
  return [];
}

function contentOf(node: { readonly kind: string; readonly value?: unknown }): Uint8Array | undefined {
  return node.value instanceof Uint8Array ? node.value : undefined;
}

function meaning(at: number): string {
  if (at < 0x02) return 'vendor';
  if (at < 0x04) return 'device';
  if (at === STATUS) return 'whether there are capabilities';
  if (at === 0x08) return 'revision';
  if (at < 0x0c) return 'class';
  if (at === HEADER_TYPE) return 'header type';
  if (at >= BASE_ADDRESS_0 && at < 0x28) return 'base addresses';
  if (at === CAPABILITY_LIST) return 'first capability';
  return at < LEGACY_SIZE ? 'capabilities' : 'extended capabilities';
}

function fixOf(at: number): string {
  if (at < BASE_ADDRESS_0)
    return 'the same device in that slot, and a machine type that both QEMUs have, at both sides';
  if (at < 0x28)
    return 'BARs of the same size: the same memory size, number of vectors or ports of the device';
  return 'the same properties of the device at both sides (vectors=, num_queues=, bus, disable-modern=)';
}
