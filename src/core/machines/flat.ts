import type { MachineLayout } from './machine-layout.ts';

const GIB = 2 ** 30;

/** Machines whose RAM is one range of addresses. */
interface Flat {
  readonly machineType: RegExp;
  readonly architectures: readonly string[];
  readonly ram: string;
  readonly boardBlocks: RegExp;
  readonly address: number;
  /** Other blocks that are memory for the guest, and their addresses. */
  readonly roms?: Readonly<Record<string, number>>;
}

const flat: readonly Flat[] = [
  {
    // hw/arm/virt.c, base_memmap
    machineType: /^virt(-|$)/,
    architectures: ['aarch64', 'arm'],
    ram: 'mach-virt.ram',
    boardBlocks: /^virt\./,
    address: GIB,
  },
  {
    // hw/riscv/virt.c, virt_memmap
    machineType: /^virt(-|$)/,
    architectures: ['riscv'],
    ram: 'riscv_virt_board.ram',
    boardBlocks: /^(virt|riscv_virt_board)\./,
    address: 2 * GIB,
    roms: { 'riscv_virt_board.mrom': 0x1000 },
  },
  {
    // hw/s390x/s390-virtio-ccw.c, s390_memory_init
    machineType: /^s390-ccw-virtio(-|$)/,
    architectures: ['s390x'],
    ram: 's390.ram',
    boardBlocks: /^$/,
    address: 0,
  },
  {
    // hw/ppc/spapr.c, spapr_machine_init
    machineType: /^pseries(-|$)/,
    architectures: ['ppc64'],
    ram: 'ppc_spapr.ram',
    boardBlocks: /^(spapr\.|ppc_spapr\.)/,
    address: 0,
  },
];

export const flatMachines: readonly MachineLayout[] = flat.map(
  ({ machineType, architectures, ram: ramName, boardBlocks, address, roms = {} }): MachineLayout => ({
    machineType,
    architectures,
    ram: ramName,
    boardBlocks,
    async place({ blocks }, ram, map) {
      for (const { idstr, length } of blocks) {
        const romAddress = Object.hasOwn(roms, idstr) ? roms[idstr] : undefined;
        if (romAddress !== undefined) map.map({ address: romAddress, length, block: idstr, offset: 0 });
      }
      ram.mapInto(map, address);
    },
  }),
);
