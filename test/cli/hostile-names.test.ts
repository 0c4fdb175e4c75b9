import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readImage } from '../containers/images.ts';
import { readFixture } from '../fixtures.ts';
import { temporaryFile, temporaryFolder, vmwalk } from './run.ts';

const FIXTURE = 'qemu-11.1-suppress-vmdesc-twin';
const SCHEMA = '11.1-x86_64';

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** What a terminal or an editor obeys, or does not show. */
const dangerous = [
  ...range(0, 0x1f),
  ...range(0x7f, 0x9f),
  0x061c,
  ...range(0x200b, 0x200f),
  ...range(0x2028, 0x202e),
  ...range(0x2060, 0x2069),
  0xfeff,
  0xe0001,
  0xe0041,
];
const evil = `${String.fromCodePoint(...dangerous)}\u001b[5m<a&"'>]]>`;
/** Not UTF-8: bytes are then code points. */
const evilBytes = Uint8Array.of(0x9b, 0x35, 0x6d, 0x85, 0x41);
const inFileName = '\u001b[5m\u009b5m\u202e\u{e0041}';

/** What vmwalk itself colours text with. */
const COLOURS = ['1', '2', '22', '31', '33', '36', '39'].map((code) => `\u001b[${code}m`);

function expectNothingDangerous(text: string): void {
  let rest = text;
  for (const colour of COLOURS) rest = rest.replaceAll(colour, '');
  const found = dangerous.filter(
    (code) => code !== 0x09 && code !== 0x0a && rest.includes(String.fromCodePoint(code)),
  );
  expect(found.map((code) => code.toString(16))).toEqual([]);
  expect(rest).not.toMatch(/\p{Surrogate}/u);
}

function textBytes8(text: string | Uint8Array): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
}

function replaceAll(bytes: Buffer, what: Buffer, by: Buffer): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(what); at >= 0; at = bytes.indexOf(what, from)) {
    parts.push(bytes.subarray(from, at), by);
    from = at + what.length;
  }
  expect(parts.length).toBeGreaterThan(0);
  return Buffer.concat([...parts, bytes.subarray(from)]);
}

interface JsonDevice {
  name: string;
  vmsd_name?: string;
  fields?: { name: string; type: string }[];
}

/** A stream of real QEMU in which a section, a RAMBlock and what the vmdesc has names for are called so. */
function hostileStream(name: string | Uint8Array, machineType = 'pc-i440fx-11.1'): Buffer {
  const stream = Buffer.from(readFixture(FIXTURE));
  const start = stream.lastIndexOf('{"configuration"');
  const at = start < 0 ? stream.lastIndexOf('{"page_size"') : start;
  const vmdesc = JSON.parse(stream.subarray(at).toString()) as { devices: JsonDevice[] };
  const text = typeof name === 'string' ? name : Buffer.from(name).toString('latin1');
  for (const device of vmdesc.devices) {
    if (device.name === 'timer') {
      device.name = text;
      device.vmsd_name = text;
      for (const field of device.fields ?? []) field.name = text;
    }
    if (device.name === 'kbd' || device.name === 'fdc')
      for (const field of device.fields ?? []) if (field.type === 'buffer') field.type = text;
  }
  const json = Buffer.from(JSON.stringify(vmdesc));
  let head: Buffer = stream.subarray(0, at - 4);
  for (const old of ['timer', 'pc.ram']) head = replaceAll(head, textBytes8(old), textBytes8(name));
  const type = Buffer.from('pc-i440fx-11.1');
  const length = (bytes: Buffer) => {
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(bytes.length);
    return Buffer.concat([prefix, bytes]);
  };
  head = replaceAll(head, length(type), length(Buffer.from(machineType)));
  return Buffer.concat([head, length(json)]);
}

const hostile = {
  text: hostileStream(evil),
  bytes: hostileStream(evilBytes),
  type: hostileStream(evil, evil),
};
const env = { FORCE_COLOR: '1' };
const names = [
  ['every dangerous character', hostile.text],
  ['bytes that are no UTF-8', hostile.bytes],
  ['the machine type', hostile.type],
] as const;

function hostileFile(bytes: Uint8Array, extension = 'qevm'): string {
  return temporaryFile(bytes, `${inFileName}.${extension}`);
}

async function runSafely(args: readonly string[], environment: Record<string, string> = env) {
  const run = await vmwalk(args, { env: environment });
  expectNothingDangerous(run.stdout);
  expectNothingDangerous(run.stderr);
  expect(run.stdout + run.stderr).not.toBe('');
  return run;
}

describe.each(names)('names in a stream: %s', (_, stream) => {
  test.each([
    ['info'],
    ['dump'],
    ['dump', '--full', '--raw', '--offsets'],
    ['dump', '--no-blob', '--schema', SCHEMA],
    ['ram'],
    ['check', '--schema', SCHEMA, '--notes'],
    ['scan'],
  ])('%s %s %s %s', async (...args) => {
    const [command, ...options] = args.filter((arg) => arg !== undefined);
    await runSafely([command!, hostileFile(stream), ...options]);
  });

  test.each([
    ['info', '--json'],
    ['dump', '--json'],
    ['dump', '--ndjson'],
    ['dump', '--analyze-migration'],
    ['describe', '--json'],
    ['ram', '--json'],
    ['check', '--schema', SCHEMA, '--json'],
    ['check', '--schema', SCHEMA, '--sarif'],
    ['scan', '--json'],
  ])('%s %s %s %s: JSON with the same value', async (...args) => {
    const [command, ...options] = args.filter((arg) => arg !== undefined);
    const { stdout } = await runSafely([command!, hostileFile(stream), ...options]);
    const lines = options.includes('--ndjson') ? stdout.trimEnd().split('\n') : [stdout];
    for (const line of lines) JSON.parse(line);
    const name = stream === hostile.bytes ? Buffer.from(evilBytes).toString('latin1') : evil;
    const isNamed = !['check', 'scan'].includes(command!);
    const found = lines.some((line) => holds(JSON.parse(line), name));
    if (isNamed) expect(found).toBe(true);
  });

  test('JUnit is XML in which the name is escaped', async () => {
    const { stdout } = await runSafely(['check', hostileFile(stream), '--schema', SCHEMA, '--junit']);
    expect(stdout).toMatch(/^<\?xml.*<testcase .*<\/testsuites>\n$/s);
    expect(stdout).toContain('\\x1b[5m');
  });

  test('diff, also with RAM, of both kinds', async () => {
    const plain = temporaryFile(readFixture(FIXTURE), 'plain.qevm');
    const file = hostileFile(stream);
    for (const options of [[], ['--ram'], ['--structure'], ['--side-by-side', 'always']])
      await runSafely(['diff', plain, file, ...options]);
    const { stdout } = await runSafely(['diff', '--ram', '--json', plain, file]);
    JSON.parse(stdout);
  });

  test('extract, ram extract, the map and a learned schema: what is printed and what is written', async () => {
    const folder = temporaryFolder();
    const file = hostileFile(stream);
    await runSafely(['extract', file, '-o', join(folder, 'all')]);
    await runSafely(['extract', file, '--json', '-o', join(folder, 'json')]);
    await runSafely(['ram', 'extract', file, '-o', join(folder, 'ram')]);
    await runSafely(['ram', 'extract', file, '--json', '-o', join(folder, 'ram-json')]);
    await runSafely(['ram', file, '--map', join(folder, 'map.svg')]);
    await runSafely(['ram', 'core', file, '-o', join(folder, 'core')]);
    await runSafely(['convert', file, '-o', join(folder, 'plain')]);
    await runSafely(['convert', file, '--json', '--to', 'mapped-ram', '-o', join(folder, 'mapped')]);
    await runSafely(['schema', 'learn', file, '-o', join(folder, 'learned.json')]);
    await runSafely(['schema', 'list', join(folder, 'learned.json')]);
    await runSafely(['schema', 'list', '--json', join(folder, 'learned.json')]);
    await runSafely(['schema', 'find', join(folder, 'learned.json'), '**']);
    await runSafely(['schema', 'show', join(folder, 'learned.json'), '#0']);
    const written = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    for (const name of written) {
      expectNothingDangerous(name);
      if (/\.(json|svg)$/.test(name)) expectNothingDangerous(readFileSync(join(folder, name), 'utf8'));
    }
    expect(written).toEqual(
      expect.arrayContaining([
        'all/index.json',
        'all/state.json',
        'ram/index.json',
        'map.svg',
        'learned.json',
      ]),
    );
  });
});

/** Whether a text is in the data, as a value or as the name of a member, maybe with something around it. */
function holds(data: unknown, text: string): boolean {
  if (typeof data === 'string') return data.includes(text);
  if (typeof data !== 'object' || data === null) return false;
  return Object.entries(data).some(([key, value]) => key.includes(text) || holds(value, text));
}

test('names of snapshots', async () => {
  // As long as the name that is there.
  const name = '\u001b[5m\u009b\u202e\u007f';
  const image = Buffer.from(readImage('small-clusters'));
  const at = image.indexOf('größer#2');
  expect(at).toBeGreaterThan(0);
  expect(image.write(name, at)).toBe(Buffer.byteLength('größer#2'));
  const file = hostileFile(image, 'qcow2');
  await runSafely(['snapshots', file]);
  expect(holds(JSON.parse((await runSafely(['snapshots', '--json', file])).stdout), name)).toBe(true);
  await runSafely(['info', `${file}#2`]);
  await runSafely(['info', '--json', `${file}#2`]);
  await runSafely(['info', file]);
  await runSafely(['info', `${file}#nothing${inFileName}`]);
});

test('the domain of a save image: as it is into a pipe, escaped elsewhere', async () => {
  const saved = gunzipSync(
    readFileSync(new URL('../../fixtures/libvirt/s390x-raw.save.gz', import.meta.url)),
  );
  const xml = saved.subarray(saved.indexOf('<domain'), saved.indexOf('</domain>\n') + 10).toString();
  const [uuid] = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/.exec(xml)!;
  const name = '\u001b[5m\u009b\u202e'.padEnd(uuid.length - 3, '.');
  expect(saved.write(name, saved.indexOf(uuid))).toBe(uuid.length);
  const file = hostileFile(saved, 'save');
  await runSafely(['info', file]);
  await runSafely(['info', '--json', file]);
  expect((await vmwalk(['info', '--xml', file], { env })).stdout).toBe(xml.replace(uuid, name));
});

test('compat of a -dump-vmstate', async () => {
  const side = (version: number) => ({
    vmschkmachine: { Name: evil },
    [evil]: {
      Name: evil,
      version_id: version,
      minimum_version_id: version,
      Description: {
        name: evil,
        version_id: version,
        minimum_version_id: version,
        Fields: [{ field: evil, version_id: 0, field_exists: false, size: 4 }],
      },
    },
  });
  const folder = temporaryFolder();
  const files = [1, 2].map((version) => {
    const file = join(folder, `${inFileName}${version}.json`);
    writeFileSync(file, JSON.stringify(side(version)));
    return file;
  });
  const text = await runSafely(['compat', ...files, '--all']);
  expect(text.status).toBe(1);
  const { stdout } = await runSafely(['compat', ...files, '--all', '--json']);
  expect(holds(JSON.parse(stdout), evil)).toBe(true);
});

test('what is quoted of the command line', async () => {
  const given = evil.slice(1).replaceAll('/', '');
  const plain = temporaryFile(readFixture(FIXTURE), 'plain.qevm');
  for (const args of [
    [given],
    [`--${given}`],
    ['info', given],
    ['info', `--${given}`],
    ['info', '--sort', given, plain],
    ['info', '--offset', given, plain],
    ['info', plain, '--channel', given],
    ['dump', plain, given],
    ['dump', plain, '--qemu', given],
    ['dump', plain, '--schema', given],
    ['dump', '-d', given, plain],
    ['diff', plain, given],
    ['check', plain, '--profile', given],
    ['ram', plain, '--map', given],
    ['ram', given],
    ['ram', 'extract', plain, '-o', `/nowhere/${given}`],
    ['ram', 'core', plain, '--layout', given, '-o', '/nowhere/core'],
    ['extract', plain, '-o', `/nowhere/${given}`],
    ['describe', plain, '--append', '-o', `/nowhere/${given}`],
    ['schema', given],
    ['schema', 'extract', given],
    ['schema', 'find', SCHEMA, given],
    ['schema', 'show', SCHEMA, given],
    ['compat', given, given],
    ['compat', SCHEMA, SCHEMA, '--only', given],
    ['explain', given.replaceAll(/\s/g, '')],
    ['explain', given],
    ['where', plain, given],
    ['scan', given],
    ['snapshots', given],
    ['profile', '-o', `/nowhere/${given}/x`, '--', 'true'],
    ['profile', '-o', '/dev/null/x', '--', given],
  ]) {
    const run = await runSafely(args);
    expect(run.status, args[0]).toBe(args[0] === 'ram' && args[1] === 'core' ? 2 : run.status);
  }
}, 60_000);
