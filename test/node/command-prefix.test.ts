import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { CommandPrefix } from '../../src/node/command-prefix.ts';

const folder = mkdtempSync(join(tmpdir(), 'prefix-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A program that is a script of the shell. */
function program(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

/** As ssh does: its words joined, for a shell to read. */
const shell = program('ssh', 'shift; exec sh -c "$*"');
/** As sudo, chroot and kubectl do. */
const direct = program('sudo', 'exec "$@"');
const hairy = ['', ' ', "it's", '"', '\\', '$HOME', '`id`', '*', 'a;b', '--', 'ü\n#', '!!', '(x)'];

test.each([
  ['none', []],
  ['one that hands words on', [direct]],
  ['the same with a word behind it', ['env', '--']],
  ['a shell', [shell, 'host']],
  ['a shell behind a shell', [shell, 'host', shell, 'host']],
  ['three of them', [shell, 'a', shell, 'b', shell, 'c']],
  ['a shell behind one that hands words on', [direct, shell, 'host']],
])('words arrive as they are behind %s', async (_, words) => {
  const prefix = await CommandPrefix.of(words);
  const { status, output, message } = await prefix.runShell('printf "<%s>" "$@"; exit 3', hairy, {
    most: 1000,
  });
  expect(output.toString()).toBe(hairy.map((word) => `<${word}>`).join(''));
  expect({ status, message }).toEqual({ status: 3, message: '' });
});

test('a command has nothing on its standard input', async () => {
  const { output } = await CommandPrefix.here.run(['cat'], { most: 10 });
  expect(output.length).toBe(0);
});

test.each([
  [
    'what a prefix says that fails',
    program('kubectl', 'echo "error: pods \\"vm\\" not found" >&2; exit 1'),
    'pods "vm" not found',
  ],
  ['how it ended where it says nothing', program('silent', 'exit 7'), 'it ended with status 7'],
  [
    'a terminal, which changes bytes',
    program('tty', 'exec script -qec "$*" /dev/null'),
    'it goes through a terminal, which changes what is printed (is it -t?)',
  ],
  [
    'a prefix that prints more',
    program('noise', 'echo Welcome; exec "$@"'),
    'the words of a command do not come through it as they are',
  ],
])('tells %s', async (_, path, message) => {
  await expect(CommandPrefix.of([path])).rejects.toThrow(`cannot run a command by ${path}: ${message}`);
});

test('tells that there is no such program, and ends one that prints too much', async () => {
  await expect(CommandPrefix.of([join(folder, 'none')])).rejects.toThrow(/none: there is no such program$/);
  await expect(CommandPrefix.of(['yes'])).rejects.toThrow('yes prints more than 65536 bytes');
});

test('what is behind a prefix ends when it is given up', async () => {
  const end = new AbortController();
  const running = CommandPrefix.here.run(['sleep', '1000'], { most: 0, signal: end.signal });
  end.abort();
  expect(await running).toEqual({ status: undefined, output: Buffer.alloc(0), message: '' });
});

test('what stays behind a command with its standard error open is not waited for', async () => {
  const { output, message } = await CommandPrefix.here.runShell(
    'echo told; echo said >&2; sleep 1000 >/dev/null & echo $!',
    [],
    { most: 100 },
  );
  const [told, pid] = output.toString().split('\n');
  process.kill(Number(pid));
  expect({ told, message }).toEqual({ told: 'told', message: 'said' });
});
