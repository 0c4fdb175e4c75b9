import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { main, temporaryFolder } from './run.ts';

const stream = fileURLToPath(new URL('../../examples/pc.qevm', import.meta.url));
const schema = fileURLToPath(new URL('../../schemas/7.2-x86_64.json.gz', import.meta.url));
const ONE_ERROR = /^vmwalk: error: [^\n]+\n$/;

const decoded = mkdtempSync(join(tmpdir(), 'vmwalk-decoded-'));
beforeAll(() => {
  spawnSync(process.execPath, [main, 'decode', stream, '-o', decoded]);
});
afterAll(() => rmSync(decoded, { recursive: true }));

/** All that writes to the disk, into the working folder. */
const writers: Readonly<Record<string, readonly string[]>> = {
  extract: ['extract', stream, '-o', 'out'],
  'extract --force': ['extract', stream, '-o', '.', '--force'],
  'ram extract': ['ram', 'extract', stream, '-o', 'out'],
  'ram core': ['ram', 'core', stream, '-o', 'out'],
  convert: ['convert', stream, '-o', 'out'],
  'convert --to gzip': ['convert', stream, '--to', 'gzip', '-o', 'out'],
  'convert --to zstd': ['convert', stream, '--to', 'zstd', '-o', 'out'],
  decode: ['decode', stream, '-o', 'out'],
  edit: ['edit', stream, '--set', 'pcspk/data_on=1', '-o', 'out'],
  'edit --drop': ['edit', stream, '--drop', 'pcspk', '-o', 'out'],
  encode: ['encode', decoded, '--base', stream, '-o', 'out'],
  'encode without a base': ['encode', decoded, '-o', 'out'],
  'describe --append': ['describe', '--append', stream, '-o', 'out'],
  'schema learn': ['schema', 'learn', stream, '-o', 'out.json'],
  'ram --map': ['ram', stream, '--map', 'out.svg'],
};

/**
 * Runs vmwalk in a new file system of `size` with `filled` bytes in use, and tells what else is in it afterwards. Only a root can mount
 * something: in a name space of users one who is none is.
 */
function onSmallDisk(
  size: string,
  args: readonly string[],
  { filled = 0, options = '', input = '/dev/null' } = {},
) {
  const folder = temporaryFolder();
  const script = `
    mount -t tmpfs -o size=${size} none . && cd "$PWD" || exit 99
    head -c ${filled} /dev/zero >filler
    ${options === '' ? '' : `mount -o remount,${options} . || exit 99`}
    "$@" <"$IN"
    status=$?
    find . -mindepth 1 ! -name filler >"$LEFT"
    exit $status`;
  const left = join(temporaryFolder(), 'left');
  const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const run = spawnSync(
    'unshare',
    [...asRoot, '--mount', 'sh', '-c', script, 'sh', process.execPath, main, ...args],
    {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], TMPDIR: folder, LEFT: left, IN: input },
    },
  );
  return { status: run.status, stderr: run.stderr, left: readFileSync(left, 'utf8') };
}

describe.each(Object.entries(writers))('%s', (_, args) => {
  test('says that there is no space left, and leaves nothing', () => {
    const { status, stderr, left } = onSmallDisk('64k', args, { filled: 64 << 10 });
    expect([status, left]).toEqual([2, '']);
    expect(stderr).toMatch(ONE_ERROR);
    expect(stderr).toContain('no space left on device');
  });

  test('says that the file system is read-only', () => {
    const { status, stderr, left } = onSmallDisk('1m', args, { options: 'ro' });
    expect([status, left]).toEqual([2, '']);
    expect(stderr).toMatch(ONE_ERROR);
    expect(stderr).toContain('read-only file system');
  });
});

test('a pipe that no temporary file has room for', () => {
  const { status, stderr, left } = onSmallDisk('64k', ['info', '/dev/stdin'], { input: schema });
  expect([status, left]).toEqual([2, '']);
  expect(stderr).toMatch(ONE_ERROR);
  expect(stderr).toMatch(/temporary file: no space left on device/);
});

test('names that others may have planted are not written through', () => {
  const folder = temporaryFolder();
  const victim = join(folder, 'victim');
  writeFileSync(victim, 'mine');
  for (const name of ['.partial', 'out.partial', 'out', 'out.json', 'out.svg'])
    spawnSync('ln', ['-s', 'victim', name], { cwd: folder });
  for (const [name, args] of Object.entries(writers)) {
    spawnSync(process.execPath, [main, ...args], { cwd: folder });
    expect([name, readFileSync(victim, 'utf8')]).toEqual([name, 'mine']);
  }
});

test('a folder of another user is not written to', () => {
  const folder = temporaryFolder();
  const inside = join(folder, 'inside');
  mkdirSync(inside, { mode: 0o755 });
  spawnSync('chmod', ['755', folder]);
  // Root may write everywhere: the user `nobody` may not.
  const as = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--clear-groups'] : [];
  if (as.length === 0) spawnSync('chmod', ['555', inside]);
  for (const [name, args] of Object.entries(writers)) {
    const [command = '', ...rest] = [...as, process.execPath, main, ...args];
    const { status, stderr } = spawnSync(command, rest, {
      cwd: inside,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
    });
    expect([name, status, stderr]).toEqual([
      name,
      2,
      expect.stringMatching(/^vmwalk: error: [^\n]*permission denied\n$/),
    ]);
  }
  expect(readdirSync(inside)).toEqual([]);
});
