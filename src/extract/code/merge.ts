import type { UnknownReason } from '../../expressions/expression.ts';
import type { Term } from '../../expressions/term.ts';
import type { Terms } from '../../expressions/terms.ts';
import type { InstructionSet } from './instruction-set.ts';
import type { MachineState } from './state.ts';

/** What following a function from one place to its end led to. */
export type PathOutcome =
  | { readonly kind: 'end'; readonly state: MachineState }
  /** The program stops there: an assertion failed. */
  | { readonly kind: 'dead' }
  /** Following was given up. */
  | { readonly kind: 'lost'; readonly reason: UnknownReason };

/** What comes out where one of two outcomes happens: the first where the condition is 1. */
export function mergeOutcomes(
  terms: Terms,
  set: InstructionSet,
  condition: Term,
  then: PathOutcome,
  otherwise: PathOutcome,
): PathOutcome {
  if (then.kind === 'dead') return otherwise;
  if (otherwise.kind === 'dead') return then;
  if (then.kind === 'end' && otherwise.kind === 'end')
    return { kind: 'end', state: mergeStates(terms, set, condition, then.state, otherwise.state) };
  if (then.kind === 'end' && otherwise.kind === 'lost')
    return { kind: 'end', state: mergeLost(terms, set, condition, then.state, otherwise.reason) };
  if (then.kind === 'lost' && otherwise.kind === 'end')
    return { kind: 'end', state: mergeLost(terms, set, terms.not(condition), otherwise.state, then.reason) };
  return then;
}

function mergeStates(
  terms: Terms,
  set: InstructionSet,
  condition: Term,
  a: MachineState,
  b: MachineState,
): MachineState {
  const vectors = new Map<number, readonly [Term, Term]>();
  for (const [register, value] of a.vectors) {
    const other = b.vectors.get(register);
    if (other && value[0].id === other[0].id && value[1].id === other[1].id) vectors.set(register, value);
  }
  return {
    registers: a.registers.map((term, i) => terms.if(condition, term, b.registers[i]!)),
    vectors,
    flags: set.unknownFlags(terms),
    memory: a.memory.merge(condition, b.memory),
    assumptions: new Map([...a.assumptions].filter(([id, holds]) => b.assumptions.get(id) === holds)),
    bounds: new Map([...a.bounds].filter(([id, bound]) => b.bounds.get(id) === bound)),
    visits: a.visits,
    notes: sameNotes(a.notes, b.notes) ? a.notes : undefined,
  };
}

function sameNotes(a: MachineState['notes'], b: MachineState['notes']): boolean {
  if (a === b || !a || !b) return a === b;
  return (
    a.length === b.length &&
    a.every(({ address, count }, i) => address === b[i]?.address && count === b[i]?.count)
  );
}

/** The other path got lost: a function preserves the registers that it has to, all else may be anything. */
function mergeLost(
  terms: Terms,
  set: InstructionSet,
  condition: Term,
  state: MachineState,
  reason: UnknownReason,
): MachineState {
  for (const register of set.volatileRegisters)
    state.registers[register] = terms.if(condition, state.registers[register]!, terms.unknown(reason));
  state.vectors.clear();
  state.flags = set.unknownFlags(terms);
  state.memory.lose();
  state.assumptions.clear();
  state.bounds.clear();
  state.notes = undefined;
  return state;
}
