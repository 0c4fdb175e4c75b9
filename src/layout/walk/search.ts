import type { CompiledVmsd } from '../../vmsd/compiled.ts';
import { BUFFER_BYTE_COST } from './costs.ts';
import type { Machine } from './machine.ts';
import type { Refusal, Run, Unknown } from './outcome.ts';
import { Shadow } from './shadow.ts';

/** A VMSD that a section could be of, and what it costs to take it. */
export interface Candidate {
  readonly vmsd: CompiledVmsd;
  readonly cost: number;
  /** QOM types of the devices that have it. */
  readonly types: readonly string[];
}

/** A reading of a whole section. */
export interface Solution {
  readonly candidate: Candidate;
  /** Holds all that was loaded and guessed: a run over it needs no guess. */
  readonly shadow: Shadow;
  readonly cost: number;
  /** What was guessed, in order. */
  readonly guesses: readonly Guess[];
}

export interface Guess {
  readonly unknown: Unknown;
  readonly value: bigint;
  /** How far the walk had come. */
  readonly offset: number;
}

export interface SearchResult {
  /** Cheapest first. */
  readonly solutions: readonly Solution[];
  /** No other solution exists. */
  readonly exhausted: boolean;
  /** VMSDs that were given. */
  readonly candidates: number;
  /** Runs that were made, and their steps. */
  readonly states: number;
  readonly steps: number;
  /** A run came to bytes that no QEMU would have saved, and that one may load. */
  readonly doubtful: boolean;
  /** The failure that got closest, for when there is no solution. */
  readonly closest: Failure | undefined;
}

/** A reading that came to an end before the section did. A run over its shadow fails at the same place. */
export interface Failure {
  readonly candidate: Candidate;
  readonly shadow: Shadow;
  readonly offset: number;
  readonly why: string;
  readonly refusal?: Refusal;
  readonly guesses: readonly Guess[];
  /** Bits, those of what it leaves included: lower explains more. */
  readonly cost: number;
}

interface SearchLimits {
  /** Runs at the most. */
  readonly states: number;
  /** Steps of all runs together. */
  readonly steps: number;
  /** Solutions that cost this many bits more than the best are not looked for. */
  readonly margin: number;
}

interface Entry {
  readonly run: Run;
  readonly candidate: Candidate;
  /** The next option of this unknown is to be tried; without it the run goes on. */
  readonly unknown: Unknown | undefined;
  readonly option: number;
  readonly guesses: GuessList | undefined;
  /** Bits so far and expected. */
  readonly rank: number;
}

interface GuessList {
  readonly guess: Guess;
  readonly before: GuessList | undefined;
  readonly cost: number;
}

/** Steps and runs that are made to show that there is no other reading, however unlikely. */
const PROOF_STEPS = 300_000;
const PROOF_STATES = 1024;

/** Looks for readings of a section, the likeliest first, over what `memory` has before. */
export function search(
  machine: Machine,
  versionId: number,
  candidates: readonly Candidate[],
  limits: SearchLimits,
  memory = Shadow.empty(),
): SearchResult {
  let costs: ExpectedCosts | undefined;
  const expectedFrom = (offset: number) => {
    costs ??= new ExpectedCosts(machine);
    return costs.from(offset);
  };
  // Of readings that do not come to the end, one that gets further explains more.
  const restCost = (offset: number) => expectedFrom(offset) + Math.log2(machine.end - offset + 1);
  const queue = new Heap();
  for (const candidate of candidates) {
    const run = machine.start(candidate.vmsd, versionId, memory.branch());
    queue.push({ run, candidate, unknown: undefined, option: 0, guesses: undefined, rank: candidate.cost });
  }
  const solutions: Solution[] = [];
  const budget = { steps: limits.steps };
  let states = 0;
  let closest: Failure | undefined;
  let doubtful = false;
  const finish = (exhausted: boolean): SearchResult => ({
    solutions: solutions.sort(compareSolutions),
    exhausted,
    candidates: candidates.length,
    states,
    steps: limits.steps - budget.steps,
    doubtful,
    closest,
  });
  let best = Number.POSITIVE_INFINITY;
  for (let entry = queue.pop(); entry; entry = queue.pop()) {
    const isProofDone = limits.steps - budget.steps >= PROOF_STEPS || states >= PROOF_STATES;
    if (entry.rank > best + limits.margin && isProofDone) return finish(false);
    if (states >= limits.states || budget.steps <= 0) return finish(false);
    let { run, guesses } = entry;
    const { candidate, unknown } = entry;
    if (unknown) {
      const { value, cost } = unknown.options[entry.option]!;
      const next = unknown.options[entry.option + 1];
      if (next) {
        const rank = entry.rank - cost + next.cost + 1 / PATIENCE;
        queue.push({ ...entry, option: entry.option + 1, rank });
      }
      run = { ...run, shadow: run.shadow.branch(), cost: run.cost + cost };
      guess(run.shadow, unknown, value);
      guesses = { guess: { unknown, value, offset: run.offset }, before: guesses, cost };
    }
    states++;
    const outcome = machine.run(run, undefined, budget);
    if (outcome.kind === 'done' || outcome.kind === 'cut') {
      const cost = run.cost + candidate.cost + (outcome.kind === 'cut' ? restCost(run.offset) : 0);
      best = Math.min(best, cost);
      solutions.push({ candidate, shadow: run.shadow, cost, guesses: listGuesses(guesses) });
    } else if (outcome.kind === 'dead') {
      doubtful ||= outcome.doubtful === true;
      // The name of a subsection is not there by chance: so far it was read rightly, and the rest is no matter.
      const rest = outcome.refusal === 'unknown-subsection' ? 0 : restCost(outcome.offset);
      const cost = run.cost + candidate.cost + rest;
      if (!closest || cost < closest.cost) {
        const { kind: _, ...failure } = outcome;
        closest = { candidate, shadow: run.shadow, ...failure, cost, guesses: listGuesses(guesses) };
      }
    } else {
      const [first] = outcome.unknown.options;
      if (!first) continue;
      const rank = candidate.cost + run.cost + first.cost + expectedFrom(run.offset);
      queue.push({ run, candidate, unknown: outcome.unknown, option: 0, guesses, rank });
    }
  }
  return finish(true);
}

function guess(shadow: Shadow, { key, also }: Unknown, value: bigint): void {
  shadow.guess(key, value);
  if (also !== undefined) shadow.answer(also, value);
}

/** What `memory` is with all guesses made beforehand: a run over it goes as the one that they were made in. */
export function withGuesses(memory: Shadow, guesses: readonly Guess[]): Shadow {
  const shadow = memory.branch();
  for (const { unknown, value } of guesses) guess(shadow, unknown, value);
  return shadow;
}

/** By cost; where that is the same, the one with the smaller values first, so that the order is always the same. */
function compareSolutions(a: Solution, b: Solution): number {
  if (Math.abs(a.cost - b.cost) > 1e-6) return a.cost - b.cost;
  for (let i = 0; i < Math.min(a.guesses.length, b.guesses.length); i++) {
    const difference = a.guesses[i]!.value - b.guesses[i]!.value;
    if (difference !== 0n) return difference < 0n ? -1 : 1;
  }
  return a.guesses.length - b.guesses.length;
}

function listGuesses(list: GuessList | undefined): Guess[] {
  const guesses: Guess[] = [];
  for (let at = list; at; at = at.before) guesses.push(at.guess);
  return guesses.reverse();
}

/**
 * Options of one question after which it ranks one bit lower: where many answers were wrong it is likely that the
 * question itself came from a wrong answer before it.
 */
const PATIENCE = 8;

/** By position: what the rest of the section will cost, so that a run which got further is not punished for it. */
class ExpectedCosts {
  readonly #bytes: Uint8Array;
  readonly #base: number;
  /** Of what is from the start of each part on; a sum from the end, as all of them. */
  readonly #parts: Float64Array;

  constructor({ section, end }: Machine) {
    this.#base = section.base;
    this.#bytes = section.bytes.subarray(0, end - section.base);
    this.#parts = new Float64Array(Math.ceil(this.#bytes.length / COST_PART) + 1);
    for (let part = this.#parts.length - 2; part >= 0; part--)
      this.#parts[part] = this.from(this.#base + part * COST_PART);
  }

  /** Bits of what is from `offset` on, absolute in the stream. */
  from(offset: number): number {
    const pos = offset - this.#base;
    const part = Math.min(Math.floor(pos / COST_PART) + 1, this.#parts.length - 1);
    let cost = this.#parts[part]!;
    for (let i = Math.min(part * COST_PART, this.#bytes.length) - 1; i >= pos; i--)
      cost += this.#bytes[i] === 0 ? 0 : BUFFER_BYTE_COST;
    return cost;
  }
}

/** Bytes of which it is kept together what they cost. */
const COST_PART = 256;

/** A binary heap by rank. */
class Heap {
  readonly #entries: Entry[] = [];

  push(entry: Entry): void {
    const entries = this.#entries;
    let i = entries.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (entries[parent]!.rank <= entry.rank) break;
      entries[i] = entries[parent]!;
      i = parent;
    }
    entries[i] = entry;
  }

  pop(): Entry | undefined {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries.pop();
    if (!last || !top || entries.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && entries[child + 1]!.rank < entries[child]!.rank) child++;
      if (entries[child]!.rank >= last.rank) break;
      entries[i] = entries[child]!;
      i = child;
    }
    entries[i] = last;
    return top;
  }
}
