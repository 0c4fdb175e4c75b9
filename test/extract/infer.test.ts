import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { loadProgram } from '../../src/extract/elf/load.ts';
import { extractSchema } from '../../src/extract/extract-schema.ts';
import { findInfos } from '../../src/extract/find-infos.ts';
import { fitKnownLayout } from '../../src/extract/fit-layout.ts';
import { inferLayout } from '../../src/extract/infer-layout.ts';
import type { TableLayout } from '../../src/extract/table-layout.ts';
import { openFile } from '../../src/node/file-source.ts';
import { type FakeField, type FakeOptions, FakeQemu, type FakeVmsd, fakeLayout } from './fake-qemu.ts';

/** A layout that no QEMU has: other sizes, other orders, a gap. */
const strangeLayout: TableLayout = {
  name: 'strange',
  since: [0, 0],
  field: {
    stride: 120,
    name: 0,
    errHint: undefined,
    flags: 12,
    vmsd: 16,
    info: 24,
    versionId: 36,
    structVersionId: 40,
    fieldExists: 48,
    size: 56,
    offset: 64,
    num: 76,
    sizeOffset: 80,
    sizeSize: 84,
    numOffset: 88,
    numSize: 92,
    start: 104,
  },
  vmsd: {
    size: 96,
    unmigratable: 8,
    earlySetup: 9,
    versionId: 12,
    minimumVersionId: 16,
    priority: 20,
    callbacks: new Map([
      ['preLoad', 24],
      ['needed', 64],
    ]),
    fields: 80,
    subsections: 88,
  },
  infoHasLoadAndSave: true,
};

/** As many VMSDs as a small real QEMU has, with fields of all kinds. */
function manyVmsds(): FakeVmsd[] {
  const types = [
    ['uint8', 1],
    ['uint16', 2],
    ['uint32', 4],
    ['uint64', 8],
  ] as const;
  const vmsds: FakeVmsd[] = [];
  for (let i = 0; i < 30; i++) {
    const fields: FakeField[] = [];
    for (let j = 0; j < 8; j++) {
      const [info, size] = types[(i + j) % 4]!;
      fields.push({
        name: `f${i}_${j}`,
        offset: 16 + j * 8,
        size,
        flags: 1,
        info,
        versionId: j === 3 ? 2 : 0,
      });
    }
    fields.push({ name: 'array', offset: 100, size: 4, flags: 4, num: 5 + i, info: 'uint32' });
    fields.push({
      name: 'varray',
      offset: 200,
      size: 4,
      flags: 0x802,
      numOffset: 40,
      numSize: 4,
      info: 'uint32',
      fieldExists: i % 3 === 0,
    });
    fields.push({ name: 'inner', offset: 300, size: 8, flags: 8, vmsd: 'inner' });
    fields.push({
      name: 'vbuffer',
      offset: 400,
      size: 1,
      flags: 0x102,
      sizeOffset: 24,
      sizeSize: 4,
      info: 'buffer',
    });
    vmsds.push({
      name: `device${i}`,
      versionId: 2,
      fields,
      subsections: i % 4 === 0 ? [`device${i}/more`] : [],
    });
    if (i % 4 === 0)
      vmsds.push({
        name: `device${i}/more`,
        needed: true,
        fields: [{ name: 'extra', offset: 500, size: 4, flags: 1, info: 'uint32' }],
      });
  }
  vmsds.push({ name: 'inner', fields: [{ name: 'x', size: 4, flags: 1, info: 'uint32' }] });
  return vmsds;
}

function fake(options: FakeOptions): Uint8Array {
  const qemu = new FakeQemu(options);
  qemu.add(manyVmsds());
  return qemu.elf.build();
}

async function inferred(bytes: Uint8Array): Promise<TableLayout | undefined> {
  const { image } = await loadProgram(memorySource(bytes));
  return inferLayout(image, findInfos(image));
}

/** What inference can tell: some columns are not used by the fakes. */
function comparable({ field, vmsd }: TableLayout) {
  const { errHint: _hint, start: _start, structVersionId: _version, ...columns } = field;
  return {
    columns,
    fields: vmsd.fields,
    subsections: vmsd.subsections,
    needed: vmsd.callbacks.get('needed'),
  };
}

test.each(['11.1', '10.2', '8.0', '4.2', '2.10'])('works out the layout of QEMU %s', async (name) => {
  for (const littleEndian of [true, false]) {
    const options = littleEndian ? {} : { littleEndian, machine: 22, relativeType: 12 };
    const layout = await inferred(fake({ ...options, layout: name }));
    expect(layout && comparable(layout)).toEqual(comparable(fakeLayout(name)));
  }
});

test('works out a layout that no QEMU has, and reads with it', async () => {
  const bytes = fake({ layout: strangeLayout });
  const layout = await inferred(bytes);
  expect(layout && comparable(layout)).toEqual(comparable(strangeLayout));
  const schema = await extractSchema({ binary: memorySource(bytes), modules: [] });
  expect(schema.layout).toBe('inferred');
  expect(schema.vmsds).toHaveLength(manyVmsds().length);
  const device = schema.vmsds.find(({ name }) => name === 'device4')!;
  expect(device.fields.find(({ name }) => name === 'varray')).toMatchObject({ numOffset: 40, numSize: 4 });
  expect(device.subsections.map((index) => schema.vmsds[index]!.name)).toEqual(['device4/more']);
});

test('tells nothing of a file with too little in it', async () => {
  const qemu = new FakeQemu();
  qemu.add([{ name: 'only', fields: [{ name: 'x', size: 4, flags: 1, info: 'uint32' }] }]);
  expect(await inferred(qemu.elf.build())).toBeUndefined();
});

test('works out the layout of the QEMU of this machine', async () => {
  const source = await openFile('/usr/bin/qemu-system-x86_64');
  try {
    const { image } = await loadProgram(source);
    const infos = findInfos(image);
    const known = fitKnownLayout(image, new Set(infos.keys()), undefined)?.layout;
    const layout = inferLayout(image, infos);
    expect(layout && comparable(layout)).toEqual(known && comparable(known));
  } finally {
    await source.close();
  }
});
