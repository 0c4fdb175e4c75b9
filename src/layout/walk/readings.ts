import { printable } from '../../bytes/diagnostic.ts';
import type { CompiledVmsd } from '../../vmsd/compiled.ts';
import { shapeType } from '../children.ts';
import type { Choice, Shape } from '../node.ts';
import type { Machine } from './machine.ts';
import { NO_NODES, type WalkSink } from './outcome.ts';
import type { Candidate, Guess, SearchResult, Solution } from './search.ts';
import { keyText } from './shadow.ts';

/** Readings that are compared with the best one. */
const MAX_COMPARED = 16;

/** What other readings than the best one there are, or may be. */
export interface Doubt {
  readonly choice: Choice;
  /** Do all readings have this node, by name, type and place? */
  isCertain(kind: NodeKind, name: string | number, type: string, start: number, end: number): boolean;
  /** Do all readings cut the section into the same values, and differ only in what these belong to? */
  readonly isCutCertain: boolean;
}

type NodeKind = 'leaf' | 'struct' | 'array';

/**
 * Compares the readings that a search found. Undefined where there is one, and cannot be another. Tables that are not
 * `complete` (learned from streams) may lack what would give another answer to a question, or the device around a
 * struct.
 */
export function compareReadings(
  machine: Machine,
  result: SearchResult,
  versionId: number,
  complete: boolean,
): Doubt | undefined {
  const [best, ...others] = result.solutions;
  if (!best) return undefined;
  const shape = others.length > 0 ? shapeOf(machine, best, versionId) : '';
  // Guesses that show nowhere in the bytes make no other reading.
  const different = others
    .slice(0, MAX_COMPARED)
    .filter((solution) => shapeOf(machine, solution, versionId) !== shape)
    .map((solution) => ({ solution, nodes: nodesOf(machine, solution, versionId) }));
  const isPlain = best.guesses.length === 0 && best.candidate.cost === 0;
  const allTried = result.exhausted && others.length <= MAX_COMPARED && (complete || isPlain);
  const [second] = different;
  if (allTried && !second) return undefined;
  // What was not tried parts from the best reading at a guess of that one, or is of another VMSD.
  const untried = allTried ? Number.POSITIVE_INFINITY : firstGuess(best, result.candidates);
  return {
    choice: {
      readings: different.length + 1,
      allTried,
      taken: told(best, second?.solution),
      runnerUp: second && told(second.solution, best),
    },
    isCertain: (kind, name, type, start, end) =>
      end <= untried && different.every(({ nodes }) => nodes.keys.has(nodeKey(kind, name, type, start, end))),
    isCutCertain:
      allTried && isCutAlike([nodesOf(machine, best, versionId), ...different.map(({ nodes }) => nodes)]),
  };
}

/** Where no reading fits, nothing is certain of the one that came closest. */
export function misfit({ name }: CompiledVmsd): Doubt {
  const choice = { readings: 0, allTried: false, taken: `VMSD ${printable(name)}`, runnerUp: undefined };
  return { choice, isCertain: () => false, isCutCertain: false };
}

/** Where the first thing was guessed that another reading could have guessed otherwise. */
function firstGuess({ guesses }: Solution, candidates: number): number {
  if (candidates > 1) return 0;
  return guesses.reduce((first, { offset }) => Math.min(first, offset), Number.POSITIVE_INFINITY);
}

/** The message of a `chosen-reading`. */
export function choiceMessage({
  choice: { readings, allTried, taken, runnerUp },
  isCutCertain,
}: Doubt): string {
  const which =
    runnerUp === undefined
      ? 'the likeliest reading'
      : `one of ${allTried ? '' : 'at least '}${readings} readings`;
  const next = runnerUp === undefined ? '; there may be others' : `; the next one: ${runnerUp}`;
  const cut = isCutCertain ? '; the values are certain, the names of what they are in are not' : '';
  return `this is ${which}: ${taken}${next}${cut}`;
}

function isCutAlike(readings: readonly Nodes[]): boolean {
  return readings.every(({ cut }) => cut === readings[0]!.cut);
}

/** A text that two readings share if they have the same nodes: 64 bits of a hash, as readings have many. */
function shapeOf(machine: Machine, { candidate, shadow }: Solution, versionId: number): string {
  const numbers = new Map<string | number, number>();
  const numberOf = (name: string | number): number => {
    if (typeof name === 'number') return name;
    const known = numbers.get(name) ?? -1 - numbers.size;
    numbers.set(name, known);
    return known;
  };
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  const add = (...values: readonly number[]) => {
    for (const value of values) {
      low = Math.imul(low ^ value, 0x01000193);
      high = Math.imul((high ^ (high >>> 15)) + value, 0x85ebca6b);
    }
  };
  const sink: WalkSink = {
    ...NO_NODES,
    open: (name, type, start) => add(1, numberOf(name), numberOf(type), start),
    openArray: (name, type, start, length) => add(2, numberOf(name), numberOf(type), start, length),
    leaf: (name, type, start, end) => add(3, numberOf(name), numberOf(type), start, end),
    elements: ({ shape, start, count }) => add(4, numberOf(shapeText(shape)), start, shape.size, count),
    close: (end) => add(5, end),
  };
  machine.run(machine.start(candidate.vmsd, versionId, shadow.branch()), sink);
  // Names get their numbers in the order in which they come: they are part of the shape.
  return `${candidate.vmsd.name} ${low} ${high} ${[...numbers.keys()].join(' ')}`;
}

const shapeTexts = new WeakMap<Shape, string>();

/** A text that two shapes share if nodes of them are the same. */
function shapeText(shape: Shape): string {
  let text = shapeTexts.get(shape);
  if (text === undefined) {
    text = shape.kind === 'scalar' ? shape.type : JSON.stringify(shape);
    shapeTexts.set(shape, text);
  }
  return text;
}

interface Nodes {
  /** Leaves in order, without their names, to compare. */
  readonly cut: string;
  readonly keys: ReadonlySet<string>;
}

function nodesOf(machine: Machine, { candidate, shadow }: Solution, versionId: number): Nodes {
  const keys = new Set<string>();
  const cut: string[] = [];
  const open: { kind: NodeKind; name: string | number; type: string; start: number }[] = [];
  const sink: WalkSink = {
    ...NO_NODES,
    wantsEach: true,
    open(name, type, start) {
      open.push({ kind: 'struct', name, type, start });
    },
    openArray(name, type, start) {
      open.push({ kind: 'array', name, type, start });
    },
    leaf(name, type, start, end) {
      keys.add(nodeKey('leaf', name, type, start, end));
      cut.push(`${type} ${start} ${end}`);
    },
    elements({ shape, start, count }) {
      cut.push(`${shapeType(shape)} ${start} ${shape.size} ${count}`);
    },
    close(end) {
      const { kind, name, type, start } = open.pop()!;
      keys.add(nodeKey(kind, name, type, start, end));
    },
  };
  machine.run(machine.start(candidate.vmsd, versionId, shadow.branch()), sink);
  return { cut: cut.join('\n'), keys };
}

function nodeKey(kind: NodeKind, name: string | number, type: string, start: number, end: number): string {
  return `${kind} ${name} ${type} ${start} ${end}`;
}

/** In words, by what a reading was guessed that another one does not share. */
function told({ guesses, candidate }: Solution, other: Solution | undefined): string {
  const key = ({ unknown, value }: Guess) => `${keyText(unknown.key)} ${value}`;
  const shared = new Set(other?.guesses.map(key));
  const own = guesses.filter((guess) => !shared.has(key(guess)));
  const parts = own.map(
    ({ unknown, value }) => `${unknown.question} of ${printable(unknown.field)} ${value}`,
  );
  if (parts.length === 0 || (other && candidate.vmsd !== other.candidate.vmsd))
    parts.unshift(candidateText(candidate));
  return parts.join(', ');
}

/** A device's types tell its VMSD from others of that name. */
function candidateText({ vmsd, types }: Candidate): string {
  const [first] = types;
  const of = first === undefined ? '' : ` of ${printable(first)}${types.length > 1 ? ' and others' : ''}`;
  return `VMSD ${printable(vmsd.name)}${of}`;
}
