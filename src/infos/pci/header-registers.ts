import { bits, choice, count, flag, flags, hex, unlessZero } from '../bits.ts';
import { baseClassName, interfaceName, subclassName } from './classes.ts';
import { pciDeviceName, pciSubsystemName, pciVendorName } from './devices.ts';
import { baseAddresses, le16, le32, peek8, peek16, peek32, type Register, u8 } from './register.ts';

const HEADER_TYPE = 0x0e;
const HEADER_TYPE_MASK = 0x7f;
const BRIDGE = 1;
const CARDBUS_BRIDGE = 2;

/** Header type without the multifunction bit. */
export function headerType(config: DataView): number {
  return peek8(config, HEADER_TYPE) & HEADER_TYPE_MASK;
}

/** What begins a configuration space: PCI Local Bus Specification 3.0, section 6.1. */
export interface Header {
  readonly length: number;
  readonly registers: readonly Register[];
  /** Where the pointer to the first capability is; undefined for a header that has none. */
  readonly capabilities: number | undefined;
}

export function pciHeader(config: DataView): Header {
  const start = commonRegisters(config);
  switch (headerType(config)) {
    case 0:
      return { length: 0x40, registers: [...start, ...deviceRegisters(config)], capabilities: 0x34 };
    case BRIDGE:
      return { length: 0x40, registers: [...start, ...bridgeRegisters(config)], capabilities: 0x34 };
    case CARDBUS_BRIDGE:
      return { length: 0x48, registers: [...start, ...cardBusRegisters(config)], capabilities: 0x14 };
    default:
      return { length: 0x40, registers: start, capabilities: undefined };
  }
}

/** Bits of the status register, and of a bridge's secondary status. */
const STATUS = [
  ...flags({
    0: 'immediate readiness',
    3: 'interrupt',
    4: 'capabilities',
    5: '66 MHz',
    6: 'user definable features',
    7: 'fast back-to-back',
    8: 'master data parity error',
  }),
  choice(9, 2, 'DEVSEL', ['', 'medium DEVSEL', 'slow DEVSEL']),
  ...flags({
    11: 'signaled target abort',
    12: 'received target abort',
    13: 'received master abort',
    14: 'system error',
    15: 'parity error',
  }),
];

/** Offsets 0x00 to 0x0f are the same in all headers. */
function commonRegisters(config: DataView): Register[] {
  const baseClass = peek8(config, 0x0b);
  const subclass = peek8(config, 0x0a);
  return [
    le16(0x00, 'vendor_id', pciVendorName),
    le16(0x02, 'device_id', (id) => pciDeviceName(peek16(config, 0x00), id)),
    le16(
      0x04,
      'command',
      flags({
        0: 'I/O',
        1: 'memory',
        2: 'bus master',
        3: 'special cycles',
        4: 'memory write and invalidate',
        5: 'VGA palette snoop',
        6: 'parity error response',
        7: 'address stepping',
        8: 'SERR#',
        9: 'fast back-to-back',
        10: 'INTx disabled',
      }),
    ),
    le16(0x06, 'status', STATUS),
    u8(0x08, 'revision_id'),
    u8(0x09, 'interface', (code) => interfaceName(baseClass, subclass, code)),
    u8(0x0a, 'subclass', (code) => subclassName(baseClass, code)),
    u8(0x0b, 'class', baseClassName),
    u8(0x0c, 'cache_line_size'),
    u8(0x0d, 'latency_timer'),
    u8(HEADER_TYPE, 'header_type', [
      choice(0, 7, 'type', ['device', 'PCI to PCI bridge', 'CardBus bridge']),
      flag(7, 'multifunction'),
    ]),
    u8(0x0f, 'bist', [...flags({ 7: 'capable', 6: 'start' }), count(0, 4, 'code', unlessZero)]),
  ];
}

const EXPANSION_ROM = [
  count(11, 21, 'address', (page) => (page === 0 ? undefined : hex(page * 0x800))),
  flag(0, 'enabled'),
];

const INTERRUPT_PIN = [choice(0, 8, 'pin', ['', 'INTA#', 'INTB#', 'INTC#', 'INTD#'])];

/** Header type 0. */
function deviceRegisters(config: DataView): Register[] {
  return [
    ...baseAddresses(config, 0x10, 6, 'bar'),
    le32(0x28, 'cardbus_cis'),
    le16(0x2c, 'subsystem_vendor_id', pciVendorName),
    le16(0x2e, 'subsystem_id', (id) => pciSubsystemName(peek16(config, 0x2c), id)),
    le32(0x30, 'expansion_rom', EXPANSION_ROM),
    u8(0x34, 'capabilities'),
    u8(0x3c, 'interrupt_line'),
    u8(0x3d, 'interrupt_pin', INTERRUPT_PIN),
    u8(0x3e, 'min_gnt'),
    u8(0x3f, 'max_lat'),
  ];
}

/** A bridge's I/O window: its limit and base are 4 KiB pages of 16 or, with an upper half, 32 bit addresses. */
function ioWindow(upper: number, end: number) {
  return (value: number): string => {
    const isWide = bits(value, 0, 4) === 1;
    return `${isWide ? '32' : '16'} bit, ${hex((isWide ? upper * 0x10000 : 0) + (value & 0xf0) * 0x100 + end)}`;
  };
}

/** A bridge's memory window: its limit and base are 1 MiB pages. */
function memoryWindow(end: number) {
  return (value: number): string => hex((value & 0xfff0) * 0x10000 + end);
}

function prefetchableWindow(upper: number, end: number) {
  return (value: number): string => {
    const isWide = bits(value, 0, 4) === 1;
    const high = isWide ? BigInt(upper) << 32n : 0n;
    return `${isWide ? '64' : '32'} bit, ${hex(high + BigInt((value & 0xfff0) * 0x10000 + end))}`;
  };
}

/** Header type 1: PCI-to-PCI Bridge Architecture Specification 1.2, section 3.2. */
function bridgeRegisters(config: DataView): Register[] {
  const ioBaseUpper = peek16(config, 0x30);
  const ioLimitUpper = peek16(config, 0x32);
  return [
    ...baseAddresses(config, 0x10, 2, 'bar'),
    u8(0x18, 'primary_bus'),
    u8(0x19, 'secondary_bus'),
    u8(0x1a, 'subordinate_bus'),
    u8(0x1b, 'secondary_latency_timer'),
    u8(0x1c, 'io_base', ioWindow(ioBaseUpper, 0)),
    u8(0x1d, 'io_limit', ioWindow(ioLimitUpper, 0xfff)),
    le16(0x1e, 'secondary_status', STATUS),
    le16(0x20, 'memory_base', memoryWindow(0)),
    le16(0x22, 'memory_limit', memoryWindow(0xfffff)),
    le16(0x24, 'prefetchable_memory_base', prefetchableWindow(peek32(config, 0x28), 0)),
    le16(0x26, 'prefetchable_memory_limit', prefetchableWindow(peek32(config, 0x2c), 0xfffff)),
    le32(0x28, 'prefetchable_memory_base_upper'),
    le32(0x2c, 'prefetchable_memory_limit_upper'),
    le16(0x30, 'io_base_upper'),
    le16(0x32, 'io_limit_upper'),
    u8(0x34, 'capabilities'),
    le32(0x38, 'expansion_rom', EXPANSION_ROM),
    u8(0x3c, 'interrupt_line'),
    u8(0x3d, 'interrupt_pin', INTERRUPT_PIN),
    le16(
      0x3e,
      'bridge_control',
      flags({
        0: 'parity error response',
        1: 'SERR#',
        2: 'ISA',
        3: 'VGA',
        4: 'VGA 16 bit decode',
        5: 'master abort mode',
        6: 'secondary bus reset',
        7: 'fast back-to-back',
        8: 'primary discard timer',
        9: 'secondary discard timer',
        10: 'discard timer status',
        11: 'discard timer SERR#',
      }),
    ),
  ];
}

/** Header type 2: PC Card Standard, volume 7. */
function cardBusRegisters(config: DataView): Register[] {
  return [
    le32(0x10, 'socket_base_address', (value) => (value === 0 ? undefined : `memory at ${hex(value)}`)),
    u8(0x14, 'capabilities'),
    le16(0x16, 'secondary_status', STATUS),
    u8(0x18, 'primary_bus'),
    u8(0x19, 'cardbus_bus'),
    u8(0x1a, 'subordinate_bus'),
    u8(0x1b, 'cardbus_latency_timer'),
    le32(0x1c, 'memory_base0'),
    le32(0x20, 'memory_limit0'),
    le32(0x24, 'memory_base1'),
    le32(0x28, 'memory_limit1'),
    le32(0x2c, 'io_base0'),
    le32(0x30, 'io_limit0'),
    le32(0x34, 'io_base1'),
    le32(0x38, 'io_limit1'),
    u8(0x3c, 'interrupt_line'),
    u8(0x3d, 'interrupt_pin', INTERRUPT_PIN),
    le16(
      0x3e,
      'bridge_control',
      flags({
        0: 'parity error response',
        1: 'SERR#',
        2: 'ISA',
        3: 'VGA',
        5: 'master abort mode',
        6: 'CardBus reset',
        7: '16 bit card interrupts',
        8: 'memory 0 prefetchable',
        9: 'memory 1 prefetchable',
        10: 'write posting',
      }),
    ),
    le16(0x40, 'subsystem_vendor_id', pciVendorName),
    le16(0x42, 'subsystem_id', (id) => pciSubsystemName(peek16(config, 0x40), id)),
    le32(0x44, 'legacy_mode_base'),
  ];
}
