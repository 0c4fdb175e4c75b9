import type { Term } from '../../expressions/term.ts';
import type { Memory } from './memory.ts';

/** What the condition codes say, worked out only when asked. */
export interface Flags {
  /** Unsigned borrow of a subtraction, carry of an addition, or the bit that was shifted out or tested. */
  carry(): Term;
  /** The result was 0. */
  zero(): Term;
  /** The result was negative. */
  sign(): Term;
  /** A subtraction's left side was less, with sign (sign differs from overflow). */
  less(): Term;
  lessOrEqual(): Term;
  /** Unsigned: carry or zero. */
  belowOrEqual(): Term;
}

/** The machine at one place of one path. */
export interface MachineState {
  /** General registers, numbered by the instruction set. */
  readonly registers: Term[];
  /** Vector registers: the low 16 bytes as two words. */
  readonly vectors: Map<number, readonly [Term, Term]>;
  flags: Flags;
  memory: Memory;
  /** Conditions that hold on this path: by term, whether it is true. */
  readonly assumptions: Map<number, boolean>;
  /** By term, what it is below on this path. */
  readonly bounds: Map<number, bigint>;
  /** How often this path was at an address. */
  readonly visits: Map<number, number>;
  /** What was noted of the calls on the way here; undefined where they are not all known. */
  notes: readonly CallNote[] | undefined;
}

/** What a watcher of calls notes of one: an array, by its address, and its number of elements. */
export interface CallNote {
  readonly address: number;
  readonly count: number;
}

/** A copy that can go its own way. */
export function copyState(state: MachineState): MachineState {
  return {
    registers: [...state.registers],
    vectors: new Map(state.vectors),
    flags: state.flags,
    memory: state.memory.copy(),
    assumptions: new Map(state.assumptions),
    bounds: new Map(state.bounds),
    visits: new Map(state.visits),
    notes: state.notes,
  };
}
