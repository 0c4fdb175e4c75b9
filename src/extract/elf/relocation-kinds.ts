/** What the loader has to know of a host architecture: which relocation types put an address into a 64-bit word. */
export interface RelocationKinds {
  /** As `uname -m` says it. */
  readonly name: string;
  /** Load base plus addend. */
  readonly relative: number;
  /** Address of a symbol plus addend. */
  readonly symbolic: readonly number[];
}

/** By e_machine. The numbers are those of each architecture's ELF supplement, as `elf.h` of glibc lists them. */
const machines: ReadonlyMap<number, RelocationKinds> = new Map<number, RelocationKinds>([
  // R_X86_64_RELATIVE; R_X86_64_64, R_X86_64_GLOB_DAT
  [62, { name: 'x86_64', relative: 8, symbolic: [1, 6] }],
  // R_AARCH64_RELATIVE; R_AARCH64_ABS64, R_AARCH64_GLOB_DAT
  [183, { name: 'aarch64', relative: 1027, symbolic: [257, 1025] }],
  // R_PPC64_RELATIVE; R_PPC64_ADDR64, R_PPC64_GLOB_DAT
  [21, { name: 'ppc64', relative: 22, symbolic: [38, 20] }],
  // R_390_RELATIVE; R_390_64, R_390_GLOB_DAT
  [22, { name: 's390x', relative: 12, symbolic: [22, 10] }],
  // R_RISCV_RELATIVE; R_RISCV_64
  [243, { name: 'riscv64', relative: 3, symbolic: [2] }],
  // R_LARCH_RELATIVE; R_LARCH_64
  [258, { name: 'loongarch64', relative: 3, symbolic: [2] }],
]);

/**
 * The machine of an ELF file. One that is not in the table gets `commonRelative`, the type of the relocations that the
 * linker counted as relative (DT_RELACOUNT), so that tables can still be read; symbols are then not resolved.
 */
export function machineOf(
  elfMachine: number,
  littleEndian: boolean,
  commonRelative: number | undefined,
): RelocationKinds {
  const known = machines.get(elfMachine);
  if (known) return known.name === 'ppc64' && littleEndian ? { ...known, name: 'ppc64le' } : known;
  return { name: `machine-${elfMachine}`, relative: commonRelative ?? -1, symbolic: [] };
}
