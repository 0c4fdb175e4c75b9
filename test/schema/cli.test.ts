import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSchema } from '../../src/schema/parse-schema.ts';
import { vmwalk } from '../cli/run.ts';
import { plainQemu } from '../extract/fake-qemu.ts';

let folder: string;
let binary: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'schema-cli-'));
  binary = join(folder, 'qemu-system-arm');
  await writeFile(binary, plainQemu());
});
afterAll(() => rm(folder, { recursive: true }));

const schemaCommand = (...args: readonly string[]) => vmwalk(['schema', ...args]);

test('extract writes JSON, compressed or not, or prints it', async () => {
  const printed = await schemaCommand('extract', binary);
  expect(printed).toMatchObject({ status: 0, stderr: '' });
  const schema = parseSchema(printed.stdout);
  expect(schema.target).toBe('arm');
  const plain = join(folder, 'q.json');
  const written = await schemaCommand('extract', binary, '-o', plain);
  expect(written.stdout).toMatch(/^QEMU +8\.2\.0 \(fake\)\ntarget +arm\n/);
  expect(await readFile(plain, 'utf8')).toBe(printed.stdout);
  const compressed = join(folder, 'q.json.gz');
  await schemaCommand('extract', binary, '-o', compressed);
  expect(gunzipSync(await readFile(compressed)).toString()).toBe(printed.stdout);
  for (const file of [plain, compressed]) {
    const list = await schemaCommand('list', file, '--json');
    expect(JSON.parse(list.stdout).vmsds).toHaveLength(schema.vmsds.length);
  }
});

test('list, find and show print tables', async () => {
  const list = await schemaCommand('list', binary);
  expect(list.stdout).toMatch(/^outer +3 +2 +5 +1$/m);
  expect(list.stdout).toMatch(/^inner +1 +1 +2 +other VMSDs$/m);
  const found = await schemaCommand('find', binary, 'outer/*e*');
  expect(
    found.stdout
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/ {2,}/)),
  ).toEqual([
    ['field', 'outer/inner'],
    ['field', 'outer/buffer'],
    ['field', 'outer/regs'],
    ['vmsd', 'outer/more'],
  ]);
  const shown = await schemaCommand('show', binary, 'outer');
  expect(shown.stdout).toMatchInlineSnapshot(`
    "outer
      version 3, loads from 2, no section is of it
      at 0x20058 in qemu-system-arm, #1

      offset  size  field   type          count   from  if       flags
         0x8     4  count   uint32                               SINGLE
        0x10     8  inner   struct inner                         STRUCT
        0x18    64  buffer  buffer                   3           BUFFER
        0x58     4  list    uint32        *count                 POINTER|VARRAY_UINT32
        0x60     8  regs    uint64        16            0x18080  ARRAY

      subsections
      outer/more  version 1  needed 0x18090
    "
  `);
  const json = JSON.parse((await schemaCommand('show', binary, 'outer', '--json')).stdout);
  expect(json[0].fields[3]).toMatchObject({
    name: 'list',
    count: { offset: 8, width: 4, field: 'count', factor: 1 },
    flags: ['POINTER', 'VARRAY_UINT32'],
  });
});

test('problems are one line, with the status of all commands', async () => {
  const text = join(folder, 'text');
  await writeFile(text, 'hello\n');
  const cases: [string[], number, RegExp][] = [
    [['extract', text], 2, /^vmwalk: error: \S*text is not an ELF file$/],
    [['extract', '/bin/ls'], 2, /^vmwalk: error: \/bin\/ls is no QEMU system emulator: /],
    [['extract', join(folder, 'none')], 2, /^vmwalk: error: cannot read \S+none: /],
    [['list', text], 1, /^vmwalk: error: \S*text is no usable schema: it is not valid JSON/],
    [['show', binary, 'nobody'], 2, /^vmwalk: nothing is called nobody; /],
    [['find', binary, 'nobody*'], 2, /^vmwalk: nothing is called nobody\*; /],
  ];
  for (const [args, status, message] of cases) {
    const result = await schemaCommand(...args);
    expect(result.status, args.join(' ')).toBe(status);
    expect(result.stderr.trimEnd()).toMatch(message);
    expect(result.stderr.trimEnd()).not.toMatch(/\n/);
  }
  const usage = await schemaCommand('show', binary);
  expect(usage.status).toBe(2);
  expect(usage.stderr).toMatch(/vmwalk schema show --help shows the usage/);
});

test('a module of another build is left out with a warning', async () => {
  const module = join(folder, 'hw-x.so');
  await writeFile(module, plainQemu());
  const result = await schemaCommand('extract', binary, '--module', module);
  expect(result.status).toBe(0);
  expect(result.stderr).toMatch(/hw-x\.so is no module of this build of QEMU; left out/);
  expect(parseSchema(result.stdout).objects).toHaveLength(1);
});
