import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { printable } from '../bytes/diagnostic.ts';
import { whenProcessEnds } from './process-end.ts';
import { QmpClosed } from './qmp.ts';
import type { LimitedStep } from './step-limit.ts';

/** Bytes that are kept of what a program says on standard error. */
const MAX_ERROR = 64 << 10;
/** Milliseconds for the end of what a program that has ended says on standard error. */
const DRAIN_TIME = 100;
/** Characters of a message that is made of them. */
const MAX_MESSAGE = 1000;

export interface RunOptions {
  /** Bytes that the program may print. */
  readonly most: number;
  /** Goes on with each piece that comes. */
  readonly step?: LimitedStep | undefined;
  /** Ends the program. */
  readonly signal?: AbortSignal | undefined;
  /** Takes what the program prints in place of `output`. */
  onOutput?(piece: Uint8Array): void;
  /** What the program does is to come to its end though this process ends, or a terminal sends its signals. */
  readonly outlivesUs?: boolean | undefined;
}

export interface ProgramRan {
  /** undefined where a signal ended it. */
  readonly status: number | undefined;
  readonly output: Buffer;
  /** What it said on standard error, in one line. */
  readonly message: string;
}

/**
 * Runs a program to its end, with nothing on its standard input. Throws QmpClosed where there is none, or where it
 * prints too much, and what `onOutput` throws.
 */
export function runProgram(words: readonly string[], options: RunOptions): Promise<ProgramRan> {
  const { most, step, signal, outlivesUs = false } = options;
  const [program = '', ...args] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: outlivesUs });
    const stop = () => child.kill('SIGKILL');
    const done = outlivesUs ? () => {} : whenProcessEnds(stop);
    if (!outlivesUs) signal?.addEventListener('abort', stop);
    const pieces: Buffer[] = [];
    const take = (piece: Buffer) => {
      if (!options.onOutput) pieces.push(piece);
      else if (!failure) {
        try {
          options.onOutput(piece);
        } catch (error) {
          failure = { error };
          stop();
        }
      }
    };
    const errors: Buffer[] = [];
    let [size, errorSize] = [0, 0];
    let problem: QmpClosed | undefined;
    let failure: { readonly error: unknown } | undefined;
    child.stdout.on('data', (piece: Buffer) => {
      step?.progress();
      size += piece.length;
      if (size <= most) take(piece);
      else {
        problem ??= new QmpClosed(`${printable(program)} prints more than ${most} bytes`, undefined, false);
        stop();
      }
    });
    child.stderr.on('data', (piece: Buffer) => {
      if (errorSize < MAX_ERROR) errors.push(piece.subarray(0, MAX_ERROR - errorSize));
      errorSize += piece.length;
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      const reason = error.code === 'ENOENT' ? 'there is no such program' : error.message;
      problem = new QmpClosed(`cannot run ${printable(program)}: ${reason}`, undefined, false);
    });
    const finish = (status: number | null) => {
      clearTimeout(timer);
      child.off('close', finish);
      child.stderr.destroy();
      done();
      signal?.removeEventListener('abort', stop);
      if (failure ?? problem) reject(failure ? failure.error : problem);
      else
        resolve({
          status: status ?? undefined,
          output: Buffer.concat(pieces),
          message: inOneLine(Buffer.concat(errors).toString()),
        });
    };
    let timer: NodeJS.Timeout | undefined;
    child.once('close', finish);
    // The master of several connections that ssh leaves behind has standard error open as long as it lives.
    const ended = Promise.all([once(child, 'exit'), finished(child.stdout)]);
    ended.then(
      ([[status]]) => {
        if (!child.stderr.closed) timer = setTimeout(finish, DRAIN_TIME, status);
      },
      () => {},
    );
  });
}

/** Each line once, as a program says the same of each thing that it cannot do. */
function inOneLine(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/^error: /, '').trim());
  return printable([...new Set(lines)].filter((line) => line !== '').join(': ')).slice(0, MAX_MESSAGE);
}
