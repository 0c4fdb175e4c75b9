import type { BinaryOperator, UnknownReason } from './expression.ts';

/** Names of values that a function starts with; `stack`, `canary` and `return` never leave the analysis. */
export type SymbolName = 'version' | 'opaque' | 'field' | 'size' | 'global' | 'stack' | 'canary' | 'return';

/**
 * A 64-bit value inside an analysis: like an Expression, but shared and numbered. Two terms with the same id are the
 * same value; each unknown is a value of its own.
 */
export interface Term {
  readonly id: number;
  readonly operator: 'constant' | 'symbol' | 'unknown' | 'load' | 'trunc' | 'sext' | 'if' | BinaryOperator;
  readonly parts: readonly Term[];
  /** Of a constant its value, of a load its offset (signed), of `trunc` and `sext` the bits. */
  readonly value: bigint;
  /** Bytes of a load. */
  readonly size: number;
  /** Of a symbol its name, of an import its name, of an unknown why. */
  readonly name: SymbolName | UnknownReason | `import ${string}` | '';
  /** A bit is set where the value can have one. */
  readonly ones: bigint;
  /** The value is what sign extension from this many bits gives. */
  readonly signedBits: number;
  /** A comparison, or a combination of comparisons: the value is 0 or 1. */
  readonly isBoolean: boolean;
  /** Of the tree that the term stands for. */
  readonly nodes: number;
}

export const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** The low bits. */
export function maskOf(bits: number): bigint {
  return bits >= 64 ? ALL_ONES : (1n << BigInt(bits)) - 1n;
}

/** Without sign, in 64 bits. */
export function wrap(value: bigint): bigint {
  return value & ALL_ONES;
}

/** The signed number that the low `bits` are. */
export function signed(value: bigint, bits = 64): bigint {
  return BigInt.asIntN(bits, value);
}

/** How many bits a number without sign, of 64 bits or few more, takes. */
export function bitLength(value: bigint): number {
  if (value > ALL_ONES) return 64 + bitLength(value >> 64n);
  const high = Number(value >> 32n);
  return high === 0 ? 32 - Math.clz32(Number(value)) : 64 - Math.clz32(high);
}
