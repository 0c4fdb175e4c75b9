import { randomBytes } from 'node:crypto';
import { printable } from '../bytes/diagnostic.ts';
import { asArray, asObject } from '../schema/checked-json.ts';
import type { CommandPrefix } from './command-prefix.ts';
import { type Monitor, type ReadAnswer, readAnswer, runMonitorLine } from './monitor.ts';
import { QmpClosed, QmpError, stepName, textOfError } from './qmp.ts';
import { NoQmpMessage, parseQmpMessage } from './qmp-message.ts';
import type { ProgramRan } from './run-program.ts';
import { SAVE_COMMAND } from './running-vm.ts';
import { MAX_STATE } from './save-command.ts';
import type { StepLimit } from './step-limit.ts';

/** Characters of commands that one virsh gets: Linux takes 128 KiB in one argument. */
const MAX_COMMANDS = 96 << 10;
/** Commands for which another virsh is started: it costs as much as some thirty of them. */
const COMMANDS_OF_ONE = 32;
/** Processes of virsh at a time; libvirt runs one command after the other for a domain. */
const MAX_PROCESSES = 4;
/** Bytes of the answers of one virsh. */
const MAX_ANSWERS = 64 << 20;
/** What QEMU is told of our descriptors, that they can be told from others. */
const OURS = 'vmwalk';
/** Printed behind each command. */
const MARK = 'vmwalk';

interface Waiting {
  readonly command: string;
  readonly step: string;
  /** A command of virsh. */
  readonly text: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export interface VirshOptions {
  /** Where virsh runs. */
  readonly prefix: CommandPrefix;
  /** URI of libvirt; what virsh takes without it: `$LIBVIRT_DEFAULT_URI`, or the system's of root, else the user's. */
  readonly connect?: string | undefined;
  readonly limit?: StepLimit | undefined;
  /** Gives up all that is under way; its reason is what is told. */
  readonly signal?: AbortSignal | undefined;
}

/** A state of devices, and how long QEMU took for it. */
export interface SavedByDescriptor {
  readonly state: Uint8Array;
  /** From sending the command to its answer, of which RESUME comes before. */
  readonly milliseconds: number;
}

/**
 * The monitor of a domain of libvirt, by `virsh qemu-monitor-command`. virsh is started for many commands together:
 * a start takes a tenth of a second.
 */
export class VirshMonitor implements Monitor {
  readonly uuid: string;
  readonly #options: VirshOptions;
  readonly #end = new AbortController();
  readonly #pending: Waiting[] = [];
  #processes = 0;
  #isScheduled = false;
  #closed: QmpClosed | undefined;

  private constructor(uuid: string, options: VirshOptions) {
    this.uuid = uuid;
    this.#options = options;
    const { signal } = options;
    signal?.addEventListener('abort', () =>
      this.#close(new QmpClosed(String(signal.reason), undefined, false)),
    );
  }

  /** Finds a domain by its name, UUID or id. Throws QmpClosed with libvirt's words. */
  static async open(domain: string, options: VirshOptions): Promise<VirshMonitor> {
    const found = new VirshMonitor('', options);
    const ran = await found.#virsh(['domuuid', `--domain=${domain}`], `looking for ${printable(domain)}`);
    const [uuid] = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(ran.output.toString()) ?? [];
    if (uuid === undefined) throw closed(ran.message || 'virsh tells no UUID of the domain');
    return new VirshMonitor(uuid, options);
  }

  execute<Result = unknown>(command: string, args: object = {}, read?: ReadAnswer<Result>): Promise<Result> {
    const step = stepName(command, args);
    return new Promise<unknown>((resolve, reject) => {
      const text = this.#monitorCommand({ execute: command, arguments: args });
      if (this.#closed) reject(this.#closed);
      else if (text.length > MAX_COMMANDS) reject(closed(`${step} is too long for virsh`));
      else this.#pending.push({ command, step, text, resolve, reject });
      this.#schedule();
    }).then((value) => readAnswer(value, step, read));
  }

  monitor(line: string): Promise<string> {
    return runMonitorLine(this, line);
  }

  /** Gives up all that is under way, for a reason of ours. What was sent to QEMU it does nevertheless. */
  giveUp(reason: string): void {
    this.#close(new QmpClosed(reason, this.#options.limit?.current, false));
  }

  /**
   * Has QEMU write the state of its devices (`xen-save-devices-state`, `live` false) into a file without a name, which
   * virsh hands it open. It takes as long as it takes, and QEMU lets go of the file though this process is killed. Throws
   * QmpError, and QmpClosed.
   */
  async saveByDescriptor(): Promise<SavedByDescriptor> {
    if (this.#closed) throw this.#closed;
    const set = randomBytes(4).readUInt32BE() >>> 1;
    const add = this.#monitorCommand({ execute: 'add-fd', arguments: { 'fdset-id': set, opaque: OURS } }, 3);
    const save = this.#monitorCommand({
      execute: SAVE_COMMAND,
      arguments: { filename: `/dev/fdset/${set}`, live: false },
    });
    const remove = this.#monitorCommand({ execute: 'remove-fd', arguments: { 'fdset-id': set } });
    const end = randomBytes(16).toString('hex');
    const words = this.#virshWords(['--timing']);
    const ran = await this.#options.prefix.runShell(
      SAVE,
      [end, marked([add]), marked([save, remove]), ...words],
      { most: MAX_STATE + MAX_ANSWERS, outlivesUs: true },
    );
    const split = splitSaved(ran.output, end);
    if (!split) throw closed(ran.message || 'the shell that starts virsh ended before its time');
    const [added, saved] = split.answers;
    if (!added) throw closed(ran.message || 'virsh tells no answer to add-fd');
    takeAnswer('add-fd', added.line, 'add-fd');
    if (!saved) throw closed(ran.message || `virsh tells no answer to ${SAVE_COMMAND}`);
    takeAnswer(SAVE_COMMAND, saved.line, SAVE_COMMAND);
    await this.#removeDescriptors();
    const { milliseconds } = saved;
    if (milliseconds === undefined) throw closed('virsh does not tell how long a command took');
    return { state: split.state, milliseconds };
  }

  /** QEMU before 10.0 lets go of a descriptor only while the VM runs: those of captures while it was paused are there yet. */
  async #removeDescriptors(): Promise<void> {
    const ours = await this.execute('query-fdsets', {}, (value, path) =>
      asArray(value, path).flatMap((element, i) => {
        const { 'fdset-id': set, fds } = asObject(element, `[${i}]`);
        const isOurs = asArray(fds, `[${i}].fds`).some((fd) => asObject(fd, 'fd')['opaque'] === OURS);
        return isOurs ? [set] : [];
      }),
    );
    await Promise.all(ours.map((set) => this.execute('remove-fd', { 'fdset-id': set })));
  }

  #monitorCommand(command: object, descriptor?: number): string {
    const pass = descriptor === undefined ? '' : ` --pass-fds ${descriptor}`;
    return `qemu-monitor-command --domain ${this.uuid}${pass} --cmd '${plainJson(command)}'`;
  }

  #virshWords(options: readonly string[]): readonly string[] {
    return [...virshWords(this.#options.connect), ...options];
  }

  #virsh(command: readonly string[], text: string): Promise<ProgramRan> {
    const step = this.#options.limit?.begin(text);
    return this.#options.prefix
      .run([...this.#virshWords([]), ...command], { most: MAX_ANSWERS, step, signal: this.#end.signal })
      .finally(() => step?.end());
  }

  /** All that is asked in this turn goes together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#processes < MAX_PROCESSES && this.#pending.length > 0) this.#runSome();
    });
  }

  #runSome(): void {
    const share = Math.ceil(this.#pending.length / (MAX_PROCESSES - this.#processes));
    const most = Math.max(COMMANDS_OF_ONE, share);
    let [count, length] = [0, 0];
    for (const { text } of this.#pending) {
      length += marked([text]).length;
      if (count === most || (count > 0 && length > MAX_COMMANDS)) break;
      count++;
    }
    const batch = this.#pending.splice(0, count);
    this.#processes++;
    void this.#ask(batch).finally(() => {
      this.#processes--;
      this.#schedule();
    });
  }

  async #ask(batch: readonly Waiting[]): Promise<void> {
    try {
      const commands = marked(batch.map(({ text }) => text));
      const ran = await this.#virsh([commands], `answering ${batch[0]?.step}`);
      if (this.#closed) throw this.#closed;
      const answers = readAnswers(ran.output.toString());
      for (const [i, { command, step, resolve, reject }] of batch.entries()) {
        const answer = answers[i];
        if (answer === undefined) throw closed(ran.message || 'virsh ended before its time', step);
        try {
          resolve(takeAnswer(command, answer.line, step));
        } catch (error) {
          if (!(error instanceof QmpError)) throw error;
          reject(error);
        }
      }
    } catch (error) {
      this.#close(error instanceof QmpClosed ? error : closed((error as Error).message));
      // Those that have been answered do not mind.
      for (const { reject } of batch) reject(this.#closed!);
    }
  }

  #close(reason: QmpClosed): void {
    this.#closed ??= reason;
    this.#end.abort();
    for (const { reject } of this.#pending.splice(0)) reject(this.#closed);
  }
}

/** virsh, which talks English, and the libvirt that it talks to. */
export function virshWords(connect: string | undefined): readonly string[] {
  const uri = connect === undefined ? [] : [`--connect=${connect}`];
  return ['env', 'LC_ALL=C', 'virsh', ...uri];
}

/**
 * `$1` ends what virsh prints, `$2` are commands of virsh before which nothing is done, `$3` those behind; what starts
 * virsh comes next. The file has no name any more when QEMU gets it, write-only as QEMU wants it: whatever ends the shell
 * leaves nothing behind.
 */
const SAVE = [
  'trap "" HUP INT TERM PIPE',
  'end=$1 add=$2 save=$3',
  'shift 3',
  'umask 077',
  'folder=$(mktemp -d) || exit 1',
  'exec 3>"$folder/state" 4<"$folder/state" 5<"$folder/state"',
  'rm -r -- "$folder"',
  'added=$("$@" "$add" 4<&- 5<&-)',
  // QEMU stops the VM before it looks for the file.
  `case $added in *'"return"'*) saved=$("$@" "$save" 3>&- 4<&- 5<&-) ;; *) saved= ;; esac`,
  'printf "%s\\n%s\\n%s %s\\n" "$added" "$saved" "$end" "$(wc -c <&4 | tr -d " ")"',
  'cat <&5',
  'printf "%s" "$end"',
  // QEMU may have it open for longer.
  ': >"/proc/$$/fd/3"',
].join('; ');

interface Answer {
  /** JSON. */
  readonly line: string;
  readonly milliseconds: number | undefined;
}

/** What the script above prints. undefined where it is not whole. */
function splitSaved(
  output: Buffer,
  end: string,
): { readonly answers: readonly (Answer | undefined)[]; readonly state: Uint8Array } | undefined {
  const at = output.indexOf(`\n${end} `);
  const start = output.indexOf(0x0a, at + 1) + 1;
  if (at < 0 || start === 0) return undefined;
  const size = Number(output.toString('latin1', at + end.length + 2, start));
  const isWhole =
    output.length === start + size + end.length && output.toString('latin1', start + size) === end;
  if (!isWhole) return undefined;
  return {
    answers: readAnswers(output.toString('utf8', 0, at)),
    state: output.subarray(start, start + size),
  };
}

/** Commands of virsh in one, with a mark behind each. */
function marked(commands: readonly string[]): string {
  return commands.map((command) => `${command}; echo ${MARK};`).join(' ');
}

/** What virsh prints of commands with marks: of those that fail nothing. */
function readAnswers(output: string): (Answer | undefined)[] {
  const answers: (Answer | undefined)[] = [];
  let line: string | undefined;
  let milliseconds: number | undefined;
  for (const printed of output.split('\n')) {
    const time = /^\(Time: (\d+(?:\.\d+)?) ms\)$/.exec(printed)?.[1];
    if (printed.startsWith('{')) line = printed;
    else if (printed === MARK) {
      answers.push(line === undefined ? undefined : { line, milliseconds });
      line = undefined;
      milliseconds = undefined;
    } else if (time !== undefined && line !== undefined) milliseconds = Number(time);
  }
  return answers;
}

/** The value of an answer. Throws QmpError, and QmpClosed where it is none. */
function takeAnswer(command: string, line: string, step: string): unknown {
  try {
    const { error, return: value } = parseQmpMessage(line);
    if (error !== undefined) throw new QmpError(command, textOfError(error));
    return value;
  } catch (error) {
    if (!(error instanceof NoQmpMessage)) throw error;
    throw closed(`what came from virsh is not QMP (${error.message})`, step);
  }
}

/** JSON of plain ASCII characters without single quotes, which stands between such quotes as it is. */
function plainJson(value: object): string {
  return JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]|'/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function closed(reason: string, step?: string): QmpClosed {
  return new QmpClosed(`libvirt: ${reason}`, step === undefined ? undefined : `answering ${step}`, false);
}
