import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { extractSchema } from '../../src/extract/extract-schema.ts';
import { parseSchema } from '../../src/schema/parse-schema.ts';
import { serializeSchema } from '../../src/schema/serialize-schema.ts';
import { DATA } from './elf/elf-builder.ts';
import { FakeQemu, type FakeVmsd, plainQemu, plainVmsds } from './fake-qemu.ts';

const extract = (bytes: Uint8Array) => extractSchema({ binary: memorySource(bytes, 'qemu'), modules: [] });

/** With what is to be looked at besides enough for a QEMU. */
function withVmsds(...vmsds: readonly FakeVmsd[]): FakeQemu {
  const qemu = new FakeQemu();
  qemu.add([...plainVmsds, ...vmsds]);
  return qemu;
}

const x = { name: 'x', size: 4, flags: 1, info: 'uint32' };

test('VMSDs that contain themselves are refused', async () => {
  const self = withVmsds({ name: 'self', fields: [x, { name: 'me', flags: 8, vmsd: 'self' }] });
  await expect(extract(self.elf.build())).rejects.toThrow('qemu: its VMSD self contains itself');
  const loop = withVmsds(
    { name: 'one', fields: [x], subsections: ['two'] },
    { name: 'two', fields: [x], subsections: ['one'] },
  );
  await expect(extract(loop.elf.build())).rejects.toThrow(/VMSD (one|two) contains itself/);
});

test('VMSDs inside each other deeper than any real ones are refused', async () => {
  const chain = Array.from({ length: 100 }, (_, i) => ({
    name: `v${i}`,
    fields: [x, ...(i < 99 ? [{ name: 'next', flags: 8, vmsd: `v${i + 1}` }] : [])],
  }));
  await expect(extract(withVmsds(...chain).elf.build())).rejects.toThrow(/nest deeper than 64 levels/);
});

test('a list with something that is no field in it is none', async () => {
  const breaks: [string, (qemu: FakeQemu, field: number) => void][] = [
    ['no such flags', (qemu, field) => qemu.elf.u32(field + qemu.layout.field.flags, 0x8000_0000)],
    ['an offset beyond all', (qemu, field) => qemu.elf.u64(field + qemu.layout.field.offset, 2n ** 63n)],
    [
      'an info that is none',
      (qemu, field) => qemu.elf.pointer(field + qemu.layout.field.info, qemu.elf.data(40)),
    ],
    ['an info nowhere', (qemu, field) => qemu.elf.pointer(field + qemu.layout.field.info, 0x7fff_0000)],
    ['a struct nowhere', (qemu, field) => qemu.elf.pointer(field + qemu.layout.field.vmsd, 0x7fff_0000)],
    ['a name nowhere', (qemu, field) => qemu.elf.pointer(field, 0x7fff_0000)],
    ['a name that does not end', (qemu, field) => qemu.elf.pointer(field, qemu.elf.string('x'.repeat(2000)))],
    ['a name of control characters', (qemu, field) => qemu.elf.pointer(field, qemu.elf.string('a\u001bb'))],
    ['a test that is data', (qemu, field) => qemu.elf.pointer(field + qemu.layout.field.fieldExists, DATA)],
  ];
  for (const [what, change] of breaks) {
    const qemu = new FakeQemu();
    qemu.add(plainVmsds);
    const list = qemu.fields([x, { ...x, name: 'y' }]);
    const address = qemu.elf.data(qemu.layout.vmsd.size);
    qemu.elf.pointer(address, qemu.elf.string('broken'));
    qemu.elf.pointer(address + qemu.layout.vmsd.fields, list);
    expect(
      (await extract(qemu.elf.build())).vmsds.map(({ name }) => name),
      what,
    ).toContain('broken');
    change(qemu, list + qemu.layout.field.stride);
    expect(
      (await extract(qemu.elf.build())).vmsds.map(({ name }) => name),
      what,
    ).not.toContain('broken');
  }
});

test('a list that runs to the end of the file is none', async () => {
  const qemu = new FakeQemu();
  qemu.add(plainVmsds);
  const address = qemu.elf.data(qemu.layout.vmsd.size);
  qemu.elf.pointer(address, qemu.elf.string('endless'));
  // All further data is one list of fields.
  const name = qemu.elf.string('x');
  const info = qemu.info('uint32');
  const first = qemu.elf.data(0x8000);
  qemu.elf.pointer(address + qemu.layout.vmsd.fields, first);
  for (let at = first; at + qemu.layout.field.stride <= first + 0x8000; at += qemu.layout.field.stride) {
    qemu.elf.pointer(at, name);
    qemu.elf.pointer(at + qemu.layout.field.info, info);
    qemu.elf.u32(at + qemu.layout.field.flags, 0xffff_ffff);
  }
  expect((await extract(qemu.elf.build())).vmsds.map(({ name: vmsd }) => vmsd)).not.toContain('endless');
});

test('counts that cannot be are kept as they are, for the reader to judge', async () => {
  const schema = await extract(
    withVmsds({ name: 'large', fields: [{ ...x, flags: 4, num: 0x8000_0000 }] }).elf.build(),
  );
  const [field] = schema.vmsds.find(({ name }) => name === 'large')!.fields;
  expect(field!.num).toBe(-0x8000_0000);
  expect(parseSchema(serializeSchema(schema))).toEqual(schema);
});

/** Overlapping lists, as many as fit: the worst that a file of this size can ask for. */
test('lists that overlap take bounded time', async () => {
  const qemu = new FakeQemu();
  qemu.add(plainVmsds);
  const { field, vmsd } = qemu.layout;
  const name = qemu.elf.string('x');
  const info = qemu.info('uint32');
  const count = 400;
  const list = qemu.elf.data((count + 1) * field.stride);
  for (let i = 0; i < count; i++) {
    qemu.elf.pointer(list + i * field.stride, name);
    qemu.elf.pointer(list + i * field.stride + field.info, info);
    qemu.elf.u32(list + i * field.stride + field.flags, 1);
    const address = qemu.elf.data(vmsd.size);
    qemu.elf.pointer(address, name);
    qemu.elf.pointer(address + vmsd.fields, list + i * field.stride);
  }
  const schema = await extract(qemu.elf.build());
  expect(schema.vmsds.length).toBe(count + plainVmsds.length - 1);
});

test('any change of a small binary is read or refused', async () => {
  for (const layout of ['11.1', '4.2']) {
    const original = plainQemu({ layout });
    const used = original.findLastIndex((byte) => byte !== 0) + 1;
    const places = fc.oneof(
      { weight: 1, arbitrary: fc.nat(0x2000) },
      { weight: 2, arbitrary: fc.integer({ min: DATA, max: used }) },
    );
    const change = fc.tuple(places, fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 20 }), async (changes) => {
        const bytes = original.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          const schema = await extract(bytes);
          expect(parseSchema(serializeSchema(schema))).toEqual(schema);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }),
      { numRuns: 250 },
    );
  }
});

test('a real binary that is cut, or has holes, is read in part or refused', async () => {
  const bytes = readFileSync('/usr/bin/qemu-system-x86_64');
  const cut = (part: number) => extract(bytes.subarray(0, Math.floor(part * bytes.length)));
  for (const part of [0.01, 0.3, 0.7, 0.97]) await expect(cut(part)).rejects.toThrow(/cut short/);
  // Only the section headers are gone.
  expect((await cut(0.9999)).vmsds.length).toBe((await extract(bytes)).vmsds.length);
  const outcomes = new Set<string>();
  const random = (() => {
    let state = 12345;
    return () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state / 2 ** 32;
    };
  })();
  for (let run = 0; run < 6; run++) {
    const copy = new Uint8Array(bytes);
    for (let i = 0; i < 20; i++) {
      const at = 0x400 + Math.floor(random() * (copy.length - 0x10000));
      copy.fill(Math.floor(random() * 256), at, at + 4096);
    }
    try {
      outcomes.add((await extract(copy)).vmsds.length > 100 ? 'read' : 'read in part');
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      outcomes.add(error.code);
    }
  }
  expect(outcomes.size).toBeGreaterThan(0);
});
