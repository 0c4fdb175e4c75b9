import { scalarTypes } from '../scalars.ts';

/** Infos that put as many bytes as the field has in memory. */
const BY_SIZE: ReadonlySet<string> = new Set([
  'buffer',
  'unused_buffer',
  'pci config',
  // target/sparc: target_ulong.
  'fsr',
]);

/** Infos of fixed length that are no plain integer; the same in all versions (their put functions). */
const FIXED: ReadonlyMap<string, number> = new Map([
  ['CPU_Double_U', 8],
  ['avr', 16],
  ['cpsr', 4],
  ['cpu/altivec/vscr', 4],
  ['eind', 1],
  ['fpcr', 8],
  // target/ppc has one, and target/mips another.
  ['fpr of env.vsr', 8],
  ['fpr of fpr', 16],
  ['fpscr', 4],
  ['fpsr', 8],
  ['int32_as_uint16', 2],
  ['msr', 4],
  ['pci irq state', 16],
  ['powered_off', 1],
  ['psr', 4],
  ['pstate64', 8],
  ['rampD', 1],
  ['rampX', 1],
  ['rampY', 1],
  ['rampZ', 1],
  ['slbe', 16],
  ['sr', 4],
  ['sreg', 1],
  ['uint16_from_uint8', 2],
  ['vsr', 8],
  ['xcc', 4],
]);

/**
 * Infos of which there are several of one name, or which changed between versions: lengths that they had. Which one it
 * is shows in the bytes, since all elements of a field have the same.
 */
const ALTERNATIVES: ReadonlyMap<string, readonly number[]> = new Map([
  // target/hppa: target_ureg, since 8.2 always 64 bits.
  ['psw', [4, 8]],
  // target/hppa, before and since 8.2.
  ['tlb entry', [16, 32]],
  // target/mips: EntryHi of 32 or 64 bits; since 5.1 or so with MMID.
  ['tlb_entry', [28, 32, 36]],
]);

/** Bytes that an info can put for one value, when it is one of several. */
export function alternativeInfoLengths(info: string): readonly number[] | undefined {
  return ALTERNATIVES.get(info);
}

/** Bytes that an info puts for one value of `size` bytes in memory, in a field of that name; undefined where it varies. */
export function fixedInfoLength(info: string, size: number, field: string): number | undefined {
  if (BY_SIZE.has(info)) return size;
  return scalarTypes.get(info)?.size ?? FIXED.get(info) ?? FIXED.get(`${info} of ${field}`);
}
