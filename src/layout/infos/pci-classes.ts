/** A base class: its name, subclasses, and names of programming interfaces by subclass and interface. */
interface PciClass {
  readonly name: string;
  readonly subclasses: Readonly<Record<number, string>>;
  readonly interfaces?: Readonly<Record<number, Readonly<Record<number, string>>>>;
}

/** PCI Code and ID Assignment Specification, section 1: class codes. */
const classes: Readonly<Record<number, PciClass>> = {
  0x00: { name: 'unclassified', subclasses: { 0x00: 'not VGA', 0x01: 'VGA compatible' } },
  0x01: {
    name: 'mass storage',
    subclasses: {
      0x00: 'SCSI',
      0x01: 'IDE',
      0x02: 'floppy disk',
      0x03: 'IPI',
      0x04: 'RAID',
      0x05: 'ATA',
      0x06: 'SATA',
      0x07: 'SAS',
      0x08: 'non-volatile memory',
      0x09: 'UFS',
      0x80: 'other',
    },
    interfaces: {
      0x05: { 0x20: 'single DMA', 0x30: 'chained DMA' },
      0x06: { 0x01: 'AHCI', 0x02: 'serial storage bus' },
      0x07: { 0x01: 'serial storage bus' },
      0x08: { 0x01: 'NVMHCI', 0x02: 'NVMe', 0x03: 'NVMe administration' },
      0x09: { 0x01: 'UFSHCI' },
    },
  },
  0x02: {
    name: 'network',
    subclasses: {
      0x00: 'Ethernet',
      0x01: 'Token Ring',
      0x02: 'FDDI',
      0x03: 'ATM',
      0x04: 'ISDN',
      0x05: 'WorldFip',
      0x06: 'PICMG 2.14',
      0x07: 'InfiniBand',
      0x08: 'host fabric',
      0x80: 'other',
    },
  },
  0x03: {
    name: 'display',
    subclasses: { 0x00: 'VGA compatible', 0x01: 'XGA', 0x02: '3D', 0x80: 'other' },
    interfaces: { 0x00: { 0x01: '8514 compatible' } },
  },
  0x04: {
    name: 'multimedia',
    subclasses: { 0x00: 'video', 0x01: 'audio', 0x02: 'telephony', 0x03: 'HD audio', 0x80: 'other' },
  },
  0x05: {
    name: 'memory',
    subclasses: { 0x00: 'RAM', 0x01: 'flash', 0x02: 'CXL', 0x80: 'other' },
    interfaces: { 0x02: { 0x10: 'CXL memory device' } },
  },
  0x06: {
    name: 'bridge',
    subclasses: {
      0x00: 'host',
      0x01: 'ISA',
      0x02: 'EISA',
      0x03: 'MCA',
      0x04: 'PCI to PCI',
      0x05: 'PCMCIA',
      0x06: 'NuBus',
      0x07: 'CardBus',
      0x08: 'RACEway',
      0x09: 'semi-transparent PCI to PCI',
      0x0a: 'InfiniBand to PCI',
      0x0b: 'advanced switching',
      0x80: 'other',
    },
    interfaces: { 0x04: { 0x01: 'subtractive decode' }, 0x09: { 0x40: 'primary', 0x80: 'secondary' } },
  },
  0x07: {
    name: 'communication',
    subclasses: {
      0x00: 'serial',
      0x01: 'parallel',
      0x02: 'multiport serial',
      0x03: 'modem',
      0x04: 'GPIB',
      0x05: 'smart card',
      0x80: 'other',
    },
    interfaces: {
      0x00: {
        0x01: '16450 compatible',
        0x02: '16550 compatible',
        0x03: '16650 compatible',
        0x04: '16750 compatible',
        0x05: '16850 compatible',
        0x06: '16950 compatible',
      },
      0x01: { 0x01: 'bidirectional', 0x02: 'ECP 1.x', 0x03: 'IEEE 1284', 0xfe: 'IEEE 1284 target' },
    },
  },
  0x08: {
    name: 'system peripheral',
    subclasses: {
      0x00: 'interrupt controller',
      0x01: 'DMA controller',
      0x02: 'timer',
      0x03: 'real-time clock',
      0x04: 'PCI hot-plug',
      0x05: 'SD host',
      0x06: 'IOMMU',
      0x07: 'root complex event collector',
      0x80: 'other',
    },
    interfaces: {
      0x00: { 0x01: 'ISA', 0x02: 'EISA', 0x10: 'I/O APIC', 0x20: 'I/O(x) APIC' },
      0x01: { 0x01: 'ISA', 0x02: 'EISA' },
      0x02: { 0x01: 'ISA', 0x02: 'EISA', 0x03: 'HPET' },
      0x03: { 0x01: 'ISA' },
      0x05: { 0x01: 'DMA' },
    },
  },
  0x09: {
    name: 'input',
    subclasses: {
      0x00: 'keyboard',
      0x01: 'digitizer',
      0x02: 'mouse',
      0x03: 'scanner',
      0x04: 'gameport',
      0x80: 'other',
    },
  },
  0x0a: { name: 'docking station', subclasses: { 0x00: 'generic', 0x80: 'other' } },
  0x0b: {
    name: 'processor',
    subclasses: {
      0x00: '386',
      0x01: '486',
      0x02: 'Pentium',
      0x10: 'Alpha',
      0x20: 'PowerPC',
      0x30: 'MIPS',
      0x40: 'co-processor',
      0x80: 'other',
    },
  },
  0x0c: {
    name: 'serial bus',
    subclasses: {
      0x00: 'FireWire',
      0x01: 'ACCESS.bus',
      0x02: 'SSA',
      0x03: 'USB',
      0x04: 'Fibre Channel',
      0x05: 'SMBus',
      0x06: 'InfiniBand',
      0x07: 'IPMI',
      0x08: 'SERCOS',
      0x09: 'CAN bus',
      0x0a: 'MIPI I3C',
      0x80: 'other',
    },
    interfaces: {
      0x00: { 0x10: 'OHCI' },
      0x03: {
        0x00: 'UHCI',
        0x10: 'OHCI',
        0x20: 'EHCI',
        0x30: 'xHCI',
        0x40: 'USB4',
        0x80: 'unspecified',
        0xfe: 'USB device',
      },
      0x07: { 0x00: 'SMIC', 0x01: 'KCS', 0x02: 'BT' },
    },
  },
  0x0d: {
    name: 'wireless',
    subclasses: {
      0x00: 'IrDA',
      0x01: 'consumer infrared',
      0x10: 'RF',
      0x11: 'Bluetooth',
      0x12: 'broadband',
      0x20: '802.11a',
      0x21: '802.11b',
      0x40: 'cellular',
      0x41: 'cellular and Ethernet',
      0x80: 'other',
    },
  },
  0x0e: { name: 'intelligent I/O', subclasses: { 0x00: 'I2O' } },
  0x0f: {
    name: 'satellite',
    subclasses: { 0x01: 'TV', 0x02: 'audio', 0x03: 'voice', 0x04: 'data', 0x80: 'other' },
  },
  0x10: {
    name: 'encryption',
    subclasses: { 0x00: 'network and computing', 0x10: 'entertainment', 0x80: 'other' },
  },
  0x11: {
    name: 'signal processing',
    subclasses: {
      0x00: 'DPIO',
      0x01: 'performance counters',
      0x10: 'communication synchronizer',
      0x20: 'management card',
      0x80: 'other',
    },
  },
  0x12: { name: 'processing accelerator', subclasses: { 0x00: 'processing accelerator', 0x01: 'SDXI' } },
  0x13: { name: 'non-essential instrumentation', subclasses: {} },
  0x40: { name: 'co-processor', subclasses: {} },
  0xff: { name: 'fits no defined class', subclasses: {} },
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
