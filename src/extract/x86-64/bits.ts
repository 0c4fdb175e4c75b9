import { maskOf, type Term, wrap } from '../../expressions/term.ts';
import { resultFlags, unknownFlags } from './flags.ts';
import type { Semantics, Step } from './step.ts';

export function shift(operator: 'shl' | 'shr' | 'sar'): Semantics {
  return (step) => {
    const { terms, state } = step;
    const bits = step.sizeOf(0) * 8;
    const a = operator === 'sar' ? terms.sext(step.read(0), bits) : step.read(0);
    const mask = terms.constant(bits === 64 ? 63n : 31n);
    const amount = step.instruction.operands.length > 1 ? step.read(1, 1) : terms.constant(1n);
    const by = terms.binary('and', amount, mask);
    const result = terms.trunc(terms.binary(operator, a, by), bits);
    step.write(0, result);
    if (by.operator === 'constant') {
      if (by.value === 0n) return undefined;
      const last = by.value - 1n;
      const out = operator === 'shl' ? BigInt(bits) - 1n : 0n;
      const carry = () => {
        const before = terms.binary(operator, a, terms.constant(last));
        return terms.binary('and', terms.binary('shr', before, terms.constant(out)), terms.constant(1n));
      };
      state.flags = { ...resultFlags(terms, result, bits, carry) };
    } else state.flags = unknownFlags(terms);
    return undefined;
  };
}

export function rotate(step: Step): undefined {
  const { terms, state, instruction } = step;
  const amount = instruction.operands.length > 1 ? step.read(1, 1) : terms.constant(1n);
  state.flags = unknownFlags(terms);
  step.write(0, rotated(step, step.read(0), amount, instruction.mnemonic === 'ror'));
}

function rotated(step: Step, a: Term, amount: Term, right: boolean): Term {
  const { terms } = step;
  if (amount.operator !== 'constant') return terms.unknown('instruction');
  const bits = BigInt(step.sizeOf(0) * 8);
  const count = amount.value % bits;
  const left = right ? (bits - count) % bits : count;
  if (left === 0n) return a;
  const high = terms.binary('shl', a, terms.constant(left));
  return terms.binary('or', high, terms.binary('shr', a, terms.constant(bits - left)));
}

/** `rorx`: three operands, no flags. */
export function rotateApart(step: Step): undefined {
  step.write(0, rotated(step, step.read(1), step.read(2, 1), true));
}

/** Shifts of BMI2: three operands, no flags. */
export function shiftApart(operator: 'shl' | 'shr' | 'sar'): Semantics {
  return (step) => {
    const { terms } = step;
    const bits = step.sizeOf(0) * 8;
    const a = operator === 'sar' ? terms.sext(step.read(1), bits) : step.read(1);
    const by = terms.binary('and', step.read(2), terms.constant(BigInt(bits - 1)));
    step.write(0, terms.binary(operator, a, by));
    return undefined;
  };
}

/** `andn`: the second operand inverted, and the third. */
export function andNot(step: Step): undefined {
  const { terms } = step;
  const inverted = terms.binary('xor', step.read(1), terms.constant(wrap(-1n)));
  step.writeLogic(terms.binary('and', inverted, step.read(2)));
}

/** `blsr`, `blsi`: without the lowest bit, or that alone. */
export function lowestBit(alone: boolean): Semantics {
  return (step) => {
    const { terms, state } = step;
    const bits = step.sizeOf(0) * 8;
    const a = step.read(1);
    const other = alone
      ? terms.binary('sub', terms.constant(0n), a)
      : terms.binary('add', a, terms.constant(wrap(-1n)));
    const result = terms.trunc(terms.binary('and', a, other), bits);
    step.write(0, result);
    const isZero = () => terms.binary('eq', a, terms.constant(0n));
    state.flags = resultFlags(terms, result, bits, alone ? () => terms.not(isZero()) : isZero);
    return undefined;
  };
}

/** `bzhi`: the bits below an index. */
export function bitsBelow(step: Step): undefined {
  const { terms, state } = step;
  const size = step.sizeOf(0);
  const index = terms.trunc(step.read(2), 8);
  if (index.operator !== 'constant') {
    step.write(0, terms.unknown('instruction'));
    state.flags = unknownFlags(terms);
    return;
  }
  const mask = terms.constant(maskOf(Number(index.value)));
  const result = terms.binary('and', step.read(1), mask);
  step.write(0, result);
  state.flags = resultFlags(terms, result, size * 8, () => terms.unknown('instruction'));
}

/** `bextr`: so many bits from a place on, both in the last operand. */
export function extractBits(step: Step): undefined {
  const { terms, state } = step;
  const control = step.read(2);
  const known = control.operator === 'constant';
  const start = terms.constant(control.value & 0xffn);
  const mask = terms.constant(maskOf(Number((control.value >> 8n) & 0xffn)));
  const result = known
    ? terms.binary('and', terms.binary('shr', step.read(1), start), mask)
    : terms.unknown('instruction');
  step.write(0, result);
  state.flags = resultFlags(terms, terms.trunc(result, step.sizeOf(0) * 8), step.sizeOf(0) * 8, () =>
    terms.constant(0n),
  );
}

/** The bit that `bt` and its kin look at. */
function testedBit(step: Step): Term {
  const { terms } = step;
  const operand = step.operand(0);
  const index = step.read(1, step.sizeOf(1));
  const bits = BigInt(step.sizeOf(0) * 8);
  if (operand.kind === 'memory' && index.operator !== 'constant') return terms.unknown('memory');
  const by = terms.binary('and', index, terms.constant(bits - 1n));
  return terms.binary('and', terms.binary('shr', step.read(0), by), terms.constant(1n));
}

export function bitTest(change: 'set' | 'reset' | 'complement' | undefined): Semantics {
  return (step) => {
    const { terms, state } = step;
    const bit = testedBit(step);
    if (change) {
      const mask = terms.constant(BigInt(step.sizeOf(0) * 8 - 1));
      const one = terms.binary('shl', terms.constant(1n), terms.binary('and', step.read(1), mask));
      const a = step.read(0);
      if (change === 'set') step.write(0, terms.binary('or', a, one));
      else if (change === 'complement') step.write(0, terms.binary('xor', a, one));
      else step.write(0, terms.binary('and', a, terms.binary('xor', one, terms.constant(wrap(-1n)))));
    }
    // Zero stays as it was, the others are undefined.
    state.flags = { ...unknownFlags(terms), zero: state.flags.zero, carry: () => bit };
    return undefined;
  };
}
