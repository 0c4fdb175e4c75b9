import { basename } from 'node:path';

/** Options that would end, hide or tie up QEMU, touch what belongs to a VM that runs, or wait for somebody; with a value each. */
const REMOVED_WITH_VALUE: ReadonlySet<string> = new Set([
  'incoming',
  'loadvm',
  'pidfile',
  'qmp',
  'qmp-pretty',
  'monitor',
  'mon',
  'gdb',
]);
const REMOVED: ReadonlySet<string> = new Set(['daemonize', 'preconfig', 's']);
/** Options that say where the display goes. */
const DISPLAYS: ReadonlySet<string> = new Set(['display', 'nographic', 'vnc', 'spice', 'curses', 'sdl']);
/** Options whose value can begin with a dash. */
const TEXTS: ReadonlySet<string> = new Set(['append', 'name', 'prom-env']);

/** A command line of QEMU, ready to be started. */
interface QemuCommandLine {
  readonly args: readonly string[];
  /** Options that were left out, with their values. */
  readonly removed: readonly string[];
  readonly hasDisplay: boolean;
}

interface Option {
  /** Without dashes. */
  readonly name: string;
  readonly value: string | undefined;
  readonly words: readonly string[];
}

/**
 * Leaves out of a destination's command line what does not belong into a profile of it. In front of QEMU may be programs
 * that start it: `chroot DIR qemu-system-x86_64 …`.
 */
export function prepareCommandLine(command: readonly string[]): QemuCommandLine {
  const binary = Math.max(0, command.findIndex(isQemu));
  const options = splitOptions(command.slice(binary + 1));
  const monitorChardevs = new Set(options.filter(isMonitor).flatMap((option) => chardevOf(option) ?? []));
  const isRemoved = (option: Option) =>
    REMOVED.has(option.name) ||
    REMOVED_WITH_VALUE.has(option.name) ||
    isMonitor(option) ||
    (option.name === 'chardev' && monitorChardevs.has(idOf(option) ?? ''));
  return {
    args: [
      ...command.slice(0, binary + 1),
      ...options.filter((option) => !isRemoved(option)).flatMap(({ words }) => words),
    ],
    removed: options.filter(isRemoved).map(({ words }) => words.join(' ')),
    hasDisplay: options.some(({ name }) => DISPLAYS.has(name)),
  };
}

/** The same options for another QEMU, which is given with the programs in front of it that start it. */
export function withOtherQemu(command: readonly string[], qemu: readonly string[]): readonly string[] {
  return [...qemu, ...command.slice(Math.max(0, command.findIndex(isQemu)) + 1)];
}

/** Whether a word is a program of QEMU's. */
export function isQemu(word: string): boolean {
  return /^qemu-(system-|kvm)|^kvm$/.test(basename(word));
}

/** A word with a dash is an option, and what follows it its value, unless that has a dash, too. */
function splitOptions(words: readonly string[]): Option[] {
  const options: Option[] = [];
  for (let i = 0; i < words.length; ) {
    const word = words[i]!;
    const next = words[i + 1];
    const name = word.startsWith('-') ? word.replace(/^--?/, '') : '';
    const hasValue =
      name !== '' && next !== undefined && (!next.startsWith('-') || TEXTS.has(name)) && !REMOVED.has(name);
    const length = hasValue ? 2 : 1;
    options.push({ name, value: hasValue ? next : undefined, words: words.slice(i, i + length) });
    i += length;
  }
  return options;
}

/** `-mon`, or the objects that stand for it from QEMU 11.1 on. */
function isMonitor({ name, value = '' }: Option): boolean {
  return (
    name === 'mon' || (name === 'object' && /^(\{.*"qom-type": *"|qom-type=)?monitor-(qmp|hmp)\b/.test(value))
  );
}

/** `-mon NAME` is short for `-mon chardev=NAME`. */
function chardevOf({ name, value = '' }: Option): string | undefined {
  const named = /(?:^|,)chardev=([^,]*)/.exec(value) ?? /"chardev": *"([^"]*)"/.exec(value);
  return named ? named[1] : name === 'mon' ? /^[^,=]+/.exec(value)?.[0] : undefined;
}

function idOf({ value = '' }: Option): string | undefined {
  return /(?:^|,)id=([^,]*)/.exec(value)?.[1];
}
