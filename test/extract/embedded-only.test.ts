import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { extractSchema } from '../../src/extract/extract-schema.ts';
import { CandidateFinder } from '../../src/layout/walk/candidates.ts';
import { parseSchema } from '../../src/schema/parse-schema.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';
import { serializeSchema } from '../../src/schema/serialize-schema.ts';
import { FakeQemu, plainVmsds } from './fake-qemu.ts';

const X86 = 62;
const AARCH64 = 183;

/** Makes data refer to all VMSDs but some, as that of devices would. */
function refer(qemu: FakeQemu, ...unused: readonly string[]): void {
  for (const [name, address] of qemu.vmsds)
    if (!unused.includes(name ?? '')) qemu.elf.pointer(qemu.elf.data(8), address);
}

/** Two devices of one name with the struct inside them, whose address the fake has under another name. */
function serialQemu(machine: number): FakeQemu {
  const qemu = new FakeQemu(machine === X86 ? {} : { machine, relativeType: 1027 });
  const field = { name: 'state', offset: 8, size: 16, flags: 8 };
  const value = { name: 'divider', offset: 0, size: 2, flags: 1, info: 'uint16' };
  qemu.add([
    ...plainVmsds,
    { name: 'struct', fields: [value] },
    { name: 'isa', fields: [{ ...field, vmsd: 'struct' }] },
    { name: 'pci', fields: [value, { ...field, vmsd: 'struct' }] },
  ]);
  for (const name of ['struct', 'isa', 'pci'])
    qemu.elf.pointer(qemu.vmsds.get(name)!, qemu.elf.string('serial'));
  refer(qemu, 'struct');
  return qemu;
}

async function extract(qemu: FakeQemu): Promise<QemuSchema> {
  const schema = await extractSchema({ binary: memorySource(qemu.elf.build(), 'qemu'), modules: [] });
  // What is saved says the same.
  expect(parseSchema(serializeSchema(schema)).vmsds).toEqual(schema.vmsds);
  return schema;
}

function marked(schema: QemuSchema): readonly number[] {
  return schema.vmsds.filter((vmsd) => vmsd.embeddedOnly).map(({ address }) => address);
}

/** LEA RAX, [RIP + …] */
function takeAddress(qemu: FakeQemu, address: number): void {
  const at = qemu.elf.code(Array(8).fill(0xc3));
  for (const [i, byte] of [0x48, 0x8d, 0x05].entries()) qemu.elf.u8(at + i, byte);
  qemu.elf.u32(at + 3, address - (at + 7));
}

test('a struct that only others refer to is no section', async () => {
  const qemu = serialQemu(X86);
  const inner = qemu.vmsds.get('struct')!;
  const schema = await extract(qemu);
  expect(marked(schema)).toEqual([inner]);
  const addresses = new CandidateFinder(schema)
    .candidates('0000:00:02.0/serial', 1)
    .map(({ index }) => schema.vmsds[index]!.address);
  expect(addresses.sort()).toEqual([qemu.vmsds.get('isa')!, qemu.vmsds.get('pci')!].sort());
});

test('one that code or other data refers to can be one', async () => {
  const byCode = serialQemu(X86);
  takeAddress(byCode, byCode.vmsds.get('struct')!);
  expect(marked(await extract(byCode))).toEqual([]);
  const byData = serialQemu(X86);
  byData.elf.pointer(byData.elf.data(8), byData.vmsds.get('struct')!);
  expect(marked(await extract(byData))).toEqual([]);
  // Of another VMSD nothing follows for it.
  const other = serialQemu(X86);
  takeAddress(other, other.vmsds.get('isa')!);
  expect(marked(await extract(other))).toEqual([other.vmsds.get('struct')!]);
});

test('one that nothing refers to is no section', async () => {
  const qemu = new FakeQemu();
  qemu.add([...plainVmsds, { name: 'gone', fields: [] }]);
  refer(qemu, 'gone');
  expect(marked(await extract(qemu))).toEqual([qemu.vmsds.get('gone')!]);
});

test('nothing is told where references in code can be missed, or of a name that is the only one', async () => {
  expect(marked(await extract(serialQemu(AARCH64)))).toEqual([]);
  const plain = new FakeQemu();
  plain.add(plainVmsds);
  refer(plain);
  expect(marked(await extract(plain))).toEqual([]);
});
