import { scalarTypes } from '../scalars.ts';

/** Infos that put as many bytes as the field has in memory. */
const BY_SIZE: ReadonlySet<string> = new Set(['buffer', 'unused_buffer', 'pci config']);

/** Infos of fixed length that are no plain integer; the same in all versions (their put functions). */
const FIXED: ReadonlyMap<string, number> = new Map([
  ['CPU_Double_U', 8],
  ['avr', 16],
  ['cpsr', 4],
  ['cpu/altivec/vscr', 4],
  ['eind', 1],
  ['fpcr', 8],
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

/** Bytes that an info puts for one value of `size` bytes in memory; undefined where that depends on more. */
export function fixedInfoLength(info: string, size: number): number | undefined {
  if (BY_SIZE.has(info)) return size;
  return scalarTypes.get(info)?.size ?? FIXED.get(info);
}
