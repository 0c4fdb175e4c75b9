import type { KnownMachine } from '../device-state.ts';
import type { Fields } from '../fields.ts';
import type { PhysicalMap } from '../physical-map.ts';
import { type MachineLayout, type MainRam, unknownLayout } from './machine-layout.ts';
import { hasVgaWindow, placeVideoMemory } from './video.ts';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const FOUR_GIB = 4 * GIB;
/** From there on QEMU 7.1 and later may move what is above 4 GiB to 1 TiB on AMD processors (hw/i386/pc.c). */
const AMD_HOLE = 0xfd_0000_0000;

const boardBlocks =
  /^(pc\.bios|pc\.rom|isa-bios|system\.flash\d|vga\.vram|vmsvga\.fifo|tpm-crb-cmd|tpm-ppi)$/;
/**
 * Where the command buffer of a TPM with the CRB interface is, and its bytes, of which the block has a page (hw/tpm/tpm_crb.c).
 * `tpm-ppi` is no RAM to QEMU's own dump.
 */
const TPM_CRB_COMMAND = { address: 0xfed4_0080, length: 0xf80 };

/** Where a host bridge keeps the registers that say what of the low MiB is RAM. */
interface HostBridge {
  readonly section: string;
  /** PAM0; the others follow. */
  readonly pam: number;
  readonly smram: number;
}

/** hw/pci-host/i440fx.c and hw/pci-host/q35.c. */
const I440FX: HostBridge = { section: 'I440FX', pam: 0x59, smram: 0x72 };
const MCH: HostBridge = { section: 'mch', pam: 0x90, smram: 0x9d };
const SMRAM_D_OPEN = 0x40;
const SMRAM_G_SMRAME = 0x08;
const ESMRAMC = 0x9e;
const ESMRAMC_T_EN = 0x01;

/** pc and q35, with and without PCI (isapc), as hw/i386/pc.c, pc_piix.c and pc_q35.c make them. */
function pc(
  machineType: RegExp,
  bridge: HostBridge | undefined,
  lowest: (size: number) => number,
): MachineLayout {
  return {
    machineType,
    architectures: ['x86'],
    ram: 'pc.ram',
    boardBlocks,
    async place(state, ram, map) {
      const below = await placeAroundHole(state, ram, map, lowest);
      const config = bridge && (await state.fields(bridge.section))?.bytesOfType('pci config');
      if (config && bridge === MCH) hideTseg(map, config, below);
      await placeLowMemory(state, ram, map, bridge, config);
      placeFirmware(state, map);
      const tpm = state.blocks.find(({ idstr }) => idstr === 'tpm-crb-cmd');
      if (tpm && tpm.length >= TPM_CRB_COMMAND.length)
        map.map({ ...TPM_CRB_COMMAND, block: tpm.idstr, offset: 0 });
      await placeVideoMemory(state, map);
    },
  };
}

/** QEMU 2.0 and later; the user can say otherwise (max-ram-below-4g). */
const belowI440fx = (size: number) => Math.min(size, size >= 0xe000_0000 ? 0xc000_0000 : 0xe000_0000);
const belowQ35 = (size: number) => Math.min(size, size >= 0xb000_0000 ? 0x8000_0000 : 0xb000_0000);
const belowMicrovm = (size: number) => Math.min(size, 0xc000_0000);

export const pcMachines: readonly MachineLayout[] = [
  pc(/^pc(-i440fx-.*|-\d.*)?$/, I440FX, belowI440fx),
  pc(/^(pc-)?q35(-|$)/, MCH, belowQ35),
  pc(/^isapc$/, undefined, belowI440fx),
  {
    machineType: /^microvm$/,
    architectures: ['x86'],
    ram: 'microvm.ram',
    boardBlocks,
    async place(state, ram, map) {
      await placeAroundHole(state, ram, map, belowMicrovm);
      placeFirmware(state, map);
      placeBiosCopy(state, map);
    },
  },
];

/** Maps RAM below and above the hole under 4 GiB, and returns how much is below, in bytes. */
async function placeAroundHole(
  state: KnownMachine,
  ram: MainRam,
  map: PhysicalMap,
  rule: (size: number) => number,
): Promise<number> {
  const below = memoryBelow(await state.fields('mc146818rtc'), ram.size) ?? rule(ram.size);
  const above = ram.size - below;
  if (FOUR_GIB + above > AMD_HOLE) {
    throw unknownLayout(state.blocks, `on an AMD processor QEMU puts so much RAM elsewhere`);
  }
  ram.mapInto(map, 0, 0, below);
  ram.mapInto(map, FOUR_GIB, below, above);
  return below;
}

/**
 * Bytes of RAM below 4 GiB, as QEMU tells the firmware in the clock's CMOS memory: in units of 64 KiB, above 16 MiB in
 * 0x34, above 4 GiB in 0x5b (hw/i386/pc.c, pc_cmos_init). Undefined where there is no clock, or the guest has written
 * something there that is not `size` in sum.
 */
function memoryBelow(clock: Fields | undefined, size: number): number | undefined {
  const cmos = clock?.bytes('cmos_data');
  if (!cmos || cmos.length < 0x5e || size <= 16 * MIB) return undefined;
  const low = (cmos[0x34]! | (cmos[0x35]! << 8)) * 64 * KIB + 16 * MIB;
  const high = (cmos[0x5b]! | (cmos[0x5c]! << 8) | (cmos[0x5d]! << 16)) * 64 * KIB;
  // Rounded down.
  if (high === 0) return size - low >= 0 && size - low < 64 * KIB ? size : undefined;
  return low < size && Math.abs(size - low - high) < 64 * KIB ? low : undefined;
}

/**
 * The low MiB: no RAM in the window of a VGA adapter, unless SMRAM is open; above it each part is RAM, or what
 * is on the PCI bus there: option ROMs and a copy of the BIOS, in front of RAM (hw/pci-host/pam.c; mode 0 is the bus,
 * all others are RAM for who reads).
 */
async function placeLowMemory(
  state: KnownMachine,
  ram: MainRam,
  map: PhysicalMap,
  bridge: HostBridge | undefined,
  config: Uint8Array | undefined,
): Promise<void> {
  const windowIsRam = ((config && bridge && config[bridge.smram]) ?? 0) & SMRAM_D_OPEN;
  if (!windowIsRam && (await hasVgaWindow(state))) map.clear(0xa_0000, 0x2_0000);
  const bus = (index: number) => !config || !bridge || pamAttribute(config, bridge.pam, index) === 0;
  const rom = state.blocks.find(({ idstr }) => idstr === 'pc.rom');
  if (rom)
    map.map({ address: 0xc_0000, length: Math.min(rom.length, 0x2_0000), block: rom.idstr, offset: 0 });
  placeBiosCopy(state, map);
  if (!bridge) return;
  for (let index = 0; index <= 12; index++) {
    const [start, length] = index === 0 ? [0xf_0000, 0x1_0000] : [0xc_0000 + (index - 1) * 0x4000, 0x4000];
    if (!bus(index)) ram.mapInto(map, start, start, length);
  }
}

/** Region 0 is 64 KiB at 0xf0000, in the high half of PAM0; two of 16 KiB each are in every other register. */
function pamAttribute(config: Uint8Array, pam: number, index: number): number {
  const register = config[pam + Math.ceil(index / 2)] ?? 0;
  return (index % 2 === 1 ? register : register >> 4) & 3;
}

/** TSEG is RAM for system management mode only (hw/pci-host/q35.c, mch_update_smram). */
function hideTseg(map: PhysicalMap, config: Uint8Array, below: number): void {
  const esmramc = config[ESMRAMC] ?? 0;
  if (!(esmramc & ESMRAMC_T_EN) || !((config[MCH.smram] ?? 0) & SMRAM_G_SMRAME)) return;
  const extended = (config[0x50] ?? 0) | ((config[0x51] ?? 0) << 8);
  const size = ([1, 2, 8][(esmramc >> 1) & 3] ?? extended) * MIB;
  if (size <= below) map.clear(below - size, size);
}

/** The firmware ends at 4 GiB; flash is no RAM. */
function placeFirmware({ blocks }: KnownMachine, map: PhysicalMap): void {
  const bios = blocks.find(({ idstr }) => idstr === 'pc.bios');
  if (bios && bios.length <= 16 * MIB) {
    map.map({ address: FOUR_GIB - bios.length, length: bios.length, block: bios.idstr, offset: 0 });
  }
}

/** The last 128 KiB of the BIOS are also seen below 1 MiB: the same memory, or a copy of flash (`isa-bios`). */
function placeBiosCopy({ blocks }: KnownMachine, map: PhysicalMap): void {
  const block =
    blocks.find(({ idstr }) => idstr === 'isa-bios') ?? blocks.find(({ idstr }) => idstr === 'pc.bios');
  if (!block) return;
  const length = Math.min(block.length, 128 * KIB);
  map.map({ address: MIB - length, length, block: block.idstr, offset: block.length - length });
}
