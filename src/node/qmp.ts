import type { Duplex } from 'node:stream';
import { printable } from '../bytes/diagnostic.ts';
import { type Monitor, type ReadAnswer, readAnswer, runMonitorLine } from './monitor.ts';
import { NoQmpMessage, parseQmpMessage, QmpLines } from './qmp-message.ts';
import type { LimitedStep, StepLimit } from './step-limit.ts';

/** Characters of an argument in the name of a step. */
const MAX_ARGUMENT = 100;

/** The step in which a monitor that is in use says nothing. */
export const GREETING_STEP = 'waiting for its greeting';

/** What QEMU answered to a command that failed. */
export class QmpError extends Error {
  /** QEMU's words alone. */
  readonly desc: string;

  constructor(command: string, desc: string) {
    super(`QEMU refuses ${command}: ${desc}`);
    this.desc = desc;
  }
}

/** What to take where QEMU does not answer a command but with an error. */
export function ifRefused<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof QmpError) return instead;
    throw error;
  };
}

/** The connection is of no use any more. */
export class QmpClosed extends Error {
  /** The end of the process, if it comes, is the better reason. */
  readonly byQemu: boolean;
  /** What was waited for. */
  readonly step: string | undefined;

  constructor(message: string, step: string | undefined, byQemu: boolean) {
    super(step === undefined ? message : `${message} while ${step}`);
    this.step = step;
    this.byQemu = byQemu;
  }
}

/** A socket, or the input and output of a program that has one. */
type Connection = Duplex & { setNoDelay?: (on: boolean) => unknown };

interface Waiting {
  readonly command: string;
  readonly step: LimitedStep | undefined;
  /** What it is for a message, where the limit does not count it. */
  readonly unlimited?: string | undefined;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * A connection to QEMU's machine protocol (https://www.qemu.org/docs/master/interop/qmp-spec.html), as little of it as
 * is needed: commands may be under way together, of events the names are taken. Integers too large for a number are their
 * decimal text.
 */
export class Qmp implements Monitor {
  readonly #socket: Connection;
  readonly #limit: StepLimit | undefined;
  readonly #onEvent: ((name: unknown) => void) | undefined;
  readonly #lines = new QmpLines();
  readonly #waiting = new Map<unknown, Waiting>();
  #lastId = 0;
  #closed: QmpClosed | undefined;

  private constructor(socket: Connection, limit?: StepLimit, onEvent?: (name: unknown) => void) {
    this.#socket = socket;
    this.#limit = limit;
    this.#onEvent = onEvent;
    socket.setNoDelay?.(true);
    socket.on('data', (bytes: Uint8Array) => this.#receive(bytes));
    socket.on('error', ({ message }) => this.#close(`the connection to QEMU broke (${message})`, true));
    socket.on('close', () => this.#close('QEMU closed the connection', true));
    // A socket that is handed on to another process is paused by that.
    socket.resume();
  }

  /**
   * Waits for the greeting of QEMU, and makes it take commands. The limit counts how long it takes for each answer;
   * `onEvent` is called with the name of each event. Throws QmpClosed, also where what is there does not speak QMP, and
   * QmpError.
   */
  static async open(socket: Connection, limit?: StepLimit, onEvent?: (name: unknown) => void): Promise<Qmp> {
    const qmp = new Qmp(socket, limit, onEvent);
    await qmp.#answer('QMP', 'its greeting', limit?.begin(GREETING_STEP));
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  async execute<Result = unknown>(
    command: string,
    args: object = {},
    read?: ReadAnswer<Result>,
  ): Promise<Result> {
    const step = this.#limit?.begin(`answering ${stepName(command, args)}`);
    return readAnswer(await this.#send(command, args, step), stepName(command, args), read);
  }

  /** Runs a command that takes as long as it takes. Throws as `execute` does. */
  async executeUnlimited(command: string, args: object): Promise<void> {
    await this.#send(command, args, undefined, `answering ${command}`);
  }

  monitor(line: string): Promise<string> {
    return runMonitorLine(this, line);
  }

  /** Asks QEMU to end, whatever it is doing. */
  quit(): void {
    if (this.#socket.writable) this.#socket.write('{"execute":"quit"}\n');
  }

  /** Gives up all that is under way, for a reason of ours. */
  giveUp(reason: string): void {
    this.#close(reason, false);
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(command: string, args: object, step: LimitedStep | undefined, unlimited?: string): Promise<unknown> {
    if (this.#closed) {
      step?.end();
      return Promise.reject(this.#closed);
    }
    const id = ++this.#lastId;
    const answer = this.#answer(id, command, step, unlimited);
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    return answer;
  }

  #answer(id: unknown, command: string, step: LimitedStep | undefined, unlimited?: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(this.#closed);
      else this.#waiting.set(id, { command, step, unlimited, resolve, reject });
    });
  }

  #receive(bytes: Uint8Array): void {
    try {
      for (const line of this.#lines.add(bytes)) {
        if (this.#closed) return;
        this.#take(parseQmpMessage(line));
      }
    } catch (error) {
      if (!(error instanceof NoQmpMessage)) throw error;
      this.#close(`what came from QEMU is not QMP (${error.message})`, false);
    }
  }

  #take(message: Readonly<Record<string, unknown>>): void {
    const { error, event, id = 'QMP' in message ? 'QMP' : undefined } = message;
    if (event !== undefined) {
      this.#onEvent?.(event);
      return;
    }
    const desc = error === undefined ? undefined : textOfError(error);
    const waiting = this.#waiting.get(id);
    if (!waiting) {
      // Of a command that QEMU could not read; there is no telling which.
      if (desc !== undefined && id === undefined) this.#close(`QEMU understood nothing (${desc})`, false);
      return;
    }
    this.#waiting.delete(id);
    waiting.step?.end();
    if (desc !== undefined) waiting.reject(new QmpError(waiting.command, desc));
    else waiting.resolve(message['return']);
  }

  #close(message: string, byQemu: boolean): void {
    if (this.#closed) return;
    const waiting = [...this.#waiting.values()];
    const step = this.#limit?.current ?? waiting.find(({ unlimited }) => unlimited)?.unlimited;
    this.#closed = new QmpClosed(message, step, byQemu);
    for (const { reject, step } of waiting) {
      step?.end();
      reject(this.#closed);
    }
    this.#waiting.clear();
  }
}

/** A command with its arguments, for a message. */
export function stepName(command: string, args: object): string {
  const texts = Object.values(args).filter((value) => typeof value === 'string');
  return printable([command, ...texts].join(' ').slice(0, MAX_ARGUMENT));
}

/** The words of an error that QEMU answers. */
export function textOfError(error: unknown): string {
  const desc =
    typeof error === 'object' && error !== null && 'desc' in error && typeof error.desc === 'string'
      ? error.desc
      : JSON.stringify(error);
  return printable(desc.slice(0, 1000));
}
