import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { printable } from '../bytes/diagnostic.ts';
import { deathSignalWords, Guard, killMarked, markedEnvironment } from './end-with-us.ts';
import { whenProcessEnds } from './process-end.ts';
import { isQemu } from './qemu-command-line.ts';
import { temporaryFolder } from './spool.ts';

/** Lines that are kept of what is printed, half of them from the end, and characters of each. */
const MAX_LINES = 200;
const MAX_LINE = 1000;
/** Milliseconds for QEMU to end by itself, for a killed process to be gone, for the end of what a process printed. */
const QUIT_TIME = 2000;
const KILL_TIME = 10_000;
const DRAIN_TIME = 500;

/** How a process ended. */
interface ProcessEnd {
  /** One line: `QEMU ended with status 1`. */
  readonly message: string;
  /** False where the program could not be run. */
  readonly hasRun: boolean;
  readonly signal?: string;
}

/** QEMU as a process, perhaps behind others that start it. It ends when this process does, however that ends. */
export class QemuProcess {
  /** Why it may stay when this process is killed; undefined where it cannot. */
  readonly warning: string | undefined;
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  readonly #marker: string;
  /** For what QEMU has in temporary files. */
  readonly #folder: string;
  #guard: Guard;
  readonly #lines: string[] = [];
  #text = '';
  readonly #isGone: () => void;

  static async start(command: readonly string[]): Promise<QemuProcess> {
    const deathSignal = await deathSignalWords();
    const marker = randomUUID();
    const folder = join(await temporaryFolder(), `vmwalk-qemu-${marker}`);
    const guard = new Guard(marker, folder);
    try {
      await mkdir(folder, { mode: 0o700 });
      return new QemuProcess(command, deathSignal, guard, marker, folder);
    } catch (error) {
      await guard.end();
      throw error;
    }
  }

  private constructor(
    command: readonly string[],
    deathSignal: readonly string[],
    guard: Guard,
    marker: string,
    folder: string,
  ) {
    this.#marker = marker;
    this.#folder = folder;
    this.#guard = guard;
    if (deathSignal.length === 0)
      this.warning =
        'QEMU may stay behind where vmwalk is killed: there is no setpriv with --pdeathsig (util-linux) on PATH';
    const [program = '', ...args] = [...deathSignal, ...command];
    // Before there is one: a signal may come as soon as it runs.
    this.#isGone = whenProcessEnds(() => {
      this.#child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });
    const environment = markedEnvironment(marker);
    this.#child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Behind a program that starts it QEMU may have another root, or another user.
      env: isQemu(command[0] ?? '') ? { ...environment, TMPDIR: folder } : environment,
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#receive(text));
    this.ended = this.#untilEnded(command[0] ?? '', deathSignal[0]);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What was printed on standard error so far. */
  get lines(): readonly string[] {
    return this.#text === '' ? this.#lines : [...this.#lines, printable(this.#text)];
  }

  /** From when on there is a connection to the monitor. */
  async guardMonitor(monitor: Socket): Promise<void> {
    const before = this.#guard;
    this.#guard = new Guard(this.#marker, this.#folder, monitor);
    await before.end();
  }

  /**
   * Ends it, and waits until it is gone. `quit` has asked QEMU to end; what is done for another reason than that all is
   * over ends all that was started, too. Throws where it cannot be ended.
   */
  async end({ isOver }: { readonly isOver: boolean }): Promise<void> {
    if (!isOver) this.#child.kill('SIGTERM');
    let isGone = await settlesWithin(this.ended, QUIT_TIME);
    if (!isGone) {
      this.#child.kill('SIGKILL');
      await killMarked(this.#marker);
      isGone = await settlesWithin(this.ended, KILL_TIME);
    } else if (!isOver) await killMarked(this.#marker);
    this.#isGone();
    await this.#guard.end();
    await rm(this.#folder, { recursive: true, force: true });
    if (isGone) return;
    this.#child.stderr?.destroy();
    this.#child.unref();
    throw new Error(`QEMU does not end: process ${this.pid} stays`);
  }

  #untilEnded(program: string, setpriv: string | undefined): Promise<ProcessEnd> {
    return new Promise((resolve) => {
      const cannotRun = (reason: string) =>
        resolve({ message: `cannot run ${program}: ${reason}`, hasRun: false });
      this.#child.on('error', (error: NodeJS.ErrnoException) => {
        // Later ones are of signals that could not be sent.
        if (this.#child.pid !== undefined) return;
        cannotRun(error.code === 'ENOENT' ? 'there is no such program' : error.message);
      });
      this.#child.once('exit', (status: number | null, signal: string | null) => {
        const report = () => {
          clearTimeout(timer);
          this.#child.off('close', report);
          this.#child.stderr?.destroy();
          // setpriv(1): 126 and 127 where it cannot run the program.
          const refused =
            setpriv !== undefined && (status === 126 || status === 127)
              ? /^setpriv: .*: (.*)$/.exec(this.lines.at(-1) ?? '')
              : undefined;
          const how = signal ? `was ended by ${signal}` : `ended with status ${status}`;
          if (!refused) resolve({ message: `QEMU ${how}`, hasRun: true, ...(signal ? { signal } : {}) });
          else
            cannotRun(refused[1] === 'No such file or directory' ? 'there is no such program' : refused[1]!);
        };
        // Something else may hold on to standard error.
        const timer = setTimeout(report, DRAIN_TIME);
        this.#child.once('close', report);
      });
    });
  }

  #receive(text: string): void {
    const lines = (this.#text + text).split(/\r?\n/);
    this.#text = (lines.pop() ?? '').slice(0, MAX_LINE);
    for (const line of lines) {
      if (this.#lines.length === MAX_LINES) this.#lines.splice(MAX_LINES / 2, 1);
      this.#lines.push(printable(line.slice(0, MAX_LINE)));
    }
  }

  /** Id of the process that QEMU runs in: the one that was started, or one that this started in turn (sudo). */
  async findPid(): Promise<number> {
    for (let leaf = this.pid; ; ) {
      const children = await readFile(`/proc/${leaf}/task/${leaf}/children`, 'utf8').catch(() => '');
      const [child, other] = children.split(' ').map(Number);
      if (!child || other) return leaf;
      leaf = child;
    }
  }
}

/** Whether a promise is settled before so many milliseconds have passed. */
export async function settlesWithin(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  return Promise.race([settled, late]).finally(() => clearTimeout(timer));
}
