import type { Term } from '../../expressions/term.ts';
import { conditionTerm } from './flags.ts';
import { RAX, RDX, type Semantics, type Step } from './step.ts';

export function move(step: Step): undefined {
  step.write(0, step.read(1, step.sizeOf(0)));
}

export function moveSigned(step: Step): undefined {
  step.write(0, step.terms.sext(step.read(1), step.sizeOf(1) * 8));
}

/** `movbe`: a move that turns the bytes around. */
export function moveSwapped(step: Step): undefined {
  step.write(0, swapped(step, step.read(1)));
}

export function loadAddress(step: Step): undefined {
  const operand = step.operand(1);
  step.write(0, operand.kind === 'memory' ? step.addressOf(operand) : step.terms.unknown('instruction'));
}

export function exchange(step: Step): undefined {
  const a = step.read(0);
  const b = step.read(1);
  step.write(0, b);
  step.write(1, a);
}

export function extendAccumulator(from: number, to: number): Semantics {
  return (step) => {
    const { terms, state } = step;
    const bits = from * 8;
    const extended = terms.sext(terms.trunc(state.registers[RAX]!, bits), bits);
    if (to === 2) {
      const kept = terms.binary('and', state.registers[RAX]!, terms.constant(~0xffffn));
      state.registers[RAX] = terms.binary('or', kept, terms.trunc(extended, 16));
    } else state.registers[RAX] = terms.trunc(extended, to * 8);
    return undefined;
  };
}

export function signToData(size: 4 | 8): Semantics {
  return (step) => {
    const { terms, state } = step;
    const extended = terms.sext(terms.trunc(state.registers[RAX]!, size * 8), size * 8);
    state.registers[RDX] = terms.trunc(terms.binary('sar', extended, terms.constant(63n)), size * 8);
    return undefined;
  };
}

export function swapBytes(step: Step): undefined {
  step.write(0, swapped(step, step.read(0)));
}

function swapped(step: Step, a: Term): Term {
  const { terms } = step;
  const size = step.sizeOf(0);
  let result = terms.constant(0n);
  for (let i = 0; i < size; i++) {
    const byte = terms.binary(
      'and',
      terms.binary('shr', a, terms.constant(BigInt(i * 8))),
      terms.constant(0xffn),
    );
    result = terms.binary(
      'or',
      result,
      terms.binary('shl', byte, terms.constant(BigInt((size - 1 - i) * 8))),
    );
  }
  return result;
}

export function moveIf(step: Step): undefined {
  const { instruction, terms, state } = step;
  if (!instruction.condition) return;
  const condition = conditionTerm(terms, state.flags, instruction.condition);
  step.write(0, terms.if(condition, step.read(1), step.read(0)));
}

export function setIf(step: Step): undefined {
  const { instruction, terms, state } = step;
  if (instruction.condition) step.write(0, conditionTerm(terms, state.flags, instruction.condition));
}
