import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { vmwalk } from './cli/run.ts';
import { readFixture } from './fixtures.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../scripts/single-file.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vmwalk-single-'));
const QEMU = '/usr/bin/qemu-system-x86_64';

beforeAll(() => run(process.execPath, [script, join(folder, 'vmwalk.cjs')]));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The file alone, in a folder with nothing else. */
async function single(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const ended = run(process.execPath, ['vmwalk.cjs', ...args], { cwd: folder, maxBuffer: 1 << 26 });
  return ended.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

test('one file says what the package says', async () => {
  expect(statSync(join(folder, 'vmwalk.cjs')).size).toBeLessThan(4 << 20);
  for (const args of [['--version'], ['explain', 'unknown-section'], ['compat', '--help']]) {
    const { stdout } = await vmwalk(args);
    expect(await single(...args)).toEqual({ code: 0, stdout, stderr: '' });
  }
});

test('it reads binaries and streams', async () => {
  const extracted = await single('schema', 'extract', QEMU, '-o', 'own.json');
  expect([extracted.code, extracted.stderr]).toEqual([0, '']);
  const { stdout } = await vmwalk(['schema', 'show', QEMU, 'e1000e']);
  // With the tests that code decides, which the decoder in it reads.
  expect((await single('schema', 'show', 'own.json', 'e1000e')).stdout).toBe(stdout);
  const same = await single('compat', 'own.json', QEMU, '--mail');
  expect(same).toMatchObject({ code: 0, stdout: expect.stringMatching(/^No change on the wire: /) });
  writeFileSync(join(folder, 'vm.qevm'), readFixture('qemu-7.2-pc-devices'));
  const dumped = await vmwalk(['dump', join(folder, 'vm.qevm'), 'timer', 'cpu']);
  expect((await single('dump', join(folder, 'vm.qevm'), 'timer', 'cpu')).stdout).toBe(dumped.stdout);
});

test('it has no built-in schemas, and says so', async () => {
  const { code, stderr } = await single('compat', '7.2-x86_64', QEMU);
  expect([code, stderr]).toEqual([
    2,
    'vmwalk: error: 7.2-x86_64 is neither a file nor a built-in schema; there is none here\n',
  ]);
});

test('the licenses of what is in it are in it', () => {
  const text = readFileSync(join(folder, 'vmwalk.cjs'), 'latin1');
  expect(text).toMatch(/^#!\/usr\/bin\/env node\n/);
  for (const name of ['iced-x86', 'commander', 'picocolors', 'leven', 'tinyglobby'])
    expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\((MIT|ISC|BSD|Apache)`, 'm'));
});
