import type { Image } from './image.ts';

/** Calls `visit` for each address that the code in a range may refer to; most callers know which they look for. */
type ReferenceScanner = (image: Image, start: number, end: number, visit: (address: number) => void) => void;

/**
 * How code refers to data, by host machine. These are no disassemblers: they find each reference, and some that are
 * none. A machine that is missing here has no scanner.
 */
export const referenceScanners: ReadonlyMap<string, ReferenceScanner> = new Map<string, ReferenceScanner>([
  ['x86_64', scanX86],
  ['aarch64', scanAarch64],
  ['s390x', scanS390x],
  ['riscv64', scanRiscv],
  ['ppc64le', scanPpc64],
  ['loongarch64', scanLoongArch],
]);

/**
 * Calls `visit` for each address in `[low, high)` that any code of an image refers to, and for some that none does.
 * What is not visited no code names: only code that computes it from the address of something before it could reach it
 * (an element of an array). False where the scanner of the host machine could miss references; nothing is visited then.
 */
export function findReferences(
  image: Image,
  machine: string,
  low: number,
  high: number,
  visit: (address: number) => void,
): boolean {
  if (machine !== 'x86_64') return false;
  const span = high - low;
  for (const { executable, bytes, start } of image.segments) {
    if (!executable) continue;
    // As scanX86, in 32-bit arithmetic: what lies 4 GiB apart is taken for the same.
    const from = low | 0;
    let next = (start - low) | 0;
    let value = 0;
    for (let i = 0; i < bytes.length; i++) {
      value = (value >>> 8) | (bytes[i]! << 24);
      next = (next + 1) | 0;
      const relative = (value + next) >>> 0;
      if (relative < span && isDisplacement(bytes[i - 4])) visit(low + relative);
      const absolute = (value - from) >>> 0;
      if (absolute < span) visit(low + absolute);
    }
  }
  return true;
}

/** A displacement from the next instruction, or an absolute address where code is not relocated, at any byte. */
function scanX86(image: Image, start: number, end: number, visit: (address: number) => void): void {
  for (let at = start; at + 4 <= end; at++) {
    const value = image.u32(at);
    if (isDisplacement(image.u8(at - 1))) visit(at + 4 + (value | 0));
    visit(value);
  }
}

/** Of x86-64: is the byte in front of four a ModRM by which they are a displacement from the next instruction? */
function isDisplacement(modrm: number | undefined): boolean {
  return modrm !== undefined && (modrm & 0xc7) === 5;
}

/**
 * ADRP puts a page into a register, ADD and MOV carry it on, loads use it; compilers take several addresses from one
 * anchor. What a register holds is followed in the order of the code, branches or not.
 */
function scanAarch64(image: Image, start: number, end: number, visit: (address: number) => void): void {
  const registers = new Float64Array(32).fill(-1);
  for (let at = start; at + 4 <= end; at += 4) {
    const word = image.u32(at);
    const target = word & 31;
    const source = registers[(word >>> 5) & 31]!;
    // The immediate of ADR and ADRP: bits 23 to 5, then 30 and 29; signed.
    const relative = (((word << 8) >> 13) << 2) | ((word >>> 29) & 3);
    if ((word & 0x9f000000) >>> 0 === 0x90000000) {
      registers[target] = (Math.floor(at / 4096) + relative) * 4096;
    } else if ((word & 0x9f000000) >>> 0 === 0x10000000) {
      registers[target] = at + relative;
      visit(at + relative);
    } else if ((word & 0xff800000) >>> 0 === 0x91000000) {
      const immediate = ((word >>> 10) & 0xfff) * ((word >>> 22) & 1 ? 4096 : 1);
      registers[target] = source < 0 ? -1 : source + immediate;
      if (source >= 0) visit(source + immediate);
    } else if ((word & 0xffe0ffe0) >>> 0 === 0xaa0003e0) {
      registers[target] = registers[(word >>> 16) & 31]!;
    } else if ((word & 0xffc00000) >>> 0 === 0xf9400000 && source >= 0) {
      visit(source + ((word >>> 10) & 0xfff) * 8);
    }
  }
}

/** LARL and LGRL: an offset in halfwords from the instruction. */
function scanS390x(image: Image, start: number, end: number, visit: (address: number) => void): void {
  for (let at = start; at + 6 <= end; at += 2) {
    const first = image.u8(at);
    const second = image.u8(at + 1) & 15;
    if ((first === 0xc0 && second === 0) || (first === 0xc4 && second === 8))
      visit(at + 2 * image.i32(at + 2));
  }
}

/** AUIPC of a register, then ADDI or LD of the same register. */
function scanRiscv(image: Image, start: number, end: number, visit: (address: number) => void): void {
  const pages = new Float64Array(32).fill(-1);
  for (let at = start; at + 4 <= end; at += 2) {
    const word = image.u32(at);
    const opcode = word & 0x7f;
    if (opcode === 0x17) pages[(word >>> 7) & 31] = at + (word & ~0xfff);
    else if (
      (opcode === 0x13 && ((word >>> 12) & 7) === 0) ||
      (opcode === 0x03 && ((word >>> 12) & 7) === 3)
    ) {
      const page = pages[(word >>> 15) & 31]!;
      if (page >= 0) visit(page + (word >> 20));
    }
  }
}

/**
 * ADDIS and ADDI from the TOC pointer in R2, which a function that is called by its address makes from that address in
 * R12 (ELF V2 ABI); LD for what other files define.
 */
function scanPpc64(image: Image, start: number, end: number, visit: (address: number) => void): void {
  const registers = new Float64Array(32).fill(-1);
  registers[12] = start;
  for (let at = start; at + 4 <= end; at += 4) {
    const word = image.u32(at);
    const opcode = word >>> 26;
    const base = (word >>> 16) & 31;
    const source = base === 0 ? -1 : registers[base]!;
    if (source < 0) continue;
    const immediate = (word << 16) >> 16;
    const target = (word >>> 21) & 31;
    if (opcode === 15) {
      registers[target] = source + immediate * 0x10000;
      visit(registers[target]!);
    } else if (opcode === 14) {
      registers[target] = source + immediate;
      visit(source + immediate);
    } else if (opcode === 58 && (word & 3) === 0) visit(source + (immediate & ~3));
  }
}

/** PCALAU12I of a register, then ADDI.D or LD.D of the same register. */
function scanLoongArch(image: Image, start: number, end: number, visit: (address: number) => void): void {
  const pages = new Float64Array(32).fill(-1);
  for (let at = start; at + 4 <= end; at += 4) {
    const word = image.u32(at);
    const source = (word >>> 5) & 31;
    const immediate = (word << 10) >> 20;
    if (word >>> 25 === 0x0d) pages[word & 31] = (Math.floor(at / 4096) + ((word << 7) >> 12)) * 4096;
    else if ((word >>> 22 === 0x0b || word >>> 22 === 0xa3) && pages[source]! >= 0)
      visit(pages[source]! + immediate);
  }
}
