import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { extractRam } from '../../src/node/extract-ram.ts';
import { nodeMemory } from '../../src/node/node-memory.ts';
import { openVm } from '../../src/vm/vm.ts';
import { fixtures, readFixture } from '../fixtures.ts';
import { memoryFixtures, wrongRanges } from '../ram/memory-fixtures.ts';
import { memoryFiles } from './memory-files.ts';
import { described, fixtureFile, temporaryFile, temporaryFolder, vmwalk } from './run.ts';

interface Block {
  readonly idstr: string;
  readonly size: number;
  readonly file?: string;
}

function indexOf(folder: string): readonly Block[] {
  return JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
}

describe.each(memoryFixtures.filter(({ case: kind }) => !kind.includes('zstd')))('$name', (fixture) => {
  test('files hold what the QEMU had that loaded it', async () => {
    const { folder, main, channels } = memoryFiles(fixture.name);
    const out = join(folder, 'out');
    const args = channels.length > 0 ? ['--channel', join(folder, 'vm.ch*')] : [];
    const { status, stderr } = await vmwalk(['ram', 'extract', main, '-o', out, ...args]);
    expect([status, stderr]).toEqual([0, '']);
    const blocks = indexOf(out);
    expect(readdirSync(out).sort()).toEqual(['index.json', ...blocks.map(({ file }) => file!)].sort());
    for (const { file, size } of blocks) expect(statSync(join(out, file!)).size).toBe(size);
    const content = (idstr: string) => {
      const file = blocks.find((block) => block.idstr === idstr)?.file;
      return file === undefined ? undefined : readFileSync(join(out, file));
    };
    expect(wrongRanges(fixture, content)).toEqual([]);
  });
});

describe('channels', () => {
  const name = 'qemu-7.2-multifd-zlib-live';

  test('can be named one by one', async () => {
    const { folder, main, channels } = memoryFiles(name);
    const out = join(folder, 'out');
    const { status } = await vmwalk(['ram', 'extract', main, '--channel', ...channels, '-o', out]);
    expect(status).toBe(0);
  });

  test('that a pattern does not find are trouble', async () => {
    const { folder, main } = memoryFiles(name);
    const out = join(folder, 'out');
    const { status, stderr } = await vmwalk(['ram', 'extract', main, '--channel', `${main}.no*`, '-o', out]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^vmwalk: error: no file matches [^\n]*\n$/);
    expect(existsSync(out)).toBe(false);
  });

  test('that are not given leave an error, and the rest is written', async () => {
    const { folder, main } = memoryFiles(name);
    const out = join(folder, 'out');
    const { status, stderr } = await vmwalk(['ram', 'extract', main, '-o', out]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/error: .*bytes of RAM are not in this stream/);
    expect(indexOf(out).length).toBeGreaterThan(0);
  });

  test('are listed by info, which names them when they are missing', async () => {
    const { folder, main } = memoryFiles(name);
    const given = await vmwalk(['info', main, '--channel', join(folder, 'vm.ch?')]);
    expect(given.stdout).toMatch(/channel 0 .* pages in .* \(zlib\), .* syncs/);
    const missing = await vmwalk(['info', main]);
    expect(missing.stdout).toMatch(/note: .*multifd channels, which are given with --channel/);
  });

  test('cannot stand for the stream', async () => {
    const { channels } = memoryFiles(name);
    const { status, stderr } = await vmwalk(['info', channels[0]!]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/multifd channel of a migration, not its main stream/);
  });
});

test('a block of which no page was sent has no file', async () => {
  const fixture = fixtures.find(({ capabilities }) => capabilities?.includes('x-ignore-shared'))!;
  const out = join(temporaryFolder(), 'out');
  const { status, stderr } = await vmwalk(['ram', 'extract', fixtureFile(fixture), '-o', out]);
  expect(status).toBe(0);
  const shared = indexOf(out).filter(({ file }) => file === undefined);
  expect(shared.length).toBeGreaterThan(0);
  for (const { idstr } of shared) expect(stderr).toContain(`no page of RAMBlock ${idstr} `);
});

describe('the folder', () => {
  test('must be empty, unless it is forced', async () => {
    const out = temporaryFolder();
    writeFileSync(join(out, 'mine'), 'mine');
    const file = fixtureFile(described);
    const refused = await vmwalk(['ram', 'extract', file, '-o', out]);
    expect(refused.status).toBe(2);
    expect(readdirSync(out)).toEqual(['mine']);
    const forced = await vmwalk(['ram', 'extract', '--force', file, '-o', out]);
    expect(forced.status).toBe(0);
    expect(readdirSync(out)).toEqual(expect.arrayContaining(['index.json', 'mine']));
  });

  test.each([
    ['that was made is removed', false],
    ['that was there is left as it was', true],
  ])('%s when the extraction is stopped', async (_, exists) => {
    const folder = temporaryFolder();
    const out = join(folder, 'a', 'b');
    if (exists) mkdirSync(out, { recursive: true });
    // Of so much RAM that it is read in several pieces.
    const source = memorySource(readFixture('qemu-7.2-pc-devices'));
    const controller = new AbortController();
    const vm = await openVm(source, { memory: nodeMemory(), signal: controller.signal });
    const stopped = extractRam(vm, out, {
      // By then something is written.
      onProgress: () => {
        if (readdirSync(out, { recursive: true }).length > 0) controller.abort(new Error('stopped'));
      },
    });
    await expect(stopped).rejects.toThrow('stopped');
    expect(readdirSync(folder, { recursive: true })).toEqual(exists ? ['a', join('a', 'b')] : []);
  });

  test('is not made for what is no stream', async () => {
    const out = join(temporaryFolder(), 'out');
    const { status } = await vmwalk(['ram', 'extract', temporaryFile(Buffer.from('no stream')), '-o', out]);
    expect(status).toBe(2);
    expect(existsSync(out)).toBe(false);
  });
});
