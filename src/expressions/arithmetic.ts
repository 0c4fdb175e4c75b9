import type { BinaryOperator } from './expression.ts';
import { maskOf, signed, wrap } from './term.ts';

/** What an operator gives for two known 64-bit numbers. */
export function compute(operator: BinaryOperator, a: bigint, b: bigint): bigint {
  switch (operator) {
    case 'add':
      return wrap(a + b);
    case 'sub':
      return wrap(a - b);
    case 'mul':
      return wrap(a * b);
    case 'div':
      return b === 0n ? 0n : a / b;
    case 'mod':
      return b === 0n ? 0n : a % b;
    case 'and':
      return a & b;
    case 'or':
      return a | b;
    case 'xor':
      return a ^ b;
    case 'shl':
      return b > 63n ? 0n : wrap(a << b);
    case 'shr':
      return b > 63n ? 0n : a >> b;
    case 'sar':
      return wrap(signed(a) >> (b > 63n ? 63n : b));
    case 'eq':
      return a === b ? 1n : 0n;
    case 'ne':
      return a === b ? 0n : 1n;
    case 'ltu':
      return a < b ? 1n : 0n;
    case 'leu':
      return a <= b ? 1n : 0n;
    case 'lts':
      return signed(a) < signed(b) ? 1n : 0n;
    case 'les':
      return signed(a) <= signed(b) ? 1n : 0n;
  }
}

/** The low bits, the rest 0 or copies of the highest of them. */
export function narrow(operator: 'trunc' | 'sext', value: bigint, bits: number): bigint {
  return operator === 'trunc' ? value & maskOf(bits) : wrap(signed(value, bits));
}
