import { type BitField, bits, choice, count, flag, flags, hex, unlessZero } from '../bits.ts';
import { pciVendorName } from './devices.ts';
import {
  buffer,
  type Capability,
  le16,
  le32,
  le64,
  type PciDevice,
  peek8,
  peek16,
  peek32,
  type Register,
  u8,
} from './register.ts';

/** Names of BARs, for the fields that point at one. */
const BAR_INDICATOR = choice(0, 3, 'BAR', ['BAR0', 'BAR1', 'BAR2', 'BAR3', 'BAR4', 'BAR5']);

/** An offset in a BAR, in bytes: the low three bits say which BAR. */
const BAR_AND_OFFSET: readonly BitField[] = [BAR_INDICATOR, count(3, 29, 'offset', (n) => hex(n * 8))];

/** PCI Bus Power Management Interface Specification 1.2. */
function powerManagement(): readonly Register[] {
  return [
    le16(0x02, 'capabilities', [
      count(0, 3, 'version'),
      ...flags({ 3: 'PME clock', 4: 'immediate readiness on D0', 5: 'device specific initialization' }),
      choice(6, 3, 'auxiliary current', {
        0: '',
        1: '55 mA',
        2: '100 mA',
        3: '160 mA',
        4: '220 mA',
        5: '270 mA',
        6: '320 mA',
        7: '375 mA',
      }),
      ...flags({
        9: 'D1',
        10: 'D2',
        11: 'PME from D0',
        12: 'PME from D1',
        13: 'PME from D2',
        14: 'PME from D3hot',
        15: 'PME from D3cold',
      }),
    ]),
    le16(0x04, 'control_status', [
      count(0, 2, 'state', (n) => ['D0', 'D1', 'D2', 'D3hot'][n]),
      ...flags({ 3: 'no soft reset', 8: 'PME enabled' }),
      count(9, 4, 'data select', unlessZero),
      count(13, 2, 'data scale', unlessZero),
      flag(15, 'PME'),
    ]),
    u8(0x06, 'bridge_support', flags({ 6: 'B2 for D3hot', 7: 'bus power/clock control' })),
    u8(0x07, 'data'),
  ];
}

const AGP_RATES = flags({ 0: '1x', 1: '2x', 2: '4x', 4: 'fast writes', 5: '64 bit', 9: 'sideband' });

/** Accelerated Graphics Port Interface Specification 2.0; the same for the target of a bridge. */
function agp(): readonly Register[] {
  return [
    u8(0x02, 'revision', (value) => `${value >> 4}.${value & 15}`),
    le32(0x04, 'status', [...AGP_RATES, count(24, 8, 'requests', (n) => n + 1)]),
    le32(0x08, 'command', [...AGP_RATES, flag(8, 'enabled'), count(24, 8, 'requests', (n) => n + 1)]),
  ];
}

/** PCI Local Bus Specification 3.0, appendix I. */
function vitalProductData(): readonly Register[] {
  return [le16(0x02, 'address', [count(0, 15, 'offset', hex), flag(15, 'done')]), le32(0x04, 'data')];
}

/** PCI-to-PCI Bridge Architecture Specification 1.2. */
function slotIdentification(): readonly Register[] {
  return [
    u8(0x02, 'expansion_slot', [count(0, 5, 'slots'), flag(5, 'first in chassis')]),
    u8(0x03, 'chassis'),
  ];
}

/** PCI Local Bus Specification 3.0, section 6.8.1: the layout hangs on the control register. */
function msi(at: DataView): readonly Register[] {
  const control = peek16(at, 0x02);
  const isWide = bits(control, 7, 1) === 1;
  const hasExtendedData = bits(control, 9, 1) === 1;
  const data = isWide ? 0x0c : 0x08;
  return [
    le16(0x02, 'control', [
      flag(0, 'enabled'),
      count(4, 3, 'vectors', (n) => `${2 ** n} of ${2 ** bits(control, 1, 3)}`),
      ...flags({ 7: '64 bit', 8: 'maskable', 9: 'extended data', 10: 'extended data enabled' }),
    ]),
    isWide ? le64(0x04, 'address') : le32(0x04, 'address'),
    le16(data, 'data'),
    ...(hasExtendedData ? [le16(data + 2, 'extended_data')] : []),
    ...(bits(control, 8, 1) === 1 ? [le32(data + 4, 'mask'), le32(data + 8, 'pending')] : []),
  ];
}

/** The same, section 6.8.2. */
function msix(): readonly Register[] {
  return [
    le16(0x02, 'control', [
      count(0, 11, 'vectors', (n) => n + 1),
      flag(14, 'all masked'),
      flag(15, 'enabled'),
    ]),
    le32(0x04, 'table', BAR_AND_OFFSET),
    le32(0x08, 'pending_bits', BAR_AND_OFFSET),
  ];
}

/** PCI-X Protocol Addendum 2.0. */
function pcix(at: DataView, { headerType }: PciDevice): readonly Register[] {
  if (headerType === 1) {
    return [
      le16(0x02, 'secondary_status', [
        ...flags({
          0: '64 bit',
          1: '133 MHz',
          2: 'split completion discarded',
          3: 'unexpected split completion',
          4: 'split completion overrun',
          5: 'split request delayed',
        }),
        count(6, 4, 'mode', unlessZero),
        count(12, 2, 'version', unlessZero),
        ...flags({ 14: '266 MHz', 15: '533 MHz' }),
      ]),
      le32(0x04, 'bridge_status', PCIX_STATUS_START),
      le32(0x08, 'upstream_split', [count(0, 16, 'capacity'), count(16, 16, 'limit')]),
      le32(0x0c, 'downstream_split', [count(0, 16, 'capacity'), count(16, 16, 'limit')]),
    ];
  }
  const command = peek16(at, 0x02);
  const splits = [1, 2, 3, 4, 8, 12, 16, 32];
  return [
    le16(0x02, 'command', [
      ...flags({ 0: 'data parity error recovery', 1: 'relaxed ordering' }),
      count(2, 2, 'maximum read', (n) => 512 << n),
      count(4, 3, 'maximum splits', (n) => splits[n]),
      count(12, 2, 'version', unlessZero),
    ]),
    le32(0x04, 'status', [
      ...PCIX_STATUS_START,
      flag(20, 'complex'),
      count(21, 2, 'designed maximum read', (n) => 512 << n),
      count(23, 3, 'designed maximum splits', (n) => splits[n]),
      ...flags({ 29: 'split completion error', 30: '266 MHz', 31: '533 MHz' }),
    ]),
    ...(bits(command, 12, 2) === 0
      ? []
      : [
          le32(0x08, 'ecc_control_status'),
          le32(0x0c, 'ecc_first_address'),
          le32(0x10, 'ecc_second_address'),
          le32(0x14, 'ecc_attribute'),
        ]),
  ];
}

const PCIX_STATUS_START: readonly BitField[] = [
  count(8, 8, 'bus', hex),
  count(3, 5, 'device', hex),
  count(0, 3, 'function'),
  ...flags({
    16: '64 bit',
    17: '133 MHz',
    18: 'split completion discarded',
    19: 'unexpected split completion',
  }),
];

/** EHCI Specification for USB 1.0, appendix C. */
function debugPort(): readonly Register[] {
  return [
    le16(0x02, 'port', [
      choice(13, 3, 'BAR', ['', 'BAR0', 'BAR1', 'BAR2', 'BAR3', 'BAR4', 'BAR5']),
      count(0, 13, 'offset', hex),
    ]),
  ];
}

/** PCI Standard Hot-Plug Controller and Subsystem Specification 1.0. */
function hotPlugController(): readonly Register[] {
  return [u8(0x02, 'dword_select'), u8(0x03, 'pending'), le32(0x04, 'dword_data')];
}

/** PCI-to-PCI Bridge Architecture Specification 1.2: subsystem ids of a bridge. */
function bridgeSubsystem(): readonly Register[] {
  return [le16(0x04, 'subsystem_vendor_id', pciVendorName), le16(0x06, 'subsystem_id')];
}

/** AMD I/O Virtualization Technology (IOMMU) Specification 3.0: the only secure device there is. */
function secureDevice(at: DataView): readonly Register[] {
  const isIommu = bits(peek16(at, 0x02), 0, 3) === 3;
  const information = le16(0x02, 'information', [
    choice(0, 3, 'type', { 3: 'IOMMU' }),
    count(3, 5, 'revision'),
    ...flags({
      8: 'remote IOTLB',
      9: 'HyperTransport tunnel',
      10: 'caches non-present entries',
      11: 'extended features',
      12: 'miscellaneous information 1',
    }),
  ]);
  if (!isIommu) return [information];
  return [
    information,
    le32(0x04, 'base_address_low', [flag(0, 'enabled'), count(14, 18, 'address', (n) => hex(n * 0x4000))]),
    le32(0x08, 'base_address_high'),
    le32(0x0c, 'range', [
      count(8, 8, 'bus', hex),
      count(16, 8, 'first', hex),
      count(24, 8, 'last', hex),
      flag(7, 'valid'),
    ]),
    le32(0x10, 'miscellaneous0', [
      count(0, 5, 'MSI message'),
      count(8, 7, 'physical address bits'),
      count(15, 7, 'virtual address bits'),
    ]),
  ];
}

const LINK_SPEEDS = ['', '2.5 GT/s', '5 GT/s', '8 GT/s', '16 GT/s', '32 GT/s', '64 GT/s'];
const PAYLOAD = (n: number) => 128 << n;
const ROOT_PORT = 4;
const DOWNSTREAM_PORT = 6;
const EVENT_COLLECTOR = 10;

const EXPRESS_FLAGS: readonly BitField[] = [
  count(0, 4, 'version'),
  choice(4, 4, 'type', {
    0: 'endpoint',
    1: 'legacy endpoint',
    4: 'root port',
    5: 'upstream port',
    6: 'downstream port',
    7: 'PCIe to PCI bridge',
    8: 'PCI to PCIe bridge',
    9: 'root complex integrated endpoint',
    10: 'root complex event collector',
  }),
  flag(8, 'slot'),
  count(9, 5, 'interrupt message', unlessZero),
  flag(15, 'flit mode'),
];

/** PCI Express Base Specification 6.0, section 7.5.3. */
function express(at: DataView): readonly Register[] {
  const version = bits(peek16(at, 0x02), 0, 4);
  const type = bits(peek16(at, 0x02), 4, 4);
  const hasSlot = bits(peek16(at, 0x02), 8, 1) === 1;
  const registers = [
    le16(0x02, 'capabilities', EXPRESS_FLAGS),
    ...expressDevice,
    ...expressLink,
    ...expressSlot,
    ...expressRoot,
  ];
  if (version >= 2) return [...registers, ...expressSecond];
  // The first version ends with the last register that the device has; QEMU gives all devices those of a link.
  const isRoot = type === ROOT_PORT || type === EVENT_COLLECTOR;
  const end = isRoot ? 0x24 : hasSlot && type === DOWNSTREAM_PORT ? 0x1c : 0x14;
  return registers.filter(({ offset }) => offset < end);
}

const expressDevice: readonly Register[] = [
  le32(0x04, 'device_capabilities', [
    count(0, 3, 'maximum payload', PAYLOAD),
    count(3, 2, 'phantom function bits', unlessZero),
    ...flags({
      5: 'extended tags',
      12: 'attention button',
      13: 'attention indicator',
      14: 'power indicator',
      15: 'role-based error reporting',
      16: 'ERR_COR subclass',
    }),
    count(18, 8, 'slot power limit', unlessZero),
    count(26, 2, 'slot power scale', unlessZero),
    flag(28, 'function level reset'),
  ]),
  le16(0x08, 'device_control', [
    ...flags({
      0: 'correctable errors',
      1: 'non-fatal errors',
      2: 'fatal errors',
      3: 'unsupported requests',
      4: 'relaxed ordering',
    }),
    count(5, 3, 'maximum payload', PAYLOAD),
    ...flags({ 8: 'extended tags', 9: 'phantom functions', 10: 'auxiliary power', 11: 'no snoop' }),
    count(12, 3, 'maximum read request', PAYLOAD),
    flag(15, 'function level reset or configuration retry'),
  ]),
  le16(
    0x0a,
    'device_status',
    flags({
      0: 'correctable error',
      1: 'non-fatal error',
      2: 'fatal error',
      3: 'unsupported request',
      4: 'auxiliary power',
      5: 'transactions pending',
      6: 'emergency power reduction',
    }),
  ),
];

const expressLink: readonly Register[] = [
  le32(0x0c, 'link_capabilities', [
    choice(0, 4, 'speed', LINK_SPEEDS),
    count(4, 6, 'width', (n) => `x${n}`),
    choice(10, 2, 'ASPM', ['', 'ASPM L0s', 'ASPM L1', 'ASPM L0s and L1']),
    ...flags({
      18: 'clock power management',
      19: 'surprise down reporting',
      20: 'link active reporting',
      21: 'bandwidth notification',
      22: 'ASPM optionality',
    }),
    count(24, 8, 'port'),
  ]),
  le16(0x10, 'link_control', [
    choice(0, 2, 'ASPM', ['', 'ASPM L0s', 'ASPM L1', 'ASPM L0s and L1']),
    ...flags({
      3: 'read completion boundary 128',
      4: 'disabled',
      5: 'retrain',
      6: 'common clock',
      7: 'extended synch',
      8: 'clock power management',
      9: 'autonomous width disabled',
      10: 'bandwidth management interrupt',
      11: 'autonomous bandwidth interrupt',
    }),
  ]),
  le16(0x12, 'link_status', [
    choice(0, 4, 'speed', LINK_SPEEDS),
    count(4, 6, 'width', (n) => (n === 0 ? undefined : `x${n}`)),
    ...flags({
      11: 'training',
      12: 'slot clock',
      13: 'link active',
      14: 'bandwidth management',
      15: 'autonomous bandwidth',
    }),
  ]),
];

const INDICATOR = ['', 'on', 'blink', 'off'];

const expressSlot: readonly Register[] = [
  le32(0x14, 'slot_capabilities', [
    ...flags({
      0: 'attention button',
      1: 'power controller',
      2: 'MRL sensor',
      3: 'attention indicator',
      4: 'power indicator',
      5: 'surprise',
      6: 'hot-plug',
    }),
    count(7, 8, 'power limit', unlessZero),
    count(15, 2, 'power limit scale', unlessZero),
    ...flags({ 17: 'electromechanical interlock', 18: 'no command completed' }),
    count(19, 13, 'slot', unlessZero),
  ]),
  le16(0x18, 'slot_control', [
    ...flags({
      0: 'attention button',
      1: 'power fault',
      2: 'MRL sensor',
      3: 'presence',
      4: 'command completed',
      5: 'hot-plug interrupt',
    }),
    count(6, 2, 'attention indicator', (n) => INDICATOR[n] || undefined),
    count(8, 2, 'power indicator', (n) => INDICATOR[n] || undefined),
    ...flags({
      10: 'power off',
      11: 'interlock',
      12: 'link state',
      13: 'automatic slot power limit disabled',
      14: 'in-band presence disabled',
    }),
  ]),
  le16(
    0x1a,
    'slot_status',
    flags({
      0: 'attention button pressed',
      1: 'power fault',
      2: 'MRL sensor changed',
      3: 'presence changed',
      4: 'command completed',
      5: 'MRL open',
      6: 'card present',
      7: 'interlock',
      8: 'link state changed',
    }),
  ),
];

const expressRoot: readonly Register[] = [
  le16(
    0x1c,
    'root_control',
    flags({
      0: 'correctable errors',
      1: 'non-fatal errors',
      2: 'fatal errors',
      3: 'PME interrupt',
      4: 'CRS software visibility',
    }),
  ),
  le16(0x1e, 'root_capabilities', flags({ 0: 'CRS software visibility' })),
  le32(0x20, 'root_status', [
    count(0, 16, 'PME requester', (n) => (n === 0 ? undefined : hex(n))),
    ...flags({ 16: 'PME', 17: 'PME pending' }),
  ]),
];

/** What the second version of the capability adds. */
const expressSecond: readonly Register[] = [
  le32(0x24, 'device_capabilities2', [
    count(0, 4, 'completion timeout ranges', (n) => (n === 0 ? undefined : hex(n))),
    ...flags({
      4: 'completion timeout disable',
      5: 'ARI forwarding',
      6: 'AtomicOp routing',
      7: '32 bit AtomicOp',
      8: '64 bit AtomicOp',
      9: '128 bit CAS',
      10: 'no relaxed ordering passing',
      11: 'LTR',
    }),
    count(12, 2, 'TPH completer', unlessZero),
    ...flags({ 16: '10 bit tag completer', 17: '10 bit tag requester' }),
    count(18, 2, 'OBFF', unlessZero),
    ...flags({ 20: 'extended fmt', 21: 'end-end TLP prefix' }),
    count(22, 2, 'end-end TLP prefixes', unlessZero),
    ...flags({ 26: 'emergency power reduction', 31: 'FRS' }),
  ]),
  le16(0x28, 'device_control2', [
    count(0, 4, 'completion timeout', unlessZero),
    ...flags({
      4: 'completion timeout disabled',
      5: 'ARI forwarding',
      6: 'AtomicOp requester',
      7: 'AtomicOp egress blocking',
      8: 'IDO request',
      9: 'IDO completion',
      10: 'LTR',
      11: 'emergency power reduction request',
      12: '10 bit tag requester',
    }),
    count(13, 2, 'OBFF', unlessZero),
    flag(15, 'end-end TLP prefix blocking'),
  ]),
  le16(0x2a, 'device_status2'),
  le32(0x2c, 'link_capabilities2', [
    ...flags({ 1: '2.5 GT/s', 2: '5 GT/s', 3: '8 GT/s', 4: '16 GT/s', 5: '32 GT/s', 6: '64 GT/s' }),
    ...flags({ 8: 'crosslink', 23: 'retimer', 24: 'two retimers', 31: 'DRS' }),
  ]),
  le16(0x30, 'link_control2', [
    count(0, 4, 'target', (n) => LINK_SPEEDS[n] || undefined),
    ...flags({ 4: 'compliance', 5: 'autonomous speed disabled', 6: 'de-emphasis -3.5 dB' }),
    count(7, 3, 'transmit margin', unlessZero),
    ...flags({ 10: 'modified compliance', 11: 'compliance SOS' }),
    count(12, 4, 'compliance preset', unlessZero),
  ]),
  le16(
    0x32,
    'link_status2',
    flags({
      0: 'de-emphasis -3.5 dB',
      1: 'equalization complete',
      2: 'equalization phase 1',
      3: 'equalization phase 2',
      4: 'equalization phase 3',
      5: 'equalization request',
      6: 'retimer',
      7: 'two retimers',
      10: 'flit mode',
      15: 'DRS received',
    }),
  ),
  le32(0x34, 'slot_capabilities2', flags({ 0: 'in-band presence disable' })),
  le16(0x38, 'slot_control2'),
  le16(0x3a, 'slot_status2'),
];

/** Serial ATA AHCI Specification 1.3.1, section 2.4. */
function sata(at: DataView): readonly Register[] {
  const isInline = bits(peek32(at, 0x04), 0, 4) === 0xf;
  return [
    u8(0x02, 'revision', (value) => `${value >> 4}.${value & 15}`),
    le32(0x04, 'location', [
      choice(0, 4, 'BAR', { 4: 'BAR0', 5: 'BAR1', 6: 'BAR2', 7: 'BAR3', 8: 'BAR4', 9: 'BAR5', 15: 'inline' }),
      count(4, 20, 'offset', (n) => hex(n * 4)),
    ]),
    ...(isInline ? [le32(0x08, 'index'), le32(0x0c, 'data')] : []),
  ];
}

/** PCI Local Bus Specification 3.0, ECN Advanced Capabilities. */
function advancedFeatures(): readonly Register[] {
  return [
    u8(0x02, 'length'),
    u8(0x03, 'capabilities', flags({ 0: 'transactions pending', 1: 'function level reset' })),
    u8(0x04, 'control', flags({ 0: 'function level reset' })),
    u8(0x05, 'status', flags({ 0: 'transactions pending' })),
  ];
}

const ALLOCATIONS = [
  'memory',
  'prefetchable memory',
  'I/O',
  'VF prefetchable memory',
  'VF memory',
  'bridge memory',
  'bridge prefetchable memory',
  'bridge I/O',
];

/** PCI Express Base Specification 6.0, enhanced allocation: entries of 1 to 8 dwords. */
function enhancedAllocation(at: DataView, { headerType }: PciDevice): readonly Register[] {
  const registers = [u8(0x02, 'entries', [count(0, 6, 'entries')])];
  let offset = 0x04;
  if (headerType === 1) {
    registers.push(u8(0x04, 'secondary_bus'), u8(0x05, 'subordinate_bus'));
    offset = 0x08;
  }
  const entries = bits(peek8(at, 0x02), 0, 6);
  for (let i = 0; i < entries && offset < at.byteLength; i++) {
    const length = 4 * (1 + bits(peek32(at, offset), 0, 3));
    registers.push(
      le32(offset, `entry${i}`, [
        count(4, 4, 'BAR equivalent'),
        count(8, 8, 'properties', (n) => ALLOCATIONS[n] ?? hex(n)),
        ...flags({ 30: 'writable', 31: 'enabled' }),
      ]),
    );
    const names = ['base', 'max_offset'];
    if (bits(peek32(at, offset + 4), 1, 1)) names.push('base_upper');
    if (bits(peek32(at, offset + 8), 1, 1)) names.push('max_offset_upper');
    for (const [j, name] of names.entries()) {
      const place = 4 * (j + 1);
      if (place < length) registers.push(le32(offset + place, `entry${i}_${name}`));
    }
    offset += length;
  }
  return registers;
}

/** The same, flattening portal bridge. */
function flatteningPortalBridge(): readonly Register[] {
  return [
    le32(0x04, 'capabilities', flags({ 0: 'RID decode', 1: 'low memory decode', 2: 'high memory decode' })),
    le32(0x08, 'rid_control1'),
    le32(0x0c, 'rid_control2'),
    le32(0x10, 'memory_low_control'),
    le32(0x14, 'memory_high_control1'),
    le32(0x18, 'memory_high_control2'),
    le32(0x1c, 'vector_access_control'),
    le32(0x20, 'vector_access_data'),
  ];
}

function only(...registers: readonly Register[]): () => readonly Register[] {
  return () => registers;
}

/** By capability id: PCI Code and ID Assignment Specification. Vendor-specific ones are apart. */
const capabilities: Readonly<Record<number, Capability>> = {
  0: { name: 'null', title: 'null', registers: only() },
  1: { name: 'pm', title: 'power management', registers: powerManagement },
  2: { name: 'agp', title: 'AGP', registers: agp },
  3: { name: 'vpd', title: 'vital product data', registers: vitalProductData },
  4: { name: 'slot_id', title: 'slot identification', registers: slotIdentification },
  5: { name: 'msi', title: 'MSI', registers: msi },
  6: { name: 'hot_swap', title: 'CompactPCI hot swap', registers: only(u8(0x02, 'control_status')) },
  7: { name: 'pcix', title: 'PCI-X', registers: pcix },
  8: { name: 'hypertransport', title: 'HyperTransport', registers: only(le16(0x02, 'command')) },
  10: { name: 'debug_port', title: 'debug port', registers: debugPort },
  11: { name: 'resource_control', title: 'CompactPCI central resource control', registers: only() },
  12: { name: 'shpc', title: 'standard hot-plug controller', registers: hotPlugController },
  13: { name: 'ssvid', title: 'bridge subsystem', registers: bridgeSubsystem },
  14: { name: 'agp_target', title: 'AGP target bridge', registers: agp },
  15: { name: 'secure_device', title: 'secure device', registers: secureDevice },
  16: { name: 'pcie', title: 'PCI Express', registers: express },
  17: { name: 'msix', title: 'MSI-X', registers: msix },
  18: { name: 'sata', title: 'SATA data and index', registers: sata },
  19: { name: 'af', title: 'advanced features', registers: advancedFeatures },
  20: { name: 'ea', title: 'enhanced allocation', registers: enhancedAllocation },
  21: { name: 'fpb', title: 'flattening portal bridge', registers: flatteningPortalBridge },
};

const VENDOR_SPECIFIC = 0x09;

const VIRTIO_VENDOR = 0x1af4;
const QEMU_VENDOR = 0x1b36;

/** What a capability of an id is; `at` begins with it. An id that nobody has assigned is `unknown`. */
export function pciCapability(id: number, at: DataView, device: PciDevice): Capability {
  if (id === VENDOR_SPECIFIC) return vendorSpecific(at, device);
  return capabilities[id] ?? { name: `unknown_${id.toString(16)}`, title: 'unknown', registers: only() };
}

function vendorSpecific(at: DataView, { vendorId }: PciDevice): Capability {
  const length = peek8(at, 0x02);
  const kind = peek8(at, 0x03);
  const virtio = vendorId === VIRTIO_VENDOR ? virtioCapabilities[kind] : undefined;
  if (virtio) return virtio;
  // docs/pcie_pci_bridge.txt of QEMU: what firmware should set aside for hot-plug behind a bridge.
  if (vendorId === QEMU_VENDOR && length === 0x20 && kind === 1) {
    return { name: 'resource_reserve', title: 'QEMU resource reserve', registers: resourceReserve };
  }
  return {
    name: 'vendor_specific',
    title: 'vendor-specific',
    registers: () => [
      u8(0x02, 'length'),
      ...(length > 3 ? [buffer(0x03, 'data', Math.min(length, at.byteLength) - 3)] : []),
    ],
  };
}

/** All ones: nothing is asked for. */
function unlessOnes(value: number | bigint): string | undefined {
  return value === 0xffffffff || value === 0xffffffffffffffffn ? 'unset' : undefined;
}

function resourceReserve(): readonly Register[] {
  return [
    u8(0x02, 'length'),
    u8(0x03, 'type'),
    le32(0x04, 'buses', unlessOnes),
    le64(0x08, 'io', unlessOnes),
    le32(0x10, 'memory', unlessOnes),
    le32(0x14, 'prefetchable_memory32', unlessOnes),
    le64(0x18, 'prefetchable_memory64', unlessOnes),
  ];
}

/** VIRTIO specification 1.4, section "Virtio Structure PCI Capabilities", struct virtio_pci_cap. */
function virtioStructure(...more: readonly Register[]): () => readonly Register[] {
  return () => [
    u8(0x02, 'length'),
    u8(0x03, 'cfg_type'),
    u8(0x04, 'bar'),
    u8(0x05, 'structure_id'),
    le32(0x08, 'offset'),
    le32(0x0c, 'size'),
    ...more,
  ];
}

/** The same, struct virtio_pci_vndr_data. */
function virtioVendorData(at: DataView): readonly Register[] {
  const length = Math.min(peek8(at, 0x02), at.byteLength);
  return [
    u8(0x02, 'length'),
    u8(0x03, 'cfg_type'),
    le16(0x04, 'vendor_id', pciVendorName),
    ...(length > 6 ? [buffer(0x06, 'data', length - 6)] : []),
  ];
}

/** By cfg_type. */
const virtioCapabilities: Readonly<Record<number, Capability>> = {
  1: { name: 'virtio_common', title: 'virtio common configuration', registers: virtioStructure() },
  2: {
    name: 'virtio_notify',
    title: 'virtio notification',
    registers: virtioStructure(le32(0x10, 'notify_off_multiplier')),
  },
  3: { name: 'virtio_isr', title: 'virtio ISR', registers: virtioStructure() },
  4: { name: 'virtio_device', title: 'virtio device configuration', registers: virtioStructure() },
  5: {
    name: 'virtio_pci_access',
    title: 'virtio PCI configuration access',
    registers: virtioStructure(buffer(0x10, 'pci_cfg_data', 4)),
  },
  8: {
    name: 'virtio_shared_memory',
    title: 'virtio shared memory',
    registers: virtioStructure(le32(0x10, 'offset_hi'), le32(0x14, 'size_hi')),
  },
  9: { name: 'virtio_vendor', title: 'virtio vendor data', registers: virtioVendorData },
};
