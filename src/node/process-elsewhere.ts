import { basename } from 'node:path';
import { printable } from '../bytes/printable.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { CommandPrefix } from './command-prefix.ts';
import type { FileSource } from './file-source.ts';
import { factsOfProcess } from './process-facts.ts';
import { isQemu } from './qemu-command-line.ts';
import { isDeviceModule } from './qemu-modules.ts';
import type { RunningProcess } from './running-vm.ts';
import { extractSchemaOfBinary } from './schema-file.ts';
import { SpoolFile } from './spool.ts';
import type { StepLimit } from './step-limit.ts';

/** Bytes of the command lines of all processes in which the text is. */
const MAX_COMMAND_LINES = 64 << 20;
/** Bytes of a binary, with what debuggers want. */
const MAX_BINARY = 1 << 30;

/** Prints the command lines of files, each behind a line with its file and its size. */
const SHOW_FILES = 'do size=$(wc -c <"$file") && printf "%s %s\\n" "$file" "$((size))" && cat "$file"; done';
/** Of the file `$1`, and of all processes in which the text `$1` is. */
const SHOW = `for file in "$1"; ${SHOW_FILES}`;
const FIND = `for file in $(grep -lF -e "$1" /proc/[0-9]*/cmdline 2>/dev/null); ${SHOW_FILES}`;

/**
 * The process of the QEMU in whose command line a text is, and that is the one, where the commands of a prefix run. Throws
 * Error with the reason, also where there are several.
 */
export async function findQemu(
  prefix: CommandPrefix,
  text: string,
  isIt: (commandLine: readonly string[]) => boolean,
  limit?: StepLimit,
): Promise<RunningProcess> {
  const found = (await commandLines(prefix, FIND, text, limit)).filter(
    ({ commandLine }) => isQemu(commandLine[0] ?? '') && isIt(commandLine),
  );
  const [first, second] = found;
  const what = `started with ${printable(text)}`;
  if (!first) throw new Error(`no process of QEMU that can be seen was ${what}`);
  if (second) throw new Error(`processes ${found.map(({ pid }) => pid).join(' and ')} were both ${what}`);
  return withSchema(prefix, first, limit);
}

/** A process by its id, where the commands of a prefix run. Throws Error. */
export async function processElsewhere(
  prefix: CommandPrefix,
  pid: number,
  limit?: StepLimit,
): Promise<RunningProcess> {
  const [found] = await commandLines(prefix, SHOW, `/proc/${pid}/cmdline`, limit);
  if (!found) throw new Error(`process ${pid} cannot be looked at`);
  return withSchema(prefix, found, limit);
}

function withSchema(
  prefix: CommandPrefix,
  found: Omit<RunningProcess, 'schema'>,
  limit: StepLimit | undefined,
): Promise<RunningProcess> | RunningProcess {
  if (prefix === CommandPrefix.here) return factsOfProcess(found.pid);
  return { ...found, schema: () => schemaOfProcess(prefix, found, limit) };
}

async function commandLines(
  prefix: CommandPrefix,
  script: string,
  parameter: string,
  limit: StepLimit | undefined,
): Promise<Omit<RunningProcess, 'schema'>[]> {
  const step = limit?.begin('looking for the process of QEMU');
  const { output } = await prefix
    .runShell(script, [parameter], { most: MAX_COMMAND_LINES, step })
    .finally(() => step?.end());
  return processesIn(output);
}

function processesIn(output: Buffer): Omit<RunningProcess, 'schema'>[] {
  const found: Omit<RunningProcess, 'schema'>[] = [];
  for (let pos = 0; pos < output.length; ) {
    const newline = output.indexOf(0x0a, pos);
    const header = output.toString('latin1', pos, Math.max(pos, newline));
    const [, pid, size] = /^\/proc\/(\d+)\/cmdline (\d+)$/.exec(header) ?? [];
    if (pid === undefined) break;
    pos = newline + 1 + Number(size);
    const words = output
      .toString('utf8', newline + 1, pos)
      .split('\0')
      .slice(0, -1);
    found.push({ pid: Number(pid), commandLine: words });
  }
  return found;
}

/** Files that a process has mapped. */
const MAPPED = `sed -n 's/^[^/]*//p' "/proc/$1/maps" | sort -u`;
/** Bytes of what it prints. */
const MAX_MAPPED = 16 << 20;

/** Of the very program that runs, and the modules that it has loaded, which come through the prefix once. */
async function schemaOfProcess(
  prefix: CommandPrefix,
  { pid, commandLine }: Omit<RunningProcess, 'schema'>,
  limit?: StepLimit,
): Promise<QemuSchema> {
  const { output } = await prefix.runShell(MAPPED, [String(pid)], { most: MAX_MAPPED });
  const modules = output.toString().split('\n').filter(isDeviceModule);
  const opened: FileSource[] = [];
  const open = async (file: string, name: string) => {
    const source = await fileThere(prefix, `/proc/${pid}/${file}`, name, limit);
    opened.push(source);
    return source;
  };
  try {
    const binary = await open('exe', basename(commandLine[0] ?? ''));
    const loaded: FileSource[] = [];
    for (const path of modules) loaded.push(await open(`root${path}`, path));
    return await extractSchemaOfBinary(binary, loaded);
  } finally {
    await Promise.all(opened.map((source) => source.close()));
  }
}

/** A file behind a prefix, in a temporary file here. Throws Error with the reason. */
async function fileThere(
  prefix: CommandPrefix,
  path: string,
  name: string,
  limit?: StepLimit,
): Promise<FileSource> {
  const spool = await SpoolFile.create();
  const step = limit?.begin(`sending ${path}`);
  try {
    const { status, message } = await prefix
      .run(['cat', path], { most: MAX_BINARY, step, onOutput: (piece) => spool.write(piece) })
      .finally(() => step?.end());
    if (status !== 0) throw new Error(message || `${path} cannot be read (status ${status ?? 'unknown'})`);
    return spool.finish(name);
  } catch (error) {
    await spool.discard();
    throw error;
  }
}
