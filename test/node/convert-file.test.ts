import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { memoryOf } from '../../src/layout/open.ts';
import { type ConvertFileOptions, convertFile } from '../../src/node/convert-file.ts';
import { nodeMemory } from '../../src/node/node-memory.ts';
import { type FileVm, type FileVmOptions, openVm } from '../../src/node/open-vm.ts';
import { memoryFiles } from '../cli/memory-files.ts';
import { temporaryFile, temporaryFolder, vmwalk } from '../cli/run.ts';
import { readImage } from '../containers/images.ts';
import { readFixture } from '../fixtures.ts';
import { memoryFixture, wrongRanges } from '../ram/memory-fixtures.ts';
import { wholeMemory } from '../ram/whole-memory.ts';

const saves = new URL('../../fixtures/libvirt/', import.meta.url);

function saveImage(name: string): Buffer {
  return gunzipSync(readFileSync(new URL(`${name}.save.gz`, saves)));
}

async function withFile<T>(
  file: string,
  use: (vm: FileVm) => Promise<T>,
  options: FileVmOptions = {},
): Promise<T> {
  const vm = await openVm(file, { memory: nodeMemory(), schemas: undefined, ...options });
  return use(vm).finally(vm.close);
}

/** The path of what a file is converted to. */
async function convert(file: string, options: ConvertFileOptions, open: FileVmOptions = {}): Promise<string> {
  const out = join(temporaryFolder(), 'out');
  await withFile(file, (vm) => convertFile(vm, out, options), open);
  return out;
}

function contentOf(file: string): Promise<ReadonlyMap<string, Uint8Array>> {
  return withFile(file, async (vm) => (await wholeMemory(memoryOf(vm))).blocks);
}

async function hashesOf(file: string): Promise<readonly string[]> {
  return [...(await contentOf(file))]
    .map(([idstr, content]) => `${idstr} ${createHash('sha256').update(content).digest('hex')}`)
    .sort();
}

/** The bytes of the record that begins the section of RAM. */
function ramStart(file: string): Promise<Buffer> {
  return withFile(file, async ({ stream }) => {
    const { start, end } = stream.sections.find(({ idstr }) => idstr === 'ram')!.records[0]!.range;
    return readFileSync(file).subarray(start, end);
  });
}

describe('mapped-ram', () => {
  test.each(['qemu-10.0-mapped-ram', 'qemu-11.1-mapped-ram-multifd'])(
    'of %s is what QEMU wrote, header, bitmaps and pages',
    async (name) => {
      const file = temporaryFile(readFixture(name));
      const [before, after] = [
        await ramStart(file),
        await ramStart(await convert(file, { to: 'mapped-ram' })),
      ];
      expect(before.length).toBeGreaterThan(1 << 20);
      expect(after.equals(before)).toBe(true);
    },
  );

  test.each(['qemu-7.2-xbzrle-live', 'qemu-11.1-multifd-legacy-zero-live', 'qemu-10.0-postcopy-preempt'])(
    'of %s has the memory of the QEMU that loaded it; zeros take no room',
    async (name) => {
      const { main, channels } = memoryFiles(name);
      const out = await convert(main, { to: 'mapped-ram' }, { channel: channels });
      const blocks = await contentOf(out);
      expect(wrongRanges(memoryFixture(name), (block) => blocks.get(block))).toEqual([]);
      await withFile(out, async ({ stream }) => {
        expect(stream.configuration?.capabilities).toEqual(['mapped-ram']);
        expect(stream.diagnostics).toEqual([]);
      });
      const { size, blocks: used } = statSync(out);
      expect(512 * used).toBeLessThan(size / 2);
    },
  );

  test('is described in the vmdesc, beside another capability', async () => {
    const out = await convert(temporaryFile(readFixture('qemu-11.1-ignore-shared')), { to: 'mapped-ram' });
    await withFile(out, async ({ stream, diagnostics }) => {
      expect(stream.configuration?.capabilities).toEqual(['x-ignore-shared', 'mapped-ram']);
      expect(diagnostics).toEqual([]);
    });
  });

  test('is refused where nothing would tell of it, and in a pipe', async () => {
    const old = temporaryFile(readFixture('qemu-5.2-machine-2.3'));
    await expect(convert(old, { to: 'mapped-ram' })).rejects.toThrow(/it has no configuration/);
    const { status, stderr, stdout } = await vmwalk([
      'convert',
      old,
      '--to',
      'mapped-ram',
      '-o',
      '/dev/stdout',
    ]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^vmwalk: error: [^\n]*mapped-ram needs a file\n$/);
  });
});

describe('a save image', () => {
  const raw = saveImage('s390x-raw');
  const xml = readFileSync(new URL('s390x.xml', saves), 'utf8');

  test('has the head that libvirt wrote, and the stream behind it is a plain one', async () => {
    const file = temporaryFile(raw, 'vm.save');
    const [image, plain] = [await convert(file, { to: 'libvirt' }), await convert(file, {})];
    const head = 92 + raw.readUInt32LE(20);
    const written = readFileSync(image);
    expect(written.subarray(0, head).equals(raw.subarray(0, head))).toBe(true);
    expect(written.subarray(head).equals(readFileSync(plain))).toBe(true);
  });

  test('has another XML, which may be longer, and keeps the cookie', async () => {
    const longer = xml.replace('</domain>', `<!-- ${'x'.repeat(100_000)} -->\n</domain>`);
    const file = temporaryFile(saveImage('s390x-sparse'), 'vm.save');
    const image = await convert(file, { to: 'libvirt', xml: longer, isRunning: true });
    await withFile(image, async ({ containers: [found] }) => {
      expect(found?.xml).toBe(longer);
      expect(found?.cookie).toMatch(/^<cookie>/);
      expect(found?.details).toMatchObject({ state: 'running', format: 'raw', version: 2 });
    });
    expect(await hashesOf(image)).toEqual(await hashesOf(file));
  });

  test('is made of a stream that came with none, and takes what is a domain', async () => {
    const file = temporaryFile(readFixture('qemu-7.2-s390x-ccw'));
    const image = await convert(file, { to: 'libvirt', xml });
    await withFile(image, async ({ containers: [found] }) => {
      expect(found).toMatchObject({ xml, cookie: undefined, details: { state: 'paused' } });
    });
    await expect(convert(file, { to: 'libvirt' })).rejects.toThrow(/the stream came with none/);
    for (const wrong of ['', '<network/>', `${xml}\0`])
      await expect(convert(file, { to: 'libvirt', xml: wrong })).rejects.toThrow(/the XML is of no domain/);
  });
});

describe('compressed', () => {
  const file = temporaryFixture();

  test('by gzip, its programs read it', async () => {
    const [packed, plain] = [await convert(file(), { to: 'gzip' }), await convert(file(), {})];
    expect(gunzipSync(readFileSync(packed)).equals(readFileSync(plain))).toBe(true);
  });

  test('by zstd, its program reads it, and finds a checksum', async () => {
    const [packed, plain] = [await convert(file(), { to: 'zstd' }), await convert(file(), {})];
    const { stdout } = spawnSync('zstd', ['-dc', packed], { maxBuffer: 1 << 26 });
    expect(stdout.equals(readFileSync(plain))).toBe(true);
    // Of the frame header's descriptor (RFC 8878, 3.1.1.1.1).
    expect(readFileSync(packed)[4]! & 4).toBe(4);
  });

  test('into a pipe', async () => {
    const { status } = await vmwalk(['convert', file(), '--to', 'gzip', '-o', '/dev/stdout'], {});
    expect(status).toBe(0);
  });
});

/** The path of a stream, made in each test. */
function temporaryFixture(): () => string {
  return () => temporaryFile(readFixture('qemu-7.2-rounds'));
}

test('a snapshot in an image becomes a stream, and nothing is written over', async () => {
  const image = temporaryFile(readImage('zlib'), 'disk.qcow2');
  const out = join(temporaryFolder(), 'vm.qevm');
  const run = await vmwalk(['convert', `${image}#1`, '-o', out, '--json']);
  expect(run.status).toBe(0);
  expect(JSON.parse(run.stdout)).toMatchObject({ size: statSync(out).size, commandsLeftOut: [] });
  expect(await hashesOf(out)).toEqual(await hashesOf(`${image}#1`));
  const again = await vmwalk(['convert', `${image}#1`, '-o', out]);
  expect([again.status, again.stderr]).toEqual([2, `vmwalk: error: ${out} exists already\n`]);
});

describe('what cannot be converted leaves nothing, and one line with the place:', () => {
  const refused = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const folder = temporaryFolder();
    const { status, stderr, stdout } = await vmwalk(['convert', ...args, '-o', join(folder, 'out')], { env });
    expect(stderr).toMatch(/^vmwalk: error: [^\n]+\n$/);
    expect([stdout, readdirSync(folder)]).toEqual(['', []]);
    return { status, stderr };
  };

  test('a stream that is cut', async () => {
    const bytes = readFixture('qemu-7.2-rounds');
    const { status, stderr } = await refused([temporaryFile(bytes.subarray(0, bytes.length / 2))]);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/offset 0x\w+.* ends inside/)]);
  });

  test('channels that are missing', async () => {
    const { main, channels } = memoryFiles('qemu-7.2-multifd-zlib-live');
    expect((await refused([main])).status).toBe(1);
    expect((await refused([main, '--channel', ...channels.slice(1)])).status).toBe(1);
  });

  test('what is no stream, or not there', async () => {
    expect((await refused([temporaryFile(Buffer.from('no stream'))])).status).toBe(2);
    expect((await refused(['nowhere.qevm'])).status).toBe(2);
    const file = temporaryFile(readFixture('qemu-7.2-rounds'));
    expect((await refused([file, '--to', 'libvirt', '--xml', 'nowhere.xml'])).status).toBe(2);
  });

  test('options that do not go together', async () => {
    const folder = temporaryFolder();
    const run = await vmwalk(['convert', 'vm.qevm', '--running', '-o', join(folder, 'out')]);
    expect([run.status, run.stderr]).toEqual([
      2,
      expect.stringMatching(/--xml and --running are for --to libvirt/),
    ]);
    expect(existsSync(join(folder, 'out'))).toBe(false);
  });
});

/** As in Node 20. */
const WITHOUT_ZSTD = `data:text/javascript,${encodeURIComponent("import zlib from 'node:zlib'; zlib.createZstdCompress = undefined;")}`;

test.each([
  ['kill -KILL $$', 'was ended by SIGKILL'],
  ['cat >/dev/null; echo no room >&2; exit 3', 'failed: no room'],
])('zstd: %s', async (script, how) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'zstd'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const file = temporaryFile(readFixture('qemu-7.2-rounds'));
  const out = join(folder, 'out');
  const { status, stderr } = await vmwalk(['convert', file, '--to', 'zstd', '-o', out], {
    env: { PATH: `${folder}:${process.env['PATH']}` },
    node: ['--import', WITHOUT_ZSTD],
  });
  expect([status, stderr]).toEqual([2, `vmwalk: error: it takes the program zstd, which ${how}\n`]);
  expect(readdirSync(folder)).toEqual(['zstd']);
});

test('zstd that is not there', async () => {
  const file = temporaryFile(readFixture('qemu-7.2-rounds'));
  const folder = temporaryFolder();
  const { status, stderr } = await vmwalk(['convert', file, '--to', 'zstd', '-o', join(folder, 'out')], {
    env: { PATH: folder },
    node: ['--import', WITHOUT_ZSTD],
  });
  expect([status, stderr]).toEqual([
    2,
    expect.stringMatching(/zstd, which is not on PATH \(install zstd\)\n$/),
  ]);
  expect(readdirSync(folder)).toEqual([]);
});
