import { DecodeError } from '../../src/bytes/diagnostic.ts';
import type { Judgement, Target } from './target.ts';

/** A fault that an input shows. */
export interface Failure {
  /** The same for inputs that show the same fault. */
  readonly key: string;
  readonly text: string;
}

/** What is wrong with how an input is taken; with `twice`, that the same bytes do not give the same is, too. */
export async function failuresOf(target: Target, bytes: Uint8Array, twice: boolean): Promise<Failure[]> {
  const first = await judged(target, bytes);
  if (!twice || !('problems' in first)) return failuresIn(first);
  const again = await judged(target, bytes);
  const difference =
    'problems' in again ? firstDifference(first.result, again.result) : 'something was thrown';
  const differs = { key: 'not the same twice', text: `not the same twice: ${difference}` };
  return [...failuresIn(first), ...(difference === undefined ? [] : [differs])];
}

function firstDifference(a = '', b = ''): string | undefined {
  if (a === b) return undefined;
  const others = b.split('\n');
  const lines = a.split('\n');
  const at = lines.findIndex((line, i) => line !== others[i]);
  return `${lines[at]?.slice(0, 300)} | ${others[at < 0 ? lines.length : at]?.slice(0, 300)}`;
}

async function judged(target: Target, bytes: Uint8Array): Promise<Judgement | { readonly thrown: unknown }> {
  try {
    return await target.judge(bytes);
  } catch (thrown) {
    return { thrown };
  }
}

function failuresIn(outcome: Judgement | { readonly thrown: unknown }): Failure[] {
  if ('problems' in outcome) return outcome.problems.map((text) => ({ key: problemKey(text), text }));
  const { thrown } = outcome;
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return [{ key: stackKey(text), text }];
}

/** What follows the first colon is of this input. */
function problemKey(text: string): string {
  return withoutNumbers(text.split(': ', 1)[0]!);
}

/** The error's class and the functions that it came through, without lines, which move. */
function stackKey(stack: string): string {
  const frames = stack.split('\n').filter((line) => /^ +at .*\/(src|test)\//.test(line));
  const functions = frames.slice(0, 3).map((line) => /at (?:async )?(\S+)/.exec(line)?.[1] ?? '');
  return [withoutNumbers(stack.split('\n', 1)[0]!).slice(0, 80), ...functions].join(' < ');
}

function withoutNumbers(text: string): string {
  return text.replace(/0x[0-9a-f]+|\d+/gi, 'N').slice(0, 200);
}

/** For `judge`: undefined where bytes are refused as the library says that it refuses them. */
export async function orRefused<T>(run: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
