import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { printable } from '../bytes/diagnostic.ts';
import { whenProcessEnds } from './process-end.ts';
import { prepareCommandLine } from './qemu-command-line.ts';
import { Qmp, QmpClosed } from './qmp.ts';

/** Lines that QEMU prints that are kept, and characters of each. */
const MAX_LINES = 200;
const MAX_LINE = 1000;
/** Milliseconds that QEMU gets to end by itself. */
const QUIT_TIME = 2000;
/** The character device that QEMU talks to us through. */
const CHARDEV = 'vmwalk-qmp';

export interface StartOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which QEMU is given up. */
  readonly timeout: number;
}

/** QEMU ended, or was ended, before its time. */
export class QemuEnded extends Error {
  override readonly name = 'QemuEnded';
  /** What it printed on standard error. */
  readonly lines: readonly string[];

  constructor(message: string, lines: readonly string[]) {
    super(message);
    this.lines = lines;
  }
}

/** A QEMU that runs a machine which is stopped. */
export class PausedQemu {
  /** Options of the command line that were left out. */
  readonly removed: readonly string[];
  readonly qmp: Qmp;
  readonly #process: QemuProcess;

  private constructor(qmp: Qmp, removed: readonly string[], process: QemuProcess) {
    this.qmp = qmp;
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
    const { args, removed, hasDisplay } = prepareCommandLine(command);
    const listener = await listenOnce();
    const own = [
      '-S',
      ...(hasDisplay ? [] : ['-display', 'none']),
      ...['-chardev', `socket,id=${CHARDEV},host=127.0.0.1,port=${listener.port},delay=off`],
      ...['-qmp', `chardev:${CHARDEV}`],
    ];
    const process = new QemuProcess([...args, ...own], options);
    let qmp: Qmp | undefined;
    try {
      const socket = await Promise.race([listener.connection, process.ended]);
      qmp = await Qmp.open(socket);
      const result = await run(new PausedQemu(qmp, removed, process));
      process.throwFailure();
      return result;
    } catch (error) {
      process.throwFailure();
      // The process may take a moment longer than its connection.
      if (error instanceof QmpClosed) await process.ended;
      throw error;
    } finally {
      listener.close();
      await process.end(qmp);
      qmp?.close();
    }
  }

  /** What QEMU printed on standard error so far. */
  get messages(): readonly string[] {
    return this.#process.lines;
  }

  /** Id of the process that QEMU runs in: the one that was started, or one that this started in turn (sudo). */
  findPid(): Promise<number> {
    return leafProcess(this.#process.pid);
  }
}

/** The process, with what ends it. */
class QemuProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #options: StartOptions;
  /** Rejected with QemuEnded when the process is gone. */
  readonly ended: Promise<never>;
  /** Why it was killed. */
  #failure: unknown;
  readonly #timer: NodeJS.Timeout;
  #text = '';
  readonly #onAbort = () => this.#fail(this.#options.signal?.reason);
  readonly #isGone: () => void;

  constructor([program = '', ...args]: readonly string[], options: StartOptions) {
    this.#options = options;
    // Before there is one: a signal may come as soon as it runs.
    this.#isGone = whenProcessEnds(() => this.#child.kill('SIGKILL'));
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    this.ended = new Promise((_, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        const reason = error.code === 'ENOENT' ? 'there is no such program' : error.message;
        reject(new QemuEnded(`cannot run ${program}: ${reason}`, []));
      });
      child.once('close', (status: number | null, signal: string | null) => {
        const how = signal ? `was ended by ${signal}` : `ended with status ${status}`;
        reject(new QemuEnded(`QEMU ${how}`, this.lines));
      });
    });
    // It is looked at where something else fails.
    this.ended.catch(() => {});
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#receive(text));
    options.signal?.addEventListener('abort', this.#onAbort);
    if (options.signal?.aborted) this.#onAbort();
    const { timeout } = options;
    this.#timer = setTimeout(() => {
      this.#fail(new QemuEnded(`QEMU took longer than ${timeout / 1000} s`, this.lines));
    }, timeout);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get lines(): readonly string[] {
    return this.#text === '' ? this.#lines : [...this.#lines, this.#text];
  }

  /** Ends QEMU, and with it all that waits for it. */
  #fail(reason: unknown): void {
    this.#failure ??= reason;
    this.#child.kill('SIGKILL');
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Asks QEMU to end, makes it do so if it does not, and waits until it is gone. */
  async end(qmp: Qmp | undefined): Promise<void> {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    qmp?.execute('quit').catch(() => {});
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), qmp ? QUIT_TIME : 0);
    await this.ended.catch(() => {});
    clearTimeout(timer);
    this.#isGone();
  }

  #receive(text: string): void {
    const lines = (this.#text + text).split(/\r?\n/);
    this.#text = (lines.pop() ?? '').slice(0, MAX_LINE);
    for (const line of lines) {
      if (this.#lines.length < MAX_LINES) this.#lines.push(printable(line.slice(0, MAX_LINE)));
    }
  }
}

/** A TCP port of this machine that takes one connection, and is closed behind it. */
export interface OneConnection {
  readonly port: number;
  readonly connection: Promise<Socket>;
  close(): void;
}

/** Listens on a port that is free, on the loopback interface only. */
export async function listenOnce(): Promise<OneConnection> {
  const server: Server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connection = (once(server, 'connection') as Promise<[Socket]>).then(([socket]) => {
    server.close();
    return socket;
  });
  connection.catch(() => {});
  return { port: (server.address() as AddressInfo).port, connection, close: () => server.close() };
}

/** The last of the processes that each have one child: QEMU has none. */
async function leafProcess(pid: number): Promise<number> {
  for (let leaf = pid; ; ) {
    const children = await readFile(`/proc/${leaf}/task/${leaf}/children`, 'utf8').catch(() => '');
    const [child, other] = children.split(' ').map(Number);
    if (!child || other) return leaf;
    leaf = child;
  }
}
