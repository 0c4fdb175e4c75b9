import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { fixtures, readFixture } from '../fixtures.ts';
import { type ExpectedSection, readBlob, readByBlob } from '../layout/blob-reader.ts';
import { described, fixtureFile, main, temporaryFile, temporaryFolder, vmwalk } from './run.ts';

const ONE_ERROR = /^vmwalk: error: [^\n]+\n$/;
/** The error, what may have been meant, and where to find the usage. */
const USAGE_ERROR =
  /^error: [^\n]+\n(?:\(Did you mean [^\n]+\?\)\n)?\(vmwalk [a-z ]*--help shows the usage\)\n$/;

const example = fileURLToPath(new URL('../../examples/pc.qevm', import.meta.url));
const [smallest] = [...fixtures].sort((a, b) => a.size - b.size);
const bytes = readFixture(smallest!.name);

describe('status 2, and one line', () => {
  test.each([
    ['a file that is not there', () => join(temporaryFolder(), 'none')],
    ['a folder', () => temporaryFolder()],
    ['an empty file', () => temporaryFile(new Uint8Array(0))],
    ['four bytes', () => temporaryFile(bytes.subarray(0, 4))],
    ['a file of another kind', () => temporaryFile(Buffer.from('QFI\u00fb, a disk image and not a stream'))],
    [
      'another version',
      () => temporaryFile(Buffer.concat([bytes.subarray(0, 7), Buffer.of(4), bytes.subarray(8)])),
    ],
    ['a name with a line break in it', () => join(temporaryFolder(), 'a\nb\u001b[2J')],
    ['an empty name', () => ''],
  ])('for %s', async (_, make) => {
    const { status, stdout, stderr } = await vmwalk(['dump', make()]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(ONE_ERROR);
    expect(stderr).not.toContain('\u001b');
  });

  test.each([['info'], ['describe'], ['extract']])('from %s as well', async (command) => {
    const file = temporaryFile(Buffer.from('something else'));
    const folder = join(temporaryFolder(), 'out');
    const args = command === 'extract' ? [command, file, '-o', folder] : [command, file];
    const { status, stdout, stderr } = await vmwalk(args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(ONE_ERROR);
  });

  test('names the file among several, and shows those before it', async () => {
    const [good, bad] = [fixtureFile(described), temporaryFile(Buffer.from('something else'), 'bad.qevm')];
    const { status, stdout, stderr } = await vmwalk(['info', good, bad]);
    expect(status).toBe(2);
    expect(stderr).toMatch(ONE_ERROR);
    expect(stderr).toContain(bad);
    expect(stdout).toContain('machine type');
  });

  test('for standard input that is empty', async () => {
    const { status, stdout, stderr } = await vmwalk(['dump', '-'], { input: new Uint8Array(0) });
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(ONE_ERROR);
  });

  test('for selectors that pick nothing', async () => {
    const { status, stdout, stderr } = await vmwalk(['dump', fixtureFile(described), 'no-such-device']);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^vmwalk: nothing matches 'no-such-device'; info lists the sections\n$/);
  });

  test('for output that cannot be written', () => {
    const run = spawnSync(
      'sh',
      ['-c', 'exec "$0" "$1" dump "$2" >/dev/full', process.execPath, main, fixtureFile(described)],
      { encoding: 'utf8' },
    );
    expect(run.status).toBe(2);
    expect(run.stderr).toBe('vmwalk: error: cannot write standard output: no space left on device\n');
  });

  test.each([
    ['no file', ['info']],
    ['no such command', ['inf', 'x']],
    ['no such option', ['dump', '--offset', 'x']],
    ['no such choice', ['info', '--sort', 'weight', 'x']],
    ['a number that is none', ['info', '--depth', 'two', 'x']],
    ['both forms of JSON', ['dump', '--json', '--ndjson', 'x']],
    ['no folder', ['extract', 'x']],
    ['one file too many', ['describe', 'x', 'y']],
  ])('for wrong usage: %s', async (_, args) => {
    const { status, stdout, stderr } = await vmwalk(args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(USAGE_ERROR);
  });
});

describe('status 1, with all that could be decoded', () => {
  const cut = () => temporaryFile(readFixture(described.name).subarray(0, described.size - 300));

  test('for a stream that is cut short', async () => {
    for (const command of ['info', 'dump', 'describe']) {
      const { status, stdout, stderr } = await vmwalk([command, cut()]);
      expect(status, command).toBe(1);
      expect(`${stdout}${stderr}`, command).toMatch(/error: .*truncated|error: .*ends/);
      expect(stdout, command).not.toBe('');
    }
  });

  test('for a section that does not fit its description, which is told where it is', async () => {
    // A version in a section header that is not the described one.
    const all = Buffer.from(readFixture(described.name));
    const at = all.indexOf('\u0005timer') + 6 + 4;
    all[at + 3]! ^= 0x40;
    const file = temporaryFile(all);
    const { status, stdout, stderr } = await vmwalk(['dump', '--ndjson', file, 'timer']);
    expect(status).toBe(1);
    expect(stderr).toMatch(ONE_ERROR);
    expect(stderr).toContain(`${file}: offset 0x`);
    expect(stderr).toContain('section timer: version');
    expect(stdout).toContain('cpu_ticks_offset');
  });

  test.each([
    // The footer is the last five bytes of the record.
    ['its framing', (all: Buffer, { end }: ExpectedSection) => (all[end]! ^= 0xff)],
    ['its content', (all: Buffer, { start }: ExpectedSection) => (all[start - 2]! ^= 0x40)],
  ])('and with --strict nothing behind the section with an error in %s', async (_, damage) => {
    const all = Buffer.from(readFixture(described.name));
    const sections = readByBlob(all, readBlob(all)!);
    const timer = sections.find(({ idstr }) => idstr === 'timer')!;
    damage(all, timer);
    const file = temporaryFile(all);
    const [lenient, strict] = [
      await vmwalk(['dump', '--ndjson', file]),
      await vmwalk(['dump', '--ndjson', '--strict', file]),
    ];
    expect([lenient.status, strict.status]).toEqual([1, 1]);
    expect(strict.stderr).toMatch(/^vmwalk: error: [^\n]*timer/);
    const printed = (stdout: string) =>
      new Set(
        stdout
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line).section),
      );
    for (const { idstr, start } of sections) {
      expect(printed(lenient.stdout).has(idstr), idstr).toBe(true);
      expect(printed(strict.stdout).has(idstr), idstr).toBe(start <= timer.start);
    }
  });

  test('which is none for a sound stream', async () => {
    const whole = await vmwalk(['dump', '--ndjson', '--strict', fixtureFile(described)]);
    expect([whole.status, whole.stderr]).toEqual([0, '']);
  });
});

describe('a reader that stops', () => {
  test.each([['dump'], ['info'], ['describe']])('ends %s without a word', async (command) => {
    // More than a pipe holds.
    const fixture = [...fixtures].find(({ name }) => name === described.name)!;
    const args = command === 'dump' ? ['dump', '--ndjson'] : [command];
    const child = spawn(process.execPath, [main, ...args, fixtureFile(fixture)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.stdout.destroy();
    const [status, signal] = await once(child, 'close');
    expect([status, signal, stderr]).toEqual([0, null, '']);
  });

  test.each([
    ['diff', (folder: string) => ['diff', '--full', fixtureFile(described), otherStream(folder)], 1],
    ['compat', () => ['compat', '7.2-x86_64', '10.0-x86_64', '--all'], 1],
    ['check', () => ['check', '--notes', example, '--schema', '7.2-avr'], 1],
  ] as const)('does not change what %s says by its status', async (_, make, expected) => {
    const args = make(temporaryFolder());
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.stdout.destroy();
    const [status] = await once(child, 'close');
    expect([status, /error/.test(stderr)]).toEqual([expected, false]);
  });

  test('ends dump early in a pipeline', () => {
    const large = [...fixtures].sort((a, b) => b.size - a.size)[0]!;
    const script = 'set -o pipefail; "$0" "$1" dump --ndjson "$2" | head -n 1';
    const run = spawnSync('bash', ['-c', script, process.execPath, main, fixtureFile(large)], {
      encoding: 'utf8',
    });
    expect([run.status, run.stderr]).toEqual([0, '']);
    expect(JSON.parse(run.stdout).path).toEqual([]);
  });
});

/** A stream of another machine. */
function otherStream(folder: string): string {
  const other = [...fixtures].sort((a, b) => a.size - b.size).find(({ name }) => name !== described.name)!;
  const path = join(folder, 'other.qevm');
  writeFileSync(path, readFixture(other.name));
  return path;
}

describe('help', () => {
  /** All commands, and those inside them. */
  const commands = execHelp([]).flatMap((name) => [
    [name],
    ...execHelp([name]).map((inner) => [name, inner]),
  ]);

  test('lists the commands', () => {
    expect(commands.map((path) => path.join(' '))).toEqual(
      expect.arrayContaining(['info', 'dump', 'describe', 'extract']),
    );
  });

  test.each([[[] as string[]], ...commands.map((path) => [path])])(
    'of vmwalk %j has examples that work',
    async (path) => {
      const { status, stdout, stderr } = await vmwalk([...path, '--help']);
      expect([status, stderr]).toEqual([0, '']);
      if (execHelp(path).length > 0 && path.length > 0) return;
      const examples = /\nExamples:\n([\s\S]*)$/.exec(stdout)?.[1]?.split('\n') ?? [];
      expect(examples.length).toBeGreaterThan(1);
      // The stream that the examples look at, and what they are called with.
      const folder = temporaryFolder();
      copyFileSync(new URL('../../examples/pc.qevm', import.meta.url), join(folder, 'vm.qevm'));
      mkdirSync(join(folder, 'bin'));
      writeFileSync(join(folder, 'bin', 'vmwalk'), `#!/bin/sh\nexec ${process.execPath} ${main} "$@"\n`, {
        mode: 0o755,
      });
      for (const line of examples) {
        const example = /^ {2}(vmwalk .*?)(?: {2,}.*)?$/.exec(line)?.[1];
        if (example === undefined || !usesOnly(example, ['vm.qevm'])) continue;
        const run = spawnSync('bash', ['-c', example], {
          cwd: folder,
          encoding: 'utf8',
          env: { PATH: `${join(folder, 'bin')}:${process.env['PATH']}` },
        });
        // A selector of an example may pick nothing in this stream.
        if (!/nothing matches '/.test(run.stderr)) expect(run.status, example).toBe(0);
        expect(run.stderr, example).not.toMatch(/^error/);
      }
    },
  );
});

/** Is an example about these files alone, without other programs? */
function usesOnly(example: string, files: readonly string[]): boolean {
  return !/[|<>]/.test(example) && files.some((file) => example.includes(` ${file}`));
}

/** Names of the commands that `--help` lists. */
function execHelp(path: readonly string[]): string[] {
  const text = execFileSync(process.execPath, [main, ...path, '--help'], { encoding: 'utf8' });
  const list = /\nCommands:\n([\s\S]*?)(?:\n\n|$)/.exec(text)?.[1] ?? '';
  return [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)]
    .map((match) => match[1]!)
    .filter((name) => name !== 'help');
}

test('--version prints the version of the package', async () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const { status, stdout } = await vmwalk(['--version']);
  expect([status, stdout]).toEqual([0, `${manifest.version}\n`]);
  expect(existsSync(main)).toBe(true);
});
