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
  const isSame = 'problems' in again && again.result === first.result;
  return [...failuresIn(first), ...(isSame ? [] : [{ key: 'differs', text: 'not the same result twice' }])];
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
