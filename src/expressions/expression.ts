/**
 * What a small function computes, as plain JSON data.
 *
 * Every value is a 64-bit integer without sign; arithmetic wraps at 2^64, and a comparison gives 0 or 1. Narrower and
 * signed arithmetic is spelled out: `['trunc', e, n]` keeps the low n bits, `['sext', e, n]` fills the rest with copies
 * of bit n - 1. Memory is that of the host that ran QEMU, little endian.
 */
export type Expression =
  | Constant
  /** The `version_id` argument (sign-extended from 32 bits). */
  | 'version'
  /** The address of the object that the function is about: its `opaque` or `pv` argument. */
  | 'opaque'
  /** The address of the VMStateField that `put` is called for, and the `size` that it is given. */
  | 'field'
  | 'size'
  /** Nobody knows; the reason is for people. */
  | readonly ['unknown', UnknownReason]
  | Load
  | readonly ['trunc' | 'sext', Expression, bits: number]
  | readonly [BinaryOperator, Expression, Expression]
  /** Condition (not 0), then, else. */
  | readonly ['if', Expression, Expression, Expression];

/** A number below 2^53, or hexadecimal digits. */
export type Constant = number | `0x${string}`;

/**
 * `size` bytes (1, 2, 4 or 8) at `base` + `offset`, zero-extended. The base is an address: `opaque`, `field`, or what
 * another load of 8 bytes gives, or `global` with the offset as address of a variable of the program that nobody knows
 * before it runs.
 */
export type Load = readonly ['load', base: Expression | 'global', offset: number, size: number];

export type BinaryOperator = ArithmeticOperator | Comparison;

/** Shift counts of 64 and more give 0 (`sar`: the sign); division by 0 gives 0. */
export const arithmeticOperators = [
  'add',
  'sub',
  'mul',
  'div',
  'mod',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
  'sar',
] as const;
export type ArithmeticOperator = (typeof arithmeticOperators)[number];

/** `u` compares without sign, `s` with. */
export const comparisons = ['eq', 'ne', 'ltu', 'leu', 'lts', 'les'] as const;
export type Comparison = (typeof comparisons)[number];

export const unknownReasons = [
  'call', // of a function that is not known before the program runs, or that was not entered
  'memory', // an address that is not known, thread-local storage, or memory that something wrote to
  'instruction', // one that is not modelled
  'register', // one that the function did not set
  'loop', // went around more often than the limit
  'limit', // too many instructions, paths or calls inside each other
  'size', // the expression got too large
] as const;
export type UnknownReason = (typeof unknownReasons)[number];

/** Limits of an expression that may be stored. */
export const MAX_EXPRESSION_NODES = 2000;
export const MAX_EXPRESSION_DEPTH = 1000;

/** Whether an expression has a part that nobody knows. */
export function hasUnknown(expression: Expression): boolean {
  if (typeof expression !== 'object') return false;
  if (expression[0] === 'unknown') return true;
  for (const part of parts(expression)) if (hasUnknown(part)) return true;
  return false;
}

function parts(expression: Exclude<Expression, string | number>): Expression[] {
  switch (expression[0]) {
    case 'unknown':
      return [];
    case 'load':
      return expression[1] === 'global' ? [] : [expression[1]];
    case 'trunc':
    case 'sext':
      return [expression[1]];
    case 'if':
      return [expression[1], expression[2], expression[3]];
    default:
      return [expression[1], expression[2]];
  }
}

/** The value of a constant, without sign. */
export function constantValue(constant: Constant): bigint {
  return BigInt(constant);
}

/** How a value is spelled. */
export function toConstant(value: bigint): Constant {
  return value <= 0x1f_ffff_ffff_ffffn ? Number(value) : `0x${value.toString(16)}`;
}
