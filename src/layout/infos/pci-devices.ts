import { virtioDeviceName, virtioPciDeviceType } from './virtio-features.ts';

interface Vendor {
  readonly name: string;
  readonly devices: Readonly<Record<number, string>>;
}

const VIRTIO_VENDOR = 0x1af4;

/**
 * Vendors and devices that QEMU emulates, and no others: ids from include/hw/pci/pci_ids.h, docs/specs/pci-ids.rst and
 * the device models of QEMU 5.2 to 11.1; names as the vendors call them.
 */
const vendors: Readonly<Record<number, Vendor>> = {
  0x1000: {
    name: 'LSI Logic',
    devices: {
      0x0001: '53C810',
      0x0012: '53C895A',
      0x0054: 'SAS1068',
      0x0060: 'MegaRAID SAS 1078',
      0x0079: 'MegaRAID SAS 2108',
    },
  },
  0x1002: { name: 'ATI', devices: { 0x5046: 'Rage 128 Pro', 0x5159: 'Radeon RV100' } },
  0x1011: { name: 'DEC', devices: { 0x0019: '21143 Tulip', 0x0026: '21154 bridge' } },
  0x1013: { name: 'Cirrus Logic', devices: { 0x00b8: 'GD5446' } },
  0x1014: { name: 'IBM', devices: { 0x027f: 'PowerPC 440GX', 0x03dc: 'PHB3', 0x04c1: 'PHB4', 0x0652: 'PHB5' } },
  0x1022: {
    name: 'AMD',
    devices: { 0x1419: 'IOMMU', 0x2000: 'PCnet', 0x2020: '53C974' },
  },
  0x1033: { name: 'NEC', devices: { 0x0194: 'uPD720200 xHCI' } },
  0x103c: { name: 'Hewlett-Packard', devices: {} },
  0x104c: { name: 'Texas Instruments', devices: { 0x8232: 'XIO3130 upstream', 0x8233: 'XIO3130 downstream' } },
  0x1054: { name: 'Hitachi', devices: { 0x350e: 'SH7751R' } },
  0x1057: { name: 'Motorola', devices: { 0x0002: 'MPC106 Grackle', 0x4801: 'Raven' } },
  0x106b: {
    name: 'Apple',
    devices: {
      0x0010: 'Heathrow Mac I/O',
      0x001e: 'UniNorth internal PCI',
      0x001f: 'UniNorth PCI',
      0x0020: 'UniNorth AGP',
      0x0021: 'UniNorth GMAC',
      0x0022: 'KeyLargo Mac I/O',
      0x003f: 'KeyLargo USB',
      0x004b: 'U3 AGP',
    },
  },
  0x108e: {
    name: 'Sun',
    devices: { 0x1000: 'EBus', 0x1001: 'Happy Meal Ethernet', 0x5000: 'Simba bridge', 0xa000: 'Sabre' },
  },
  0x1095: { name: 'Silicon Image', devices: { 0x0646: 'CMD646', 0x3112: 'SiI3112' } },
  0x10cc: { name: 'Mai Logic', devices: { 0x0660: 'Articia S host', 0x0661: 'Articia S' } },
  0x10e8: { name: 'AMCC', devices: { 0x8406: 'Kvaser PCIcan' } },
  0x10ec: { name: 'Realtek', devices: { 0x8029: 'RTL8029', 0x8139: 'RTL8139' } },
  0x10ee: { name: 'Xilinx', devices: { 0x0300: 'XC2VP30', 0x7021: 'AXI PCIe' } },
  0x1106: {
    name: 'VIA',
    devices: {
      0x0571: 'IDE',
      0x0686: 'VT82C686B ISA',
      0x3038: 'UHCI',
      0x3057: 'VT82C686B power management',
      0x3058: 'AC97',
      0x3068: 'MC97',
      0x8231: 'VT8231 ISA',
      0x8235: 'VT8231 power management',
    },
  },
  0x11ab: { name: 'Marvell', devices: { 0x4620: 'GT-64120', 0x6460: 'MV64361' } },
  0x1234: {
    name: 'QEMU',
    devices: { 0x1111: 'standard VGA', 0x1112: 'IPMI', 0x11e8: 'educational device' },
  },
  0x126f: { name: 'Silicon Motion', devices: { 0x0501: 'SM501' } },
  0x1274: { name: 'Ensoniq', devices: { 0x5000: 'ES1370' } },
  0x13fe: { name: 'Advantech', devices: { 0xc002: 'PCM-3680I', 0xc302: 'MIOe-3680' } },
  0x1498: { name: 'TEWS', devices: { 0x30c8: 'TPCI200' } },
  0x15ad: {
    name: 'VMware',
    devices: { 0x0405: 'SVGA II', 0x07b0: 'VMXNET3', 0x07c0: 'PVSCSI', 0x0820: 'PVRDMA' },
  },
  0x16c3: { name: 'Synopsys', devices: { 0xabcd: 'DesignWare PCIe root port' } },
  0x1760: { name: 'TEDIA', devices: { 0xff00: 'CTU CAN FD' } },
  0x1957: { name: 'Freescale', devices: { 0x0030: 'MPC8533E' } },
  0x19e5: { name: 'Huawei', devices: { 0xa123: 'CXL switch mailbox', 0xa128: 'CXL upstream', 0xa129: 'CXL downstream' } },
  0x1a03: { name: 'ASPEED', devices: { 0x1150: 'PCIe root port', 0x2600: 'PCIe host' } },
  0x1af4: { name: 'Red Hat (virtio)', devices: { 0x1100: 'QEMU virtual machine', 0x1110: 'inter-VM shared memory' } },
  0x1b36: {
    name: 'Red Hat (QEMU)',
    devices: {
      0x0001: 'PCI to PCI bridge',
      0x0002: 'serial',
      0x0003: '2 port serial',
      0x0004: '4 port serial',
      0x0005: 'test device',
      0x0006: 'Rocker switch',
      0x0007: 'SD host',
      0x0008: 'generic PCIe host',
      0x0009: 'PCI expander bridge',
      0x000a: 'PCI to PCI bridge (multiseat)',
      0x000b: 'PCIe expander bridge',
      0x000c: 'PCIe root port',
      0x000d: 'xHCI',
      0x000e: 'PCIe to PCI bridge',
      0x000f: 'mdpy sample device',
      0x0010: 'NVMe',
      0x0011: 'pvpanic',
      0x0012: 'ACPI ERST',
      0x0013: 'UFS',
      0x0014: 'RISC-V IOMMU',
      0x0100: 'QXL',
    },
  },
  0x5853: { name: 'XenSource', devices: { 0x0001: 'Xen platform' } },
  0x8086: {
    name: 'Intel',
    devices: {
      0x0484: '82378 ISA',
      0x0d93: 'CXL memory (QEMU)',
      0x100c: '82544GC',
      0x100e: '82540EM',
      0x100f: '82545EM',
      0x10c9: '82576',
      0x10ca: '82576 virtual function',
      0x10d3: '82574L',
      0x1209: '82551IT',
      0x1229: '8255x',
      0x1237: '82441FX host',
      0x2415: '82801AA AC97',
      0x2449: '82801BA',
      0x244e: '82801 PCI bridge',
      0x24cd: 'ICH4 EHCI',
      0x25ab: '6300ESB watchdog',
      0x2668: 'ICH6 HD audio',
      0x2918: 'ICH9 LPC',
      0x2922: 'ICH9 AHCI',
      0x2930: 'ICH9 SMBus',
      0x2934: 'ICH9 UHCI 1',
      0x2935: 'ICH9 UHCI 2',
      0x2936: 'ICH9 UHCI 3',
      0x2937: 'ICH9 UHCI 4',
      0x2938: 'ICH9 UHCI 5',
      0x2939: 'ICH9 UHCI 6',
      0x293a: 'ICH9 EHCI 1',
      0x293c: 'ICH9 EHCI 2',
      0x293e: 'ICH9 HD audio',
      0x29c0: 'Q35 host',
      0x3420: '5520 PCIe root port',
      0x5845: 'NVMe (QEMU)',
      0x7000: 'PIIX3 ISA',
      0x7010: 'PIIX3 IDE',
      0x7020: 'PIIX3 UHCI',
      0x7075: 'CXL root port (QEMU)',
      0x7110: 'PIIX4 ISA',
      0x7111: 'PIIX4 IDE',
      0x7112: 'PIIX4 UHCI',
      0x7113: 'PIIX4 power management',
    },
  },
  0xdf53: { name: 'ICT', devices: { 0x00d5: 'Bonito' } },
};

export function pciVendorName(vendorId: number): string | undefined {
  if (vendorId === 0xffff) return 'no device';
  return vendors[vendorId]?.name;
}

export function pciDeviceName(vendorId: number, deviceId: number): string | undefined {
  if (vendorId === VIRTIO_VENDOR) {
    const type = virtioPciDeviceType(deviceId);
    const name = type === undefined ? undefined : virtioDeviceName(type);
    if (name !== undefined) return `virtio ${name}${deviceId < 0x1040 ? ' (transitional)' : ''}`;
  }
  return vendors[vendorId]?.devices[deviceId];
}

/** A subsystem id: QEMU's own means nothing but that nobody set it. */
export function pciSubsystemName(vendorId: number, subsystemId: number): string | undefined {
  return vendorId === VIRTIO_VENDOR ? vendors[vendorId]?.devices[subsystemId] : undefined;
}
