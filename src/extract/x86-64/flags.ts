import { maskOf, type Term } from '../../expressions/term.ts';
import type { Terms } from '../../expressions/terms.ts';
import type { Flags } from '../code/state.ts';
import type { FlagCondition } from './instruction.ts';

/** Flags of which nothing is known. */
export function unknownFlags(terms: Terms): Flags {
  const unknown = () => terms.unknown('instruction');
  return {
    carry: unknown,
    zero: unknown,
    sign: unknown,
    less: unknown,
    lessOrEqual: unknown,
    belowOrEqual: unknown,
  };
}

/**
 * After a - b of so many bits (`cmp`, `sub`); both sides are zero-extended. An operation that clears carry and overflow
 * (`and`, `test`, `xor`) leaves the flags of its result - 0.
 */
export function subtractionFlags(terms: Terms, a: Term, b: Term, bits: number): Flags {
  return {
    carry: () => terms.binary('ltu', a, b),
    zero: () => terms.binary('eq', a, b),
    sign: () => isNegative(terms, terms.binary('sub', a, b), bits),
    less: () => terms.binary('lts', terms.sext(a, bits), terms.sext(b, bits)),
    lessOrEqual: () => terms.binary('les', terms.sext(a, bits), terms.sext(b, bits)),
    belowOrEqual: () => terms.binary('leu', a, b),
  };
}

/** After a + b of so many bits; both sides are zero-extended. The wide sum tells overflow, up to 32 bits. */
export function additionFlags(terms: Terms, a: Term, b: Term, bits: number): Flags {
  const result = terms.trunc(terms.binary('add', a, b), bits);
  const flags = resultFlags(terms, result, bits, () => terms.binary('ltu', result, a));
  if (bits > 32) return flags;
  const sum = () => terms.binary('add', terms.sext(a, bits), terms.sext(b, bits));
  const less = () => terms.binary('lts', sum(), terms.constant(0n));
  return { ...flags, less, lessOrEqual: () => terms.binary('or', less(), flags.zero()) };
}

/** After an operation whose result and carry are known; overflow is not. */
export function resultFlags(terms: Terms, result: Term, bits: number, carry: () => Term): Flags {
  const zero = () => terms.binary('eq', result, terms.constant(0n));
  return {
    ...unknownFlags(terms),
    carry,
    zero,
    sign: () => isNegative(terms, result, bits),
    belowOrEqual: () => terms.binary('or', terms.truth(carry()), zero()),
  };
}

function isNegative(terms: Terms, term: Term, bits: number): Term {
  const top = terms.constant(maskOf(bits) ^ (maskOf(bits) >> 1n));
  return terms.binary('ne', terms.binary('and', term, top), terms.constant(0n));
}

/** A condition code as a term that is 0 or 1. */
export function conditionTerm(terms: Terms, flags: Flags, condition: FlagCondition): Term {
  switch (condition) {
    case 'b':
      return terms.truth(flags.carry());
    case 'ae':
      return terms.not(terms.truth(flags.carry()));
    case 'e':
      return terms.truth(flags.zero());
    case 'ne':
      return terms.not(terms.truth(flags.zero()));
    case 'be':
      return terms.truth(flags.belowOrEqual());
    case 'a':
      return terms.not(terms.truth(flags.belowOrEqual()));
    case 's':
      return terms.truth(flags.sign());
    case 'ns':
      return terms.not(terms.truth(flags.sign()));
    case 'l':
      return terms.truth(flags.less());
    case 'ge':
      return terms.not(terms.truth(flags.less()));
    case 'le':
      return terms.truth(flags.lessOrEqual());
    case 'g':
      return terms.not(terms.truth(flags.lessOrEqual()));
    default: // overflow and parity
      return terms.truth(terms.unknown('instruction'));
  }
}
