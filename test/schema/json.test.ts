import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { extractSchema } from '../../src/extract/extract-schema.ts';
import { extractSchemaOfFile } from '../../src/node/schema-file.ts';
import { parseSchema } from '../../src/schema/parse-schema.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';
import { fieldColumns, infoColumns, vmsdCallbacks } from '../../src/schema/schema-json.ts';
import { schemaToJson, serializeSchema } from '../../src/schema/serialize-schema.ts';
import { plainQemu } from '../extract/fake-qemu.ts';
import { validate } from './json-schema.ts';

const published = JSON.parse(
  readFileSync(new URL('../../docs/qemu-schema.schema.json', import.meta.url), 'utf8'),
);

/** Of the fake: small enough to be changed in every place. */
let small: QemuSchema;
beforeAll(async () => {
  const tables = await extractSchema({ binary: memorySource(plainQemu(), 'qemu-system-arm'), modules: [] });
  const place = { file: 'hw/net/e1000e.c', line: 597 };
  const bits = { first: 3, count: 1 };
  small = {
    ...tables,
    symbols: {
      functions: tables.functions.map((_, i) => (i === 1 ? undefined : { name: `function${i}`, ...place })),
      vmsds: tables.vmsds.map((_, i) => ({
        name: `vmstate_${i}`,
        file: undefined,
        line: i + 1,
        struct: i % 3 || undefined,
      })),
      structs: [
        { name: 'Plain', size: 8, members: [] },
        {
          name: 'State',
          size: 64,
          members: [{ path: 'core', offset: 8, size: 8, struct: 2, bits: undefined }],
        },
        {
          name: 'Core',
          size: 16,
          members: [{ path: 'x[2].y', offset: 3, size: 1, struct: undefined, bits }],
        },
      ],
      variables: [{ path: 'current', offset: 0x1a0, size: 8, struct: 1, bits: undefined }],
    },
  };
});

// biome-ignore lint/suspicious/noExplicitAny: a copy to break in any way
function copy(): any {
  return JSON.parse(serializeSchema(small));
}

function refusal(text: string): string {
  try {
    parseSchema(text, 'q.json');
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError);
    expect((error as DecodeError).code).toBe('bad-schema');
    return (error as DecodeError).message;
  }
  throw new Error('it was taken');
}

describe('a schema of a real QEMU', () => {
  let schema: QemuSchema;
  let text: string;
  beforeAll(async () => {
    schema = await extractSchemaOfFile('/usr/bin/qemu-system-x86_64');
    text = serializeSchema(schema);
  });

  test('comes back the same', () => {
    expect(JSON.stringify(schemaToJson(parseSchema(text)))).toBe(JSON.stringify(schemaToJson(schema)));
    expect(parseSchema(text).vmsds[5]).toEqual(schema.vmsds[5]);
    expect(parseSchema(text).propertyLists[3]).toEqual(schema.propertyLists[3]);
    expect(parseSchema(text).types[7]).toEqual(schema.types[7]);
  });

  test('has each string once, and is small', () => {
    const { strings } = JSON.parse(text);
    expect(new Set(strings).size).toBe(strings.length);
    expect(text.length).toBeLessThan(300_000);
  });

  test('is what the published JSON Schema describes', () => {
    expect(validate(published, JSON.parse(text))).toEqual([]);
  });
});

test('the published JSON Schema names the columns that are written', () => {
  const titles = (rows: { items: { prefixItems: { title: string }[] } }) =>
    rows.items.prefixItems.map(({ title }) => title);
  expect(titles(published.properties.infos)).toEqual(infoColumns.map(([name]) => name));
  expect(titles(published.$defs.fields)).toEqual(fieldColumns.map(([name]) => name));
  expect(Object.keys(published.$defs.vmsd.properties.callbacks.properties)).toEqual(vmsdCallbacks);
});

test('the published JSON Schema refuses what is none', () => {
  const broken = copy();
  broken.vmsds[0].versionId = 'one';
  expect(validate(published, broken)).toEqual(['$.vmsds[0].versionId: not of type integer']);
  expect(validate(published, [])).toEqual(['$: not of type object']);
});

test('members that are not known are ignored', () => {
  const json = copy();
  json.later = { anything: [1] };
  json.vmsds[0].later = 1;
  expect(parseSchema(JSON.stringify(json))).toEqual(small);
});

test('what is no schema is refused', () => {
  expect(refusal('')).toMatch(/q\.json is no usable schema: it is not valid JSON/);
  expect(refusal('[]')).toBe('q.json is no usable schema: the file is not an object');
  expect(refusal('{}')).toMatch(/"format" is not "vmwalk-qemu-schema"/);
  expect(refusal('['.repeat(5000))).toMatch(/nests deeper than \d+ levels/);
  expect(refusal(JSON.stringify({ ...copy(), formatVersion: 2 }))).toMatch(
    /"formatVersion" is 2, this program reads 1/,
  );
});

test('every index, count and type is checked', () => {
  const cases: [change: (json: ReturnType<typeof copy>) => void, message: RegExp][] = [
    [
      (json) => json.vmsds[0].fields[0].splice(0, 1, 99999),
      /"vmsds\[0\]\.fields\[0\]\.name" is 99999, but strings/,
    ],
    [(json) => json.vmsds[0].fields[0].splice(4, 1, 99), /fields\[0\]\.info" is 98, but infos has \d rows/],
    [(json) => json.vmsds[0].fields[0].splice(4, 1, -1), /fields\[0\]\.info" is no integer/],
    [(json) => json.vmsds[0].fields[0].splice(1, 1, 1.5), /fields\[0\]\.offset" is no integer/],
    [(json) => json.vmsds[0].fields[0].splice(2, 1, 2 ** 60), /fields\[0\]\.size" is no integer/],
    [(json) => json.vmsds[0].fields[0].push(...Array(20).fill(0)), /columns, not 1 to 16/],
    [(json) => json.vmsds[1].subsections.push(99), /subsections\[1\]" is 99, but vmsds has \d rows/],
    [(json) => json.vmsds[1].subsections.push('1'), /subsections\[1\]" is no integer/],
    [(json) => (json.vmsds[0].at = [1, 0]), /at\[0\]" is 1, but objects has 1 rows/],
    [(json) => (json.vmsds[0].versionId = 2 ** 31), /versionId" is no integer/],
    [(json) => (json.vmsds[0].unmigratable = 1), /unmigratable" is no boolean/],
    [(json) => (json.vmsds[2].callbacks = { needed: 1000 }), /callbacks\.needed" is 1000, but functions/],
    [(json) => (json.infos[0][3] = 1000), /infos\[0\]\.get" is 999, but functions/],
    [(json) => (json.functionSymbols[0] = [99, 0]), /functionSymbols\[0\]\[0\]" is 99, but functions has/],
    [(json) => (json.functionSymbols[0] = [0, 9999]), /functionSymbols\[0\]\[1\]" is 9999, but strings/],
    [
      (json) => (json.vmsdSymbols[0] = [0, 0, 0, 1, 4]),
      /vmsdSymbols\[0\]\[4\]" is 3, but structs has 3 rows/,
    ],
    [(json) => (json.structs[1].members[0][3] = 9), /structs\[1\]\.members\[0\]\[3\]" is 8, but structs/],
    [(json) => (json.structs[1].members[0] = [0, -1]), /members\[0\]\[1\]" is no integer/],
    [(json) => (json.structs[0].size = 'x'), /structs\[0\]\.size" is no integer/],
    [(json) => (json.variableSymbols[0][3] = 9), /variableSymbols\[0\]\[3\]" is 8, but structs/],
    [(json) => (json.strings[0] = 7), /"strings\[0\]" is not a string/],
    [(json) => (json.strings[0] = 'x'.repeat(5000)), /"strings\[0\]" has 5000 characters/],
    [(json) => (json.host.byteOrder = 'middle'), /"host\.byteOrder"/],
    [(json) => (json.functions[0] = 5), /"functions\[0\]" is not an array/],
    [(json) => (json.objects = []), /but objects has 0 rows/],
    [(json) => (json.types = [{ name: 0 }]), /"types\[0\]\.parent" is no integer/],
    [(json) => (json.types = [{ name: 0, parent: 0, vmsds: [7] }]), /"types\[0\]\.vmsds\[0\]" is 7, but/],
    [
      (json) => (json.propertyLists = [{ at: [0, 0], properties: [[0, 0, 0, 0, '1e9']] }]),
      /properties\[0\]\[4\]" is no 64-bit integer/,
    ],
    [(json) => delete json.vmsds, /"vmsds" is not an array/],
  ];
  for (const [change, message] of cases) {
    const json = copy();
    change(json);
    expect(refusal(JSON.stringify(json))).toMatch(message);
  }
});

test('VMSDs that contain themselves are refused', () => {
  const self = copy();
  const inner = self.vmsds[1].fields[1];
  inner[5] = 2;
  expect(refusal(JSON.stringify(self))).toMatch(/VMSD outer contains itself/);
  const loop = copy();
  loop.vmsds[0].subsections = [1];
  expect(refusal(JSON.stringify(loop))).toMatch(/contains itself/);
  const deep = copy();
  const [first] = deep.vmsds;
  deep.vmsds = Array.from({ length: 1000 }, (_, i) => ({ ...first, subsections: i < 999 ? [i + 1] : [] }));
  expect(refusal(JSON.stringify(deep))).toMatch(/nest deeper than 64 levels/);
});

test('64-bit defaults keep their value', () => {
  const json = copy();
  json.propertyLists = [
    {
      at: [0, 0],
      properties: [
        [0, 1, 8, 64, '-9223372036854775808'],
        [0, 1, 8, 0, -1],
        [0, 1],
      ],
    },
  ];
  const { properties } = parseSchema(JSON.stringify(json)).propertyLists[0]!;
  expect(properties.map(({ bit, defaultValue }) => [bit, defaultValue])).toEqual([
    [63, -(2n ** 63n)],
    [undefined, -1n],
    [undefined, undefined],
  ]);
  const again = parseSchema(
    serializeSchema({ ...small, propertyLists: [{ object: 0, address: 0, properties }] }),
  );
  expect(again.propertyLists[0]!.properties).toEqual(properties);
});

test('any change of a schema is taken or refused', () => {
  const text = serializeSchema(small);
  const change = fc.tuple(fc.nat(text.length - 1), fc.constantFrom(...'0123456789-[]{},:"x\u0000 '));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const characters = [...text];
      for (const [at, character] of changes) characters[at] = character;
      try {
        const schema = parseSchema(characters.join(''));
        expect(parseSchema(serializeSchema(schema))).toEqual(schema);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }),
    { numRuns: 1500 },
  );
});
