import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { walk } from '../../src/layout/children.ts';
import { layoutOf, openStream } from '../../src/layout/open.ts';
import type { FieldSchema, Schema } from '../../src/schema/schema.ts';
import { parseVmdesc } from '../../src/schema/vmdesc.ts';
import { bytes, footer, hex, text8, u8, u32 } from '../ram/section-bytes.ts';

/** A stream of one section `a` with some zeros. */
function section(length: number): Uint8Array {
  const head = bytes(hex('5145564d00000003'), u8(4), u32(3), text8('a'), u32(0), u32(1));
  return bytes(head, new Uint8Array(length), footer(3), u8(0));
}

/** Opens it as described by fields that count how often their size is asked for. */
async function sizesAskedFor(fields: readonly Omit<FieldSchema, 'size'>[], length: number): Promise<number> {
  let asked = 0;
  const counting = fields.map((field) =>
    Object.defineProperty({ ...field, size: 1 }, 'size', { get: () => ++asked && 1 }),
  );
  const schema: Schema = {
    pageSize: 4096,
    configuration: undefined,
    devices: [{ idstr: 'a', instanceId: 0, vmsdName: 'a', versionId: 1, fields: counting, subsections: [] }],
    isDamaged: false,
  };
  const opened = await openStream(memorySource(section(length)));
  const { root } = await layoutOf({ ...opened, schema }, opened.stream.sections[0]!);
  expect(root.children.length).toBeGreaterThanOrEqual(fields.length / 2);
  return asked;
}

test.each([
  [4096, 4096],
  [128, undefined],
  [4097, undefined],
  [2 ** 40, undefined],
])('a page of %d bytes', (pageSize, taken) => {
  const { vmdesc, diagnostics } = parseVmdesc(`{"page_size":${pageSize},"devices":[]}`, { start: 0, end: 0 });
  expect(vmdesc?.schema.pageSize).toBe(taken);
  expect(diagnostics.length).toBe(taken ? 0 : 1);
});

const plain = { type: 'uint8', arrayLength: undefined, index: undefined, struct: undefined };
const empty = { vmsdName: undefined, versionId: undefined, fields: [], subsections: [] };

test.each([
  [
    'arrays that begin with a NULL pointer',
    (i: number) => [{ ...plain, name: `p${i}`, type: 'struct', arrayLength: 1, struct: empty }],
  ],
  [
    'arrays that are described in parts',
    (i: number) => [
      { ...plain, name: `p${i}`, arrayLength: 1 },
      { ...plain, name: `p${i}`, type: 'nullptr' },
    ],
  ],
])('%s: each length is looked at a few times, however many there are', async (_, fieldsOf) => {
  const counts = await Promise.all(
    [500, 1000].map((count) => {
      const fields = Array.from({ length: count }, (_, i) => fieldsOf(i)).flat();
      return sizesAskedFor(fields, fields.length);
    }),
  );
  expect(counts[1]! / counts[0]!).toBeLessThan(2.1);
});

/** A description of one device whose fields these are. */
function described(fields: string) {
  const text = `{"page_size":4096,"devices":[{"name":"a","instance_id":0,"vmsd_name":"a","version":1,"fields":[${fields}]}]}`;
  const { vmdesc, diagnostics } = parseVmdesc(text, { start: 0, end: text.length });
  return { devices: vmdesc!.schema.devices, messages: diagnostics.map(({ message }) => message) };
}

const structs = (count: number, size: number, inner: string) =>
  `{"name":"s","type":"struct","size":${size},"array_len":${count},"struct":{"fields":[${inner}]}}`;
const nothing = '{"name":"z","type":"buffer","size":0}';
const one = '{"name":"b","type":"uint8","size":1}';
const deep = (levels: number): string => (levels === 0 ? one : structs(1, 1, deep(levels - 1)));

test.each([
  ['many fields without bytes', structs(1_000_000, 1, [...Array(10).fill(nothing), one].join())],
  [
    'arrays without bytes before what is claimed but not there',
    structs(1_000_000, 1, [...Array(10).fill(nothing), '{"name":"b","type":"buffer","size":1000000}'].join()),
  ],
  ['arrays in arrays', structs(1_000_000, 1, deep(20))],
  ['arrays in arrays that share the elements', structs(1000, 1000, structs(1000, 1, deep(20)))],
])('a section cannot unfold to far more nodes than it has bytes: %s', (_, fields) => {
  const { devices, messages } = described(fields);
  expect(devices).toEqual([]);
  expect(messages).toEqual([
    'its description in the vmdesc is unusable: its arrays unfold to more than 4 nodes for each byte',
  ]);
});

test.each([
  ['bytes', '{"name":"b","type":"uint8","size":1,"array_len":100000000}'],
  ['structs of a byte', structs(100_000_000, 1, one)],
  [
    'structs of structs',
    structs(
      1_000_000,
      12,
      Array(4)
        .fill(structs(3, 1, one))
        .join(),
    ),
  ],
  ['few structs with fields without bytes', structs(5000, 1, [...Array(20).fill(nothing), one].join())],
])('large arrays are read: %s', async (_, fields) => {
  const { devices, messages } = described(fields);
  expect(messages).toEqual([]);
  expect(devices.length).toBe(1);
});

test('fields without bytes are shown', async () => {
  const text = `{"page_size":4096,"devices":[{"name":"a","instance_id":0,"fields":[${structs(3, 1, `${nothing},${one}`)}]}]}`;
  const stream = bytes(section(3), u8(6), u32(text.length), Buffer.from(text));
  const opened = await openStream(memorySource(stream));
  const { root, diagnostics } = await layoutOf(opened, opened.stream.sections[0]!);
  expect(diagnostics).toEqual([]);
  expect([...walk(root)].filter(({ node }) => node.kind === 'leaf').length).toBe(6);
});
