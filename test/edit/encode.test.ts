import { describe, expect, test } from 'vitest';
import { readExactly } from '../../src/bytes/source.ts';
import { applyEdits } from '../../src/edit/apply-edits.ts';
import { nodePieces } from '../../src/edit/edited-node.ts';
import { encodeSection, planEncode, planManifest } from '../../src/edit/encode.ts';
import { commandName, manifestRecords } from '../../src/edit/manifest-records.ts';
import {
  type DecodedSection,
  type ManifestRecord,
  parseDecodedSection,
} from '../../src/edit/read-decoded.ts';
import { parseDecodedLines } from '../../src/edit/read-ndjson.ts';
import { walk } from '../../src/layout/children.ts';
import type { Layout } from '../../src/layout/node.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { decodedSectionJson } from '../../src/render/decoded-json.ts';
import { ndjsonLine } from '../../src/render/ndjson.ts';
import { openVm, type Vm } from '../../src/vm/vm.ts';
import { fixtures, openFixture } from '../fixtures.ts';

async function decoded(vm: Vm, layout: Layout): Promise<DecodedSection> {
  const { start, end } = layout.root;
  const bytes = await readExactly(vm.source, start, end - start);
  const text = [
    ...decodedSectionJson(layout, (node) => bytes.subarray(node.start - start, node.end - start)),
  ].join('');
  return parseDecodedSection(text, 'the section');
}

async function* lines(vm: Vm): AsyncGenerator<string> {
  for await (const layout of vm.layouts())
    for (const { node, path } of walk(layout.root)) yield [...ndjsonLine(layout, node, path)].join('');
}

const holdsAll = ({ root }: Layout): boolean => {
  for (const { node } of walk(root))
    if ((node.kind === 'leaf' && node.value === null) || (node.kind === 'gap' && !node.value)) return false;
  return true;
};

/** Without blob, and by lines: of each of these, as both take long. */
const FULLY: ReadonlySet<string> = new Set([
  'qemu-5.2-aarch64-virt',
  'qemu-7.2-pc-devices',
  'qemu-10.0-s390x-ccw',
  'qemu-10.0-riscv64-virt-imsic',
  'qemu-11.1-postcopy',
  'qemu-11.1-suppress-vmdesc',
  'qemu-5.2-machine-2.3',
]);

test.for(fixtures.map(({ name }) => name))('what QEMU wrote comes of the JSON alone: %s', async (name) => {
  for (const ignoreVmdesc of FULLY.has(name) ? [false, true] : [false]) {
    const vm = await openVm(openFixture(name), { schemas: packagedSchemas, ignoreVmdesc });
    let written = 0;
    for await (const layout of vm.layouts()) {
      if (!holdsAll(layout)) continue;
      const { start, end } = layout.root;
      const edited = await encodeSection(await decoded(vm, layout), undefined);
      const pieces = nodePieces(edited).map((piece) => Buffer.from(piece as Uint8Array));
      const expected = await readExactly(vm.source, start, end - start);
      expect(Buffer.concat(pieces).equals(Buffer.from(expected)), `${layout.section} ${ignoreVmdesc}`).toBe(
        true,
      );
      written += expected.byteLength;
    }
    expect(written).toBeGreaterThan(0);
    if (!FULLY.has(name)) continue;
    const { edits } = await planEncode(vm, parseDecodedLines(lines(vm), 'lines'));
    expect(edits.bodies.size).toBe(0);
  }
});

describe('a decoded section', () => {
  const PC = 'qemu-7.2-pc-devices';
  const fdc = async () => {
    const vm = await openVm(openFixture(PC), { schemas: packagedSchemas });
    const section = vm.sections.find(({ idstr }) => idstr === 'fdc')!;
    const layout = await vm.layout(section);
    const bytes = await readExactly(vm.source, layout.root.start, layout.root.end - layout.root.start);
    const text = [
      ...decodedSectionJson(layout, ({ start, end }) =>
        bytes.subarray(start - layout.root.start, end - layout.root.start),
      ),
    ].join('');
    return { vm, text };
  };
  const encode = async (change: (text: string) => string) => {
    const { vm, text } = await fdc();
    const changed = change(text);
    expect(changed).not.toBe(text);
    const plan = await planEncode(vm, [parseDecodedSection(changed, 'fdc.json')]);
    return { vm, plan, written: (await applyEdits(vm, plan)).source };
  };

  test('has what was changed in it, and nothing else', async () => {
    const { vm, written } = await encode((text) =>
      text.replace(/("name": "sra", "type": "uint8", "value": )\d+/, '$165'),
    );
    const [before, after] = [vm.source, written].map((source) => readExactly(source, 0, vm.source.size));
    const [a, b] = [await before!, await after!];
    const different = [...a.keys()].filter((i) => a[i] !== b[i]);
    expect(written.size).toBe(vm.source.size);
    expect(different.map((i) => b[i])).toEqual([65]);
  });

  test('whose meaning was changed is as it was', async () => {
    const { plan } = await encode((text) =>
      text.replace('"type": "uint8",', '"type": "uint8", "meaning": "x",'),
    );
    expect(plan.edits.bodies.size).toBe(0);
  });

  test.each<[string, (text: string) => string, RegExp]>([
    [
      'a value beyond its type',
      (text) => text.replace(/("name": "sra", .*"value": )\d+/, '$1256'),
      /sra: 256 is no uint8/,
    ],
    [
      'a value of another kind',
      (text) => text.replace(/("name": "sra", .*"value": )\d+/, '$1true'),
      /sra: true is no value/,
    ],
    [
      'a number that is none',
      (text) => text.replace(/("name": "sra", .*"value": )\d+/, '$11e400'),
      /value" is no integer/,
    ],
    ['a value that is missing', (text) => text.replace(/, "value": \d+/, ''), /is no value/],
    [
      'another type',
      (text) => text.replace('"name": "sra", "type": "uint8"', '"name": "sra", "type": "int8"'),
      /sra: its type was uint8, and is int8 now, which changes no byte/,
    ],
    [
      'another name',
      (text) => text.replace('"name": "sra"', '"name": "srx"'),
      /srx: it was called sra, which changes no byte/,
    ],
    [
      'another version of a struct',
      (text) => text.replace('"vmsd": "fdrive", "version": 1', '"vmsd": "fdrive", "version": 2'),
      /drives\[0\]: its version was 1, and is 2 now/,
    ],
    [
      'another section',
      (text) => text.replace('"section": "fdc"', '"section": "xyz"'),
      /xyz: the stream has no such section/,
    ],
    [
      'a field too many',
      (text) => text.replace('"fields": [', '"fields": [{"name": "x", "type": "uint8", "value": 1},'),
      /read as something else/,
    ],
    [
      'no list of fields',
      (text) => text.replace('"fields": [', '"fields": 7, "x": ['),
      /"fields" is not an array/,
    ],
    ['brackets without end', () => '['.repeat(100_000), /nests deeper/],
    [
      '__proto__',
      (text) =>
        text.replace('"fields": [', '"fields": [{"__proto__": {"name": "x"}, "type": "uint8", "value": 1},'),
      /name/,
    ],
  ])('is refused with %s', async (_, change, message) => {
    await expect(encode(change)).rejects.toThrow(message);
  });
});

describe('a manifest', () => {
  const manifestOf = (vm: Vm) =>
    manifestRecords(vm).map((record): ManifestRecord => {
      if (record.kind === 'command') return { kind: 'command', name: commandName(record) };
      if (record.kind === 'configuration') return { kind: 'configuration', file: 'configuration.json' };
      const { id, idstr, instanceId, versionId } = record;
      return { kind: 'section', id, idstr, instanceId, versionId, file: undefined };
    });
  const plan = async (name: string, change: (records: ManifestRecord[]) => ManifestRecord[]) => {
    const vm = await openVm(openFixture(name), { schemas: packagedSchemas });
    const records = change(manifestOf(vm)).filter(({ kind }) => kind !== 'configuration');
    const manifest = { base: { size: 0, sha256: '' }, footers: true, vmdesc: undefined, records };
    const read = async (file: string): Promise<DecodedSection> => {
      const layout = await vm.layout(vm.sections.find(({ idstr }) => idstr === file)!);
      return decoded(vm, layout);
    };
    return planManifest(vm, manifest, read);
  };

  test('without a command drops it', async () => {
    const without = (records: ManifestRecord[]) =>
      records.filter((record) => record.kind !== 'command' || record.name !== 'SWITCHOVER_START');
    const { edits } = await plan('qemu-11.1-pc-devices', without);
    expect([...edits.droppedCommands].map((record) => record.kind === 'command' && record.name)).toEqual([
      'SWITCHOVER_START',
    ]);
    expect(edits.droppedSections.size).toBe(0);
  });

  test('that is as it was changes nothing, also with packages in it', async () => {
    const { edits } = await plan('qemu-11.1-postcopy', (records) => records);
    expect([edits.droppedCommands.size, edits.droppedSections.size, edits.identities.size]).toEqual([
      0, 0, 0,
    ]);
  });

  test.each<[string, (records: ManifestRecord[]) => ManifestRecord[], RegExp]>([
    [
      'a new command',
      (records) => [...records, { kind: 'command', name: 'PING' }],
      /command PING is not in the base/,
    ],
    ['another order', (records) => records.toReversed(), /the order is not changed/],
    [
      'a file of another section',
      (records) =>
        records.map((record) =>
          record.kind === 'section' && record.idstr === 'fdc' ? { ...record, file: 'hpet' } : record,
        ),
      /hpet is of another section, instance or version/,
    ],
  ])('is refused with %s', async (_, change, message) => {
    await expect(plan('qemu-7.2-pc-devices', change)).rejects.toThrow(message);
  });
});
