import {
  CAPABILITY_POINTER,
  CONVENTIONAL_SIZE,
  MSI_X,
  PCI_EXPRESS,
  pciCapabilities,
  pciExtendedCapabilities,
  STATUS_HAS_CAPABILITIES,
} from '../pci/config-space.ts';
import type { Finding } from './finding.ts';
import { type PciCapability, pciRegister } from './pci-remedies.ts';
import type { ValueInput } from './value-input.ts';
import { isOlder } from './version.ts';

/** Offsets in the configuration space, and bits (PCI Local Bus 3.0; PCI Express Base). */
const STATUS = 0x06;
const INTERFACE = 0x09;
const CLASS = 0x0a;
/** Mass storage, IDE; and the bits of its interface that switch a channel to native mode. */
const CLASS_IDE = 0x0101;
const NATIVE_MODE = 0x05;
const HEADER_TYPE = 0x0e;
const BASE_ADDRESS_0 = 0x10;
const BRIDGE_HEADER = 0x01;
const CAP_ID_PM = 0x01;
const CAP_ID_VENDOR = 0x09;
const CAP_ID_MSI = 0x05;
const EXT_CAP_ID_AER = 0x01;
/** Slot status in the PCI Express capability, and whether there is something in the slot. */
const EXP_SLOT_STATUS = 0x1a;
const PRESENCE_DETECT = 0x40;
/** Whether a slot has control of its power, and the bit of slot control that then turns it off (pcie_cap_slot_init). */
const EXP_SLOT_CAPABILITIES = 0x14;
const POWER_CONTROLLER = 0x02;
const EXP_SLOT_CONTROL_HIGH = 0x19;
const POWER_CONTROL = 0x04;
/** First QEMU that does not compare that (hw/pci/pcie.c, pcie_cap_slot_init). */
const IGNORES_PRESENCE = [8, 1] as const;
/** cfg_type of virtio's window into its BARs, which the guest writes. */
const VIRTIO_PCI_CAP_PCI_CFG = 5;
/** In the low byte of the control register of power management, at 4: whether a reset forgets the state. */
const PM_NO_SOFT_RESET = 0x08;
/** Which uncorrectable errors are masked. */
const AER_UNCOR_MASK = 0x08;

type Ranges = readonly (readonly [from: number, to: number])[];

/** Vendor, device, revision, class, kind of header, base addresses. */
const IDENTITY: Ranges = [
  [0x00, 0x04],
  [0x08, 0x0c],
  [HEADER_TYPE, HEADER_TYPE + 1],
  [BASE_ADDRESS_0, 0x28],
];

/** Bytes of capabilities, behind the id and the next one, that are the same for all guests. */
const READ_ONLY: ReadonlyMap<number, Ranges> = new Map([
  // Power management: what it is capable of.
  [CAP_ID_PM, [[2, 4]]],
  // Slot identification: number of slots.
  [0x04, [[2, 3]]],
  // Subsystem of a bridge.
  [0x0d, [[2, 8]]],
  // Serial ATA: revision and place of the index and data registers.
  [0x12, [[2, 8]]],
]);

/** PCI Express: what the device, its link, its slot and the root are capable of, and control of the link. */
const EXP_READ_ONLY: Ranges = [
  [0x02, 0x08],
  [0x0c, 0x10],
  [0x14, 0x18],
  [0x1e, 0x20],
  [0x24, 0x28],
  [0x2a, 0x3c],
];
/** Version 1 of the capability ends behind the link. */
const EXP_V1_READ_ONLY: Ranges = EXP_READ_ONLY.slice(0, 2);

/** Of extended capabilities (hw/pci/pcie.c, pcie_sriov.c), behind the header. */
const EXTENDED_READ_ONLY: ReadonlyMap<number, Ranges> = new Map([
  // Serial number.
  [0x03, [[4, 12]]],
  // Access control services: which there are.
  [0x0d, [[4, 6]]],
  // Alternative routing: the next function.
  [0x0e, [[4, 8]]],
  // Address translation: queue depth, alignment.
  [0x0f, [[4, 6]]],
  // Virtual functions: how many, where, and what they are.
  [
    0x10,
    [
      [0x0c, 0x10],
      [0x14, 0x18],
      [0x1a, 0x20],
    ],
  ],
  // Process address spaces: their width.
  [0x1b, [[4, 6]]],
]);

/**
 * Advanced error reporting (hw/pci/pcie_aer.c, pcie_aer_init, pcie_aer_root_init): by the offset of each register, bits
 * that are compared whatever the device; some are that few devices let a guest write.
 */
const AER_READ_ONLY: readonly (readonly [register: number, bits: number])[] = [
  // Status, mask and severity of uncorrectable errors; status and mask of correctable ones.
  [0x04, ~0x03ff_f030],
  [0x08, ~0x03ff_f030],
  [0x0c, ~0x03ff_f030],
  [0x10, ~0xf1c1],
  [0x14, ~0xf1c1],
  // The first error, and what checksums and logs there are, but not whether they are on.
  [0x18, ~0x0540],
  // Which errors a root port reports, and what it has seen.
  [0x2c, ~0x07],
  [0x30, ~(0xf800_0000 | 0x7f)],
];

/** A PCI configuration space, byte by byte: bits that a load compares and that no guest can write. */
type ConfigMask = Uint8Array;

/**
 * Bits that are compared for certain (hw/pci/pci.c, pci_init_cmask, pci_add_capability, pci_register_bar): those of
 * the header that identify the device, BARs as far as their type or size is known, and of capabilities the parts that
 * no specification lets a guest write. QEMU compares some more, which depend on the device.
 */
export function comparedBits(
  own: Uint8Array,
  bars: readonly { readonly bar: number; readonly size: bigint }[] = [],
  qemuVersion?: string,
): ConfigMask {
  const mask = new Uint8Array(own.length);
  for (const at of [0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, HEADER_TYPE, CAPABILITY_POINTER])
    mask[at] = 0xff;
  // Guests write the mode of some (hw/ide/via.c, via_ide_realize).
  if (((own[CLASS + 1]! << 8) | own[CLASS]!) === CLASS_IDE) mask[INTERFACE]! &= ~NATIVE_MODE;
  mask[STATUS] = STATUS_HAS_CAPABILITIES;
  const isBridge = ((own[HEADER_TYPE] ?? 0) & 0x7f) === BRIDGE_HEADER;
  if (isBridge) for (const at of [0x1c, 0x1d, 0x24, 0x26]) mask[at] = 0x0f;
  maskBars(mask, own, isBridge ? 2 : 6, bars);
  maskCapabilities(mask, own, qemuVersion !== undefined && isOlder(qemuVersion, IGNORES_PRESENCE));
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
    if (size === undefined && own.subarray(at, at + 4).every((byte) => byte === 0)) continue;
    const is64 = (type & 1) === 0 && (type & 6) === 4;
    let bits = size === undefined ? (type & 1 ? 3n : 0xfn) : size - 1n;
    for (let i = 0; i < (is64 ? 8 : 4); i++, bits >>= 8n) mask[at + i] = Number(bits & 0xffn);
    if (is64) bar++;
  }
}

function maskCapabilities(mask: ConfigMask, own: Uint8Array, comparesPresence: boolean): void {
  for (const { id, start: at } of pciCapabilities(own)) {
    const fill = (ranges: Ranges) => {
      for (const [from, to] of ranges) mask.fill(0xff, at + from, Math.min(CONVENTIONAL_SIZE, at + to));
    };
    fill([[0, 2]]);
    fill(READ_ONLY.get(id) ?? []);
    switch (id) {
      case CAP_ID_PM:
        mask[at + 4]! |= PM_NO_SOFT_RESET;
        break;
      case CAP_ID_MSI:
        // All of the control register but the enable bit and the number of messages.
        mask[at + 2] = 0x8e;
        mask[at + 3] = 0xff;
        break;
      case CAP_ID_VENDOR: {
        const isVirtio = own[0] === 0xf4 && own[1] === 0x1a;
        const isWritten = isVirtio && own[at + 3] === VIRTIO_PCI_CAP_PCI_CFG;
        fill([[2, isWritten ? 4 : Math.max(4, own[at + 2] ?? 0)]]);
        break;
      }
      case PCI_EXPRESS: {
        const isFirst = ((own[at + 2] ?? 0) & 0x0e) === 0;
        fill(isFirst ? EXP_V1_READ_ONLY : EXP_READ_ONLY);
        if (!isFirst && ((own[at + EXP_SLOT_CAPABILITIES] ?? 0) & POWER_CONTROLLER) === 0)
          mask[at + EXP_SLOT_CONTROL_HIGH]! |= POWER_CONTROL;
        if (comparesPresence && !isFirst) mask[at + EXP_SLOT_STATUS]! |= PRESENCE_DETECT;
        break;
      }
      case MSI_X:
        // Size of the table, and where it and the pending bits are.
        mask[at + 2] = 0xff;
        mask[at + 3] = 0x3f;
        fill([[4, 12]]);
        break;
    }
  }
}

function maskExtendedCapabilities(mask: ConfigMask, own: Uint8Array): void {
  for (const { id, start: at } of pciExtendedCapabilities(own)) {
    mask.fill(0xff, at, at + 4);
    for (const [from, to] of EXTENDED_READ_ONLY.get(id) ?? []) mask.fill(0xff, at + from, at + to);
    if (id === EXT_CAP_ID_AER) {
      for (const [register, bits] of AER_READ_ONLY)
        for (let i = 0; i < 4; i++) mask[at + register + i] = (bits >>> (8 * i)) & 0xff;
      // Guests write it where it has a default: from 8.0 on, and not with x-pcie-err-unc-mask=off.
      const errors = own.subarray(at + AER_UNCOR_MASK, at + AER_UNCOR_MASK + 4);
      if (errors.every((byte) => byte === 0)) mask.fill(0xff, at + AER_UNCOR_MASK, at + AER_UNCOR_MASK + 4);
    }
  }
}

/** Capabilities of both lists, in their order. */
function allCapabilities(config: Uint8Array): PciCapability[] {
  return [
    ...pciCapabilities(config).map((entry) => ({ ...entry, isExtended: false })),
    ...pciExtendedCapabilities(config).map((entry) => ({ ...entry, isExtended: true })),
  ];
}

/** A byte that differs, with the capability that it is in, and what capabilities there are. */
function differenceAt(stream: Uint8Array, own: Uint8Array, at: number) {
  const lists = {
    stream: allCapabilities(stream),
    own: allCapabilities(own),
  };
  const capability = lists.own
    .filter(({ start, isExtended }) => start <= at && isExtended === at >= CONVENTIONAL_SIZE)
    .reduce<PciCapability | undefined>(
      (last, next) => (last && last.start > next.start ? last : next),
      undefined,
    );
  return { difference: { stream, own, at, capability }, lists };
}

/**
 * Where the bytes of a configuration space come from in another one: capabilities are where they are in that, which may
 * be elsewhere; a place is undefined where the other does not have the capability. Undefined where the other has one more.
 */
function placesInOther(own: Uint8Array, other: Uint8Array): (number | undefined)[] | undefined {
  const places = Array.from(own, (_, i): number | undefined => i);
  const [ours, theirs] = [spans(own), spans(other)];
  for (const { id, isExtended, start, length } of ours) {
    const at = theirs.findIndex((each) => each.id === id && each.isExtended === isExtended);
    // Of several with one id, the first goes with the first.
    const [twin] = at < 0 ? [] : theirs.splice(at, 1);
    for (let i = 0; i < length; i++) places[start + i] = twin && i < twin.length ? twin.start + i : undefined;
  }
  return theirs.length > 0 ? undefined : places;
}

/** Capabilities, each up to where the next one begins. */
function spans(config: Uint8Array): (PciCapability & { readonly length: number })[] {
  const capabilities = allCapabilities(config);
  return capabilities.map((capability) => {
    const { start, isExtended } = capability;
    const following = capabilities.flatMap((each) => (each.start > start ? each.start : []));
    const end = Math.min(...following, isExtended ? config.length : CONVENTIONAL_SIZE);
    return { ...capability, length: Math.max(0, end - start) };
  });
}

/**
 * A configuration space in which all bits that a load compares are those of the destination, and what a guest writes is
 * its own, in capabilities that may be elsewhere at the destination. Undefined where it is the one of another device, by
 * what identifies it or by its base addresses, or has a capability that the destination's does not have.
 */
export function withComparedBits({
  node,
  ownNode,
  section,
  destination,
}: Pick<ValueInput, 'node' | 'ownNode' | 'section' | 'destination'>): Uint8Array | undefined {
  const bytes = contentOf(node);
  const own = ownNode && contentOf(ownNode);
  if (!bytes || !own || bytes.length !== own.length) return undefined;
  const mask = comparedBits(own, destination.facts?.barSizes(section.idstr), destination.qemuVersion);
  const places = placesInOther(own, bytes);
  if (!places) return undefined;
  const changed = own.map((byte, i) => {
    const place = places[i];
    return place === undefined ? byte : (bytes[place]! & ~mask[i]!) | (byte & mask[i]!);
  });
  const isOther = IDENTITY.some(([from, to]) =>
    changed.subarray(from, to).some((byte, i) => byte !== bytes[from + i]),
  );
  return isOther ? undefined : changed;
}

/** Does a configuration space tell where windows are, as one of a virtio device of 1.0 does? */
export function hasWindows(node: ValueInput['ownNode']): boolean {
  const config = node && contentOf(node);
  return config !== undefined && pciCapabilities(config).some(({ id }) => id === CAP_ID_VENDOR);
}

/** hw/pci/pci.c, get_pci_config_device: the first byte whose read-only bits differ ends the load. */
export function checkPciConfig({ node, ownNode, section, destination }: ValueInput): readonly Finding[] {
  const bytes = contentOf(node);
  const own = ownNode && contentOf(ownNode);
  if (!bytes || !own || bytes.length !== own.length) return [];
  const mask = comparedBits(own, destination.facts?.barSizes(section.idstr), destination.qemuVersion);
  for (let i = 0; i < own.length; i++) {
    const read = bytes[i]!;
    const device = own[i]!;
    if (((read ^ device) & mask[i]!) === 0) continue;
    const hex = (value: number) => value.toString(16);
    const { difference, lists } = differenceAt(bytes, own, i);
    const { name, ...remedy } = pciRegister(difference, lists, section.idstr, destination);
    return [
      {
        rule: 'pci-config',
        severity: 'blocks',
        range: { start: node.start + i, end: node.start + i + 1 },
        message: `byte 0x${hex(i)} of the configuration space (${name}) is 0x${hex(read)}, and 0x${hex(device)} at the destination`,
        says: `get_pci_config_device: Bad config data: i=0x${hex(i)} read: ${hex(read)} device: ${hex(device)} cmask: … wmask: … w1cmask:…`,
        ...remedy,
      },
    ];
  }
  return [];
}

function contentOf(node: { readonly kind: string; readonly value?: unknown }): Uint8Array | undefined {
  return node.value instanceof Uint8Array ? node.value : undefined;
}
