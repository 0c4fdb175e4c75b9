import { virtioDeviceName, virtioPciDeviceType } from '../virtio/features.ts';

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
  4096: {
    name: 'LSI Logic',
    devices: {
      1: '53C810',
      18: '53C895A',
      84: 'SAS1068',
      96: 'MegaRAID SAS 1078',
      121: 'MegaRAID SAS 2108',
    },
  },
  4098: { name: 'ATI', devices: { 20550: 'Rage 128 Pro', 20825: 'Radeon RV100' } },
  4113: { name: 'DEC', devices: { 25: '21143 Tulip', 38: '21154 bridge' } },
  4115: { name: 'Cirrus Logic', devices: { 184: 'GD5446' } },
  4116: { name: 'IBM', devices: { 639: 'PowerPC 440GX', 988: 'PHB3', 1217: 'PHB4', 1618: 'PHB5' } },
  4130: {
    name: 'AMD',
    devices: { 5145: 'IOMMU', 8192: 'PCnet', 8224: '53C974' },
  },
  4147: { name: 'NEC', devices: { 404: 'uPD720200 xHCI' } },
  4156: { name: 'Hewlett-Packard', devices: {} },
  4172: { name: 'Texas Instruments', devices: { 33330: 'XIO3130 upstream', 33331: 'XIO3130 downstream' } },
  4180: { name: 'Hitachi', devices: { 13582: 'SH7751R' } },
  4183: { name: 'Motorola', devices: { 2: 'MPC106 Grackle', 18433: 'Raven' } },
  4203: {
    name: 'Apple',
    devices: {
      16: 'Heathrow Mac I/O',
      30: 'UniNorth internal PCI',
      31: 'UniNorth PCI',
      32: 'UniNorth AGP',
      33: 'UniNorth GMAC',
      34: 'KeyLargo Mac I/O',
      63: 'KeyLargo USB',
      75: 'U3 AGP',
    },
  },
  4238: {
    name: 'Sun',
    devices: { 4096: 'EBus', 4097: 'Happy Meal Ethernet', 20480: 'Simba bridge', 40960: 'Sabre' },
  },
  4245: { name: 'Silicon Image', devices: { 1606: 'CMD646', 12562: 'SiI3112' } },
  4300: { name: 'Mai Logic', devices: { 1632: 'Articia S host', 1633: 'Articia S' } },
  4328: { name: 'AMCC', devices: { 33798: 'Kvaser PCIcan' } },
  4332: { name: 'Realtek', devices: { 32809: 'RTL8029', 33081: 'RTL8139' } },
  4334: { name: 'Xilinx', devices: { 768: 'XC2VP30', 28705: 'AXI PCIe' } },
  4358: {
    name: 'VIA',
    devices: {
      1393: 'IDE',
      1670: 'VT82C686B ISA',
      12344: 'UHCI',
      12375: 'VT82C686B power management',
      12376: 'AC97',
      12392: 'MC97',
      33329: 'VT8231 ISA',
      33333: 'VT8231 power management',
    },
  },
  4523: { name: 'Marvell', devices: { 17952: 'GT-64120', 25696: 'MV64361' } },
  4660: {
    name: 'QEMU',
    devices: { 4369: 'standard VGA', 4370: 'IPMI', 4584: 'educational device' },
  },
  4719: { name: 'Silicon Motion', devices: { 1281: 'SM501' } },
  4724: { name: 'Ensoniq', devices: { 20480: 'ES1370' } },
  5118: { name: 'Advantech', devices: { 49154: 'PCM-3680I', 49922: 'MIOe-3680' } },
  5272: { name: 'TEWS', devices: { 12488: 'TPCI200' } },
  5549: {
    name: 'VMware',
    devices: { 1029: 'SVGA II', 1968: 'VMXNET3', 1984: 'PVSCSI', 2080: 'PVRDMA' },
  },
  5827: { name: 'Synopsys', devices: { 43981: 'DesignWare PCIe root port' } },
  5984: { name: 'TEDIA', devices: { 65280: 'CTU CAN FD' } },
  6487: { name: 'Freescale', devices: { 48: 'MPC8533E' } },
  6629: {
    name: 'Huawei',
    devices: { 41251: 'CXL switch mailbox', 41256: 'CXL upstream', 41257: 'CXL downstream' },
  },
  6659: { name: 'ASPEED', devices: { 4432: 'PCIe root port', 9728: 'PCIe host' } },
  6900: {
    name: 'Red Hat (virtio)',
    devices: { 4352: 'QEMU virtual machine', 4368: 'inter-VM shared memory' },
  },
  6966: {
    name: 'Red Hat (QEMU)',
    devices: {
      1: 'PCI to PCI bridge',
      2: 'serial',
      3: '2 port serial',
      4: '4 port serial',
      5: 'test device',
      6: 'Rocker switch',
      7: 'SD host',
      8: 'generic PCIe host',
      9: 'PCI expander bridge',
      10: 'PCI to PCI bridge (multiseat)',
      11: 'PCIe expander bridge',
      12: 'PCIe root port',
      13: 'xHCI',
      14: 'PCIe to PCI bridge',
      15: 'mdpy sample device',
      16: 'NVMe',
      17: 'pvpanic',
      18: 'ACPI ERST',
      19: 'UFS',
      20: 'RISC-V IOMMU',
      256: 'QXL',
    },
  },
  22611: { name: 'XenSource', devices: { 1: 'Xen platform' } },
  32902: {
    name: 'Intel',
    devices: {
      1156: '82378 ISA',
      3475: 'CXL memory (QEMU)',
      4108: '82544GC',
      4110: '82540EM',
      4111: '82545EM',
      4297: '82576',
      4298: '82576 virtual function',
      4307: '82574L',
      4617: '82551IT',
      4649: '8255x',
      4663: '82441FX host',
      9237: '82801AA AC97',
      9289: '82801BA',
      9294: '82801 PCI bridge',
      9421: 'ICH4 EHCI',
      9643: '6300ESB watchdog',
      9832: 'ICH6 HD audio',
      10520: 'ICH9 LPC',
      10530: 'ICH9 AHCI',
      10544: 'ICH9 SMBus',
      10548: 'ICH9 UHCI 1',
      10549: 'ICH9 UHCI 2',
      10550: 'ICH9 UHCI 3',
      10551: 'ICH9 UHCI 4',
      10552: 'ICH9 UHCI 5',
      10553: 'ICH9 UHCI 6',
      10554: 'ICH9 EHCI 1',
      10556: 'ICH9 EHCI 2',
      10558: 'ICH9 HD audio',
      10688: 'Q35 host',
      13344: '5520 PCIe root port',
      22597: 'NVMe (QEMU)',
      28672: 'PIIX3 ISA',
      28688: 'PIIX3 IDE',
      28704: 'PIIX3 UHCI',
      28789: 'CXL root port (QEMU)',
      28944: 'PIIX4 ISA',
      28945: 'PIIX4 IDE',
      28946: 'PIIX4 UHCI',
      28947: 'PIIX4 power management',
    },
  },
  57171: { name: 'ICT', devices: { 213: 'Bonito' } },
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
