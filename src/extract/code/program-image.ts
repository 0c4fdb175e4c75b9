import {
  DT_JMPREL,
  DT_PLTRELSZ,
  DT_RELA,
  DT_RELASZ,
  type Dynamic,
  type DynamicTable,
  type DynamicValue,
} from '../elf/dynamic.ts';
import type { Image } from '../elf/image.ts';
import type { LoadedObject, LoadedProgram } from '../elf/load.ts';
import type { MachineImage } from './image.ts';

const RELA_SIZE = 24;
const PAGE = 0x1000;
const PT_GNU_RELRO = 0x6474e552;

/** A program and its modules, loaded and relocated, as the analysis of code wants them. */
export function programImage({ image, objects }: LoadedProgram): MachineImage {
  const imports = new Map<number, string>();
  const protectedRanges: { start: number; end: number }[] = [];
  for (const object of objects) {
    readImports(image, object, imports);
    protectedRanges.push(...relro(image, object));
  }
  return {
    read(address, length) {
      const segment = image.segmentAt(address);
      if (!segment) return undefined;
      const start = address - segment.start;
      const available = Math.min(length, segment.memoryEnd - address);
      if (address + available <= segment.end) return segment.bytes.subarray(start, start + available);
      const bytes = new Uint8Array(available);
      if (address < segment.end) bytes.set(segment.bytes.subarray(start));
      return bytes;
    },
    pointerAt(address) {
      return image.pointer(address) || undefined;
    },
    isReadOnly(address) {
      const segment = image.segmentAt(address);
      if (!segment) return false;
      return !segment.writable || protectedRanges.some(({ start, end }) => address >= start && address < end);
    },
    importAt(address) {
      return imports.get(address);
    },
  };
}

/** The words that get the address of a symbol that no loaded file defines. */
function readImports(
  image: Image,
  { dynamic, symbols, base }: LoadedObject,
  imports: Map<number, string>,
): void {
  if (!dynamic || !symbols) return;
  for (const [table, size] of [
    [DT_RELA, DT_RELASZ],
    [DT_JMPREL, DT_PLTRELSZ],
  ] as const)
    forEachSymbolic(image, dynamic, table, size, (place, index) => {
      const name = symbols.nameOf(index);
      if (name !== undefined && image.pointer(base + place) === 0) imports.set(base + place, name);
    });
}

function forEachSymbolic(
  image: Image,
  dynamic: Dynamic,
  table: DynamicTable,
  size: DynamicValue,
  visit: (place: number, symbol: number) => void,
): void {
  const start = dynamic.table(table);
  const segment = start === undefined ? undefined : image.segmentAt(start);
  if (start === undefined || !segment) return;
  const end = Math.min(start + dynamic.value(size), segment.end);
  const symbolAt = image.littleEndian ? 12 : 8;
  for (let at = start; at + RELA_SIZE <= end; at += RELA_SIZE) {
    const symbol = image.u32(at + symbolAt);
    if (symbol !== 0) visit(image.u64(at), symbol);
  }
}

/** What the loader makes read-only after relocating: the whole pages of PT_GNU_RELRO, from the headers in memory. */
function relro(image: Image, { base }: LoadedObject): { start: number; end: number }[] {
  const first = image.segmentAt(base) ?? image.segments[0];
  if (!first || image.u32(first.start) !== (image.littleEndian ? 0x464c457f : 0x7f454c46)) return [];
  const ranges: { start: number; end: number }[] = [];
  const table = first.start + image.u64(first.start + 32);
  const half = (address: number) =>
    image.littleEndian
      ? image.u8(address) | (image.u8(address + 1) << 8)
      : (image.u8(address) << 8) | image.u8(address + 1);
  const entrySize = half(first.start + 54);
  const count = half(first.start + 56);
  for (let i = 0; i < count; i++) {
    const at = table + i * entrySize;
    if (image.u32(at) !== PT_GNU_RELRO) continue;
    const start = base + image.u64(at + 16);
    ranges.push({ start, end: Math.floor((start + image.u64(at + 40)) / PAGE) * PAGE });
  }
  return ranges;
}
