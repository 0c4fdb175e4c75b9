import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { DecodeError } from '../bytes/diagnostic.ts';
import { printable, printableLines } from '../bytes/printable.ts';
import { packageVersion } from '../node/package-version.ts';
import { failureReason, isSystemError } from '../node/system-error.ts';
import { whenHeapEnds } from './heap-end.ts';
import { EXIT_TROUBLE, say } from './output.ts';
import { statusOf, troubleText } from './trouble.ts';

/** Runs that of some commands that the arguments name, to its end. */
export async function runProgram(commands: readonly CommandUnknownOpts[]): Promise<void> {
  const program = new Command('vmwalk')
    .description('Look inside the state of a QEMU/KVM virtual machine.')
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError('(vmwalk --help shows the usage)')
    .addHelpText(
      'after',
      `
Exit status: 0 fine, 1 the data has problems (all that could be decoded is printed), 2 usage or I/O.

Examples:
  vmwalk info vm.qevm
  vmwalk dump vm.qevm cpu
  zcat vm.qevm.gz | vmwalk dump -`,
    );
  for (const command of commands) {
    const separator = / -- (?!<new)/.test(command.usage())
      ? 'the command line of QEMU comes behind --; '
      : '';
    const advice = `(${separator}vmwalk ${command.name()} --help shows the usage)`;
    program.addCommand(command.exitOverride().showHelpAfterError(advice));
  }
  showErrorsPrintable(program);
  if (process.argv.includes('--bisect')) process.on('exit', skipUntold);

  // A reader that has seen enough (head, less) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The status that is set by then stands; with an argument, undefined as well, another one would.
    if (error.code === 'EPIPE') process.exit();
    say(`cannot write standard output: ${failureReason(error)}`, 'error');
    process.exit(EXIT_TROUBLE);
  });

  // Also of what nobody waits for. What must not be left behind is removed at the exit.
  process.on('uncaughtException', (error) => process.exit(exitStatus(error)));

  whenHeapEnds(() => {
    say('there is not enough memory for this (NODE_OPTIONS=--max-old-space-size=MiB gives more)', 'error');
    process.exit(EXIT_TROUBLE);
  });

  // Nothing is left that could go on, but it has not come to its end.
  const onStall = () => process.exit(exitStatus(new TypeError('it waits for what never comes')));
  process.once('beforeExit', onStall);
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = exitStatus(error);
  }
  process.off('beforeExit', onStall);
}

/** For git bisect, which takes each other status up to 127 for bad. */
function skipUntold(status: number): void {
  if (status > 1) process.exitCode = EXIT_UNTOLD;
}

const EXIT_UNTOLD = 125;

/** Errors of the command line quote what was given. Commander puts what it suggests on a line of its own. */
function showErrorsPrintable(command: CommandUnknownOpts): void {
  command.configureOutput({
    outputError(text, write) {
      const lines = text.trimEnd().split(/\n(?=\(Did you mean )/);
      write(`${lines.map((line) => printable(line)).join('\n')}\n`);
    },
  });
  for (const nested of command.commands) showErrorsPrintable(nested);
}

function exitStatus(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_TROUBLE;
  if (error instanceof DecodeError) {
    say(troubleText(error), 'error');
    return statusOf(error);
  }
  const stack = process.env['DEBUG'] && error instanceof Error ? error.stack : undefined;
  if (stack === undefined) say(errorText(error), 'error');
  else process.stderr.write(`vmwalk: error: ${printableLines(stack)}\n`);
  return EXIT_TROUBLE;
}

function errorText(error: unknown): string {
  if (isSystemError(error))
    return error.path ? `${error.path}: ${failureReason(error)}` : failureReason(error);
  const message = error instanceof Error ? error.message : String(error);
  if (isOutOfMemory(error)) return `there is not enough memory for this (${message})`;
  if (error instanceof Error && !isInternal(error)) return message;
  const command = process.argv[2] ?? '';
  return `internal error of vmwalk ${packageVersion()} in ${command} (Node ${process.version}): ${message}; please report it, with what DEBUG=1 prints`;
}

/** What V8 and Node throw where something is larger than can be. */
function isOutOfMemory(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return (
    code === 'ERR_STRING_TOO_LONG' ||
    code === 'ERR_MEMORY_ALLOCATION_FAILED' ||
    code === 'ERR_WORKER_OUT_OF_MEMORY' ||
    (error instanceof RangeError &&
      /^(Array buffer allocation failed|Invalid (array|string|typed array) length|.* maximum size exceeded)/i.test(
        error.message,
      ))
  );
}

/** What is thrown on purpose is an Error, or a class of this project. */
function isInternal(error: Error): boolean {
  return [TypeError, RangeError, ReferenceError, SyntaxError, EvalError].some(
    (type) => error instanceof type,
  );
}
