import { type Term, wrap } from '../../expressions/term.ts';
import { additionFlags, resultFlags, subtractionFlags, unknownFlags } from './flags.ts';
import { RAX, RDX, type Semantics, type Step } from './step.ts';

export function add(step: Step): undefined {
  const { terms, state } = step;
  const size = step.sizeOf(0);
  const a = step.read(0);
  const b = step.read(1, size);
  step.write(0, terms.binary('add', a, b));
  state.flags = additionFlags(terms, a, b, size * 8);
}

export function addWithCarry(step: Step): undefined {
  const { terms, state } = step;
  const size = step.sizeOf(0);
  const carry = terms.truth(state.flags.carry());
  const sum = terms.binary('add', terms.binary('add', step.read(0), step.read(1, size)), carry);
  const result = terms.trunc(sum, size * 8);
  step.write(0, result);
  state.flags = resultFlags(terms, result, size * 8, () => terms.unknown('instruction'));
}

export function subtract(step: Step): undefined {
  const { terms, state } = step;
  const size = step.sizeOf(0);
  const a = step.read(0);
  const b = step.read(1, size);
  step.write(0, terms.binary('sub', a, b));
  state.flags = subtractionFlags(terms, a, b, size * 8);
}

export function subtractWithBorrow(step: Step): undefined {
  const { terms, state } = step;
  const size = step.sizeOf(0);
  const bits = size * 8;
  const borrow = terms.truth(state.flags.carry());
  const a = step.read(0);
  const b = step.read(1, size);
  if (a.id === b.id) {
    // The idiom for "all ones if below": a register from itself.
    const result = terms.if(borrow, terms.constant(wrap(-1n)), terms.constant(0n));
    step.write(0, result);
    state.flags = resultFlags(terms, terms.trunc(result, bits), bits, () => borrow);
    return;
  }
  const result = terms.trunc(terms.binary('sub', terms.binary('sub', a, b), borrow), bits);
  step.write(0, result);
  const below = () => terms.if(borrow, terms.binary('leu', a, b), terms.binary('ltu', a, b));
  state.flags = resultFlags(terms, result, bits, below);
}

export function compare(step: Step): undefined {
  const size = step.sizeOf(0);
  step.state.flags = subtractionFlags(step.terms, step.read(0), step.read(1, size), size * 8);
}

export function test(step: Step): undefined {
  const { terms } = step;
  const size = step.sizeOf(0);
  const result = terms.binary('and', step.read(0), step.read(1, size));
  step.state.flags = subtractionFlags(terms, result, terms.constant(0n), size * 8);
}

export function logic(operator: 'and' | 'or' | 'xor'): Semantics {
  return (step) => {
    step.writeLogic(step.terms.binary(operator, step.read(0), step.read(1, step.sizeOf(0))));
    return undefined;
  };
}

export function invert(step: Step): undefined {
  step.write(0, step.terms.binary('xor', step.read(0), step.terms.constant(wrap(-1n))));
}

export function negate(step: Step): undefined {
  const { terms, state } = step;
  const a = step.read(0);
  const zero = terms.constant(0n);
  step.write(0, terms.binary('sub', zero, a));
  state.flags = subtractionFlags(terms, zero, a, step.sizeOf(0) * 8);
}

/** `inc` and `dec` leave the carry alone. */
export function count(by: 1n | -1n): Semantics {
  return (step) => {
    const { terms, state } = step;
    const bits = step.sizeOf(0) * 8;
    const { carry } = state.flags;
    const a = step.read(0);
    const b = terms.trunc(terms.constant(by), bits);
    step.write(0, terms.binary('add', a, b));
    const belowOrEqual = () => terms.truth(terms.unknown('instruction'));
    state.flags = { ...additionFlags(terms, a, b, bits), carry, belowOrEqual };
    return undefined;
  };
}

/** `imul` with two or three operands gives the low half. */
export function multiplySigned(step: Step): undefined {
  const { terms, state } = step;
  const { operands } = step.instruction;
  if (operands.length === 1) {
    multiplyWide(step);
    return;
  }
  const size = step.sizeOf(0);
  const [i, j] = operands.length === 2 ? [0, 1] : [1, 2];
  step.write(0, terms.binary('mul', step.read(i!, size), step.read(j!, size)));
  state.flags = unknownFlags(terms);
}

/** rdx:rax = rax * operand; the high half only where it follows from the bits. */
export function multiplyWide(step: Step): undefined {
  const { terms, state } = step;
  const bits = step.sizeOf(0) * 8;
  const isSigned = step.instruction.mnemonic === 'imul';
  const extend = (term: Term) => (isSigned ? terms.sext(term, bits) : terms.trunc(term, bits));
  const product = terms.binary('mul', extend(state.registers[RAX]!), extend(step.read(0)));
  state.flags = unknownFlags(terms);
  if (bits < 32) {
    state.registers[RAX] = terms.unknown('instruction');
    state.registers[RDX] = terms.unknown('instruction');
  } else if (bits === 32) {
    state.registers[RAX] = terms.trunc(product, 32);
    state.registers[RDX] = terms.trunc(terms.binary('shr', product, terms.constant(32n)), 32);
  } else {
    state.registers[RAX] = product;
    state.registers[RDX] = terms.unknown('instruction');
  }
}

/** rax, rdx = rdx:rax / operand, where rdx only extends rax. */
export function divide(step: Step): undefined {
  const { terms, state } = step;
  const bits = step.sizeOf(0) * 8;
  const low = terms.trunc(state.registers[RAX]!, bits);
  const high = terms.trunc(state.registers[RDX]!, bits);
  const by = step.read(0);
  state.flags = unknownFlags(terms);
  const zero = high.operator === 'constant' && high.value === 0n;
  const positive = low.ones >> BigInt(bits - 1) === 0n && by.ones >> BigInt(bits - 1) === 0n;
  if (bits >= 32 && zero && (step.instruction.mnemonic === 'div' || positive)) {
    state.registers[RAX] = terms.binary('div', low, by);
    state.registers[RDX] = terms.binary('mod', low, by);
  } else {
    state.registers[RAX] = terms.unknown('instruction');
    state.registers[RDX] = terms.unknown('instruction');
  }
}
