import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { printable } from '../bytes/printable.ts';
import { CommandPrefix } from './command-prefix.ts';
import type { Monitor } from './monitor.ts';
import { findQemu, processElsewhere } from './process-elsewhere.ts';
import { whenProcessEnds } from './process-end.ts';
import { Qmp, QmpClosed } from './qmp.ts';
import type { QmpVmOptions } from './qmp-vm.ts';
import type { RunningProcess, RunningVm, SavedDevices, SaveOptions } from './running-vm.ts';
import { MAX_STATE, MIN_SPACE, SaveCommand } from './save-command.ts';
import { DEFAULT_STEP_LIMIT, StepLimit } from './step-limit.ts';

/** Bytes of what a program says on standard error. */
const MAX_ERROR = 1000;

/** `$1` is the path of a socket, `$2` the same as socat reads it. */
const CONNECT = [
  'if command -v socat >/dev/null; then exec socat - "UNIX-CONNECT:$2"; fi',
  'if command -v nc >/dev/null; then exec nc -U "$1"; fi',
  'echo "there is neither socat nor nc" >&2; exit 127',
].join('; ');

/**
 * Makes a file that the QEMU of process `$1` can write, prints its path as QEMU sees it, and with a line on standard input
 * what is in it. The folder is not QEMU's, and the file is open before QEMU knows of it: no link leads elsewhere. With the
 * end of standard input all is gone, and nothing else ends this.
 */
const HOLD = [
  'trap "" HUP INT TERM PIPE',
  'umask 077',
  'root= owner=',
  'if [ -n "$1" ]; then root=/proc/$1/root; owner=$(sed -n "s/^Uid:.*[^0-9]//p" "/proc/$1/status") || exit 1; fi',
  // Where df is not to be had, there is space.
  `enough() { left=$(df -Pk "$1" 2>/dev/null | sed -n '2s/.* \\([0-9][0-9]*\\)  *[0-9][0-9]*%.*/\\1/p'); [ "\${left:-$2}" -ge "$2" ]; }`,
  `for place in /tmp /var/tmp /dev/shm /run; do folder=; enough "$root$place" ${MIN_SPACE >> 10} && folder=$(mktemp -d "$root$place/vmwalk-XXXXXXXXXX" 2>/dev/null) && break; done`,
  'if [ -z "$folder" ]; then echo "there is no folder that QEMU could write its state into" >&2; exit 1; fi',
  ': >"$folder/state"',
  'exec 4<"$folder/state"',
  'if [ -z "$owner" ] || { chown "$owner" "$folder/state" && chmod 711 "$folder"; }; then printf "%s\\n" "$place/$(basename "$folder")/state"; read -r go && go=1; else go=; fi',
  'rm -rf -- "$folder"',
  'if [ -n "$go" ]; then cat <&4; fi',
].join('; ');

/** A VM whose QEMU listens on a UNIX socket where a command in front leads. */
export class QmpElsewhere implements RunningVm {
  readonly name: string;
  readonly monitor: Monitor;
  readonly #path: string;
  readonly #prefix: CommandPrefix;
  readonly #qmp: Qmp;
  readonly #child: Child;
  readonly #limit: StepLimit;
  readonly #save: SaveCommand;
  readonly #pid: number | undefined;
  #found: RunningProcess | undefined;

  private constructor(
    path: string,
    prefix: CommandPrefix,
    qmp: Qmp,
    child: Child,
    limit: StepLimit,
    save: SaveCommand,
    pid: number | undefined,
  ) {
    this.name = printable(path);
    this.monitor = qmp;
    this.#path = path;
    this.#prefix = prefix;
    this.#qmp = qmp;
    this.#child = child;
    this.#limit = limit;
    this.#save = save;
    this.#pid = pid;
  }

  /** Connects by socat or nc. Throws Error with the reason, also where standard input does not get there. */
  static async connect(
    address: string,
    via: readonly string[],
    options: QmpVmOptions = {},
  ): Promise<QmpElsewhere> {
    const { timeout = DEFAULT_STEP_LIMIT } = options;
    const path = address.replace(/^unix:/, '');
    const name = printable(path);
    const tooSlow = new AbortController();
    let qmp: Qmp | undefined;
    let child: Child | undefined;
    const limit = new StepLimit(timeout, (step) => {
      tooSlow.abort(step);
      if (qmp) qmp.giveUp(`${name}: QEMU took longer than ${timeout / 1000} s`);
      else child?.kill();
    });
    const save = new SaveCommand(limit, timeout);
    try {
      const step = limit.begin('reaching its host');
      const prefix = await CommandPrefix.of(via, tooSlow.signal).finally(() => step.end());
      const forSocat = path.replaceAll(/[\\:,!"'()[\]{}]/g, '\\$&');
      child = new Child(prefix.command(['sh', '-c', CONNECT, 'vmwalk', path, forSocat]));
      qmp = await Qmp.open(child.connection(), limit, (event) => save.onEvent(event));
      return new QmpElsewhere(path, prefix, qmp, child, limit, save, options.pid);
    } catch (error) {
      limit.close();
      child?.kill();
      if (tooSlow.signal.aborted)
        throw new Error(
          `${name}: nothing came for ${timeout / 1000} s: the monitor is in use (--libvirt goes through libvirt), or slow`,
        );
      if (!child || !(error instanceof QmpClosed)) throw error;
      throw new Error(`${name}: ${child.message || `${error.message} (${STANDARD_INPUT})`}`);
    }
  }

  async process(): Promise<RunningProcess> {
    this.#found ??=
      this.#pid === undefined
        ? await findQemu(
            this.#prefix,
            this.#path,
            (words) => words.some((word) => word.includes(this.#path)),
            this.#limit,
          )
        : await processElsewhere(this.#prefix, this.#pid, this.#limit);
    return this.#found;
  }

  async saveDevices(options: SaveOptions): Promise<SavedDevices> {
    const pid = await this.process().then(
      (found) => String(found.pid),
      () => '',
    );
    const holder = new Child(this.#prefix.command(['sh', '-c', HOLD, 'vmwalk', pid]), true);
    try {
      const step = this.#limit.begin('making a file for its state');
      const file = await holder.firstLine().finally(() => step.end());
      if (file === '') throw new Error(`${this.name}: ${holder.message || STANDARD_INPUT}`);
      const milliseconds = await this.#save.send(this.#qmp, file, options);
      const reading = this.#limit.begin('sending its state');
      const state = await holder.restBehindLine().finally(() => reading.end());
      return { state, milliseconds };
    } finally {
      holder.end();
    }
  }

  async close(): Promise<void> {
    this.#limit.close();
    this.#qmp.close();
    this.#child.kill();
  }
}

const STANDARD_INPUT = 'does the command in front hand on standard input? kubectl and docker want exec -i';

/** A program that is talked with. */
class Child {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #done: () => void;
  #message = '';

  /** What outlives us sees the end of its standard input. */
  constructor(words: readonly string[], outlivesUs = false) {
    const [program = '', ...args] = words;
    this.#child = spawn(program, args, { detached: outlivesUs });
    this.#done = outlivesUs ? () => {} : whenProcessEnds(() => this.#child.kill('SIGKILL'));
    this.#child.stderr.on('data', (piece: Buffer) => {
      if (this.#message.length < MAX_ERROR) this.#message += piece.toString();
    });
    for (const part of [this.#child, this.#child.stdin, this.#child.stdout, this.#child.stderr])
      part.on('error', () => {});
  }

  /** The last line that it said on standard error. */
  get message(): string {
    return printable(this.#message.trim().split('\n').at(-1) ?? '').slice(0, MAX_ERROR);
  }

  connection(): Duplex {
    return Duplex.from({ readable: this.#child.stdout, writable: this.#child.stdin });
  }

  /** Empty where it ends before. */
  async firstLine(): Promise<string> {
    let text = '';
    for await (const piece of this.#child.stdout.iterator({ destroyOnReturn: false })) {
      text += String(piece);
      if (text.includes('\n') || text.length > MAX_ERROR) break;
    }
    return text.includes('\n') ? text.slice(0, text.indexOf('\n')) : '';
  }

  /** Sends a line, and takes what comes to the end. */
  async restBehindLine(): Promise<Uint8Array> {
    this.#child.stdin.end('\n');
    const pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of this.#child.stdout as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > MAX_STATE) throw new Error(`the state that QEMU wrote has more than ${MAX_STATE} bytes`);
      pieces.push(piece);
    }
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    return Buffer.concat(pieces);
  }

  /** Lets it come to its end. */
  end(): void {
    this.#child.stdin.end();
  }

  kill(): void {
    this.#done();
    this.#child.kill('SIGKILL');
  }
}
