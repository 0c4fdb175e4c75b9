import { compute } from './arithmetic.ts';
import type { BinaryOperator } from './expression.ts';
import { ALL_ONES, maskOf } from './term.ts';

/** A 64-bit value of which some bits may be unknown. */
export interface KnownBits {
  /** 0 where a bit is unknown. */
  readonly value: bigint;
  /** A bit is set where the value's is known. */
  readonly known: bigint;
}

export const UNKNOWN_BITS: KnownBits = { value: 0n, known: 0n };

export function knownValue(value: bigint): KnownBits {
  return { value, known: ALL_ONES };
}

export function isKnown(bits: KnownBits): boolean {
  return bits.known === ALL_ONES;
}

/** Whether the value is not 0, where that is known. */
export function isTrue({ value, known }: KnownBits): boolean | undefined {
  if (value !== 0n) return true;
  return known === ALL_ONES ? false : undefined;
}

const UNKNOWN_BOOLEAN: KnownBits = { value: 0n, known: ~1n & ALL_ONES };

function boolean(value: boolean): KnownBits {
  return knownValue(value ? 1n : 0n);
}

/** What is known of one of two values. */
export function either(a: KnownBits, b: KnownBits): KnownBits {
  const known = a.known & b.known & ~(a.value ^ b.value) & ALL_ONES;
  return { value: a.value & known, known };
}

/** What is known of the low bits of a value, zero- or sign-extended. */
export function narrowBits(operator: 'trunc' | 'sext', a: KnownBits, bits: number): KnownBits {
  const mask = maskOf(bits);
  const rest = ALL_ONES ^ mask;
  const value = a.value & mask;
  const known = a.known & mask;
  if (operator === 'trunc') return { value, known: known | rest };
  const sign = 1n << BigInt(bits - 1);
  if ((a.known & sign) === 0n) return { value, known };
  return { value: (a.value & sign) === 0n ? value : value | rest, known: known | rest };
}

/** What is known of the result of an operator. */
export function computeBits(operator: BinaryOperator, a: KnownBits, b: KnownBits): KnownBits {
  if (isKnown(a) && isKnown(b)) return knownValue(compute(operator, a.value, b.value));
  switch (operator) {
    case 'and': {
      const known = (a.known & b.known) | (a.known & ~a.value) | (b.known & ~b.value);
      return { value: a.value & b.value, known: known & ALL_ONES };
    }
    case 'or':
      return { value: a.value | b.value, known: (a.known & b.known) | a.value | b.value };
    case 'xor': {
      const known = a.known & b.known;
      return { value: (a.value ^ b.value) & known, known };
    }
    case 'shl':
    case 'shr':
    case 'sar':
      return isKnown(b) ? shiftBits(operator, a, b.value) : UNKNOWN_BITS;
    case 'add':
    case 'sub':
    case 'mul': {
      // The low bits of the result depend on as many low bits of both sides only.
      const unknown = ~(a.known & b.known) & ALL_ONES;
      const low = (unknown & -unknown) - 1n;
      return { value: compute(operator, a.value, b.value) & low, known: low };
    }
    case 'div':
    case 'mod':
      return UNKNOWN_BITS;
    case 'eq':
    case 'ne': {
      const differ = ((a.value ^ b.value) & a.known & b.known) !== 0n;
      return differ ? boolean(operator === 'ne') : UNKNOWN_BOOLEAN;
    }
    case 'ltu':
      return less(a, b, 0n, false);
    case 'leu':
      return less(a, b, 0n, true);
    case 'lts':
      return less(a, b, SIGN, false);
    case 'les':
      return less(a, b, SIGN, true);
  }
}

const SIGN = 1n << 63n;

function shiftBits(operator: 'shl' | 'shr' | 'sar', a: KnownBits, count: bigint): KnownBits {
  const by = count > 63n ? 63n : count;
  if (count > 63n && operator !== 'sar') return knownValue(0n);
  if (operator === 'shl')
    return {
      value: (a.value << by) & ALL_ONES,
      known: ((a.known << by) | maskOf(Number(by))) & ALL_ONES,
    };
  const fill = ALL_ONES ^ (ALL_ONES >> by);
  const value = a.value >> by;
  const known = a.known >> by;
  if (operator === 'shr') return { value, known: known | fill };
  if ((a.known & SIGN) === 0n) return { value, known };
  return { value: (a.value & SIGN) === 0n ? value : value | fill, known: known | fill };
}

/** By the least and the most that each side can be; a signed number orders like one without sign with bit 63 turned. */
function less(a: KnownBits, b: KnownBits, turn: bigint, orEqual: boolean): KnownBits {
  const least = (bits: KnownBits) => ((bits.known & turn) === turn ? bits.value ^ turn : bits.value & ~turn);
  const most = (bits: KnownBits) => {
    const unknown = ~bits.known & ALL_ONES;
    return (bits.known & turn) === turn ? (bits.value ^ turn) | unknown : bits.value | unknown | turn;
  };
  if (orEqual) {
    if (most(a) <= least(b)) return boolean(true);
    if (least(a) > most(b)) return boolean(false);
  } else {
    if (most(a) < least(b)) return boolean(true);
    if (least(a) >= most(b)) return boolean(false);
  }
  return UNKNOWN_BOOLEAN;
}
