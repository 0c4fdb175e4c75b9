import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { memorySource } from '../../src/bytes/source.ts';
import type { CompressionFormat } from '../../src/containers/container.ts';
import { unwrap } from '../../src/containers/open.ts';
import { nodeEnvironment } from '../../src/node/decompress.ts';
import { extractStream } from '../../src/node/extract.ts';
import { nodeMemory } from '../../src/node/node-memory.ts';
import { openInput } from '../../src/node/open-input.ts';
import { openVm } from '../../src/vm/vm.ts';
import { temporaryFile, temporaryFolder, vmwalk } from '../cli/run.ts';
import { readAll, sha256 } from './environment.ts';

const folder = new URL('../../fixtures/libvirt/', import.meta.url);

/** A save image of real libvirt; what else is known of it is from virsh, QEMU's monitor and the compressor. */
interface SaveImage {
  readonly name: string;
  readonly format: 'raw' | 'sparse' | CompressionFormat;
  readonly arch: string;
  /** SHA-256 of the stream, and of the 16 MiB of guest memory. */
  readonly stream: string;
  readonly memory: string;
}

const images: readonly SaveImage[] = JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8'));

function readImage({ name }: SaveImage): Buffer {
  return gunzipSync(readFileSync(new URL(`${name}.save.gz`, folder)));
}

describe.for(images)('$name', (image) => {
  const { arch, format } = image;

  it('holds the stream and the memory that were saved', async () => {
    const input = await openInput(temporaryFile(readImage(image), 'vm.save'));
    try {
      expect(sha256(await readAll(input.source))).toBe(image.stream);
      expect(input.diagnostics).toEqual([]);
      const output = temporaryFolder();
      const vm = await openVm(input.source, { memory: nodeMemory() });
      const { files, diagnostics } = await extractStream(vm, output);
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
      const ram = files.find(
        ({ content }) => content.kind === 'ram' && /^(mach-virt|s390)\.ram$/.test(content.idstr),
      );
      expect(sha256(readFileSync(join(output, ram!.file)))).toBe(image.memory);
    } finally {
      await input.close();
    }
  });

  it('says what libvirt says of it', async () => {
    const path = temporaryFile(readImage(image), 'vm.save');
    const input = await openInput(path, { isEnough: ({ xml }) => xml !== undefined });
    await input.close();
    const [layer] = input.layers;
    expect(layer!.kind).toBe('libvirt save image');
    expect(layer!.details).toEqual({ domain: `save <${arch}>`, state: 'paused', format, version: 2 });
    // virsh adds the devices that it takes for granted.
    const defaults = /^ {4}<(audio .*|controller .* model='pci-root'|panic .*)\/>$/;
    const virsh = readFileSync(new URL(`${arch}.xml`, folder), 'utf8').split('\n');
    expect(layer!.xml!.split('\n')).toEqual([
      ...virsh.slice(0, -2).filter((line) => !defaults.test(line)),
      '',
    ]);
  });
});

const raw = readImage(images.find(({ format }) => format === 'raw')!);

async function open(bytes: Uint8Array) {
  const unwrapped = await unwrap(memorySource(bytes, 'vm.save'), nodeEnvironment());
  const stream = await readAll(unwrapped.source);
  await unwrapped.close();
  return { ...unwrapped, stream };
}

/** The raw image with u32 fields of its header changed, by their index behind the magic. */
function withFields(fields: Readonly<Record<number, number>>, littleEndian = true): Buffer {
  const bytes = Buffer.from(raw);
  for (const [index, value] of Object.entries(fields)) {
    if (littleEndian) bytes.writeUInt32LE(value, 16 + 4 * Number(index));
    else bytes.writeUInt32BE(value, 16 + 4 * Number(index));
  }
  return bytes;
}

describe('a save image', () => {
  it('is opened inside a gzip file', async () => {
    const plain = await open(raw);
    const nested = await open(gzipSync(raw));
    expect(nested.layers.map(({ kind }) => kind)).toEqual(['gzip', 'libvirt save image']);
    expect(Buffer.compare(nested.stream, plain.stream)).toBe(0);
  });

  it('may come from a host of the other byte order', async () => {
    const fields = [0, 1, 2, 3, 4].map((index) => [index, raw.readUInt32LE(16 + 4 * index)]);
    const swapped = await open(withFields(Object.fromEntries(fields), false));
    const plain = await open(raw);
    const told = ({ layers }: typeof plain) => layers.map(({ source: _, ...layer }) => layer);
    expect(told(swapped)).toEqual(told(plain));
    expect(Buffer.compare(swapped.stream, plain.stream)).toBe(0);
  });

  it('that libvirt did not finish is opened with a warning', async () => {
    const bytes = Buffer.from(raw);
    bytes.write('LibvirtQemudPart');
    const { stream, diagnostics } = await open(bytes);
    expect(Buffer.compare(stream, (await open(raw)).stream)).toBe(0);
    expect(diagnostics).toMatchObject([{ severity: 'warning', code: 'bad-container' }]);
    expect(diagnostics[0]!.message).toContain('incomplete');
  });

  it('of another version, cut, or with more XML than it has room for is refused, with the place', async () => {
    const refused = { diagnostic: { code: 'bad-container', range: { start: expect.any(Number) } } };
    await expect(open(withFields({ 0: 3 }))).rejects.toMatchObject(refused);
    await expect(open(withFields({ 1: 0xffffffff }))).rejects.toMatchObject(refused);
    await expect(open(withFields({ 1: raw.length - 92 }))).rejects.toMatchObject(refused);
    for (const length of [16, 91, 92, 1000]) {
      await expect(open(raw.subarray(0, length))).rejects.toMatchObject(refused);
    }
  });

  it('with a cookie or an XML that cannot be still gives its stream', async () => {
    const { stream } = await open(raw);
    const cookie = await open(withFields({ 4: 0xfffffff0 }));
    expect(Buffer.compare(cookie.stream, stream)).toBe(0);
    expect(cookie.diagnostics).toHaveLength(1);
    const noEnd = Buffer.from(raw);
    noEnd.fill('x', 92, 92 + raw.readUInt32LE(20));
    const { diagnostics, layers } = await open(noEnd);
    expect(diagnostics).toHaveLength(1);
    expect(layers[0]!.details['domain']).toBeUndefined();
  });

  it('with any header is opened or refused', async () => {
    const header = fc.uint8Array({ minLength: 20, maxLength: 20 });
    const small = fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 5, maxLength: 5 });
    const fields = fc.oneof(
      header,
      small.map((values) => Uint8Array.from(values.flatMap((value) => [value, 0, 0, 0]))),
    );
    await fc.assert(
      fc.asyncProperty(fields, async (bytes) => {
        const changed = Buffer.from(raw);
        changed.set(bytes, 16);
        await open(changed).catch((error) => expect(error).toBeInstanceOf(DecodeError));
      }),
    );
  });
});

describe('info --xml', () => {
  it('prints the XML as it is in the file, and does not decompress what is behind it', async () => {
    const image = images.find(({ format }) => format === 'xz')!;
    const bytes = readImage(image);
    const path = temporaryFile(bytes, 'vm.save');
    const { status, stdout, stderr } = await vmwalk(['info', '--xml', path], { env: { PATH: '/nowhere' } });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toBe(bytes.subarray(92, bytes.indexOf(0, 92)).toString());
  });

  it('says that a bare stream has none', async () => {
    const path = temporaryFile(Buffer.from('QEVM'), 'vm.qevm');
    const { status, stdout, stderr } = await vmwalk(['info', '--xml', path]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toBe(`vmwalk: error: ${path} has no domain XML: it is no libvirt save image\n`);
  });
});

describe('a compressed file on the command line', () => {
  const gz = gzipSync(raw);

  it('is read from standard input', async () => {
    const fromFile = await vmwalk(['dump', '-'], { input: raw });
    const fromGzip = await vmwalk(['dump', '-'], { input: gz });
    expect(fromGzip).toMatchObject({ status: 0, stderr: '', stdout: fromFile.stdout });
    expect(fromFile.stdout.length).toBeGreaterThan(1000);
  });

  it('shows its containers in info', async () => {
    const { stdout } = await vmwalk(['info', temporaryFile(gz)]);
    expect(stdout).toContain(`  container     gzip: compressed size ${gz.length}\n`);
    expect(stdout).toContain(
      '  container     libvirt save image: domain save <s390x>, state paused, format raw, version 2\n',
    );
    const json = await vmwalk(['info', '--json', temporaryFile(gz)]);
    expect(JSON.parse(json.stdout).containers.map(({ kind }: { kind: string }) => kind)).toEqual([
      'gzip',
      'libvirt save image',
    ]);
  });

  it('names the program that is missing', async () => {
    const image = readImage(images.find(({ format }) => format === 'xz')!);
    const path = temporaryFile(image, 'vm.save');
    const { status, stdout, stderr } = await vmwalk(['info', path], { env: { PATH: '/nowhere' } });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toBe(
      `vmwalk: error: cannot read ${path}: it takes the program xz, which is not on PATH (install xz-utils)\n`,
    );
  });

  it('that is cut is dumped as far as it goes, with status 1', async () => {
    const { status, stdout, stderr } = await vmwalk([
      'dump',
      temporaryFile(gz.subarray(0, gz.length - 2000)),
    ]);
    expect(status).toBe(1);
    expect(stdout.length).toBeGreaterThan(100);
    expect(stderr).toContain('the gzip data is cut or damaged (unexpected end of file');
  });

  it('leaves no temporary file, and says when there is no room for one', async () => {
    const path = temporaryFile(gz);
    const TMPDIR = temporaryFolder();
    expect(await vmwalk(['info', path], { env: { TMPDIR } })).toMatchObject({ status: 0 });
    expect(readdirSync(TMPDIR)).toEqual([]);
    const { status, stderr } = await vmwalk(['info', path], { env: { TMPDIR: join(TMPDIR, 'none') } });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^vmwalk: error: cannot keep the stream in a temporary file: .*TMPDIR.*\n$/);
  });
});
