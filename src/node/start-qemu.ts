import { badArgument } from '../bytes/diagnostic.ts';
import { listenOnce, type OneConnection } from './one-connection.ts';
import { prepareCommandLine } from './qemu-command-line.ts';
import { QemuProcess, settlesWithin } from './qemu-process.ts';
import { Qmp, QmpClosed } from './qmp.ts';
import { DEFAULT_STEP_LIMIT, StepLimit } from './step-limit.ts';

/** Milliseconds in which a process ends whose connection broke. */
const DEATH_TIME = 5000;
/** The character device that QEMU talks to us through. */
const CHARDEV = 'vmwalk-qmp';

export interface StartOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds without any progress in one step (start, an answer, sending the state) after which QEMU is given up: two
   * minutes without it.
   */
  readonly timeout?: number | undefined;
  /** Waits for a state that is to be loaded, before which the machine has none. */
  readonly incoming?: boolean | undefined;
}

/** QEMU ended, or was ended, before its time. The message says what it was doing. */
export class QemuEnded extends Error {
  override readonly name = 'QemuEnded';
  /** What it printed on standard error. */
  readonly lines: readonly string[];
  /** Which it died of, by itself or by another's hand. */
  readonly signal: string | undefined;

  constructor(message: string, lines: readonly string[], signal?: string) {
    super(message);
    this.lines = lines;
    this.signal = signal;
  }
}

/** It was ended as a step took too long. */
export class QemuTooSlow extends QemuEnded {}

/** A QEMU that runs a machine which is stopped. */
export class PausedQemu {
  /** Options of the command line that were left out. */
  readonly removed: readonly string[];
  readonly qmp: Qmp;
  /** For what is waited for beside answers of QMP. */
  readonly limit: StepLimit;
  readonly #process: QemuProcess;

  private constructor(qmp: Qmp, limit: StepLimit, removed: readonly string[], process: QemuProcess) {
    this.qmp = qmp;
    this.limit = limit;
    this.removed = removed;
    this.#process = process;
  }

  /**
   * Runs a function with a QEMU, started with a command line whose machine does not run, and ends it afterwards in any
   * case. Throws QemuEnded, the reason of the signal, or what the function throws.
   */
  static async use<T>(
    command: readonly string[],
    options: StartOptions,
    run: (qemu: PausedQemu) => Promise<T>,
  ): Promise<T> {
    const { signal, timeout = DEFAULT_STEP_LIMIT, incoming = false } = options;
    if (!(timeout > 0) || !Number.isFinite(timeout)) throw badArgument(`no time limit: ${timeout}`);
    signal?.throwIfAborted();
    const { args, removed, hasDisplay } = prepareCommandLine(command);
    const listener = await listenOnce();
    const own = [
      '-S',
      ...(incoming ? ['-incoming', 'defer'] : []),
      ...(hasDisplay ? [] : ['-display', 'none']),
      ...['-chardev', `socket,id=${CHARDEV},host=127.0.0.1,port=${listener.port},delay=off`],
      ...['-qmp', `chardev:${CHARDEV}`],
    ];
    const process = await QemuProcess.start([...args, ...own]).catch((error) => {
      listener.close();
      throw error;
    });
    const stop = new Stop();
    const limit = new StepLimit(timeout, (step) =>
      stop.stop(new QemuTooSlow(`QEMU took longer than ${timeout / 1000} s ${step}`, process.lines)),
    );
    const onAbort = () => stop.stop(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    let qmp: Qmp | undefined;
    let isOver = false;
    try {
      qmp = await connect(listener, process, limit, stop);
      stop.onStop(() => qmp?.giveUp('it was given up'));
      const result = await run(new PausedQemu(qmp, limit, removed, process));
      stop.throwReason();
      isOver = true;
      return result;
    } catch (error) {
      stop.throwReason();
      throw error instanceof QmpClosed ? await reasonOfClose(error, process) : error;
    } finally {
      limit.close();
      signal?.removeEventListener('abort', onAbort);
      qmp?.quit();
      await process.end({ isOver }).finally(() => listener.close());
    }
  }

  /** What QEMU printed on standard error so far. */
  get messages(): readonly string[] {
    return this.#process.lines;
  }

  /** What does not go as it should, though there is nothing wrong with QEMU. */
  get warnings(): readonly string[] {
    return this.#process.warning === undefined ? [] : [this.#process.warning];
  }

  /** Id of the process that QEMU runs in: the one that was started, or one that this started in turn (sudo). */
  findPid(): Promise<number> {
    return this.#process.findPid();
  }
}

async function connect(
  listener: OneConnection,
  process: QemuProcess,
  limit: StepLimit,
  stop: Stop,
): Promise<Qmp> {
  const starting = limit.begin('starting');
  const ended = process.ended.then(({ message, hasRun, signal }) => {
    throw hasRun
      ? new QemuEnded(`${message} while starting`, process.lines, signal)
      : new QemuEnded(message, []);
  });
  ended.catch(() => {});
  const socket = await Promise.race([listener.connection, ended, stop.stopped]);
  starting.end();
  await process.guardMonitor(socket);
  return Promise.race([Qmp.open(socket, limit), stop.stopped]);
}

/** Why the connection to QEMU was closed: that its process ended, where it has. */
async function reasonOfClose(closed: QmpClosed, process: QemuProcess): Promise<QemuEnded> {
  if (!closed.byQemu || !(await settlesWithin(process.ended, DEATH_TIME)))
    return new QemuEnded(closed.message, process.lines);
  const { message, signal } = await process.ended;
  return new QemuEnded(closed.step ? `${message} while ${closed.step}` : message, process.lines, signal);
}

/** What ends a run from outside: the first reason counts. */
class Stop {
  #reason: { readonly error: unknown } | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #onStop: (() => void) | undefined;
  readonly stopped = new Promise<never>((_, reject) => {
    this.#reject = reject;
  });

  constructor() {
    // It is looked at where something is waited for.
    this.stopped.catch(() => {});
  }

  stop(error: unknown): void {
    this.#reason ??= { error };
    this.#reject?.(error);
    this.#onStop?.();
  }

  onStop(act: () => void): void {
    this.#onStop = act;
    if (this.#reason) act();
  }

  throwReason(): void {
    if (this.#reason) throw this.#reason.error;
  }
}
