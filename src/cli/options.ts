import { existsSync } from 'node:fs';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { printable } from '../bytes/printable.ts';
import type { OpenOptions } from '../layout/open.ts';
import { tablesOf } from '../node/open-vm.ts';
import { MAX_SECONDS } from '../node/step-limit.ts';
import { orTrouble } from './trouble.ts';

/** For an option that may be given several times. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  if (value === '') throw new InvalidArgumentError('it is empty');
  return [...(before ?? []), value];
}

/** Options that mean the same in every command. */
export const jsonOption = () => new Option('--json', 'print JSON');
export const strictOption = () => new Option('--strict', 'stop at the first problem of severity error');

export const offsetOption = () =>
  new Option(
    '--offset <bytes>',
    'where in the file the stream begins: decimal or 0x…, with k, M or G for powers of 1024',
  ).argParser(parseOffset);

export function parseOffset(text: string): number {
  const [, digits, unit = ''] = /^(0x[0-9a-f]+|\d+)([kmgt]?)$/i.exec(text) ?? [];
  const offset = Number(digits) * 1024 ** ' kmgt'.indexOf(unit.toLowerCase() || ' ');
  if (!Number.isSafeInteger(offset))
    throw new InvalidArgumentError('an offset such as 4096, 0x1000 or 4k is expected');
  return offset;
}

export function parsePid(text: string): number {
  const pid = Number(text);
  if (!Number.isSafeInteger(pid) || pid < 1)
    throw new InvalidArgumentError('the id of a process is expected');
  return pid;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new InvalidArgumentError('a number from 1 on is expected');
  return count;
}

export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0) || seconds > MAX_SECONDS)
    throw new InvalidArgumentError(`a number of seconds above 0, up to ${MAX_SECONDS}, is expected`);
  return seconds;
}

/** Words of a command line, as a shell splits them: by blanks, but for those in quotes. */
export function splitWords(text: string): string[] {
  if (/^(?:"[^"]*"|'[^']*'|[^"'])*$/.test(text) === false)
    throw new InvalidArgumentError(`a quote in ${printable(text)} is not closed`);
  const words = text.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}

/** A QEMU with what starts it in front, in one argument: a file, or words of a command line. */
export function qemuWords(text: string): string[] {
  const words = existsSync(text) ? [text] : splitWords(text);
  if (words.length === 0) throw new InvalidArgumentError('a QEMU is expected');
  return words;
}

export const fullScanOption = () =>
  new Option('--full-scan', 'read all of RAM, too, even if the device state can be found without');

export const mailOption = () =>
  new Option('--mail', 'for a mail with a patch: under 72 columns, before and after').conflicts('json');

/** What it does is in program.ts, as it is for wrong usage, too. */
export const bisectOption = () =>
  new Option(
    '--bisect',
    'for "git bisect run": exit status 0 is good, 1 bad, and 125 all that cannot be told',
  );

/** Bytes of RAM that cost so little that they are always scanned, which shows what is damaged there. */
const SCANNED_RAM = 16 << 20;

/** For commands that need no RAM. With --offset, what ends the file need not be the stream that begins there. */
export function skipRam(options: {
  readonly fullScan?: true | undefined;
  readonly offset?: number | undefined;
}): Pick<OpenOptions, 'skipRamOver'> {
  return options.fullScan || options.offset !== undefined ? {} : { skipRamOver: SCANNED_RAM };
}

export const containerOffsetsOption = () =>
  new Option('--container-offsets', 'show where in the file a thing is that was taken out of a container');
export const channelOption = () =>
  new Option(
    '--channel <file...>',
    'further connections of the migration (multifd, postcopy preempt), or a pattern such as "vm.ch[0-3]"; in any order',
  );

export const spoolOption = () =>
  new Option(
    '--spool <dir>',
    'folder for what does not fit into memory, or can only be decompressed once ($TMPDIR, else /var/tmp)',
  );

export const qemuOption = () =>
  new Option(
    '--qemu <binary>',
    'the QEMU that wrote the stream, to decode what has no vmdesc; it is not run',
  ).conflicts('schema');
export const schemaOption = () =>
  new Option(
    '--schema <file>',
    'the same from a file that "vmwalk schema extract" or "learn" wrote, or a built-in schema such as 7.2-x86_64',
  );
export const noBlobOption = () => new Option('--no-blob', "do not use the stream's own vmdesc");

export const strictSchemaOption = () =>
  new Option('--strict-schema', 'a reading that is one of several possible ones is an error');

export interface KnowledgeOptions {
  readonly qemu?: string | undefined;
  readonly schema?: string | undefined;
  readonly blob: boolean;
}

/** What the options above say, ready for opening a stream. Throws DecodeError where a file is not what it should be. */
export async function openKnowledge({ qemu, schema, blob }: KnowledgeOptions): Promise<OpenOptions> {
  const path = qemu ?? schema;
  if (path === undefined) return { ignoreVmdesc: !blob };
  return { tables: await orTrouble(() => tablesOf(path)), ignoreVmdesc: !blob };
}
