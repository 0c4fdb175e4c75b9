/** A base class: its name, subclasses, and names of programming interfaces by subclass and interface. */
interface PciClass {
  readonly name: string;
  readonly subclasses: Readonly<Record<number, string>>;
  readonly interfaces?: Readonly<Record<number, Readonly<Record<number, string>>>>;
}

/** PCI Code and ID Assignment Specification, class codes. */
const classes: Readonly<Record<number, PciClass>> = {
  0: { name: 'unclassified', subclasses: { 0: 'not VGA', 1: 'VGA compatible' } },
  1: {
    name: 'mass storage',
    subclasses: {
      0: 'SCSI',
      1: 'IDE',
      2: 'floppy disk',
      3: 'IPI',
      4: 'RAID',
      5: 'ATA',
      6: 'SATA',
      7: 'SAS',
      8: 'non-volatile memory',
      9: 'UFS',
      128: 'other',
    },
    interfaces: {
      5: { 32: 'single DMA', 48: 'chained DMA' },
      6: { 1: 'AHCI', 2: 'serial storage bus' },
      7: { 1: 'serial storage bus' },
      8: { 1: 'NVMHCI', 2: 'NVMe', 3: 'NVMe administration' },
      9: { 1: 'UFSHCI' },
    },
  },
  2: {
    name: 'network',
    subclasses: {
      0: 'Ethernet',
      1: 'Token Ring',
      2: 'FDDI',
      3: 'ATM',
      4: 'ISDN',
      5: 'WorldFip',
      6: 'PICMG 2.14',
      7: 'InfiniBand',
      8: 'host fabric',
      128: 'other',
    },
  },
  3: {
    name: 'display',
    subclasses: { 0: 'VGA compatible', 1: 'XGA', 2: '3D', 128: 'other' },
    interfaces: { 0: { 1: '8514 compatible' } },
  },
  4: {
    name: 'multimedia',
    subclasses: { 0: 'video', 1: 'audio', 2: 'telephony', 3: 'HD audio', 128: 'other' },
  },
  5: {
    name: 'memory',
    subclasses: { 0: 'RAM', 1: 'flash', 2: 'CXL', 128: 'other' },
    interfaces: { 2: { 16: 'CXL memory device' } },
  },
  6: {
    name: 'bridge',
    subclasses: {
      0: 'host',
      1: 'ISA',
      2: 'EISA',
      3: 'MCA',
      4: 'PCI to PCI',
      5: 'PCMCIA',
      6: 'NuBus',
      7: 'CardBus',
      8: 'RACEway',
      9: 'semi-transparent PCI to PCI',
      10: 'InfiniBand to PCI',
      11: 'advanced switching',
      128: 'other',
    },
    interfaces: { 4: { 1: 'subtractive decode' }, 9: { 64: 'primary', 128: 'secondary' } },
  },
  7: {
    name: 'communication',
    subclasses: {
      0: 'serial',
      1: 'parallel',
      2: 'multiport serial',
      3: 'modem',
      4: 'GPIB',
      5: 'smart card',
      128: 'other',
    },
    interfaces: {
      0: {
        1: '16450 compatible',
        2: '16550 compatible',
        3: '16650 compatible',
        4: '16750 compatible',
        5: '16850 compatible',
        6: '16950 compatible',
      },
      1: { 1: 'bidirectional', 2: 'ECP 1.x', 3: 'IEEE 1284', 254: 'IEEE 1284 target' },
    },
  },
  8: {
    name: 'system peripheral',
    subclasses: {
      0: 'interrupt controller',
      1: 'DMA controller',
      2: 'timer',
      3: 'real-time clock',
      4: 'PCI hot-plug',
      5: 'SD host',
      6: 'IOMMU',
      7: 'root complex event collector',
      128: 'other',
    },
    interfaces: {
      0: { 1: 'ISA', 2: 'EISA', 16: 'I/O APIC', 32: 'I/O(x) APIC' },
      1: { 1: 'ISA', 2: 'EISA' },
      2: { 1: 'ISA', 2: 'EISA', 3: 'HPET' },
      3: { 1: 'ISA' },
      5: { 1: 'DMA' },
    },
  },
  9: {
    name: 'input',
    subclasses: {
      0: 'keyboard',
      1: 'digitizer',
      2: 'mouse',
      3: 'scanner',
      4: 'gameport',
      128: 'other',
    },
  },
  10: { name: 'docking station', subclasses: { 0: 'generic', 128: 'other' } },
  11: {
    name: 'processor',
    subclasses: {
      0: '386',
      1: '486',
      2: 'Pentium',
      16: 'Alpha',
      32: 'PowerPC',
      48: 'MIPS',
      64: 'co-processor',
      128: 'other',
    },
  },
  12: {
    name: 'serial bus',
    subclasses: {
      0: 'FireWire',
      1: 'ACCESS.bus',
      2: 'SSA',
      3: 'USB',
      4: 'Fibre Channel',
      5: 'SMBus',
      6: 'InfiniBand',
      7: 'IPMI',
      8: 'SERCOS',
      9: 'CAN bus',
      10: 'MIPI I3C',
      128: 'other',
    },
    interfaces: {
      0: { 16: 'OHCI' },
      3: {
        0: 'UHCI',
        16: 'OHCI',
        32: 'EHCI',
        48: 'xHCI',
        64: 'USB4',
        128: 'unspecified',
        254: 'USB device',
      },
      7: { 0: 'SMIC', 1: 'KCS', 2: 'BT' },
    },
  },
  13: {
    name: 'wireless',
    subclasses: {
      0: 'IrDA',
      1: 'consumer infrared',
      16: 'RF',
      17: 'Bluetooth',
      18: 'broadband',
      32: '802.11a',
      33: '802.11b',
      64: 'cellular',
      65: 'cellular and Ethernet',
      128: 'other',
    },
  },
  14: { name: 'intelligent I/O', subclasses: { 0: 'I2O' } },
  15: {
    name: 'satellite',
    subclasses: { 1: 'TV', 2: 'audio', 3: 'voice', 4: 'data', 128: 'other' },
  },
  16: {
    name: 'encryption',
    subclasses: { 0: 'network and computing', 16: 'entertainment', 128: 'other' },
  },
  17: {
    name: 'signal processing',
    subclasses: {
      0: 'DPIO',
      1: 'performance counters',
      16: 'communication synchronizer',
      32: 'management card',
      128: 'other',
    },
  },
  18: { name: 'processing accelerator', subclasses: { 0: 'processing accelerator', 1: 'SDXI' } },
  19: { name: 'non-essential instrumentation', subclasses: {} },
  64: { name: 'co-processor', subclasses: {} },
  255: { name: 'fits no defined class', subclasses: {} },
};

export function baseClassName(baseClass: number): string | undefined {
  return classes[baseClass]?.name;
}

export function subclassName(baseClass: number, subclass: number): string | undefined {
  return classes[baseClass]?.subclasses[subclass];
}

/** Name of a programming interface; that of an IDE controller is a set of bits. */
export function interfaceName(baseClass: number, subclass: number, code: number): string | undefined {
  if (baseClass === 0x01 && subclass === 0x01) return ideInterface(code);
  return classes[baseClass]?.interfaces?.[subclass]?.[code];
}

/** PCI IDE Controller Specification 1.0: mode of each channel, whether it can be changed; bit 7 bus master. */
function ideInterface(code: number): string {
  const channel = (mode: number) => `${mode & 1 ? 'native' : 'compatibility'}${mode & 2 ? '' : ' (fixed)'}`;
  const words = [`primary ${channel(code)}`, `secondary ${channel(code >> 2)}`];
  if (code & 0x80) words.push('bus master');
  return words.join(', ');
}
