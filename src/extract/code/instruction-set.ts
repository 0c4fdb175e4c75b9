import type { Term } from '../../expressions/term.ts';
import type { Terms } from '../../expressions/terms.ts';
import type { MachineImage } from './image.ts';
import type { Flags, MachineState } from './state.ts';

/** Where an instruction leads. */
export type Flow =
  | { readonly kind: 'next'; readonly address: number }
  | { readonly kind: 'jump'; readonly target: Term }
  /** To `target` where the condition is 1, else to `next`. */
  | { readonly kind: 'branch'; readonly condition: Term; readonly target: number; readonly next: number }
  /** The return address is in place. */
  | { readonly kind: 'call'; readonly target: Term; readonly next: number }
  | { readonly kind: 'return'; readonly target: Term }
  /** A trap: nothing comes after it. */
  | { readonly kind: 'trap' }
  /** Bytes that are no instruction, or one that leads nobody knows where. */
  | { readonly kind: 'invalid' };

/**
 * A host architecture: how its instructions are decoded, and what each does to a state. All else (paths, calls, loops,
 * memory, what comes out) is the same for all, so that another architecture is another object of this shape.
 */
export interface InstructionSet {
  /** As `uname -m` says it. */
  readonly name: string;
  readonly registerCount: number;
  /** In the order of the arguments. */
  readonly argumentRegisters: readonly number[];
  readonly resultRegister: number;
  /** Registers that a call does not preserve. */
  readonly volatileRegisters: readonly number[];
  /** Condition codes that nothing is known of. */
  unknownFlags(terms: Terms): Flags;
  /** Makes the state that of a function just called, with the stack at the symbol `stack`. */
  enter(state: MachineState, terms: Terms, returnAddress: Term): void;
  /** Where the present function returns to, where nothing is on the stack above the return address. */
  returnAddress(state: MachineState): Term;
  /** Does what the return of a function does to the stack. */
  leave(state: MachineState, terms: Terms): void;
  /** Executes the instruction at an address. */
  step(state: MachineState, terms: Terms, image: MachineImage, address: number): Flow;
}
