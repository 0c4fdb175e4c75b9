import { DT_GNU_HASH, DT_HASH, DT_STRSZ, DT_STRTAB, DT_SYMTAB, type Dynamic } from './dynamic.ts';
import type { Image } from './image.ts';

const SYMBOL_SIZE = 24;
/** Longest chain of a hash bucket that is followed; real ones have a handful. */
const MAX_CHAIN = 500;

/** The dynamic symbols of one loaded object. */
export interface Symbols {
  /** Name of the symbol with an index; undefined where there is none. */
  nameOf(index: number): string | undefined;
  /** Address of a symbol that this object defines, by index. */
  addressOf(index: number): number | undefined;
  /** Address of a symbol that this object defines and exports, by name. */
  find(name: string): number | undefined;
}

/** Symbols by DT_SYMTAB, found by DT_GNU_HASH or DT_HASH as the dynamic loader finds them. */
export function readSymbols(image: Image, dynamic: Dynamic): Symbols {
  const table = dynamic.table(DT_SYMTAB);
  const strings = dynamic.table(DT_STRTAB);
  const stringsSize = dynamic.value(DT_STRSZ);
  const gnuHash = dynamic.table(DT_GNU_HASH);
  const hash = dynamic.table(DT_HASH);

  const nameOf = (index: number): string | undefined => {
    if (table === undefined || strings === undefined) return undefined;
    const name = image.u32(table + index * SYMBOL_SIZE);
    return name === 0 || name >= stringsSize ? undefined : image.text(strings + name);
  };
  const addressOf = (index: number): number | undefined => {
    if (table === undefined) return undefined;
    const at = table + index * SYMBOL_SIZE;
    const section = image.u8(at + 6) | image.u8(at + 7);
    return section === 0 ? undefined : dynamic.base + image.u64(at + 8);
  };
  const match = (index: number, name: string): number | undefined =>
    nameOf(index) === name ? addressOf(index) : undefined;

  const findGnu = (at: number, name: string): number | undefined => {
    const buckets = image.u32(at);
    const first = image.u32(at + 4);
    const bloomWords = image.u32(at + 8);
    if (buckets === 0) return undefined;
    const wanted = gnuHashOf(name);
    const bucketTable = at + 16 + bloomWords * 8;
    const chains = bucketTable + buckets * 4;
    const start = image.u32(bucketTable + (wanted % buckets) * 4);
    if (start < first) return undefined;
    for (let index = start; index < start + MAX_CHAIN; index++) {
      const chained = image.u32(chains + (index - first) * 4);
      if ((chained | 1) === (wanted | 1)) {
        const address = match(index, name);
        if (address !== undefined) return address;
      }
      if (chained & 1) break;
    }
    return undefined;
  };
  const findOld = (at: number, name: string): number | undefined => {
    const buckets = image.u32(at);
    if (buckets === 0) return undefined;
    let index = image.u32(at + 8 + (oldHashOf(name) % buckets) * 4);
    for (let steps = 0; index !== 0 && steps < MAX_CHAIN; steps++) {
      const address = match(index, name);
      if (address !== undefined) return address;
      index = image.u32(at + 8 + (buckets + index) * 4);
    }
    return undefined;
  };
  const find = (name: string): number | undefined => {
    if (gnuHash !== undefined) return findGnu(gnuHash, name);
    return hash === undefined ? undefined : findOld(hash, name);
  };
  return { nameOf, addressOf, find };
}

function gnuHashOf(name: string): number {
  let hash = 5381;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 33) + name.charCodeAt(i)) >>> 0;
  return hash;
}

/** The hash function of the gABI, chapter 5. */
function oldHashOf(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) {
    hash = ((hash << 4) + name.charCodeAt(i)) >>> 0;
    const top = hash & 0xf0000000;
    hash = (hash ^ (top >>> 24)) & ~top;
  }
  return hash >>> 0;
}
