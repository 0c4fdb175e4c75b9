import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { extractSchema } from '../../src/extract/extract-schema.ts';
import { knownTableLayouts } from '../../src/extract/table-layout.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';
import { ElfBuilder, type ElfOptions } from './elf/elf-builder.ts';
import { FakeQemu, type FakeVmsd, plainQemu, plainVmsds } from './fake-qemu.ts';

function extract(bytes: Uint8Array, modules: readonly Uint8Array[] = []): Promise<QemuSchema> {
  return extractSchema({
    binary: memorySource(bytes, '/usr/bin/qemu-system-x86_64'),
    modules: modules.map((module, i) => memorySource(module, `hw-${i}.so`)),
  });
}

/** What a schema says of the VMSDs that were written. */
function summary(schema: QemuSchema) {
  return schema.vmsds.map((vmsd) => ({
    name: vmsd.name,
    versions: [vmsd.versionId, vmsd.minimumVersionId],
    unmigratable: vmsd.unmigratable,
    needed: vmsd.callbacks.needed !== undefined,
    fields: vmsd.fields.map((field) => [
      field.name,
      field.offset,
      field.size,
      field.flags,
      field.num,
      field.numOffset,
      field.numSize,
      field.versionId,
      field.fieldExists !== undefined,
      field.info === undefined ? undefined : schema.infos[field.info]!.name,
      field.vmsd === undefined ? undefined : schema.vmsds[field.vmsd]!.name,
    ]),
    subsections: vmsd.subsections.map((index) => schema.vmsds[index]!.name),
  }));
}

function expected(vmsds: readonly FakeVmsd[]) {
  return vmsds.map((vmsd) => ({
    name: vmsd.name,
    versions: [vmsd.versionId ?? 1, vmsd.minimumVersionId ?? 1],
    unmigratable: vmsd.unmigratable ?? false,
    needed: vmsd.needed ?? false,
    fields: (vmsd.fields ?? []).map((field) => [
      field.name,
      field.offset ?? 0,
      field.size ?? 0,
      field.flags ?? 0,
      field.num ?? 0,
      field.numOffset ?? 0,
      field.numSize ?? 0,
      field.versionId ?? 0,
      field.fieldExists ?? false,
      field.info,
      field.vmsd,
    ]),
    subsections: vmsd.subsections ?? [],
  }));
}

const hosts: readonly [string, ElfOptions][] = [
  ['x86_64', { machine: 62, relativeType: 8 }],
  ['aarch64', { machine: 183, relativeType: 1027 }],
  ['ppc64le', { machine: 21, relativeType: 22 }],
  ['s390x', { machine: 22, relativeType: 12, littleEndian: false }],
  ['riscv64', { machine: 243, relativeType: 3 }],
];

for (const { name, since } of knownTableLayouts) {
  test.each(hosts)(`reads the tables of QEMU ${name} on %s`, async (machine, options) => {
    const version = `${since.join('.')}.1 (fake)`;
    // What code refers to is known on some hosts, and here no code refers to the VMSD without fields.
    const vmsds = plainVmsds.filter(({ name: vmsd }) => vmsd !== 'stuck');
    for (const relocations of ['rela', 'relr', 'none'] as const) {
      const qemu = new FakeQemu({ ...options, relocations, layout: name, version });
      qemu.add(vmsds);
      const schema = await extract(qemu.elf.build());
      expect(schema.layout).toBe(name);
      expect(schema.qemuVersion).toBe(version);
      expect(schema.host).toEqual({
        machine,
        byteOrder: options.littleEndian === false ? 'big' : 'little',
      });
      expect(summary(schema)).toEqual(expected(vmsds));
    }
  });
}

test('one that only cannot be migrated is found where code cannot tell', async () => {
  const schema = await extract(plainQemu({ machine: 21, relativeType: 22, littleEndian: false }));
  expect(summary(schema)).toEqual(expected(plainVmsds));
});

test('a binary of an unknown version is read with the layout that fits', async () => {
  expect((await extract(plainQemu({ layout: '11.1', version: '99.0.0' }))).layout).toBe('11.1');
  expect((await extract(plainQemu({ layout: '4.2', version: '11.1.0' }))).layout).toBe('4.2');
});

test('a module adds its VMSDs, with infos of the executable', async () => {
  const qemu = new FakeQemu();
  qemu.add(plainVmsds);
  qemu.elf.string('qemu_stamp_12345');
  qemu.elf.symbol('vmstate_info_uint32', qemu.info('uint32'));
  const module = (stamp: string) => {
    const elf = new ElfBuilder();
    const { field, vmsd } = qemu.layout;
    const list = elf.data(2 * field.stride);
    elf.pointer(list + field.name, elf.string('from module'));
    elf.symbolPointer(list + field.info, elf.symbol('vmstate_info_uint32'));
    elf.u32(list + field.flags, 1);
    const address = elf.data(vmsd.size);
    elf.pointer(address, elf.string('module-device'));
    elf.u32(address + vmsd.versionId, 4);
    elf.pointer(address + vmsd.fields, list);
    elf.symbol(stamp, elf.code());
    return elf.build();
  };
  const schema = await extract(qemu.elf.build(), [module('qemu_stamp_12345'), module('qemu_stamp_99')]);
  // The second one is of another build.
  expect(schema.objects.map(({ name }) => name)).toEqual(['qemu-system-x86_64', 'hw-0.so']);
  const added = schema.vmsds.filter(({ object }) => object === 1);
  expect(added.map(({ name, versionId }) => [name, versionId])).toEqual([['module-device', 4]]);
  expect(schema.infos[added[0]!.fields[0]!.info!]!.name).toBe('uint32');
  expect(schema.infos[added[0]!.fields[0]!.info!]!.object).toBe(0);
});

test('a binary without tables is refused', async () => {
  const elf = new ElfBuilder();
  elf.pointer(elf.data(8), elf.string('hello'));
  await expect(extract(elf.build())).rejects.toThrow(
    /qemu-system-x86_64 is no QEMU system emulator: it has no VMStateDescription tables/,
  );
});

test('functions and infos are there once', async () => {
  const schema = await extract(plainQemu());
  expect(new Set(schema.functions.map(({ object, address }) => `${object}/${address}`)).size).toBe(
    schema.functions.length,
  );
  expect(schema.infos.map(({ name }) => name).sort()).toEqual(['buffer', 'uint32', 'uint64', 'uint8']);
  for (const info of schema.infos) expect([info.get, info.put]).not.toContain(undefined);
});
