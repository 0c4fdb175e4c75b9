import { printable } from '../../bytes/diagnostic.ts';
import type { Choice } from '../node.ts';
import type { Machine, WalkSink } from './machine.ts';
import type { Candidate, Guess, SearchResult, Solution } from './search.ts';

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
  const own = others.length > 0 ? nodesOf(machine, best, versionId) : undefined;
  // Guesses that show nowhere in the bytes make no other reading.
  const different = others
    .slice(0, MAX_COMPARED)
    .map((solution) => ({ solution, nodes: nodesOf(machine, solution, versionId) }))
    .filter(({ nodes }) => nodes.shape !== own?.shape);
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
    isCutCertain: allTried && different.every(({ nodes }) => nodes.cut === own?.cut),
  };
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

interface Nodes {
  /** All nodes in order, and leaves alone without their names, to compare. */
  readonly shape: string;
  readonly cut: string;
  readonly keys: ReadonlySet<string>;
}

function nodesOf(machine: Machine, { candidate, shadow }: Solution, versionId: number): Nodes {
  const keys = new Set<string>();
  const shape: string[] = [candidate.vmsd.name];
  const cut: string[] = [];
  const open: { kind: NodeKind; name: string | number; type: string; start: number }[] = [];
  const add = (key: string) => {
    keys.add(key);
    shape.push(key);
  };
  const sink: WalkSink = {
    open(name, type, start) {
      open.push({ kind: 'struct', name, type, start });
      shape.push('{');
    },
    openArray(name, type, start) {
      open.push({ kind: 'array', name, type, start });
      shape.push('{');
    },
    leaf(name, type, start, end) {
      add(nodeKey('leaf', name, type, start, end));
      cut.push(`${type} ${start} ${end}`);
    },
    leaves(type, start, size, count) {
      shape.push(`${type} ${start} ${size} ${count}`);
      cut.push(`${type} ${start} ${size} ${count}`);
    },
    close(end) {
      const { kind, name, type, start } = open.pop()!;
      add(nodeKey(kind, name, type, start, end));
    },
  };
  machine.run(machine.start(candidate.vmsd, versionId, shadow.branch()), sink);
  return { shape: shape.join('\n'), cut: cut.join('\n'), keys };
}

function nodeKey(kind: NodeKind, name: string | number, type: string, start: number, end: number): string {
  return `${kind} ${name} ${type} ${start} ${end}`;
}

/** In words, by what a reading was guessed that another one does not share. */
function told({ guesses, candidate }: Solution, other: Solution | undefined): string {
  const key = ({ unknown, value }: Guess) => `${unknown.object} ${unknown.offset} ${unknown.size} ${value}`;
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
