import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { extractSchema } from '../../src/extract/extract-schema.ts';
import type { ElfBuilder } from './elf/elf-builder.ts';
import { FakeQemu, plainVmsds } from './fake-qemu.ts';

/** Members of a Property by QEMU version (include/hw/qdev-properties.h): `end` is whether lists have an end. */
const propertyLayouts = [
  { version: '10.0', stride: 72, bit: 64, setDefault: 65, defaultValue: 40, end: false },
  { version: '6.0', stride: 88, bit: 24, setDefault: 40, defaultValue: 48, end: true },
  { version: '5.1', stride: 72, bit: 24, setDefault: 25, defaultValue: 32, end: true },
  { version: '2.10', stride: 64, bit: 24, setDefault: 25, defaultValue: 32, end: true },
];

interface FakeProperty {
  readonly name: string;
  readonly type: string;
  readonly offset: number;
  readonly bit?: number;
  readonly defaultValue?: bigint;
}

const vgaProperties: readonly FakeProperty[] = [
  { name: 'vgamem_mb', type: 'uint32', offset: 64, defaultValue: 16n },
  { name: 'mmio', type: 'bit', offset: 72, bit: 1, defaultValue: 1n },
  { name: 'addr', type: 'int32', offset: 80, defaultValue: -1n },
  { name: 'romfile', type: 'str', offset: 88 },
];
const nicProperties: readonly FakeProperty[] = [
  { name: 'mask', type: 'uint64', offset: 8, defaultValue: 0xffff_ffff_ffff_fff0n },
];

function writeProperties(
  elf: ElfBuilder,
  layout: (typeof propertyLayouts)[number],
  infos: Map<string, number>,
  properties: readonly FakeProperty[],
): number {
  const list = elf.data((properties.length + (layout.end ? 1 : 0)) * layout.stride);
  for (const [i, property] of properties.entries()) {
    const at = list + i * layout.stride;
    let info = infos.get(property.type);
    if (info === undefined) {
      // name, description, enum table, …, get, set
      info = elf.data(80);
      elf.pointer(info, elf.string(property.type === 'bit' ? 'bool' : property.type));
      elf.pointer(info + 56, elf.code());
      elf.pointer(info + 64, elf.code());
      infos.set(property.type, info);
    }
    elf.pointer(at, elf.string(property.name));
    elf.pointer(at + 8, info);
    elf.u64(at + 16, property.offset);
    elf.u8(at + layout.bit, property.bit ?? 0);
    if (property.defaultValue !== undefined) {
      elf.u8(at + layout.setDefault, 1);
      elf.u64(at + layout.defaultValue, property.defaultValue);
    }
  }
  return list;
}

/** LEA RAX, [RIP + …] of each address, then RET. */
function classInit(elf: ElfBuilder, addresses: readonly number[]): number {
  const start = elf.code(Array(addresses.length * 7 + 1).fill(0xc3));
  for (const [i, address] of addresses.entries()) {
    const at = start + i * 7;
    elf.u8(at, 0x48);
    elf.u8(at + 1, 0x8d);
    elf.u8(at + 2, 0x05);
    elf.u32(at + 3, address - (at + 7));
  }
  // The next function is not looked through.
  for (let i = 0; i < 300; i++) elf.code();
  return start;
}

function writeType(
  elf: ElfBuilder,
  hasAlign: boolean,
  type: { name: string; parent: string; size: number; abstract?: boolean; classInit?: number },
): void {
  const shift = hasAlign ? 8 : 0;
  const at = elf.data(104);
  elf.pointer(at, elf.string(type.name));
  elf.pointer(at + 8, elf.string(type.parent));
  elf.u64(at + 16, type.size);
  if (type.abstract) elf.u8(at + 48 + shift, 1);
  if (type.classInit) elf.pointer(at + 64 + shift, type.classInit);
}

test.each(propertyLayouts)('reads device types and properties of QEMU $version', async (layout) => {
  const hasAlign = layout.version !== '2.10';
  const qemu = new FakeQemu();
  qemu.add(plainVmsds);
  const { elf } = qemu;
  const infos = new Map<string, number>();
  // Without an end between them they touch.
  const first = writeProperties(elf, layout, infos, vgaProperties);
  const second = writeProperties(elf, layout, infos, nicProperties);
  writeType(elf, hasAlign, { name: 'device', parent: 'object', size: 160, abstract: true });
  writeType(elf, hasAlign, {
    name: 'vga',
    parent: 'device',
    size: 500,
    classInit: classInit(elf, [qemu.vmsds.get('outer')!, first]),
  });
  writeType(elf, hasAlign, {
    name: 'nic',
    parent: 'vga',
    size: 0,
    classInit: classInit(elf, [qemu.vmsds.get('stuck')!, second]),
  });
  writeType(elf, hasAlign, { name: 'other', parent: 'object', size: 8 });
  // Three texts behind each other are no type: the size of an instance is no pointer.
  const texts = elf.data(104);
  for (const [i, text] of ['MESSAGE OUT', 'device', 'STATUS'].entries())
    elf.pointer(texts + 8 * i, elf.string(text));

  const schema = await extractSchema({ binary: memorySource(elf.build(), 'qemu'), modules: [] });
  expect(
    schema.types.map((type) => ({ ...type, vmsds: type.vmsds.map((index) => schema.vmsds[index]!.name) })),
  ).toEqual([
    // `device` itself has no parent that is a device.
    {
      name: 'vga',
      parent: 'device',
      instanceSize: 500,
      abstract: false,
      vmsds: ['outer'],
      propertyLists: [0],
    },
    { name: 'nic', parent: 'vga', instanceSize: 0, abstract: false, vmsds: ['stuck'], propertyLists: [1] },
  ]);
  expect(schema.propertyLists.map(({ properties }) => properties)).toEqual([
    vgaProperties.map(({ name, type, offset, bit, defaultValue }) => ({
      name,
      type: type === 'bit' ? 'bool' : type,
      offset,
      bit,
      defaultValue,
    })),
    [{ name: 'mask', type: 'uint64', offset: 8, bit: undefined, defaultValue: -16n }],
  ]);
});
