import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decode } from '../../robustness/decode.ts';
import { deviceStreams, streamPlaces, withLength } from '../stream-seeds.ts';
import type { Target } from '../target.ts';
import { anyStream } from './streams.ts';

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

/** Commands, one of which each input is for, by its first byte; FILE is the rest of it. */
const COMMANDS = [
  ['info', '--json', 'FILE'],
  ['dump', '--ndjson', 'FILE'],
  ['dump', 'FILE'],
  ['dump', '--no-blob', 'FILE', 'cpu'],
  ['dump', '--json', '--full-scan', 'FILE'],
  ['ram', '--json', 'FILE'],
  ['ram', 'FILE'],
  ['info', 'FILE'],
  ['describe', 'FILE'],
  ['diff', '--json', 'FILE', 'FILE'],
  ['scan', '--json', 'FILE'],
  ['check', '--json', 'FILE', '--qemu', '7.2'],
  ['schema', 'show', '--json', 'FILE'],
  ['snapshots', '--json', 'FILE'],
] as const;
/** Milliseconds that a command may take; most take a tenth of a second. */
const SLOWEST = 120_000;

export const commandLine: Target = {
  name: 'command-line',
  about: 'the command as it is built, against the library; the first byte says which command',
  seeds: async () => {
    const all = [anyStream(), ...(await deviceStreams()).map(({ bytes }) => bytes)];
    return COMMANDS.map((_, i) => Buffer.concat([Buffer.of(i), all[i % all.length]!]));
  },
  async places(input) {
    const found = await streamPlaces(input.subarray(1));
    return found.map(({ start, end }) => ({ start: start + 1, end: end + 1 }));
  },
  repair: withLength,
  async judge(input) {
    const command = COMMANDS[(input[0] ?? 0) % COMMANDS.length]!;
    const stream = input.subarray(1);
    const folder = mkdtempSync(join(tmpdir(), 'vmwalk-fuzz-'));
    try {
      const file = join(folder, 'input');
      writeFileSync(file, stream);
      const args = command.map((arg) => (arg === 'FILE' ? file : arg));
      const { status, signal, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
        encoding: 'utf8',
        timeout: SLOWEST,
        maxBuffer: 1 << 28,
      });
      const problems: string[] = [];
      if (signal) problems.push(`${command.join(' ')} was ended by ${signal}`);
      else if (![0, 1, 2, 3].includes(status ?? -1))
        problems.push(`${command.join(' ')} ends with ${status}`);
      if (/^\s+at .*:\d+:\d+/m.test(stderr)) problems.push(`a stack trace: ${stderr}`);
      for (const text of [stdout, stderr])
        if (/[^\P{C}\n]/u.test(text)) problems.push(`${command.join(' ')} prints control characters`);
      problems.push(...jsonProblems(command, stdout));
      if (command[0] === 'info' && command[1] === '--json' && stdout !== '')
        problems.push(...(await infoProblems(stream, stdout)));
      return { problems };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  testRuns: 14,
};

/** Whatever is printed with --json is JSON, also where something is wrong. */
function jsonProblems(command: readonly string[], stdout: string): string[] {
  const isLines = command.includes('--ndjson');
  if (stdout === '' || !(isLines || command.includes('--json'))) return [];
  try {
    for (const text of isLines ? stdout.trimEnd().split('\n') : [stdout]) JSON.parse(text);
    return [];
  } catch {
    return [`${command.join(' ')} prints what is no JSON`];
  }
}

/** The command tells of as many sections as the library. */
async function infoProblems(stream: Uint8Array, stdout: string): Promise<string[]> {
  const decoded = await decode(stream);
  const { sections } = JSON.parse(stdout);
  const expected = decoded?.opened.stream.sections.length;
  return sections.length === expected
    ? []
    : [`info tells of ${sections.length} sections, there are ${expected}`];
}
