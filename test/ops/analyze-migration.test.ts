import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { openStream } from '../../src/layout/open.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { analyzeMigrationDesc, analyzeMigrationState } from '../../src/render/analyze-migration-text.ts';
import { openVm } from '../../src/vm/vm.ts';
import { fixtures, openFixture } from '../fixtures.ts';

async function stateOf(source: Parameters<typeof openStream>[0]): Promise<string> {
  let text = '';
  for await (const chunk of analyzeMigrationState(await openStream(source))) text += chunk;
  return text;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** What the script printed, where it is kept. */
function readScriptState(name: string): string | undefined {
  const url = new URL(`../../fixtures/script/${name}.state.json.gz`, import.meta.url);
  return existsSync(url) ? gunzipSync(readFileSync(url)).toString() : undefined;
}

/** Shows the first lines that differ; a diff of the whole takes minutes. */
function expectSameLines(text: string, expected: string): void {
  const lines = text.split('\n');
  const expectedLines = expected.split('\n');
  const first = lines.findIndex((line, i) => line !== expectedLines[i]);
  if (first < 0) return;
  const range = [Math.max(0, first - 3), first + 5] as const;
  expect(lines.slice(...range)).toEqual(expectedLines.slice(...range));
}

describe.each(fixtures)('$name', ({ name, script }) => {
  test(
    script.state === null
      ? 'state has all sections, where the script gives up'
      : 'state is what the script prints',
    async () => {
      const state = await stateOf(openFixture(name));
      if (script.state !== null) {
        const expected = readScriptState(name);
        if (expected !== undefined) expectSameLines(state, expected);
        expect(sha256(state)).toBe(script.state);
        return;
      }
      const { stream } = await openStream(openFixture(name));
      const keys = stream.sections.map(({ idstr, id }) => `${idstr} (${id})`);
      expect(Object.keys(JSON.parse(state))).toEqual([...new Set(keys)]);
      expect(state.endsWith('\n}\n')).toBe(true);
    },
  );

  test(
    script.desc === null ? 'desc is none, or what the script missed' : 'desc is what the script prints',
    async () => {
      const opened = await openStream(openFixture(name));
      const desc = await analyzeMigrationDesc(opened);
      if (script.desc !== null) expect(desc && sha256(desc)).toBe(script.desc);
      else expect(desc === undefined).toBe(opened.stream.vmdescription === undefined);
    },
  );
});

/** Streams whose machine type tells which QEMU wrote them. */
const VERSIONED = [
  'qemu-5.2-pc-devices',
  'qemu-7.2-slirp',
  'qemu-10.0-q35-devices',
  'qemu-10.0-s390x-ccw',
  'qemu-11.1-aarch64-virt',
  'qemu-11.1-suppress-vmdesc-twin',
];

test.each(VERSIONED)('%s without its vmdesc, by the tables of its QEMU: the same state', async (name) => {
  const { script } = fixtures.find((fixture) => fixture.name === name)!;
  const vm = await openVm(openFixture(name), { ignoreVmdesc: true, schemas: packagedSchemas });
  let state = '';
  for await (const chunk of analyzeMigrationState(vm)) state += chunk;
  expect(script.state).not.toBeNull();
  expect(sha256(state)).toBe(script.state);
});

const u32 = (value: number): number[] => [
  value >>> 24,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];
const text8 = (text: string): number[] => [text.length, ...Buffer.from(text, 'latin1')];

interface TestSection {
  readonly id: number;
  readonly idstr: string;
  readonly body: readonly number[];
}

/** A stream of SECTION_FULL records with footers; without devices it has no vmdesc. */
function streamOf(sections: readonly TestSection[], devices?: readonly object[]): Uint8Array {
  const bytes = [...Buffer.from('QEVM'), ...u32(3)];
  for (const { id, idstr, body } of sections) {
    bytes.push(4, ...u32(id), ...text8(idstr), ...u32(0), ...u32(1), ...body, 0x7e, ...u32(id));
  }
  bytes.push(0);
  if (devices) {
    const vmdesc = Buffer.from(JSON.stringify({ page_size: 4096, devices }));
    bytes.push(6, ...u32(vmdesc.length), ...vmdesc);
  }
  return Uint8Array.from(bytes);
}

/** The state of one device, `dev`, as an object. */
async function deviceState(device: object, body: readonly number[]): Promise<unknown> {
  const described = { name: 'dev', instance_id: 0, vmsd_name: 'dev', version: 1, ...device };
  const stream = streamOf([{ id: 3, idstr: 'dev', body }], [described]);
  return JSON.parse(await stateOf(memorySource(stream)))['dev (3)'];
}

/** Expected values are what the script prints for these very streams, unless said otherwise. */
describe('values', () => {
  test('integers have their width, and a sign by what the script thinks of the type', async () => {
    const fields = [
      { name: 'a', type: 'uint16', size: 2 },
      { name: 'b', type: 'int16', size: 2 },
      { name: 'c', type: 'uint8 equal', size: 1 },
      { name: 'd', type: 'uint32 equal', size: 4 },
      { name: 'e', type: 'int64 equal', size: 8 },
      { name: 'f', type: 'int32 le', size: 4 },
      { name: 'g', type: 'uint64', size: 8 },
    ];
    const ones = (size: number) => Array<number>(size).fill(0xff);
    const body = [0, 10, 0x80, 0, 0xff, ...ones(4), ...ones(8), 0, 0, 0, 1, ...ones(8)];
    expect(await deviceState({ fields }, body)).toEqual({
      a: '0x000a',
      b: '0x8000 (-32768)',
      c: '0xff (-1)',
      d: '0xffffffff',
      e: '0xffffffffffffffff (-1)',
      f: '0x00000001',
      g: '0xffffffffffffffff',
    });
  });

  test('timers, vstructs and custom infos are bytes', async () => {
    const fields = [
      { name: 'timer', type: 'timer', size: 8 },
      {
        name: 'vstruct',
        type: 'vstruct',
        size: 2,
        vmsd_name: 'v',
        version: 1,
        fields: [{ name: 'x', type: 'uint16', size: 2 }],
      },
      {
        name: 'tmp',
        type: 'tmp',
        size: 1,
        vmsd_name: 't',
        version: 1,
        fields: [{ name: 'x', type: 'uint8', size: 1 }],
      },
      { name: 'on', type: 'bool', size: 1 },
      { name: 'null', type: 'nullptr', size: 1 },
      { name: 'none', type: 'buffer', size: 0 },
    ];
    const body = [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 1, 0x30];
    expect(await deviceState({ fields }, body)).toEqual({
      timer: '00 00 00 00 00 00 01 02',
      vstruct: '03 04',
      tmp: '05',
      on: true,
      null: 'nullptr',
      none: '',
    });
  });

  test('fields of one name are one list in the place of the first', async () => {
    const pair = { vmsd_name: 'pair', version: 1, fields: [{ name: 'x', type: 'uint8', size: 1 }] };
    const fields = [
      { name: 'unused', type: 'unused_buffer', size: 1 },
      { name: 'array', type: 'uint8', size: 1, array_len: 2 },
      { name: 'unused', type: 'unused_buffer', size: 2 },
      { name: 'one', type: 'uint8', size: 1, array_len: 1 },
      { name: 'split', type: 'nullptr', size: 1, array_len: 2 },
      { name: 'split', type: 'struct', size: 1, struct: pair },
      { name: 'empty', type: 'struct', size: 0, array_len: 2, struct: { fields: [] } },
    ];
    const state = await deviceState({ fields }, [1, 2, 3, 4, 5, 6, 0x30, 0x30, 7]);
    expect(state).toEqual({
      unused: ['01', '04 05'],
      array: ['0x02', '0x03'],
      one: '0x06',
      split: ['nullptr', 'nullptr', { x: '0x07' }],
      empty: [{}, {}],
    });
    expect(Object.keys(state as object)).toEqual(['unused', 'array', 'one', 'split', 'empty']);
  });

  test('a pointer array whose first part is described with the length of the whole (the script reads on behind it)', async () => {
    const fields = [
      { name: 'timers', type: 'timer', size: 8, array_len: 5 },
      { name: 'timers', type: 'ptr-marker', size: 1, array_len: 3 },
      { name: 'last', type: 'uint8', size: 1 },
    ];
    const timer = [0, 0, 0, 0, 0, 0, 0, 1];
    const state = await deviceState({ fields }, [...timer, ...timer, 0x30, 0x30, 0x30, 9]);
    const text = '00 00 00 00 00 00 00 01';
    expect(state).toEqual({ timers: [text, text, '30', '30', '30'], last: '0x09' });
  });

  test('a subsection takes the place of the field that has its name', async () => {
    const fields = [
      { name: 'dev/more', type: 'uint8', size: 1 },
      { name: 'last', type: 'uint8', size: 1 },
    ];
    const more = { vmsd_name: 'dev/more', version: 1, fields: [{ name: 'x', type: 'uint8', size: 1 }] };
    const body = [1, 2, 5, ...text8('dev/more'), ...u32(1), 3];
    const state = await deviceState({ fields, subsections: [more] }, body);
    expect(state).toEqual({ 'dev/more': { x: '0x03' }, last: '0x02' });
    expect(Object.keys(state as object)).toEqual(['dev/more', 'last']);
  });
});

describe('sections', () => {
  const device = (name: string, field: string) => ({
    name,
    instance_id: 0,
    version: 1,
    fields: [{ name: field, type: 'uint8', size: 1 }],
  });

  test('the last description stands for all with the same name, the last section for all with the same id', async () => {
    const sections = [
      { id: 1, idstr: 'twice', body: [1] },
      { id: 2, idstr: 'other', body: [2] },
      { id: 3, idstr: 'twice', body: [3] },
      { id: 2, idstr: 'third', body: [4] },
    ];
    const devices = [device('twice', 'a'), device('other', 'b'), device('twice', 'c'), device('third', 'd')];
    expect(await stateOf(memorySource(streamOf(sections, devices)))).toBe(
      [
        '{',
        '    "twice (1)": {',
        '        "c": "0x01"',
        '    },',
        '    "third (2)": {',
        '        "d": "0x04"',
        '    },',
        '    "twice (3)": {',
        '        "c": "0x03"',
        '    }',
        '}',
        '',
      ].join('\n'),
    );
  });

  test('what the script cannot read: an undescribed section is empty, undecoded bytes are bytes', async () => {
    const sections = [
      { id: 1, idstr: 'known', body: [1, 2, 3] },
      { id: 2, idstr: 'unknown', body: [1, 2, 3] },
    ];
    const state = await stateOf(memorySource(streamOf(sections, [device('known', 'a')])));
    expect(JSON.parse(state)).toEqual({ 'known (1)': { a: '0x01', '(gap)': '02 03' }, 'unknown (2)': '' });
  });

  test('without a vmdesc there is no desc, and all sections are empty', async () => {
    const opened = await openStream(memorySource(streamOf([{ id: 1, idstr: 'dev', body: [1] }])));
    expect(await analyzeMigrationDesc(opened)).toBeUndefined();
    expect(await stateOf(opened.source)).toBe('{\n    "dev (1)": ""\n}\n');
  });

  test('a stream without sections is an empty dict', async () => {
    expect(await stateOf(memorySource(streamOf([], [])))).toBe('{}\n');
  });
});
