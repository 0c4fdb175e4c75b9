import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import commandNames from '../src/cli/command-names.json' with { type: 'json' };
import { main } from './cli/run.ts';
import { readImage } from './containers/images.ts';
import { readFixture } from './fixtures.ts';
import { installPackage } from './install-package.ts';
import { Machine } from './qemu/machine.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vmwalk-api-'));
const [byCommand, byLibrary] = [join(folder, 'command'), join(folder, 'library')];

const [beginning = '', ...parts] = readFileSync(join(root, 'docs/api.md'), 'utf8').split(/^## /m);
const codeOf = (text: string) => /^```js\n([\s\S]*?)^```$/m.exec(text)![1]!;
const examples = parts.map((part) => ({ line: /^`vmwalk (.*)`$/m.exec(part)![1]!, code: codeOf(part) }));

/** The files that the page speaks of. */
function writeFiles(into: string): void {
  mkdirSync(into);
  const stream = readFixture('qemu-7.2-pc-devices');
  writeFileSync(join(into, 'vm.qevm'), stream);
  writeFileSync(join(into, 'before.qevm'), readFixture('qemu-10.0-q35-devices'));
  writeFileSync(join(into, 'there.qevm'), readFixture('qemu-10.0-q35-devices'));
  writeFileSync(join(into, 'capture.bin'), Buffer.concat([Buffer.alloc(5000, 'x'), stream]));
  writeFileSync(join(into, 'disk.qcow2'), readImage('zlib'));
  cpSync(join(root, 'examples/pc-no-vmdesc.qevm'), join(into, 'no-vmdesc.qevm'));
  const saves = join(root, 'fixtures/libvirt');
  const save = readdirSync(saves).find((name) => name.endsWith('.save.gz'))!;
  writeFileSync(join(into, 'vm.save'), gunzipSync(readFileSync(join(saves, save))));
  symlinkSync('/usr/bin/qemu-system-x86_64', join(into, 'qemu-system-x86_64'));
}

let machine: Machine;

beforeAll(async () => {
  machine = await Machine.start([
    ...['-M', 'microvm,rtc=off', '-m', '1', '-S'],
    ...['-qmp', 'unix:vm.qmp,server=on,wait=off'],
  ]);
  for (const into of [byCommand, byLibrary]) {
    writeFiles(into);
    symlinkSync(join(machine.folder, 'vm.qmp'), join(into, 'vm.qmp'));
  }
  await installPackage(byLibrary);
});

afterAll(async () => {
  await machine.end();
  rmSync(folder, { recursive: true, force: true });
});

/** Words of a command line; those with spaces or globs are in quotes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

/** Standard output, whatever the status. */
async function outputOf(cwd: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const ended = run(process.execPath, args, { cwd, maxBuffer: 1 << 28 });
  return ended.catch((error) => ({ stdout: error.stdout, stderr: error.stderr }));
}

/** The content of a file, or of all files of a folder. */
function contentOf(path: string): Record<string, string> {
  if (!statSync(path).isDirectory()) return { '': readFileSync(path, 'base64') };
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => statSync(join(path, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(path, name), 'base64')]));
}

describe('the page of the library prints and writes what the command does:', () => {
  test.each(examples)('vmwalk $line', async ({ line, code }) => {
    const words = wordsOf(line);
    const program = join(byLibrary, 'program.mjs');
    writeFileSync(program, `${codeOf(beginning)}\n${code}`);
    const library = await outputOf(byLibrary, [program]);
    expect(library.stderr).toBe('');
    const command = await outputOf(byCommand, [main, ...words]);
    const output = words[Math.max(words.indexOf('-o'), words.indexOf('--map')) + 1];
    if (words[0] === 'profile') {
      // Of two starts of QEMU: what differs is time.
      const sections = async (cwd: string) => (await outputOf(cwd, [main, 'info', '--json', output!])).stdout;
      const [a, b] = [await sections(byCommand), await sections(byLibrary)].map((text) =>
        JSON.parse(text).sections.map(({ idstr }: { idstr: string }) => idstr),
      );
      expect(a.length).toBeGreaterThan(10);
      expect(b).toEqual(a);
      return;
    }
    if (words[0] === 'watch') {
      const [a, b] = [command, library].map(({ stdout }) => JSON.parse(stdout).fields);
      expect(Object.keys(a)).toHaveLength(1);
      expect(b).toEqual(a);
      return;
    }
    expect(library.stdout).toBe(command.stdout);
    const isWritten = words.includes('-o') || words.includes('--map');
    expect(command.stdout.length > 0 || isWritten).toBe(true);
    if (isWritten) expect(contentOf(join(byLibrary, output!))).toEqual(contentOf(join(byCommand, output!)));
  });
});

describe('all commands', async () => {
  const commands = await Promise.all(
    commandNames.map(
      async (name): Promise<CommandUnknownOpts> => (await import(`../src/cli/${name}.ts`))[`${name}Command`],
    ),
  );
  /** Those that do something, with all their words. */
  const leaves = (
    command: CommandUnknownOpts,
    before = '',
  ): { name: string; command: CommandUnknownOpts }[] => {
    const name = `${before}${command.name()}`;
    if (command.commands.length === 0) return [{ name: name === 'ram report' ? 'ram' : name, command }];
    return command.commands.flatMap((each) => leaves(each, `${name} `));
  };
  const all = commands.flatMap((command) => leaves(command));

  test('are on the page', () => {
    expect(all.length).toBeGreaterThan(15);
    const isOnPage = (name: string) => examples.some(({ line }) => `${line} `.startsWith(`${name} `));
    expect(all.filter(({ name }) => !isOnPage(name)).map(({ name }) => name)).toEqual([]);
  });

  test('take --json, but for those that the README names', () => {
    const [, sentence = ''] =
      /All but (.*?) take `--json`/s.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? [];
    const named = [...sentence.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
    const without = all.filter(({ command }) => !command.options.some(({ long }) => long === '--json'));
    expect(named.sort()).toEqual(without.map(({ name }) => name).sort());
  });
});
