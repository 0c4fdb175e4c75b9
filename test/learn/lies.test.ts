import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { layouts, openStream } from '../../src/layout/open.ts';
import { SchemaTables } from '../../src/layout/tables.ts';
import { learnSchema } from '../../src/ops/schema-learn.ts';
import { parseSchema } from '../../src/schema/parse-schema.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';
import { serializeSchema } from '../../src/schema/serialize-schema.ts';
import { readFixture } from '../fixtures.ts';
import { descriptionOf, withDescription } from '../robustness/description.ts';
import { described } from '../robustness/specimens.ts';

type Json = Record<string, unknown>;

const smallest = described[0]!;
const bytes = readFixture(smallest.name);

/** What is learned from a stream with another description; undefined where there is nothing. */
async function learn(description: unknown): Promise<QemuSchema | undefined> {
  const source = memorySource(withDescription(bytes, JSON.stringify(description)), 'lie.qevm');
  try {
    return (await learnSchema([await openStream(source)])).schema;
  } catch (error) {
    if (error instanceof DecodeError && error.code === 'no-schema') return undefined;
    throw error;
  }
}

/** All objects of a description that say what a field or struct is. */
function objectsOf(value: unknown, found: Json[] = []): Json[] {
  if (typeof value !== 'object' || value === null) return found;
  if (!Array.isArray(value)) found.push(value as Json);
  for (const member of Object.values(value)) objectsOf(member, found);
  return found;
}

const lie = fc.record({
  place: fc.nat(),
  member: fc.constantFrom(
    'name',
    'type',
    'size',
    'array_len',
    'index',
    'version',
    'vmsd_name',
    'struct',
    'fields',
  ),
  value: fc.oneof(
    fc.constantFrom(
      'struct',
      'vstruct',
      'tmp',
      'qtailq',
      'gtree',
      'virtio',
      'bitmap',
      'nullptr',
      'ptr-marker',
    ),
    fc.constantFrom(0, 1, 2, 4, 256, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -1),
    fc.constantFrom('x', 'x'.repeat(2000), '__proto__', ''),
    // Another part of the description: structs inside others, and again inside themselves.
    fc.nat().map((at) => ({ at })),
  ),
});

test('a description that lies gives a sound schema, or none', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(lie, { minLength: 1, maxLength: 8 }), async (lies) => {
      const description = descriptionOf(bytes);
      for (const { place, member, value } of lies) {
        const objects = objectsOf(description.devices);
        const target = objects[place % objects.length]!;
        target[member] =
          typeof value === 'object' ? structuredClone(objects[value.at % objects.length]) : value;
      }
      const schema = await learn(description);
      if (!schema) return;
      const parsed = parseSchema(serializeSchema(schema));
      expect(serializeSchema(parsed)).toBe(serializeSchema(schema));
    }),
    { numRuns: 150 },
  );
});

test('what is learned from lies harms no other stream', async () => {
  const description = descriptionOf(bytes);
  const most = description.devices.reduce((a, b) => (b.fields.length > a.fields.length ? b : a));
  const many = {
    name: 'lie',
    type: 'struct',
    size: 0,
    array_len: 1e9,
    struct: { vmsd_name: 'l', version: 1 },
  };
  most.fields.unshift(many);
  const schema = await learn(description);
  const tables = new SchemaTables(schema!);
  const opened = await openStream(memorySource(bytes), { tables, ignoreVmdesc: true });
  let sections = 0;
  for await (const { root } of layouts(opened)) if (root.end >= root.start) sections++;
  expect(sections).toBeGreaterThan(1);
});

test('a section that its description does not fit teaches nothing', async () => {
  const description = descriptionOf(bytes);
  const [device] = description.devices.filter(({ fields }) => fields.length > 0);
  (device!.fields[0] as Json)['size'] = 1e6;
  const source = memorySource(withDescription(bytes, JSON.stringify(description)), 'lie.qevm');
  const { diagnostics } = await learnSchema([await openStream(source)]);
  expect(diagnostics.map(({ code }) => code)).toContain('not-learned');
  expect(diagnostics.map(({ section }) => section)).toContain(device!.name);
});
