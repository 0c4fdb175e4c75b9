import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import {
  bytes as buffer,
  builtInInfos,
  flags,
  type Info,
  type Infos,
  integer,
  withInfos,
} from '../../src/index.ts';
import { childrenOf, walk } from '../../src/layout/children.ts';
import type { LayoutNode, NodePlace } from '../../src/layout/node.ts';
import { layoutOf, layouts, openStream } from '../../src/layout/open.ts';
import { SchemaTables } from '../../src/layout/tables.ts';
import { builtinSchemas } from '../../src/node/builtin-schema-index.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { parseVmdesc } from '../../src/schema/vmdesc.ts';
import { openFixture, readFixture } from '../fixtures.ts';
import { bytes as concatenated, footer, hex, text8, u8, u32 } from '../ram/section-bytes.ts';
import { field, fromHex, vmsd, walkSection } from '../walk/walk-field.ts';

const NAME = 'qemu-7.2-avr-uno';

/** target/avr/machine.c, put_sreg: the status register is one byte. */
const ownSreg: Info = {
  names: ['sreg'],
  *read() {
    yield* integer('flags', 'uint8', flags({ 1: 'zero' }));
  },
};

/** put_segment: one byte. */
const ownSegment: Info = {
  names: ['rampD', 'eind'],
  length: 1,
  open({ section }, { name, type, start, end }) {
    const value = section.view.getUint8(start - section.base);
    return { kind: 'leaf', name, type, start, end, value, meaning: `segment ${value}` };
  },
};

async function nodesOf(types: readonly string[], infos: Infos | undefined, tables?: SchemaTables) {
  const options = tables ? { tables, ignoreVmdesc: true } : {};
  const opened = await openStream(openFixture(NAME), { infos, ...options });
  const nodes: LayoutNode[] = [];
  for await (const { root, diagnostics } of layouts(opened)) {
    expect(diagnostics.filter(({ severity }) => severity !== 'note')).toEqual([]);
    for (const { node } of walk(root)) if (types.includes(node.type)) nodes.push(node);
  }
  return nodes;
}

async function tablesOf72(): Promise<SchemaTables> {
  const entry = (await builtinSchemas()).find(
    ({ qemuVersion, target }) => qemuVersion.startsWith('7.2.') && target === 'avr',
  );
  return new SchemaTables(await openSchema(entry!.name));
}

describe.each(['vmdesc', 'tables'])("infos of one's own, by %s", (by) => {
  test('read and open up the fields of their names', async () => {
    const tables = by === 'tables' ? await tablesOf72() : undefined;
    const bytes = readFixture(NAME);
    const infos = withInfos([ownSreg, ownSegment]);
    const [sreg] = await nodesOf(['sreg'], infos, tables);
    const [part] = [...childrenOf(sreg!)];
    expect(part).toMatchObject({ name: 'flags', type: 'uint8', value: bytes[sreg!.start] });
    expect([part!.start, part!.end]).toEqual([sreg!.start, sreg!.end]);
    const segments = await nodesOf(['rampD', 'eind'], infos, tables);
    expect(segments.map(({ type }) => type).sort()).toEqual(['eind', 'rampD']);
    for (const node of segments)
      expect(node).toMatchObject({ value: bytes[node.start], meaning: `segment ${bytes[node.start]}` });
  });

  test('change nothing where they are not given', async () => {
    const tables = by === 'tables' ? await tablesOf72() : undefined;
    const [sreg] = await nodesOf(['sreg'], undefined, tables);
    const [known] = await nodesOf(['sreg'], builtInInfos, tables);
    expect(sreg).toEqual(known);
    expect(sreg!.kind).toBe('leaf');
  });
});

/** A stream of one section `a` with some zeros. */
function sectionOf(length: number): Uint8Array {
  const head = concatenated(hex('5145564d00000003'), u8(4), u32(3), text8('a'), u32(0), u32(1));
  return concatenated(head, new Uint8Array(length), footer(3), u8(0));
}

test('an info of many MiB is read to its end', async () => {
  const image = 40 << 20;
  const own: Info = {
    names: ['own'],
    *read() {
      yield* buffer('image', 'buffer', image);
    },
  };
  const fields = `[{"name":"f","type":"own","size":${image}}]`;
  const text = `{"page_size":4096,"devices":[{"name":"a","instance_id":0,"vmsd_name":"a","version":1,"fields":${fields}}]}`;
  const { vmdesc } = parseVmdesc(text, { start: 0, end: 0 });
  const opened = await openStream(memorySource(sectionOf(image)), { infos: withInfos([own]) });
  const { root, diagnostics } = await layoutOf(
    { ...opened, schema: vmdesc!.schema },
    opened.stream.sections[0]!,
  );
  expect(diagnostics).toEqual([]);
  expect([...walk(root)].map(({ node }) => node.name)).toContain('image');
});

describe("mistakes in an info of one's own", () => {
  const layoutsWith = async (info: Info, tables?: SchemaTables) => {
    const options = tables ? { tables, ignoreVmdesc: true } : {};
    const opened = await openStream(openFixture(NAME), { infos: withInfos([info]), ...options });
    for await (const { diagnostics } of layouts(opened)) if (diagnostics.length > 0) return diagnostics;
    return [];
  };
  const reading = (read: unknown) => ({ names: ['sreg'], read }) as Info;

  test('a reader that never ends is given up, and told', async () => {
    const endless = function* () {
      for (;;) yield { request: 'peek', length: 1 };
    };
    expect(await layoutsWith(reading(endless))).toEqual([]);
    const [problem] = await layoutsWith(reading(endless), await tablesOf72());
    expect(problem?.message).toMatch(/its reader never comes to an end/);
  });

  test.each([
    ['a scalar of no type', { request: 'scalar', name: 'x', type: 'uint7' }],
    ['what is no request', { request: 'nonsense' }],
  ])('%s is refused', async (_, request) => {
    const read = function* () {
      yield request;
    };
    await expect(layoutsWith(reading(read))).rejects.toMatchObject({ code: 'bad-argument' });
  });

  test.each([
    ['another place', (place: NodePlace) => ({ ...place, kind: 'leaf', end: place.end + 1, value: 1 })],
    ['no node', () => 'text'],
    ['a struct with gaps', (place: NodePlace) => ({ ...place, kind: 'struct', children: [] })],
    ['a struct without children', (place: NodePlace) => ({ ...place, kind: 'struct' })],
  ])('what is opened to %s is refused', async (_, make) => {
    const open = (_context: unknown, place: NodePlace) => make(place) as LayoutNode;
    const info = { names: ['rampD'], length: 1, open } as Info;
    await expect(layoutsWith(info)).rejects.toMatchObject({ code: 'bad-argument' });
  });
});

describe('an info that vmwalk does not know', () => {
  const bytes = fromHex('01 aa bb cc 02');
  const section = vmsd('device', [
    field('a', 'uint8', 0, 1),
    field('b', 'own', 8, 64),
    field('c', 'uint8', 1, 1),
  ]);
  const walkBy = (info: Partial<Info>) =>
    walkSection(bytes, 'device', section, [], withInfos([{ names: ['own'], ...info }]))?.leaves;

  test('has the length that it says', () => {
    expect(walkBy({ length: 3 })).toEqual({ a: 1, b: '3 bytes', c: 2 });
    expect(walkBy({ length: (size) => size / 16 })).toBeUndefined();
    expect(walkBy({ length: [2, 3, 4] })).toEqual({ a: 1, b: '3 bytes', c: 2 });
  });

  test('is not what it says that it cannot be', () => {
    const fault = ([first]: Uint8Array) => (first === 0xaa ? 'no 0xaa' : undefined);
    expect(walkBy({ length: 3, fault })).toBeUndefined();
  });
});
