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

/** What was put into the stream, last first. */
export interface Trace {
  readonly before: Trace | undefined;
  readonly item: PutCall | PutFork;
  /** Items up to here. */
  readonly length: number;
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
  /** What was put into the stream on this path; `unclear` where a function that is not followed may have written. */
  trace: Trace | 'unclear' | undefined;
}

/** One call of a function that writes to the stream. */
export interface PutCall {
  readonly kind: 'integer' | 'bytes';
  /** Bytes that it writes. */
  readonly size: number;
  /** What it writes, or for bytes their address. */
  readonly value: Term;
}

/** Paths that met again and had written different amounts. */
export interface PutFork {
  readonly kind: 'fork';
  readonly condition: Term;
  /** What was written since the paths parted, where the condition is 1. */
  readonly whenTrue: Trace | undefined;
  readonly whenFalse: Trace | undefined;
}

export function append(trace: Trace | undefined, item: PutCall | PutFork): Trace {
  return { before: trace, item, length: (trace?.length ?? 0) + 1 };
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
    trace: state.trace,
  };
}
