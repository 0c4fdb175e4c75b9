import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { extractStream } from '../../src/node/extract.ts';
import { nodeMemory } from '../../src/node/node-memory.ts';
import { openVm } from '../../src/vm/vm.ts';
import { type Fixture, fixtures, readFixture } from '../fixtures.ts';
import { readBlob, readByBlob } from '../layout/blob-reader.ts';
import { type PlainRam, readPlainRam } from './plain-ram.ts';
import { described, fixtureFile, pickFixture, temporaryFile, temporaryFolder, vmwalk } from './run.ts';

interface Extracted {
  readonly file: string;
  readonly size: number;
  readonly content: {
    readonly kind: string;
    readonly idstr?: string;
    readonly instanceId?: number;
    readonly offset?: number;
  };
}

/** Extracts into `out` of a new folder, and gives both. */
async function extract(file: string) {
  const folder = temporaryFolder();
  const out = join(folder, 'out');
  const run = await vmwalk(['extract', '--json', file, '-o', out]);
  const files: Extracted[] = run.status === 2 ? [] : JSON.parse(run.stdout).files;
  return { ...run, folder, out, files };
}

/** Paths of all files below a folder. */
function tree(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function ramOf(bytes: Buffer): PlainRam | undefined {
  return readPlainRam(bytes, readBlob(bytes)?.blob.page_size ?? 4096);
}

/** Of each QEMU version the smallest fixture whose RAM is sent in plain pages. */
const plain = [
  ...new Map(
    [...fixtures]
      .sort((a, b) => b.size - a.size)
      .filter(({ name }) => ramOf(Buffer.from(readFixture(name)))?.fills.length)
      .map((fixture) => [fixture.qemuVersion, fixture]),
  ).values(),
];

test('there are streams with plain pages from all versions', () => {
  expect(plain.length).toBeGreaterThanOrEqual(4);
});

describe.each(plain)('of $name', (fixture: Fixture) => {
  const bytes = Buffer.from(readFixture(fixture.name));

  async function compare(stream: Buffer): Promise<void> {
    const { blocks } = ramOf(stream)!;
    const { status, out, files } = await extract(temporaryFile(stream));
    expect(status).toBe(0);
    const ram = files.filter(({ content }) => content.kind === 'ram');
    expect(ram.map(({ content, size }) => [content.idstr, size])).toEqual(
      [...blocks].map(([idstr, content]) => [idstr, content.length]),
    );
    for (const { file, content } of ram) {
      // Buffer.equals: a matcher would print megabytes.
      expect(readFileSync(join(out, file)).equals(blocks.get(content.idstr!)!), file).toBe(true);
    }
  }

  test('RAM is what the guest had', () => compare(bytes));

  test('so are pages of one byte that is not zero', async () => {
    // The format has a byte for it, of which QEMU today sends zero alone.
    const stream = Buffer.from(bytes);
    for (const [i, offset] of ramOf(bytes)!.fills.entries()) stream[offset] = i % 3;
    await compare(stream);
  });
});

test('sections are the bytes that the devices wrote', async () => {
  const bytes = Buffer.from(readFixture(described.name));
  const expected = readByBlob(bytes, readBlob(bytes)!).filter(({ idstr }) => idstr !== 'configuration');
  const { out, files } = await extract(fixtureFile(described));
  for (const { idstr, instanceId, start, end } of expected) {
    const found = files.find(({ content }) => content.kind === 'section' && content.offset === start);
    expect(found?.content).toMatchObject({ idstr, instanceId });
    expect(readFileSync(join(out, found!.file)).equals(bytes.subarray(start, end)), idstr).toBe(true);
  }
  expect(JSON.parse(readFileSync(join(out, 'index.json'), 'utf8'))).toEqual(files);
  expect(tree(out)).toEqual([...files.map(({ file }) => join(out, file)), join(out, 'index.json')].sort());
  for (const { file, size } of files) expect(statSync(join(out, file)).size, file).toBe(size);
});

describe('names that lead elsewhere', () => {
  const bytes = Buffer.from(readFixture(described.name));
  const [block] = ramOf(bytes)!.blocks.keys();

  /** The stream with a length byte and a name replaced wherever they are. */
  function rename(from: string, to: string): Buffer {
    const name = (text: string) => Buffer.concat([Buffer.of(Buffer.byteLength(text)), Buffer.from(text)]);
    const parts: Buffer[] = [];
    let at = 0;
    for (let next = bytes.indexOf(name(from)); next >= 0; next = bytes.indexOf(name(from), at)) {
      parts.push(bytes.subarray(at, next), name(to));
      at = next + name(from).length;
    }
    expect(parts.length).toBeGreaterThan(0);
    return Buffer.concat([...parts, bytes.subarray(at)]);
  }

  const outside = join(tmpdir(), `vmwalk-test-outside-${process.pid}`);
  const NAMES = [
    '../../x',
    '../x',
    '..',
    '.',
    '/',
    outside,
    '',
    '/'.repeat(255),
    '../'.repeat(85),
    'x'.repeat(255),
    'a\0b',
    '\0',
    '.hidden',
    'index.json',
    '\u001b[2J\n',
    '\u00e4\ud83d\ude00',
    'con:',
    '-rf',
    '__proto__',
  ];

  test.each([
    ...NAMES.map((name) => ['a section', 'timer', name] as const),
    ...NAMES.map((name) => ['a RAM block', block!, name] as const),
  ])('of %s: %j becomes %j', async (_, from, to) => {
    const folder = temporaryFolder();
    const out = join(folder, 'out');
    const { files } = await extractStream(
      await openVm(memorySource(rename(from, to)), { memory: nodeMemory() }),
      out,
    );
    const found = tree(folder);
    expect(found).toEqual([...files.map((entry) => join(out, entry.file)), join(out, 'index.json')].sort());
    for (const { file: path } of files)
      expect(path).toMatch(/^((sections|ram)\/)?[A-Za-z0-9_-][A-Za-z0-9._-]*$/);
    expect(existsSync(outside)).toBe(false);
    // Without a name there is no block.
    if (to !== '')
      expect(files.map(({ content }) => ('idstr' in content ? content.idstr : ''))).toContain(to);
  });
});

describe('the folder', () => {
  test('is made with those above it', async () => {
    const folder = join(temporaryFolder(), 'a', 'b', 'c');
    const { status } = await vmwalk(['extract', fixtureFile(described), '-o', folder]);
    expect(status).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(['desc.json', 'index.json', 'ram', 'sections', 'state.json']);
  });

  test('must be empty, unless it is forced', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'ram'));
    writeFileSync(join(folder, 'mine'), 'mine');
    const file = fixtureFile(described);
    const refused = await vmwalk(['extract', file, '-o', folder]);
    expect([refused.status, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toMatch(/^vmwalk: error: [^\n]*not empty\n$/);
    expect(tree(folder)).toEqual([join(folder, 'mine')]);
    const forced = await vmwalk(['extract', '--force', file, '-o', folder]);
    expect(forced.status).toBe(0);
    expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('mine');
  });

  test('may not be a file', async () => {
    const { status, stderr } = await vmwalk([
      'extract',
      fixtureFile(described),
      '-o',
      temporaryFile(Buffer.from('x')),
    ]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^vmwalk: error: [^\n]+\n$/);
  });
});

test('a damaged stream is extracted as far as it goes', async () => {
  const fixture = pickFixture(({ name }) => plain.some((candidate) => candidate.name === name));
  const bytes = readFixture(fixture.name);
  const blob = readBlob(Buffer.from(bytes));
  const cut = (blob?.start ?? bytes.length) - 20;
  const { status, files, out } = await extract(temporaryFile(bytes.subarray(0, cut)));
  expect(status).toBe(1);
  expect(files.length).toBeGreaterThan(2);
  for (const { file, size } of files) expect(statSync(join(out, file)).size).toBe(size);
});

test('state.json and desc.json are what the script of QEMU prints', async () => {
  const fixture = pickFixture(({ script }) => script.state !== null && script.desc !== null);
  const { out } = await extract(fixtureFile(fixture));
  for (const what of ['state', 'desc'] as const) {
    const digest = await crypto.subtle.digest('SHA-256', readFileSync(join(out, `${what}.json`)));
    expect(Buffer.from(digest).toString('hex')).toBe(fixture.script[what]);
  }
});
