import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecodeError } from '../../../src/bytes/diagnostic.ts';
import { memorySource } from '../../../src/bytes/source.ts';
import { loadProgram } from '../../../src/extract/elf/load.ts';
import { DATA, ElfBuilder, type RelocationForm } from './elf-builder.ts';

const PROGRAM_HEADERS = 64;
const PROGRAM_HEADER_SIZE = 56;

function smallElf(relocations: RelocationForm = 'rela'): Uint8Array<ArrayBuffer> {
  const elf = new ElfBuilder({ relocations, buildId: [1, 2, 3, 4] });
  const data = elf.data(256);
  elf.pointer(data, elf.string('text'));
  elf.pointer(data + 64, elf.code());
  elf.symbol('thing', data);
  return elf.build();
}

async function failure(bytes: Uint8Array, name = 'file'): Promise<DecodeError> {
  try {
    await loadProgram(memorySource(bytes, name));
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError);
    return error as DecodeError;
  }
  throw new Error('it was loaded');
}

function edited(edit: (view: DataView) => void): Uint8Array {
  const bytes = smallElf();
  edit(new DataView(bytes.buffer));
  return bytes;
}

test('files of other kinds are refused in one line', async () => {
  const text = (content: string) => new TextEncoder().encode(content);
  expect((await failure(text('#!/bin/sh\nexec qemu'), 'qemu')).message).toBe(
    'qemu is a script, not a binary: name the binary that it starts',
  );
  for (const bytes of [new Uint8Array(0), text('x'), text('some text'.repeat(20)), new Uint8Array(4096)]) {
    const error = await failure(bytes);
    expect(error.code).toBe('not-elf');
    expect(error.message).toBe('file is not an ELF file');
  }
});

test('other kinds of ELF files are refused', async () => {
  const messages: string[] = [];
  for (const edit of [
    (view: DataView) => view.setUint8(4, 1),
    (view: DataView) => view.setUint8(5, 3),
    (view: DataView) => view.setUint16(16, 1, true),
    (view: DataView) => view.setUint16(16, 4, true),
    (view: DataView) => view.setUint16(56, 0, true),
    (view: DataView) => view.setUint16(56, 0xffff, true),
    (view: DataView) => view.setUint16(54, 8, true),
    (view: DataView) => view.setBigUint64(32, 2n ** 64n - 1n, true),
  ]) {
    const error = await failure(edited(edit));
    expect(error.code).toBe('bad-elf');
    expect(error.range).toBeDefined();
    messages.push(error.message);
  }
  expect(new Set(messages).size).toBe(messages.length);
});

test('a program header that cannot be is refused, with its place', async () => {
  const data = PROGRAM_HEADERS + 3 * PROGRAM_HEADER_SIZE;
  for (const edit of [
    (view: DataView) => view.setBigUint64(data + 8, 2n ** 40n, true), // outside the file
    (view: DataView) => view.setBigUint64(data + 16, 2n ** 63n, true), // no address
    (view: DataView) => view.setBigUint64(data + 32, 2n ** 50n, true), // larger than the file
    (view: DataView) => view.setBigUint64(data + 40, 16n, true), // smaller in memory than in the file
    (view: DataView) => view.setBigUint64(data + 16, 0x100n, true), // on top of another
  ]) {
    const error = await failure(edited(edit));
    expect(error.code).toBe('bad-elf');
    expect(error.range!.start).toBeGreaterThan(0);
  }
});

test('many headers that load the same bytes are refused before any memory is taken', async () => {
  const bytes = new Uint8Array(1 << 20);
  bytes.set(smallElf().subarray(0, 64));
  const view = new DataView(bytes.buffer);
  view.setUint16(56, 100, true);
  for (let i = 0; i < 100; i++) {
    const at = PROGRAM_HEADERS + i * PROGRAM_HEADER_SIZE;
    view.setUint32(at, 1, true);
    view.setBigUint64(at + 16, BigInt(i) << 32n, true);
    view.setBigUint64(at + 32, BigInt(bytes.length), true);
    view.setBigUint64(at + 40, BigInt(bytes.length), true);
  }
  expect((await failure(bytes)).message).toMatch(/more than can be/);
});

test('relocations outside the file, and tables outside of it, are refused', async () => {
  const outside = new ElfBuilder();
  outside.pointer(0x4000_0000, outside.code());
  expect((await failure(outside.build())).message).toMatch(/relocation at 0x40000000 lies outside/);
  const dynamic = new ElfBuilder();
  dynamic.pointer(dynamic.data(8), dynamic.code());
  const bytes = dynamic.build();
  const view = new DataView(bytes.buffer);
  // The value of DT_RELASZ in the dynamic section, the last program header.
  const header = PROGRAM_HEADERS + 4 * PROGRAM_HEADER_SIZE;
  let at = Number(view.getBigUint64(header + 8, true));
  while (view.getBigUint64(at, true) !== 8n) at += 16;
  view.setBigUint64(at + 8, 2n ** 40n, true);
  expect((await failure(bytes)).message).toMatch(/relocation table of 1099511627776 bytes/);
});

test('modules of another machine, and too many of them, are refused', async () => {
  const main = memorySource(smallElf(), 'main');
  const other = memorySource(new ElfBuilder({ machine: 183 }).build(), 'other.so');
  await expect(loadProgram(main, [other])).rejects.toThrow(/other\.so: it is for another machine than main/);
  const executable = memorySource(new ElfBuilder({ relocations: 'none' }).build(), 'exe');
  await expect(loadProgram(main, [executable])).rejects.toThrow(/must be a shared library/);
  await expect(loadProgram(main, Array(1000).fill(main))).rejects.toThrow(/1000 modules/);
});

test('a file that is cut anywhere loads, or is refused as cut', async () => {
  const bytes = smallElf();
  for (let length = 0; length < bytes.length; length += 997) {
    const error = await failure(bytes.subarray(0, length));
    expect(['not-elf', 'bad-elf']).toContain(error.code);
  }
});

test.each(['rela', 'rel', 'relr', 'none'] as const)(
  'any change of bytes loads or is refused (%s)',
  async (form) => {
    const original = smallElf(form);
    const places = fc.oneof(
      { weight: 3, arbitrary: fc.integer({ min: 0, max: 0x600 }) },
      { weight: 1, arbitrary: fc.integer({ min: DATA, max: DATA + 0x200 }) },
    );
    const change = fc.tuple(places, fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), async (changes) => {
        const bytes = original.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          const { image } = await loadProgram(memorySource(bytes));
          image.pointerList();
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  },
);
