import type { FinishedSource } from '../../bytes/source.ts';
import { type ElfHeader, elfError } from './header.ts';
import type { Image } from './image.ts';

/** The entries of a PT_DYNAMIC that matter here, by tag; addresses have the load base added. */
export interface Dynamic {
  readonly base: number;
  /** Address of a table, or undefined. */
  table(tag: DynamicTable): number | undefined;
  /** A size or count, or 0. */
  value(tag: DynamicValue): number;
}

/** Tags whose value is an address (gABI chapter 5; DT_GNU_HASH of glibc's elf.h). */
export const DT_HASH = 4;
export const DT_STRTAB = 5;
export const DT_SYMTAB = 6;
export const DT_RELA = 7;
export const DT_REL = 17;
export const DT_JMPREL = 23;
export const DT_RELR = 36;
export const DT_GNU_HASH = 0x6ffffef5;
/** Tags whose value is a number. */
export const DT_PLTRELSZ = 2;
export const DT_RELASZ = 8;
export const DT_STRSZ = 10;
export const DT_RELSZ = 18;
export const DT_PLTREL = 20;
export const DT_RELRSZ = 35;
export const DT_RELACOUNT = 0x6ffffff9;

export type DynamicTable =
  | typeof DT_HASH
  | typeof DT_STRTAB
  | typeof DT_SYMTAB
  | typeof DT_RELA
  | typeof DT_REL
  | typeof DT_JMPREL
  | typeof DT_RELR
  | typeof DT_GNU_HASH;
export type DynamicValue =
  | typeof DT_PLTRELSZ
  | typeof DT_RELASZ
  | typeof DT_STRSZ
  | typeof DT_RELSZ
  | typeof DT_PLTREL
  | typeof DT_RELRSZ
  | typeof DT_RELACOUNT;

const ENTRY_SIZE = 16;
/** Real dynamic sections have some 60 entries. */
const MAX_ENTRIES = 4096;

/** Reads the PT_DYNAMIC of an object that is loaded at `base`; undefined for a file that is linked statically. */
export function readDynamic(
  source: FinishedSource,
  header: ElfHeader,
  image: Image,
  base: number,
): Dynamic | undefined {
  if (!header.dynamic) return undefined;
  const { address, offset, size } = header.dynamic;
  if (size / ENTRY_SIZE > MAX_ENTRIES) throw elfError(source, 'its PT_DYNAMIC is too large', offset);
  const values = new Map<number, number>();
  for (let at = base + address; at < base + address + size; at += ENTRY_SIZE) {
    const tag = image.u64(at);
    if (tag === 0) break;
    if (!values.has(tag)) values.set(tag, image.u64(at + 8));
  }
  return {
    base,
    table: (tag) => {
      const value = values.get(tag);
      return value === undefined ? undefined : base + value;
    },
    value: (tag) => values.get(tag) ?? 0,
  };
}
