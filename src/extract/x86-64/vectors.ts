import type { Term } from '../../expressions/term.ts';
import type { MemoryOperand } from './instruction.ts';
import type { Semantics, Step } from './step.ts';

/** 16 bytes between vector registers and memory. */
export function moveVector(step: Step): undefined {
  const { terms, state } = step;
  const target = step.operand(0);
  const source = step.operand(1);
  const wide =
    (target.kind === 'vector' && target.size > 16) || (source.kind === 'vector' && source.size > 16);
  const value = source.kind === 'vector' ? step.vector(source.register) : loadVector(step, source);
  if (target.kind === 'vector') {
    if (wide) state.vectors.delete(target.register);
    else state.vectors.set(target.register, value);
  } else if (target.kind === 'memory' && !target.segment) {
    const address = step.addressOf(target);
    state.memory.store(address, 8, value[0]);
    state.memory.store(terms.binary('add', address, terms.constant(8n)), 8, value[1]);
    if (wide) {
      state.memory.loseAll();
    }
  }
}

function loadVector(step: Step, source: { kind: string }): readonly [Term, Term] {
  const { terms } = step;
  if (source.kind !== 'memory') return [terms.unknown('instruction'), terms.unknown('instruction')];
  const operand = source as MemoryOperand;
  const high = { ...operand, displacement: operand.displacement + 8n };
  return [step.load(operand, 8), step.load(high, 8)];
}

/** 4 or 8 bytes between a vector register and memory or a general register; the rest of a vector becomes 0. */
export function moveScalar(size: 4 | 8): Semantics {
  return (step) => {
    const { terms, state } = step;
    const target = step.operand(0);
    const value = step.read(1, size);
    if (target.kind === 'vector')
      state.vectors.set(target.register, [terms.trunc(value, size * 8), terms.constant(0n)]);
    else step.write(0, terms.trunc(value, size * 8));
    return undefined;
  };
}

/** The high half of a vector from or to memory. */
export function moveHigh(step: Step): undefined {
  const { state } = step;
  const target = step.operand(0);
  const source = step.operand(1);
  if (target.kind === 'vector')
    state.vectors.set(target.register, [step.vector(target.register)[0], step.read(1, 8)]);
  else if (target.kind === 'memory' && source.kind === 'vector')
    step.write(0, step.vector(source.register)[1]);
}

/** Two low halves side by side. */
export function unpackLow(step: Step): undefined {
  const target = step.operand(0);
  if (target.kind !== 'vector') return;
  const source = step.operand(1);
  const high = source.kind === 'vector' ? step.vector(source.register)[0] : step.read(1, 8);
  step.state.vectors.set(target.register, [step.vector(target.register)[0], high]);
}

export function vectorLogic(operator: 'and' | 'or' | 'xor'): Semantics {
  return (step) => {
    const { terms, state } = step;
    const target = step.operand(0);
    const three = step.instruction.operands.length > 2;
    const left = step.operand(three ? 1 : 0);
    const right = step.operand(three ? 2 : 1);
    if (target.kind !== 'vector' || left.kind !== 'vector') return undefined;
    if (operator === 'xor' && right.kind === 'vector' && right.register === left.register) {
      state.vectors.set(target.register, [terms.constant(0n), terms.constant(0n)]);
      return undefined;
    }
    const a = step.vector(left.register);
    const b = right.kind === 'vector' ? step.vector(right.register) : loadVector(step, right);
    state.vectors.set(target.register, [
      terms.binary(operator, a[0], b[0]),
      terms.binary(operator, a[1], b[1]),
    ]);
    return undefined;
  };
}
