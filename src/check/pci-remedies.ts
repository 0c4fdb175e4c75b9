import type { Destination } from './destination.ts';
import { type Settings, settingsText } from './device-settings.ts';
import type { Finding } from './finding.ts';

/** A byte of a PCI configuration space that differs, and where it is. */
interface PciDifference {
  /** Both configuration spaces as a whole. */
  readonly stream: Uint8Array;
  readonly own: Uint8Array;
  /** The byte. */
  readonly at: number;
  /** Of the capability around it, if there is one. */
  readonly capability: PciCapability | undefined;
}

export interface PciCapability {
  readonly id: number;
  readonly start: number;
  readonly isExtended: boolean;
}

interface CapabilityLists {
  readonly stream: readonly PciCapability[];
  readonly own: readonly PciCapability[];
}

/** What a register that differs is, and what helps. */
interface PciRemedy extends Required<Pick<Finding, 'fix'>>, Pick<Finding, 'isSetting'> {
  readonly name: string;
}

/** Of a register: what it is, and which properties make it as it is in a configuration space. */
interface Register {
  readonly extended?: boolean;
  /** Of the capability; of the header where it is undefined. */
  readonly capability?: number;
  /** Bytes from the start of the capability, or of the configuration space. */
  readonly from: number;
  readonly to: number;
  /** Only where one of these bits differs, of the number of up to 32 bits at `from`. */
  readonly bits?: number;
  readonly name: string;
  /** Properties with the value that gives this number; the first that the device has is named. None where none gives it. */
  settings?(value: number): readonly Settings[];
  /** What helps where no property is known. */
  readonly otherwise?: string;
}

const SPEEDS: Readonly<Record<number, string>> = { 1: '2_5', 2: '5', 3: '8', 4: '16', 5: '32', 6: '64' };
/** Errors of which a guest writes the mask (hw/pci/pcie_aer.c, PCI_ERR_UNC_SUPPORTED). */
const UNCORRECTABLE = 0x03ff_f030;
const DAMAGED = 'no property gives the register this value: the stream is damaged, take another';
const OR_DAMAGED = '; where both sides are set alike already, the stream is damaged';
const MODEL = 'the same model of device in that slot';
const MODES = 'the same disable-legacy= and disable-modern=, and a bus of the same kind (PCI or PCI Express)';

function flag(name: string, bit: number) {
  return (value: number): readonly Settings[] => [{ [name]: value & bit ? 'on' : 'off' }];
}

/** An x-speed= that PCI Express has no name for is left out. */
function speed(value: number): readonly Settings[] {
  const text = SPEEDS[value & 0xf];
  return text === undefined ? [] : [{ 'x-speed': text }];
}

function vectors(count: number): readonly Settings[] {
  return [{ vectors: `${count}` }, { msix_qsize: `${count}` }];
}

/** A bit for each speed, from the lowest on without a gap. */
function highestSpeed(bits: number): readonly Settings[] {
  return bits & (bits + 1) ? [] : speed(32 - Math.clz32(bits));
}

function width(lanes: number): readonly Settings[] {
  return [1, 2, 4, 8, 12, 16, 32].includes(lanes) ? [{ 'x-width': `${lanes}` }] : [];
}

/**
 * The first that matches counts. Registers of the specifications; properties of hw/pci/pci.c, hw/pci/pcie.c,
 * hw/pci/pcie_port.c, hw/pci-bridge/gen_pcie_root_port.c, hw/virtio/virtio-pci.c and the devices that are named.
 */
const REGISTERS: readonly Register[] = [
  { from: 0x00, to: 0x04, name: 'vendor and device', otherwise: `${MODEL}; of virtio: ${MODES}` },
  {
    from: 0x06,
    to: 0x08,
    name: 'whether there are capabilities',
    otherwise: 'vectors= and the bus as at the source',
  },
  { from: 0x08, to: 0x09, name: 'revision', otherwise: `${MODEL}; of virtio: ${MODES}` },
  { from: 0x09, to: 0x0c, name: 'class', otherwise: MODEL },
  {
    from: 0x0e,
    to: 0x0f,
    bits: 0x80,
    name: 'multifunction',
    settings: flag('multifunction', 0x80),
  },
  { from: 0x0e, to: 0x0f, name: 'header type', otherwise: MODEL },
  {
    from: 0x10,
    to: 0x28,
    name: 'base addresses',
    otherwise: 'BARs of the same size: the same memory size, number of vectors or ports of the device',
  },
  { from: 0x34, to: 0x35, name: 'first capability', otherwise: `the same vectors=; of virtio: ${MODES}` },
  {
    ...{ capability: 0x01, from: 0x04, to: 0x05, bits: 0x08 },
    name: 'power management: no soft reset',
    settings: flag('x-pcie-pm-no-soft-reset', 0x08),
  },
  { capability: 0x01, from: 0x02, to: 0x04, name: 'power management', otherwise: MODEL },
  {
    ...{ capability: 0x11, from: 0x02, to: 0x04, bits: 0x7ff },
    name: 'number of MSI-X vectors',
    settings: (value) => vectors((value & 0x7ff) + 1),
    otherwise: 'as many queues or ports of the device at both sides',
  },
  {
    capability: 0x11,
    from: 0x04,
    to: 0x0c,
    name: 'place of the MSI-X table',
    otherwise: 'as many vectors at both sides',
  },
  {
    capability: 0x05,
    from: 0x02,
    to: 0x04,
    name: 'MSI',
    otherwise: 'the same msi= of the device, or its model',
  },
  {
    ...{ capability: 0x10, from: 0x04, to: 0x08, bits: 1 << 5 },
    name: 'extended tags',
    settings: flag('x-pcie-ext-tag', 1 << 5),
  },
  {
    ...{ capability: 0x10, from: 0x04, to: 0x08, bits: 1 << 28 },
    name: 'function level reset',
    settings: flag('x-pcie-flr-init', 1 << 28),
  },
  { capability: 0x10, from: 0x02, to: 0x04, name: 'kind of PCI Express device or port', otherwise: MODEL },
  { capability: 0x10, from: 0x0c, to: 0x10, bits: 0xf, name: 'link speed', settings: speed },
  {
    ...{ capability: 0x10, from: 0x0c, to: 0x10, bits: 0x3f0 },
    name: 'link width',
    settings: (value) => width((value >>> 4) & 0x3f),
  },
  {
    ...{ capability: 0x10, from: 0x0c, to: 0x10, bits: 0xff00_0000 },
    name: 'port number',
    settings: (value) => [{ port: `${value >>> 24}` }],
  },
  {
    ...{ capability: 0x10, from: 0x14, to: 0x18, bits: 0xfff8_0000 },
    name: 'slot number',
    settings: (value) => [{ slot: `${value >>> 19}` }],
  },
  {
    ...{ capability: 0x10, from: 0x14, to: 0x18, bits: 0x02 },
    name: 'power controller of the slot',
    settings: flag('power_controller_present', 0x02),
  },
  {
    ...{ capability: 0x10, from: 0x14, to: 0x18, bits: 0x60 },
    name: 'hot-plug of the slot',
    settings: flag('hotplug', 0x40),
    otherwise:
      'native hot-plug or ACPI hot-plug of PCI bridges as at the source (acpi-pci-hotplug-with-bridge-support)',
  },
  {
    ...{ capability: 0x10, from: 0x1a, to: 0x1c },
    name: 'something in the slot',
    otherwise: 'the same devices behind the port at both sides',
  },
  {
    ...{ capability: 0x10, from: 0x2c, to: 0x30 },
    name: 'link speeds',
    settings: (value) => highestSpeed((value & 0xfe) >>> 1),
  },
  { capability: 0x10, from: 0x30, to: 0x32, bits: 0xf, name: 'target link speed', settings: speed },
  {
    capability: 0x09,
    from: 0x00,
    to: 0x100,
    name: 'capability of the vendor',
    otherwise: `of virtio: ${MODES}, page-per-vq= and modern-pio-notify=`,
  },
  {
    ...{ extended: true, capability: 0x01, from: 0x08, to: 0x0c },
    name: 'mask of uncorrectable errors',
    settings: (value) =>
      value & ~UNCORRECTABLE ? [] : [{ 'x-pcie-err-unc-mask': value === 0 ? 'off' : 'on' }],
  },
  {
    ...{ extended: true, capability: 0x01, from: 0x18, to: 0x1c, bits: 0x200 },
    name: 'log of errors',
    settings: (value) => [{ aer_log_max: value & 0x200 ? '8' : '0' }],
  },
  {
    ...{ extended: true, capability: 0x03, from: 0x04, to: 0x0c },
    name: 'serial number',
    otherwise: 'the same mac= of the device, of which it is made, or its sn= or serial=',
  },
  {
    ...{ extended: true, capability: 0x0d, from: 0x04, to: 0x06 },
    name: 'access control services',
    otherwise: 'the same disable-acs= of the port, or a port of the same model',
  },
  {
    ...{ extended: true, capability: 0x0e, from: 0x04, to: 0x08 },
    name: 'next function (ARI)',
    settings: (value) => [{ 'x-pcie-ari-nextfn-1': (value >>> 8) & 0xff ? 'on' : 'off' }],
  },
  {
    ...{ extended: true, capability: 0x0f, from: 0x04, to: 0x06, bits: 0x20 },
    name: 'page aligned requests (ATS)',
    settings: flag('x-ats-page-aligned', 0x20),
  },
  {
    ...{ extended: true, capability: 0x10, from: 0x00, to: 0x40 },
    name: 'virtual functions',
    otherwise: 'the same sriov_max_vfs= (nvme) or virtual functions (sriov-pf=) at both sides',
  },
];

/** Those that are otherwise where a device has other capabilities. */
const LISTS_CAPABILITIES: ReadonlySet<Register> = new Set(
  REGISTERS.filter(({ capability, from }) => capability === undefined && [0x06, 0x34].includes(from)),
);
const MSIX = 0x11;

/** Properties that give a device an extended capability. */
const EXTENDED: readonly (readonly [id: number, name: string, settings: Settings, without: Settings])[] = [
  [0x01, 'advanced error reporting', { aer: 'on' }, { aer: 'off' }],
  [0x0f, 'address translation (ATS)', { ats: 'on' }, { ats: 'off' }],
  [0x0d, 'access control services', { 'disable-acs': 'off' }, { 'disable-acs': 'on' }],
];

/** What a byte of the configuration space that differs is called, and what helps. */
export function pciRegister(
  difference: PciDifference,
  lists: CapabilityLists,
  idstr: string,
  destination: Destination,
): PciRemedy {
  const { stream, own, at, capability } = difference;
  const start = capability?.start ?? 0;
  const isHeader = capability && at < start + (capability.isExtended ? 4 : 2);
  const otherList = (['own', 'stream'] as const).map((side) =>
    lists[side].map(({ id, isExtended }) => `${isExtended ? 'x' : ''}${id}`),
  );
  const isOther = otherList[0]!.join() !== otherList[1]!.join();
  if (capability && (isHeader || isOther)) return capabilityRemedy(difference, lists, idstr, destination);
  const found = REGISTERS.find(
    ({ extended = false, capability: id, from, to, bits }) =>
      id === capability?.id &&
      extended === (capability?.isExtended ?? false) &&
      at >= start + from &&
      at < start + to &&
      (bits === undefined || ((number(stream, start + from) ^ number(own, start + from)) & bits) !== 0),
  );
  if (!found) return { name: capability ? 'capability' : 'header', fix: MODEL };
  const { name, otherwise = MODEL } = found;
  const vectors = isOther ? vectorsRemedy(difference, lists, idstr, destination) : undefined;
  if (vectors && LISTS_CAPABILITIES.has(found)) return { name, ...vectors };
  const given = found.settings?.(number(stream, start + found.from));
  if (given?.length === 0) return { name, fix: DAMAGED };
  const [there] = given?.flatMap((settings) => settingsText(destination, idstr, settings) ?? []) ?? [];
  if (there !== undefined) return { name, fix: `at the destination ${there}${OR_DAMAGED}`, isSetting: true };
  // The destination has no such property: what it has is what an older QEMU did always.
  const [source] = found.settings?.(number(own, start + found.from)) ?? [];
  return { name, fix: source && !found.otherwise ? atSource(source) : otherwise };
}

function atSource(settings: Settings): string {
  const text = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return `for the device at the source ${text.join(',')}, from its start: the destination's device has no such property${OR_DAMAGED}`;
}

/** Without vectors a device has no MSI-X. Undefined where both sides have it, or none, or no property is known. */
function vectorsRemedy(
  { stream }: Pick<PciDifference, 'stream'>,
  lists: CapabilityLists,
  idstr: string,
  destination: Destination,
): Omit<PciRemedy, 'name'> | undefined {
  const [there, here] = [lists.stream, lists.own].map((list) =>
    list.find(({ id, isExtended }) => id === MSIX && !isExtended),
  );
  if (!there === !here) return undefined;
  const count = there ? (number(stream, there.start + 2) & 0x7ff) + 1 : 0;
  for (const settings of vectors(count)) {
    const text = settingsText(destination, idstr, settings);
    if (text !== undefined) return { fix: `at the destination ${text}${OR_DAMAGED}`, isSetting: true };
  }
  return undefined;
}

/** One side has capabilities that the other does not have. */
function capabilityRemedy(
  difference: PciDifference,
  { stream, own }: CapabilityLists,
  idstr: string,
  destination: Destination,
): PciRemedy {
  for (const [id, name, on, off] of EXTENDED) {
    const has = (list: readonly PciCapability[]) =>
      list.some((capability) => capability.isExtended && capability.id === id);
    if (has(stream) === has(own)) continue;
    const text = settingsText(destination, idstr, has(stream) ? on : off);
    if (text !== undefined) return { name, fix: `at the destination ${text}${OR_DAMAGED}`, isSetting: true };
    return { name, fix: has(stream) ? atSource(off) : MODEL };
  }
  const name = 'list of capabilities';
  const ofVectors = vectorsRemedy(difference, { stream, own }, idstr, destination);
  if (ofVectors) return { name, ...ofVectors };
  return {
    name,
    fix: `${MODEL} with the same vectors=; of virtio: ${MODES}`,
  };
}

function number(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24)) >>>
    0
  );
}
