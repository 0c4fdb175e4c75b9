import type { Info } from './info.ts';

/** By name, bytes of infos of which no more is known: the same in all versions (their put functions). */
const LENGTHS: readonly (readonly [name: string, length: number])[] = [
  ['CPU_Double_U', 8],
  ['avr', 16],
  ['eind', 1],
  ['rampD', 1],
  ['rampX', 1],
  ['rampY', 1],
  ['rampZ', 1],
  ['uint16_from_uint8', 2],
  ['vsr', 8],
];

/** target/ppc has one in `env.vsr`, and target/mips another in `fpr`. */
const FPR: ReadonlyMap<string, number> = new Map([
  ['env.vsr', 8],
  ['fpr', 16],
]);

export const fixedLengths: readonly Info[] = [
  ...LENGTHS.map(([name, length]): Info => ({ names: [name], length })),
  { names: ['fpr'], length: (_, field) => FPR.get(field) },
  // The bytes in memory as they are.
  { names: ['buffer'], length: (size) => size },
];
