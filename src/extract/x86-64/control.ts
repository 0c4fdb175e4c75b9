import type { Flow } from '../code/instruction-set.ts';
import { conditionTerm } from './flags.ts';
import { RBP, RSP, type Step } from './step.ts';

/** `nop` and hints. */
export function nothing(): undefined {}

export function jumpIf(step: Step): Flow {
  const { instruction, terms, state } = step;
  const target = step.operand(0);
  if (target.kind !== 'target' || !instruction.condition) return { kind: 'invalid' };
  const condition = conditionTerm(terms, state.flags, instruction.condition);
  return { kind: 'branch', condition, target: target.address, next: instruction.next };
}

export function jump(step: Step): Flow {
  return { kind: 'jump', target: step.read(0, 8) };
}

export function call(step: Step): Flow {
  const target = step.read(0, 8);
  const { next } = step.instruction;
  step.push(step.terms.constant(BigInt(next)));
  return { kind: 'call', target, next };
}

export function leave(step: Step): undefined {
  const { state } = step;
  state.registers[RSP] = state.registers[RBP]!;
  state.registers[RBP] = step.pop();
}

export function giveBack(step: Step): Flow {
  return { kind: 'return', target: step.pop() };
}

export function trap(): Flow {
  return { kind: 'trap' };
}

export function push(step: Step): undefined {
  step.push(step.read(0, 8));
}

export function pop(step: Step): undefined {
  step.write(0, step.pop());
}
