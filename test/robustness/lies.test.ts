import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { temporaryFolder, vmwalk } from '../cli/run.ts';
import { readFixture } from '../fixtures.ts';
import { contents, decode, hasError, violations } from './decode.ts';
import { type Description, descriptionOf, withDescription } from './description.ts';
import { campaign, cases, described, places, readSpecimen, smallest } from './specimens.ts';

type Field = Record<string, unknown>;

/** Descriptions that claim what cannot be, of the first device with the most fields. */
const LIES: readonly (readonly [
  string,
  (description: Description, fields: unknown[]) => string | undefined,
])[] = [
  ['an array of 10^9 elements without bytes', (_, fields) => insert(fields, { array_len: 1e9, size: 0 })],
  ['an array of 10^9 elements', (_, fields) => insert(fields, { array_len: 1e9, size: 1 })],
  [
    '10^9 structs without bytes',
    (_, fields) => insert(fields, { array_len: 1e9, type: 'struct', size: 0, struct: { fields: [] } }),
  ],
  [
    '10^9 structs',
    (_, fields) => insert(fields, { array_len: 1e9, type: 'struct', size: 1, struct: { fields: [] } }),
  ],
  [
    'parts of an array, each of 10^9 elements without bytes',
    (_, fields) => insert(fields, { array_len: 1e9, size: 0 }, { array_len: 1e9, size: 0 }),
  ],
  [
    'parts of an array, each of 10^9 elements',
    (_, fields) => insert(fields, { array_len: 1e9, size: 1 }, { array_len: 1e9, size: 1 }),
  ],
  [
    'an index of 10^9 with 10^9 elements',
    (_, fields) => insert(fields, { index: 1e9, array_len: 1e9, size: 0 }),
  ],
  [
    '10^9 capabilities without bytes',
    (_, fields) => insert(fields, { array_len: 1e9, type: 'capability', size: 0 }),
  ],
  ['10^9 capabilities', (_, fields) => insert(fields, { array_len: 1e9, type: 'capability', size: 1e9 })],
  ['a capability behind the end', (_, fields) => append(fields, { type: 'capability', size: 1e9 })],
  ['a queue without bytes', (_, fields) => insert(fields, { type: 'qtailq', size: 0, fields: [] })],
  [
    'a queue of elements without bytes',
    (_, fields) => insert(fields, { type: 'qlist', size: 3, fields: [] }),
  ],
  ['a field of 2^53 - 1 bytes', (_, fields) => insert(fields, { size: Number.MAX_SAFE_INTEGER })],
  [
    '2^53 - 1 fields of 2^53 - 1 bytes',
    (_, fields) => insert(fields, { size: Number.MAX_SAFE_INTEGER, array_len: Number.MAX_SAFE_INTEGER }),
  ],
  [
    'two fields of 2^53 - 1 bytes',
    (_, fields) =>
      insert(fields, { size: Number.MAX_SAFE_INTEGER, name: 'a' }, { size: Number.MAX_SAFE_INTEGER }),
  ],
  ['a size of 1e308', (_, fields) => insert(fields, { size: 1e308 })],
  [
    'a size that is infinite',
    (description, fields) => {
      insert(fields, { size: 123456789 });
      return JSON.stringify(description).replace('123456789', '1e999');
    },
  ],
  ['a negative size', (_, fields) => insert(fields, { size: -1 })],
  ['half a byte', (_, fields) => insert(fields, { size: 0.5 })],
  ['a size that is text', (_, fields) => insert(fields, { size: '4' })],
  ['a negative count', (_, fields) => insert(fields, { array_len: -1 })],
  ['a count that is text', (_, fields) => insert(fields, { array_len: '4' })],
  ['an index that is an object', (_, fields) => insert(fields, { index: {} })],
  ['a field without anything', (_, fields) => void fields.unshift({})],
  ['a field that is null', (_, fields) => void fields.unshift(null)],
  [
    'structs 60 deep, with a byte at the bottom',
    (_, fields) => {
      let struct: unknown = { fields: [{ name: 'x', type: 'uint8', size: 1 }] };
      for (let i = 0; i < 60; i++) struct = { fields: [{ name: 'x', type: 'struct', size: 1, struct }] };
      insert(fields, { type: 'struct', struct });
    },
  ],
  [
    'structs 10^4 deep',
    (description, fields) => {
      insert(fields, { type: 'struct', struct: 'HERE' });
      const inner = `${'{"fields":[{"name":"x","type":"struct","size":1,"struct":'.repeat(1e4)}{}${'}]}'.repeat(1e4)}`;
      return JSON.stringify(description).replace('"HERE"', inner);
    },
  ],
  [
    'arrays 10^5 deep',
    (description) => `${JSON.stringify(description).slice(0, -1)},"x":${'['.repeat(1e5)}${']'.repeat(1e5)}}`,
  ],
  ['objects 10^5 deep and no end', () => '{"devices":[{"name":"'.repeat(1e5)],
  [
    '10^5 fields without bytes',
    (_, fields) => {
      for (let i = 0; i < 1e5; i++) fields.push({ name: `x${i}`, type: 'buffer', size: 0 });
    },
  ],
  [
    '10^5 parts of one array',
    (_, fields) => {
      for (let i = 0; i < 1e5; i++) fields.push({ name: 'x', type: 'buffer', size: 0 });
    },
  ],
  [
    '10^4 pointer arrays that begin with NULL',
    (_, fields) => {
      for (let i = 0; i < 1e4; i++)
        fields.push({ name: `x${i}`, type: 'struct', size: 1, array_len: 1, struct: { fields: [] } });
    },
  ],
  [
    '10^5 subsections',
    (description) => {
      for (const device of description.devices)
        device['subsections'] = Array.from({ length: 1e5 }, (_, i) => ({ vmsd_name: `x${i}`, fields: [] }));
    },
  ],
  [
    '10^5 devices of one name',
    (description) => {
      const { name } = description.devices[0]!;
      for (let i = 0; i < 1e5; i++) description.devices.unshift({ name, instance_id: 0, fields: [] });
    },
  ],
  [
    'devices named like what objects have anyway',
    (description) => {
      for (const device of description.devices) device.name = '__proto__';
    },
  ],
  [
    'half a million blanks and no end',
    (description) => `${JSON.stringify(description).slice(0, -3)}${' '.repeat(5e5)}x`,
  ],
  [
    'a name of 16 million characters and no end',
    (description) => `${JSON.stringify(description).slice(0, -2)},{"name":"${'a'.repeat(16e6)}`,
  ],
  ['a page of 2^40 bytes', (description) => JSON.stringify({ ...description, page_size: 2 ** 40 })],
  ['no devices', (description) => JSON.stringify({ ...description, devices: undefined })],
  [
    'devices that are no array',
    (description) => JSON.stringify({ ...description, devices: { length: 1e9 } }),
  ],
  ['nothing', () => ''],
  ['null', () => 'null'],
  ['a number', () => '1'],
];

/** Puts fields named `lie`, bytes without more, in front of others. */
function insert(fields: unknown[], ...lies: Field[]): undefined {
  fields.unshift(...lies.map((lie) => ({ name: 'lie', type: 'uint8', size: 1, ...lie })));
}

function append(fields: unknown[], lie: Field): undefined {
  fields.push({ name: 'lie', ...lie });
}

function told([, lie]: (typeof LIES)[number]): Uint8Array {
  const bytes = readFixture(smallest.name);
  const description = descriptionOf(bytes);
  const most = description.devices.reduce((a, b) => (b.fields.length > a.fields.length ? b : a));
  const text = lie(description, most.fields) ?? JSON.stringify(description);
  return withDescription(bytes, text);
}

describe.each(LIES)('a description with %s', (...lie) => {
  test('is read without an exception, and without loss of other sections', async () => {
    const bytes = told(lie);
    const decoded = (await decode(bytes))!;
    expect(violations(decoded)).toEqual([]);
    const { sections } = (await decode(readFixture(smallest.name)))!;
    expect(decoded.sections.map(({ key }) => key)).toEqual(sections.map(({ key }) => key));
  });
});

test('all of these together take little memory', async () => {
  const folder = temporaryFolder();
  const files = LIES.map((lie, i) => {
    const file = join(folder, `${i}.qevm`);
    writeFileSync(file, told(lie));
    return file;
  });
  const run = await vmwalk(['info', '--json', ...files], {
    node: ['--max-old-space-size=150'],
  });
  expect(run.status).toBe(1);
  const infos: { sections: unknown[] }[] = JSON.parse(run.stdout);
  const { sections } = (await decode(readFixture(smallest.name)))!.opened.stream;
  expect(infos.map((info) => info.sections.length)).toEqual(LIES.map(() => sections.length));
  expect(run.memory).toBeGreaterThan(1);
  expect(run.memory).toBeLessThan(300);
});

const HOSTILE = [
  -1,
  0,
  1,
  3,
  255,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  1e308,
  1e9,
  0.5,
  '',
  'x',
  '\u001b[2J',
  '\n',
  null,
  true,
  [],
  {},
];
const TYPES = [
  'struct',
  'vstruct',
  'tmp',
  'qtailq',
  'qlist',
  'capability',
  'uint64',
  'bool',
  'timer',
  'buffer',
  'nullptr',
];

/** Every place in JSON where something may be changed: the object or array, and the key or index. */
function placesIn(
  json: unknown,
  found: [Record<string, unknown>, string][] = [],
): [Record<string, unknown>, string][] {
  if (typeof json !== 'object' || json === null) return found;
  for (const [key, value] of Object.entries(json)) {
    found.push([json as Record<string, unknown>, key]);
    placesIn(value, found);
  }
  return found;
}

describe.each(described)('the description of $name with lies in it', ({ name }) => {
  test('costs no other section anything', async () => {
    const bytes = readFixture(name);
    const original = descriptionOf(bytes);
    const specimen = await readSpecimen(name);
    const before = contents(specimen.intact);
    const lie = fc.record({
      device: fc.nat(original.devices.length - 1),
      place: fc.nat(),
      value: fc.oneof(
        fc.constantFrom(...HOSTILE, ...TYPES).map((constant) => () => constant),
        fc.constant((old: unknown) => [old, old]),
        fc.constant((old: unknown) => ({ name: 'x', type: 'struct', size: 1, struct: old })),
        fc.constant(() => undefined),
      ),
    });
    await fc.assert(
      fc.asyncProperty(lie, async ({ device, place, value }) => {
        const description = structuredClone(original);
        const { name: idstr, instance_id: instance, ...rest } = description.devices[device]!;
        const inside = placesIn(rest);
        const [object, key] = inside[place % inside.length]!;
        object[key] = value(object[key]);
        Object.assign(description.devices[device]!, rest);
        const decoded = (await decode(withDescription(bytes, JSON.stringify(description))))!;
        expect(violations(decoded)).toEqual([]);
        const after = contents(decoded);
        for (const [section, content] of before) {
          if (!section.startsWith(`${idstr}/${instance}@`)) expect(after.get(section)).toBe(content);
        }
      }),
      { numRuns: Math.min(100 * campaign, cases(specimen)) },
    );
  });

  test('costs no other section anything when a device is said to have written nothing', async () => {
    const bytes = readFixture(name);
    const specimen = await readSpecimen(name);
    const before = contents(specimen.intact);
    const { length } = descriptionOf(bytes).devices;
    for (const place of places(0, length, 1, cases(specimen))) {
      const description = descriptionOf(bytes);
      const device = description.devices[place]!;
      device.fields = [];
      delete device['subsections'];
      const decoded = (await decode(withDescription(bytes, JSON.stringify(description))))!;
      expect(violations(decoded)).toEqual([]);
      const after = contents(decoded);
      for (const [section, content] of before) {
        if (section.startsWith(`${device.name}/${device['instance_id']}@`)) continue;
        expect(after.get(section), `${section} without ${device.name}`).toBe(content);
      }
    }
  });

  test('a length that is too large or too small is noticed', async () => {
    const bytes = readFixture(name);
    const text = JSON.stringify(descriptionOf(bytes));
    for (const length of [0, 1, text.length - 1, text.length + 1, 0x7fffffff, 0xffffffff]) {
      const decoded = (await decode(withDescription(bytes, text, length)))!;
      expect(violations(decoded), `${length}`).toEqual([]);
      const noticed = decoded.diagnostics.some(({ severity }) => severity !== 'note');
      expect(noticed, `${length}`).toBe(true);
      if (length > 0) expect(hasError(decoded), `${length}`).toBe(true);
    }
  });
});
