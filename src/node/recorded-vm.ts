import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '../bytes/printable.ts';
import { type Monitor, type ReadAnswer, readAnswer, runMonitorLine } from './monitor.ts';
import { isQemu } from './qemu-command-line.ts';
import { QmpError, stepName, textOfError } from './qmp.ts';
import { NoQmpMessage, parseQmpMessage } from './qmp-message.ts';
import type { RunningProcess, RunningVm, SavedDevices } from './running-vm.ts';
import { extractSchemaOfFile } from './schema-file.ts';
import { failureReason } from './system-error.ts';

/** Bytes of a file that is read: of the largest machines some 20 MB are known. */
const MAX_FILE = 256 << 20;

/** What scripts/collect-state.sh has collected of a domain in a folder. It does not change any more. */
export class RecordedVm implements RunningVm {
  readonly name: string;
  readonly monitor: Monitor;
  readonly #folder: string;

  private constructor(folder: string, monitor: Monitor) {
    this.name = printable(folder);
    this.monitor = monitor;
    this.#folder = folder;
  }

  /** Throws Error with the file and the reason. */
  static async open(folder: string): Promise<RecordedVm> {
    const name = join(folder, 'answers');
    const answers = await readText(name).catch((error: Error) => {
      throw new Error(`${error.message} (is it a folder that scripts/collect-state.sh has written?)`);
    });
    return new RecordedVm(folder, new RecordedMonitor(answers, printable(name)));
  }

  async process(): Promise<RunningProcess> {
    const commandLine = (await readText(join(this.#folder, 'command-line'))).split('\0').slice(0, -1);
    const pid = Number(await readText(join(this.#folder, 'pid')));
    return { pid, commandLine, schema: () => this.#schema() };
  }

  /** The modules that it had loaded are beside it. */
  async #schema() {
    const folder = join(this.#folder, 'program');
    const name = (await readdir(folder).catch(() => [])).find(isQemu);
    if (name === undefined)
      throw new Error(
        'its program was not collected (-b of collect-state.sh copies it, and --qemu names it)',
      );
    return extractSchemaOfFile(join(folder, name));
  }

  async saveDevices(): Promise<SavedDevices> {
    const name = join(this.#folder, 'saved');
    const [, milliseconds] = /^\(Time: (\d+(?:\.\d+)?) ms\)$/m.exec(await readText(name)) ?? [];
    if (milliseconds === undefined) throw new Error(`${printable(name)}: it has no time of a command`);
    return {
      state: await readWhole(join(this.#folder, 'state')),
      milliseconds: Number(milliseconds),
    };
  }

  async close(): Promise<void> {}
}

/** Answers what was asked before, by lines of a command, a tab, and what QEMU answered. */
class RecordedMonitor implements Monitor {
  /** By the command with its arguments: the last answer is the one to what was asked last. */
  readonly #answers = new Map<string, string>();
  readonly #name: string;

  /** Throws Error where a line is something else. */
  constructor(text: string, name: string) {
    this.#name = name;
    for (const [i, line] of text.split('\n').entries()) {
      if (line === '') continue;
      const tab = line.indexOf('\t');
      const question = tab < 0 ? undefined : this.#parse(line.slice(0, tab));
      if (typeof question?.['execute'] !== 'string')
        throw new Error(`${name}: line ${i + 1} is no command and its answer`);
      this.#answers.set(keyOf(question['execute'], question['arguments']), line.slice(tab + 1));
    }
  }

  async execute<Result = unknown>(
    command: string,
    args: object = {},
    read?: ReadAnswer<Result>,
  ): Promise<Result> {
    const line = this.#answers.get(keyOf(command, args));
    if (line === undefined) throw new QmpError(command, `it was not asked (${this.#name})`);
    const answer = this.#parse(line);
    if (!answer)
      throw new Error(`${this.#name}: the answer to ${stepName(command, args)} is no answer of QEMU`);
    if (answer['error'] !== undefined) throw new QmpError(command, textOfError(answer['error']));
    return readAnswer(answer['return'], stepName(command, args), read);
  }

  monitor(line: string): Promise<string> {
    return runMonitorLine(this, line);
  }

  #parse(json: string): Readonly<Record<string, unknown>> | undefined {
    try {
      return parseQmpMessage(json);
    } catch (error) {
      if (!(error instanceof NoQmpMessage)) throw error;
      return undefined;
    }
  }
}

/** Commands here have one level of arguments. */
function keyOf(command: string, args: unknown): string {
  const given = typeof args === 'object' && args !== null ? Object.entries(args) : [];
  return JSON.stringify([command, ...given.sort(([a], [b]) => (a < b ? -1 : 1))]);
}

async function readText(path: string): Promise<string> {
  return Buffer.from(await readWhole(path)).toString();
}

/** Throws Error with the file and the reason. */
async function readWhole(path: string): Promise<Uint8Array> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new Error('it is no file');
    if (found.size > MAX_FILE) throw new Error(`it has ${found.size} bytes, more than ${MAX_FILE}`);
    return await readFile(path);
  } catch (error) {
    throw new Error(`${printable(path)}: ${failureReason(error)}`);
  }
}
