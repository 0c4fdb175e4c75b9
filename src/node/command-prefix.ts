import { printable } from '../bytes/diagnostic.ts';
import { QmpClosed } from './qmp.ts';
import { type ProgramRan, type RunOptions, runProgram } from './run-program.ts';

/** Shells that may be behind each other: `ssh HOST ssh HOST`. */
const MAX_SHELLS = 3;
/** Every character that a shell takes for something else; what a shell makes of it does nothing. */
const PROBE = `a  b 'c "d' "e 'f" \\g $1 * ~ #h`;
const MAX_PROBE_OUTPUT = 64 << 10;

/** Words in front of a command with which it runs elsewhere: `ssh HOST`, `kubectl exec POD -c compute --`; none: here. */
export class CommandPrefix {
  readonly words: readonly string[];
  /** How many shells read the words again, one behind the other. */
  readonly #shells: number;

  private constructor(words: readonly string[], shells: number) {
    this.words = words;
    this.#shells = shells;
  }

  static readonly here = new CommandPrefix([], 0);

  /**
   * Finds out what becomes of the words behind a prefix: ssh joins them by spaces for a shell to read, kubectl, sudo and
   * chroot hand them on. Throws QmpClosed where no command can be run so, with what it said.
   */
  static async of(words: readonly string[], signal?: AbortSignal): Promise<CommandPrefix> {
    if (words.length === 0) return CommandPrefix.here;
    const direct = new CommandPrefix(words, 0);
    const options = { most: MAX_PROBE_OUTPUT, signal };
    const ran = await direct.run(['printf', '%s.', 'a b'], options);
    const isDirect = ran.output.toString() === 'a b.';
    if (ran.output.length === 0)
      throw direct.problem(ran.message || `it ended with status ${ran.status ?? 'unknown'}`);
    for (let shells = isDirect ? 0 : 1; shells <= (isDirect ? 0 : MAX_SHELLS); shells++) {
      const prefix = new CommandPrefix(words, shells);
      const text = (await prefix.run(['printf', '%s\\n', PROBE], options)).output.toString();
      if (text === `${PROBE}\n`) return prefix;
      if (text === `${PROBE}\r\n`)
        throw prefix.problem('it goes through a terminal, which changes what is printed (is it -t?)');
    }
    throw direct.problem('the words of a command do not come through it as they are');
  }

  /** Runs a command behind the prefix, with nothing on its standard input. Throws what runProgram throws. */
  run(command: readonly string[], options: RunOptions): Promise<ProgramRan> {
    return runProgram(this.command(command), options);
  }

  /** Runs lines of a POSIX shell, with parameters `$1`, `$2`, … */
  runShell(script: string, parameters: readonly string[], options: RunOptions): Promise<ProgramRan> {
    return this.run(['sh', '-c', script, 'vmwalk', ...parameters], options);
  }

  /** The words of a command with the prefix in front of it. */
  command(words: readonly string[]): readonly string[] {
    let quoted = words;
    for (let i = 0; i < this.#shells; i++) quoted = quoted.map(quoteForShell);
    return [...this.words, ...quoted];
  }

  problem(reason: string): QmpClosed {
    return new QmpClosed(
      `cannot run a command by ${printable(this.words.join(' '))}: ${reason}`,
      undefined,
      false,
    );
  }
}

/** A word as sh, bash, zsh and fish read it. */
function quoteForShell(word: string): string {
  return /^[\w./=:@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
