import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fixtures, readFixture } from '../fixtures.ts';
import { fixtureFile, temporaryFile, temporaryFolder, vmwalk } from './run.ts';

const rounds = fixtures.find(({ name }) => name === 'qemu-11.1-rounds')!;

describe('ram FILE', () => {
  test('is ram report FILE', async () => {
    const file = fixtureFile(rounds);
    const [short, long] = await Promise.all([vmwalk(['ram', file]), vmwalk(['ram', 'report', file])]);
    expect(short).toMatchObject({ status: 0, stderr: '' });
    expect(short.stdout).toBe(long.stdout);
    expect(short.stdout).toContain('Rounds (9)');
    expect(short.stdout).not.toContain('\u001b');
    const [, ...lines] = short.stdout.split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test('--json is one document', async () => {
    const { status, stdout } = await vmwalk(['ram', '--json', '--ranges', '1', fixtureFile(rounds)]);
    expect(status).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.pages.plain.pages).toBe(rounds.migration!.ram.normal);
    expect(report.hottest).toEqual([
      { block: 'pc.ram', offset: 0x10000, length: 0x40000, times: 9, sends: 9 * 64 },
    ]);
  });

  test('a damaged stream: what could be read, and status 1', async () => {
    const { status, stdout, stderr } = await vmwalk([
      'ram',
      temporaryFile(readFixture(rounds.name).subarray(0, 500_000)),
    ]);
    expect(status).toBe(1);
    expect(stdout).toContain('pc.ram');
    expect(stdout).toContain('counts are incomplete');
    expect(stderr).toMatch(/^vmwalk: error: /);
  });

  test.each([
    ['without a file', []],
    ['a picture of no known format', ['--map', 'x.gif', 'vm']],
    ['a number that is none', ['--ranges', 'many', 'vm']],
    ['a file that is not there', ['/does/not/exist']],
  ])('%s: status 2', async (_what, args) => {
    expect((await vmwalk(['ram', ...args])).status).toBe(2);
  });
});

describe('--map', () => {
  test.each([
    ['svg', '<svg '],
    ['PNG', '\x89PNG\r\n'],
  ])('%s', async (suffix, magic) => {
    const folder = temporaryFolder();
    const map = join(folder, `map.${suffix}`);
    writeFileSync(map, 'older');
    expect(await vmwalk(['ram', fixtureFile(rounds), '--map', map])).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(map, 'latin1').startsWith(magic)).toBe(true);
    expect(readdirSync(folder)).toEqual([`map.${suffix}`]);
  });

  test('a folder that is not there: status 2, and nothing is left', async () => {
    const folder = temporaryFolder();
    const map = join(folder, 'missing', 'map.svg');
    const { status, stderr } = await vmwalk(['ram', fixtureFile(rounds), '--map', map]);
    expect(status).toBe(2);
    expect(stderr).toBe(
      `vmwalk: error: cannot write ${map}: the folder ${join(folder, 'missing')} does not exist\n`,
    );
    expect(existsSync(map)).toBe(false);
  });

  test('a folder of that name: status 2, and nothing half-written beside it', async () => {
    const folder = temporaryFolder();
    const map = join(folder, 'map.svg');
    mkdirSync(map);
    expect((await vmwalk(['ram', fixtureFile(rounds), '--map', map])).status).toBe(2);
    expect(readdirSync(folder)).toEqual(['map.svg']);
  });
});
