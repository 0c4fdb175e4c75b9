import type { Term } from '../../expressions/term.ts';
import { Terms } from '../../expressions/terms.ts';
import { type Call, type CallEffect, effectOfKnownCall, isNoReturn } from './calls.ts';
import type { MachineImage } from './image.ts';
import type { Flow, InstructionSet } from './instruction-set.ts';
import type { Effort, Limits } from './limits.ts';
import { Memory } from './memory.ts';
import { mergeOutcomes, type PathOutcome } from './merge.ts';
import { type CallNote, copyState, type MachineState } from './state.ts';

/** A function that is being followed. */
interface Frame {
  /** The address that it returns to. */
  readonly back: Term;
  /** How many functions were entered to come here. */
  readonly depth: number;
  /** Its share, with all that it enters. */
  readonly budget: Effort;
}

const DEAD: PathOutcome = { kind: 'dead' };
/** Instructions in which a path that only sets a static variable is seen to do so. */
const LOOK = 60;

/**
 * Looks at each call before it happens: what it does without being entered, if it is to be left out, and what to note; null
 * where it should be noted and is not understood.
 */
export type CallWatcher = (
  call: Call,
) => { readonly effect: CallEffect; readonly note?: CallNote | null } | undefined;

/** Follows machine code with values that are terms, over all its paths, within limits. */
export class Explorer {
  readonly terms: Terms;
  readonly #image: MachineImage;
  readonly #set: InstructionSet;
  readonly #limits: Limits;
  readonly #watch: CallWatcher | undefined;

  constructor(image: MachineImage, set: InstructionSet, limits: Limits, watch?: CallWatcher) {
    this.#watch = watch;
    this.terms = new Terms(limits.nodes);
    this.#image = image;
    this.#set = set;
    this.#limits = limits;
  }

  /** Follows the function at an address, called with these arguments, as far as there is effort left. */
  run(address: number, args: readonly Term[], left: Effort = { ...this.#limits }): PathOutcome {
    const { terms } = this;
    const set = this.#set;
    const state: MachineState = {
      registers: Array.from({ length: set.registerCount }, () => terms.unknown('register')),
      vectors: new Map(),
      flags: set.unknownFlags(terms),
      memory: new Memory(terms, this.#image),
      assumptions: new Map(),
      bounds: new Map(),
      visits: new Map(),
      notes: [],
    };
    for (const [i, argument] of args.entries()) state.registers[set.argumentRegisters[i]!] = argument;
    const back = terms.symbol('return');
    set.enter(state, terms, back);
    const instructions = Math.min(this.#limits.instructions, left.instructions);
    const branches = Math.min(this.#limits.branches, left.branches);
    const budget = { instructions, branches };
    const outcome = this.#follow(state, address, {
      back,
      depth: 0,
      budget,
    });
    left.instructions -= instructions - budget.instructions;
    left.branches -= branches - budget.branches;
    return outcome;
  }

  /** Follows one path from an address to the end of its function. */
  #follow(start: MachineState, from: number, frame: Frame): PathOutcome {
    const { back, budget } = frame;
    let state = start;
    let address = from;
    for (;;) {
      if (budget.instructions-- <= 0) return { kind: 'lost', reason: 'limit' };
      const visits = (state.visits.get(address) ?? 0) + 1;
      if (visits > this.#limits.visits) return { kind: 'lost', reason: 'loop' };
      state.visits.set(address, visits);
      const flow = this.#set.step(state, this.terms, this.#image, address);
      if (this.#fillsCache(state)) return DEAD;
      switch (flow.kind) {
        case 'next':
          address = flow.address;
          break;
        case 'branch': {
          const holds = decide(state, flow.condition);
          if (holds === undefined) return this.#fork(state, flow, frame);
          address = holds ? flow.target : flow.next;
          break;
        }
        case 'call': {
          const outcome = this.#call(state, flow.target, flow.next, frame);
          if (outcome.kind !== 'end') return outcome;
          state = outcome.state;
          address = flow.next;
          break;
        }
        case 'jump': {
          const outcome = this.#jump(state, flow.target, frame);
          if (outcome) return outcome;
          address = Number(flow.target.value);
          break;
        }
        case 'return':
          if (flow.target.id !== back.id) return { kind: 'lost', reason: 'memory' };
          return { kind: 'end', state };
        case 'trap':
          return DEAD;
        case 'invalid':
          return { kind: 'lost', reason: 'instruction' };
      }
    }
  }

  #fork(
    state: MachineState,
    { condition, target, next }: Extract<Flow, { kind: 'branch' }>,
    frame: Frame,
  ): PathOutcome {
    const then = (path: MachineState) => this.#follow(path, target, frame);
    const otherwise = (path: MachineState) => this.#follow(path, next, frame);
    if (!isUnset(condition) && !isUnset(this.terms.not(condition)))
      return this.#either(state, condition, frame, then, otherwise);
    // Where a static variable is not set yet, one look often tells that the path only sets it.
    const holds = isUnset(condition);
    const other = copyState(state);
    this.#assume(other, condition, holds);
    const budget = { instructions: Math.min(LOOK, frame.budget.instructions), branches: 4 };
    frame.budget.instructions -= budget.instructions;
    const look = this.#follow(other, holds ? target : next, { ...frame, budget });
    frame.budget.instructions += Math.max(0, budget.instructions);
    if (look.kind !== 'dead') return this.#either(state, condition, frame, then, otherwise);
    this.#assume(state, condition, !holds);
    return holds ? otherwise(state) : then(state);
  }

  /** Both ways from a place, and where they meet again at the end of the function. */
  #either(
    state: MachineState,
    condition: Term,
    { budget }: Frame,
    then: (path: MachineState) => PathOutcome,
    otherwise: (path: MachineState) => PathOutcome,
  ): PathOutcome {
    if (budget.branches-- <= 0) return { kind: 'lost', reason: 'limit' };
    const other = copyState(state);
    this.#assume(state, condition, true);
    this.#assume(other, condition, false);
    const whenFalse = otherwise(other);
    const whenTrue = then(state);
    return mergeOutcomes(this.terms, this.#set, condition, whenTrue, whenFalse);
  }

  /**
   * Whether the path is one that looks up what a static variable shall hold, which it found 0 (`static Object *machine;
   * if (!machine) machine = …`). A variable of the program stands for what it holds when it is set: this path is no
   * other value, it is where that one comes from.
   */
  #fillsCache(state: MachineState): boolean {
    const store = state.memory.takeGlobalStore();
    if (!store || store.term.operator === 'constant') return false;
    const { terms } = this;
    const before = terms.load(terms.symbol('global'), store.address, store.size);
    return state.assumptions.get(terms.binary('eq', before, terms.constant(0n)).id) === true;
  }

  #assume(state: MachineState, condition: Term, holds: boolean): void {
    if (condition.operator === 'constant') return;
    state.assumptions.set(condition.id, holds);
    const negation = this.terms.not(condition);
    state.assumptions.set(negation.id, !holds);
    const fact = holds ? condition : negation;
    if (fact.operator === 'ltu' && fact.parts[1]!.operator === 'constant')
      state.bounds.set(fact.parts[0]!.id, fact.parts[1]!.value);
    if (condition.operator === (holds ? 'and' : 'or') && condition.isBoolean)
      for (const part of condition.parts) this.#assume(state, part, holds);
  }

  /** A jump to a computed target; undefined for one to follow. */
  #jump(state: MachineState, target: Term, frame: Frame): PathOutcome | undefined {
    const condition = target.operator === 'constant' ? undefined : findCondition(target);
    if (!condition) return this.#tailCall(state, target, frame);
    // One of several, as through the table of a switch.
    const follow = (path: MachineState, holds: boolean): PathOutcome => {
      const to = this.terms.given(target, condition, holds);
      return this.#jump(path, to, frame) ?? this.#follow(path, Number(to.value), frame);
    };
    return this.#either(
      state,
      condition,
      frame,
      (path) => follow(path, true),
      (path) => follow(path, false),
    );
  }

  /** A jump out of the function, to one that is not followed; undefined for a jump to follow. */
  #tailCall(state: MachineState, target: Term, { back }: Frame): PathOutcome | undefined {
    if (isNoReturn(target)) return DEAD;
    const leaves = this.#set.returnAddress(state).id === back.id;
    const effect = leaves ? this.#effect(state, target) : undefined;
    if (effect) {
      this.#apply(state, effect);
      this.#set.leave(state, this.terms);
      return { kind: 'end', state };
    }
    if (target.operator !== 'constant') return { kind: 'lost', reason: 'call' };
    return undefined;
  }

  /** The state after a call; the state is used up. */
  #call(state: MachineState, target: Term, next: number, frame: Frame): PathOutcome {
    if (isNoReturn(target)) return DEAD;
    const effect = this.#effect(state, target);
    if (!effect && target.operator === 'constant' && frame.depth < this.#limits.callDepth) {
      const outcome = this.#enter(state, Number(target.value), next, frame);
      if (outcome.kind !== 'lost') return outcome;
      state.notes = undefined;
    }
    this.#apply(state, effect ?? { result: this.terms.unknown('call'), keepsMemory: false });
    this.#set.leave(state, this.terms);
    return { kind: 'end', state };
  }

  /** What a call does that is not to be entered. */
  #effect(state: MachineState, target: Term): CallEffect | undefined {
    const call = this.#describe(state, target);
    const watched = this.#watch?.(call);
    if (!watched) return effectOfKnownCall(call);
    const { note } = watched;
    if (note === null) state.notes = undefined;
    else if (note) state.notes = state.notes && [...state.notes, note];
    return watched.effect;
  }

  /** Follows a called function to its end; the state is left alone. */
  #enter(before: MachineState, address: number, next: number, { depth, budget }: Frame): PathOutcome {
    const share = {
      instructions: Math.floor(budget.instructions * this.#limits.callShare),
      branches: Math.floor(budget.branches * this.#limits.callShare),
    };
    const inner = { ...share };
    const outcome = this.#follow(copyState(before), address, {
      back: this.terms.constant(BigInt(next)),
      depth: depth + 1,
      budget: inner,
    });
    budget.instructions -= share.instructions - inner.instructions;
    budget.branches -= share.branches - inner.branches;
    return outcome.kind === 'end' ? this.#resume(before, outcome.state) : outcome;
  }

  /** Back from an entered function: what its caller knew of the path still holds. */
  #resume(before: MachineState, after: MachineState): PathOutcome {
    for (const [id, holds] of before.assumptions) after.assumptions.set(id, holds);
    for (const [id, bound] of before.bounds) after.bounds.set(id, bound);
    return { kind: 'end', state: { ...after, visits: before.visits } };
  }

  /** What a call that is not entered does to the state. */
  #apply(state: MachineState, effect: CallEffect): void {
    const { terms } = this;
    const set = this.#set;
    const args = set.argumentRegisters.map((register) => state.registers[register]!);
    if (!effect.keepsMemory) state.memory.lose();
    state.memory.loseReachable(args);
    for (const register of set.volatileRegisters) state.registers[register] = terms.unknown('register');
    state.registers[set.resultRegister] = effect.result;
    state.vectors.clear();
    state.flags = set.unknownFlags(terms);
  }

  #describe(state: MachineState, target: Term): Call {
    const args = this.#set.argumentRegisters.map((register) => state.registers[register]!);
    return { image: this.#image, terms: this.terms, target, state, args };
  }
}

/** Whether a condition says that a pointer variable of the program is NULL. */
function isUnset({ operator, parts: [pointer, zero] }: Term): boolean {
  if (operator !== 'eq' || zero?.operator !== 'constant' || zero.value !== 0n) return false;
  return pointer?.operator === 'load' && pointer.size === 8 && pointer.parts[0]!.name === 'global';
}

/** The condition of the first choice in a term. */
function findCondition(term: Term): Term | undefined {
  if (term.operator === 'if') return term.parts[0];
  for (const part of term.parts) {
    const condition = findCondition(part);
    if (condition) return condition;
  }
  return undefined;
}

/** Whether a condition holds on a path, where that is known. */
function decide(state: MachineState, condition: Term): boolean | undefined {
  if (condition.operator === 'constant') return condition.value !== 0n;
  const known = state.assumptions.get(condition.id);
  if (known !== undefined || !condition.isBoolean) return known;
  const deciding = condition.operator === 'or';
  if (!deciding && condition.operator !== 'and') return undefined;
  const left = decide(state, condition.parts[0]!);
  const right = decide(state, condition.parts[1]!);
  if (left === deciding || right === deciding) return deciding;
  return left === undefined || right === undefined ? undefined : !deciding;
}
