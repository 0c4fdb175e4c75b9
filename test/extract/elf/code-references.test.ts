import { expect, test } from 'vitest';
import { memorySource } from '../../../src/bytes/source.ts';
import { referenceScanners } from '../../../src/extract/elf/code-references.ts';
import { loadProgram } from '../../../src/extract/elf/load.ts';
import { DATA, ElfBuilder } from './elf-builder.ts';

/** 32-bit instructions as bytes. */
const words = (...instructions: readonly number[]): number[] =>
  instructions.flatMap((word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24]);

/** The part of a distance for an instruction that adds 2^bits times it, so that a signed rest of `bits` remains. */
const upper = (distance: number, bits: number): number =>
  Math.floor((distance + 2 ** (bits - 1)) / 2 ** bits);
const lower = (distance: number, bits: number): number => distance - upper(distance, bits) * 2 ** bits;

/** Code at `start` that takes the address `target`, by host. */
const hosts: readonly [string, (start: number, target: number) => number[]][] = [
  ['x86_64', (start, target) => [0x48, 0x8d, 0x05, ...words(target - start - 7)]],
  [
    'aarch64',
    (start, target) => {
      const pages = Math.floor(target / 4096) - Math.floor(start / 4096);
      const adrp = 0x90000001 + (pages & 3) * 0x2000_0000 + ((pages >> 2) & 0x7ffff) * 32;
      // By way of another register: add x2, x1, #low - 8; add x3, x2, #8
      const low = (target % 4096) - 8;
      return words(adrp, 0x91000022 + low * 1024, 0x91000043 + 8 * 1024);
    },
  ],
  [
    's390x',
    (start, target) => {
      const halfwords = (target - start) / 2;
      return [0xc0, 0x10, ...words(halfwords).reverse()];
    },
  ],
  [
    'riscv64',
    (start, target) => {
      const distance = target - start;
      return words(0x597 + upper(distance, 12) * 4096, 0x58593 + (lower(distance, 12) & 0xfff) * 0x100000);
    },
  ],
  [
    'ppc64le',
    (start, target) => {
      const toc = start + 0x9000;
      const low = (distance: number) => lower(distance, 16) & 0xffff;
      const high = (distance: number) => upper(distance, 16) & 0xffff;
      return words(
        0x3c4c0000 + high(toc - start),
        0x38420000 + low(toc - start),
        0x3d220000 + high(target - toc),
        0x39290000 + low(target - toc),
      );
    },
  ],
  [
    'loongarch64',
    (start, target) => {
      const pages = upper(target, 12) - Math.floor(start / 4096);
      return words(0x1a000004 + (pages & 0xfffff) * 32, 0x02c00084 + (lower(target, 12) & 0xfff) * 1024);
    },
  ],
];

test.each(hosts)('finds what code of %s refers to', async (machine, encode) => {
  const scan = referenceScanners.get(machine)!;
  for (const offset of [0x18, 0x7f8, 0x808, 0xff8, 0x8010]) {
    const elf = new ElfBuilder({ littleEndian: machine !== 's390x' });
    const start = elf.code(Array(64).fill(0));
    const target = DATA + offset;
    const bytes = encode(start, target);
    for (const [i, byte] of bytes.entries()) elf.u8(start + i, byte);
    const { image } = await loadProgram(memorySource(elf.build()));
    const found: number[] = [];
    scan(image, start, start + bytes.length, (address) => found.push(address));
    expect(found, `offset ${offset}`).toContain(target);
    // Not before the code that makes the address is complete.
    const less: number[] = [];
    scan(image, start, start + bytes.length - 2, (address) => less.push(address));
    expect(less).not.toContain(target);
  }
});

test('bytes of other x86-64 instructions are no distance from the next one', async () => {
  const elf = new ElfBuilder();
  const target = elf.data(8);
  const distance = (at: number) => words(target - at - 4);
  const start = elf.code(Array(16).fill(0xc3));
  // TEST [RSP + …], of which four bytes behind the opcode happen to be a distance; then LEA RAX, [RIP + …].
  const bytes = [0xf6, ...distance(start + 1), 0x48, 0x8d, 0x05, ...distance(start + 8)];
  for (const [i, byte] of bytes.entries()) elf.u8(start + i, byte);
  const { image } = await loadProgram(memorySource(elf.build()));
  const found: number[] = [];
  referenceScanners.get('x86_64')!(image, start, start + bytes.length, (address) => found.push(address));
  expect(found.filter((address) => address === target)).toHaveLength(1);
});
