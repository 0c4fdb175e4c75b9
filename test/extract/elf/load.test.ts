import { expect, test } from 'vitest';
import { memorySource } from '../../../src/bytes/source.ts';
import { forEachPointer } from '../../../src/extract/elf/image.ts';
import { loadProgram } from '../../../src/extract/elf/load.ts';
import { BASE, CODE, DATA, ElfBuilder, type ElfOptions, END, relrWords, STRINGS } from './elf-builder.ts';

const hosts: readonly [string, ElfOptions][] = [
  ['x86_64', { machine: 62, relativeType: 8, symbolType: 1 }],
  ['aarch64', { machine: 183, relativeType: 1027, symbolType: 257 }],
  ['ppc64le', { machine: 21, relativeType: 22, symbolType: 38 }],
  ['ppc64', { machine: 21, relativeType: 22, symbolType: 38, littleEndian: false }],
  ['s390x', { machine: 22, relativeType: 12, symbolType: 22, littleEndian: false }],
  ['riscv64', { machine: 243, relativeType: 3, symbolType: 2 }],
  ['loongarch64', { machine: 258, relativeType: 3, symbolType: 2 }],
];

/** Two words, 600 bytes apart, that point to a string and to a function. */
function twoPointers(options: ElfOptions) {
  const elf = new ElfBuilder(options);
  const data = elf.data(1024);
  elf.pointer(data, elf.string('hello'));
  elf.pointer(data + 600, elf.code());
  elf.u64(data + 8, 42);
  return { elf, data };
}

test.each(hosts)('reads pointers of %s', async (machine, options) => {
  for (const relocations of ['rela', 'rel', 'relr', 'none'] as const) {
    const { elf, data } = twoPointers({ ...options, relocations });
    const program = await loadProgram(memorySource(elf.build()));
    const { image } = program;
    expect(program.machine).toBe(machine);
    expect(image.text(image.pointer(data))).toBe('hello');
    expect(image.isCode(image.pointer(data + 600))).toBe(true);
    expect(image.pointer(data + 8)).toBe(0);
    expect(image.u64(data + 8)).toBe(42);
    const places: number[] = [];
    forEachPointer(image, (place) => places.push(place));
    expect(places.filter((place) => place >= elf.base + DATA)).toEqual([data, data + 600]);
  }
});

test('a word with the address of nothing is no pointer', async () => {
  const elf = new ElfBuilder({ relocations: 'none' });
  const data = elf.data(32);
  elf.u64(data, BASE - 1);
  elf.u64(data + 8, BASE + STRINGS);
  elf.u64(data + 16, 2n ** 63n);
  const { image } = await loadProgram(memorySource(elf.build()));
  expect([0, 8, 16].map((at) => image.pointer(data + at))).toEqual([0, BASE + STRINGS, 0]);
});

test('does not write into the memory of the source', async () => {
  const { elf } = twoPointers({ relocations: 'rela' });
  const bytes = elf.build();
  const before = bytes.slice();
  await loadProgram(memorySource(bytes));
  expect(Buffer.compare(bytes, before)).toBe(0);
});

test('DT_RELR bitmaps reach over any distance', async () => {
  const elf = new ElfBuilder({ relocations: 'relr' });
  const data = elf.data(8192);
  const offsets = [0, 8, 16, 504, 512, 1008, 1016, 5000, 8184];
  for (const offset of offsets) elf.pointer(data + offset, elf.code());
  const { image } = await loadProgram(memorySource(elf.build()));
  const places: number[] = [];
  forEachPointer(image, (place) => places.push(place - data));
  expect(places).toEqual(offsets);
  expect(relrWords([0x1000])).toEqual([0x1000n]);
  expect(relrWords([0x1000, 0x1008, 0x11f8])).toEqual([0x1000n, 0x8000000000000003n]);
});

test('a module finds what the executable exports, and its own', async () => {
  const main = new ElfBuilder();
  const exported = main.data(16);
  main.u64(exported, 7);
  main.symbol('unused', main.code());
  main.symbol('thing', exported);
  const module = new ElfBuilder();
  const data = module.data(32);
  const own = module.data(8);
  module.u64(own, 9);
  module.symbolPointer(data, module.symbol('thing'), 8);
  module.symbolPointer(data + 8, module.symbol('own', own));
  module.symbolPointer(data + 16, module.symbol('nobody has it'));
  module.pointer(data + 24, module.string('relative'));
  const { image, objects } = await loadProgram(memorySource(main.build(), 'qemu'), [
    memorySource(module.build(), 'hw.so'),
  ]);
  const [, loaded] = objects;
  const at = loaded!.base + data;
  expect(loaded!.base).toBeGreaterThanOrEqual(main.data(0));
  expect(image.pointer(at)).toBe(exported + 8);
  expect(image.u64(image.pointer(at + 8))).toBe(9);
  expect(image.pointer(at + 16)).toBe(0);
  expect(image.text(image.pointer(at + 24))).toBe('relative');
});

test.each([true, false])('reads the build id (little endian: %s)', async (littleEndian) => {
  const options = { littleEndian, machine: littleEndian ? 62 : 22 };
  const elf = new ElfBuilder({ ...options, buildId: [0, 1, 0xab, 0xff] });
  const [object] = (await loadProgram(memorySource(elf.build()))).objects;
  expect(object!.buildId).toBe('0001abff');
  const [without] = (await loadProgram(memorySource(new ElfBuilder(options).build()))).objects;
  expect(without!.buildId).toBeUndefined();
});

test('reads outside of what is loaded are zero', async () => {
  const { elf, data } = twoPointers({});
  const { image } = await loadProgram(memorySource(elf.build()));
  expect(image.u32(0x7000_0000)).toBe(0);
  expect(image.u64(END - 4)).toBe(0);
  expect(image.text(0x7000_0000)).toBeUndefined();
  expect(image.pointer(data + 1)).toBe(0);
  expect(image.isMapped(CODE)).toBe(true);
  expect(image.isMapped(END)).toBe(false);
});

test('a relative relocation of an unknown machine is recognized by DT_RELACOUNT or not at all', async () => {
  const { elf, data } = twoPointers({ machine: 0x9026, relativeType: 27 });
  const program = await loadProgram(memorySource(elf.build()));
  expect(program.machine).toBe('machine-36902');
  expect(program.image.pointer(data)).toBe(0);
});
