/** How the words that hold addresses are relocated; `none`: the addresses are in place, and final. */
export type RelocationForm = 'rela' | 'rel' | 'relr' | 'none';

export interface ElfOptions {
  readonly littleEndian?: boolean;
  /** e_machine, and its relocation types: relative, and address of a symbol. */
  readonly machine?: number;
  readonly relativeType?: number;
  readonly symbolType?: number;
  readonly relocations?: RelocationForm;
  readonly buildId?: readonly number[];
  /** Times the room for each of the parts. */
  readonly scale?: number;
}

/** Where the parts lie, in the file and in memory alike; the headers and tables come first. */
export const TABLES = 0x0;
export const STRINGS = 0x14000;
export const CODE = 0x18000;
export const DATA = 0x20000;
export const END = 0x38000;
/** Address of the first byte of the file. */
export const BASE = 0x400000;
const PROGRAM_HEADERS = 64;
const PROGRAM_HEADER_SIZE = 56;

/** Writes small ELF64 files: strings, code, and data with pointers, of either byte order and any host machine. */
export class ElfBuilder {
  readonly littleEndian: boolean;
  readonly base: number;
  readonly #options: ElfOptions;
  readonly #scale: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #relative: { readonly place: number; readonly target: number }[] = [];
  readonly #symbolic: { readonly place: number; readonly symbol: number; readonly addend: number }[] = [];
  readonly #symbols: { readonly name: string; readonly address: number | undefined }[] = [];
  readonly #strings = new Map<string, number>();
  #nextString: number;
  #nextCode: number;
  #nextData: number;

  constructor(options: ElfOptions = {}) {
    const { scale = 1 } = options;
    this.#options = options;
    this.#scale = scale;
    this.#bytes = new Uint8Array(END * scale);
    this.#view = new DataView(this.#bytes.buffer);
    this.#nextString = STRINGS * scale;
    this.#nextCode = CODE * scale;
    this.#nextData = DATA * scale;
    this.littleEndian = options.littleEndian ?? true;
    this.base = options.relocations === 'none' ? BASE : 0;
  }

  /** Address of a C string. */
  string(text: string): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    const at = this.#nextString;
    for (let i = 0; i < text.length; i++) this.#bytes[at + i] = text.charCodeAt(i);
    this.#nextString += text.length + 1;
    this.#strings.set(text, this.base + at);
    return this.base + at;
  }

  /** Address of a function; a byte that no host takes for an address where nothing is given. */
  code(bytes: readonly number[] = [0xc3]): number {
    const at = this.#nextCode;
    this.#bytes.set(bytes, at);
    this.#nextCode += Math.ceil(bytes.length / 16) * 16;
    return this.base + at;
  }

  /** Address of zeroed data. */
  data(size: number): number {
    const at = this.#nextData;
    this.#nextData += Math.ceil(size / 8) * 8;
    return this.base + at;
  }

  u8(address: number, value: number): void {
    this.#view.setUint8(address - this.base, value);
  }

  u32(address: number, value: number): void {
    this.#view.setUint32(address - this.base, value, this.littleEndian);
  }

  u64(address: number, value: number | bigint): void {
    this.#view.setBigUint64(address - this.base, BigInt.asUintN(64, BigInt(value)), this.littleEndian);
  }

  /** Makes the word at `place` hold an address. */
  pointer(place: number, target: number): void {
    if (this.#options.relocations === 'none') this.u64(place, target);
    else this.#relative.push({ place, target });
  }

  /** A dynamic symbol that this file defines, or (without address) that another one has to. */
  symbol(name: string, address?: number): number {
    this.#symbols.push({ name, address });
    return this.#symbols.length;
  }

  /** Makes the word at `place` hold the address of a symbol. */
  symbolPointer(place: number, symbol: number, addend = 0): void {
    this.#symbolic.push({ place, symbol, addend });
  }

  build(): Uint8Array<ArrayBuffer> {
    const { littleEndian } = this;
    const view = this.#view;
    const half = (at: number, value: number) => view.setUint16(at, value, littleEndian);
    const word = (at: number, value: number) => view.setUint32(at, value, littleEndian);
    const long = (at: number, value: number) => view.setBigUint64(at, BigInt(value), littleEndian);
    const isExecutable = this.#options.relocations === 'none';
    const tables = this.#writeTables(PROGRAM_HEADERS + 8 * PROGRAM_HEADER_SIZE);
    this.#bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, littleEndian ? 1 : 2, 1]);
    half(16, isExecutable ? 2 : 3);
    half(18, this.#options.machine ?? 62);
    word(20, 1);
    long(32, PROGRAM_HEADERS);
    half(52, 64);
    half(54, PROGRAM_HEADER_SIZE);
    const parts: [type: number, flags: number, offset: number, size: number][] = [
      [1, 4, TABLES, STRINGS],
      [1, 4, STRINGS, CODE - STRINGS],
      [1, 5, CODE, DATA - CODE],
      [1, 6, DATA, END - DATA],
    ];
    const headers = [
      ...parts.map(([type, flags, offset, size]): (typeof parts)[number] => [
        type,
        flags,
        offset * this.#scale,
        size * this.#scale,
      ]),
      ...tables,
    ];
    half(56, headers.length);
    for (const [i, [type, flags, offset, size]] of headers.entries()) {
      const at = PROGRAM_HEADERS + i * PROGRAM_HEADER_SIZE;
      word(at, type);
      word(at + 4, flags);
      long(at + 8, offset);
      long(at + 16, this.base + offset);
      long(at + 24, this.base + offset);
      long(at + 32, size);
      long(at + 40, size);
      long(at + 48, 8);
    }
    return this.#bytes.slice();
  }

  /** Notes, relocations, symbols and the dynamic section, from `start` on; returns their program headers. */
  #writeTables(start: number): [type: number, flags: number, offset: number, size: number][] {
    const { buildId, relocations = 'rela', relativeType = 8, symbolType = 1 } = this.#options;
    const headers: [number, number, number, number][] = [];
    let next = start;
    const reserve = (size: number): number => {
      const at = next;
      next += Math.ceil(size / 16) * 16;
      return at;
    };
    if (buildId) {
      const at = reserve(16 + buildId.length);
      this.u32(this.base + at, 4);
      this.u32(this.base + at + 4, buildId.length);
      this.u32(this.base + at + 8, 3);
      this.#bytes.set([0x47, 0x4e, 0x55, 0, ...buildId], at + 12);
      headers.push([4, 4, at, 16 + buildId.length]);
    }
    if (relocations === 'none') return headers;
    const dynamic: [tag: number, value: number][] = [];
    if (relocations === 'relr') {
      const words = relrWords(this.#relative.map(({ place }) => place));
      const at = reserve(words.length * 8);
      for (const [i, word] of words.entries()) this.u64(at + i * 8, word);
      for (const { place, target } of this.#relative) this.u64(place, target);
      dynamic.push([36, at], [35, words.length * 8]);
    } else if (relocations === 'rel') {
      const at = reserve(this.#relative.length * 16);
      for (const [i, { place, target }] of this.#relative.entries()) {
        this.u64(at + i * 16, place);
        this.u64(at + i * 16 + 8, relativeType);
        this.u64(place, target);
      }
      dynamic.push([17, at], [18, this.#relative.length * 16]);
    }
    const rows: [place: number, symbol: number, type: number, addend: number][] = [
      ...(relocations === 'rela' ? this.#relative : []).map(
        ({ place, target }): [number, number, number, number] => [place, 0, relativeType, target],
      ),
      ...this.#symbolic.map(({ place, symbol, addend }): [number, number, number, number] => [
        place,
        symbol,
        symbolType,
        addend,
      ]),
    ];
    const table = reserve(rows.length * 24);
    for (const [i, [place, symbol, type, addend]] of rows.entries()) {
      this.u64(table + i * 24, place);
      this.u64(table + i * 24 + 8, (BigInt(symbol) << 32n) | BigInt(type));
      this.u64(table + i * 24 + 16, addend);
    }
    dynamic.push([7, table], [8, rows.length * 24]);
    dynamic.push(...this.#writeSymbols(reserve));
    const at = reserve((dynamic.length + 1) * 16);
    for (const [i, [tag, value]] of dynamic.entries()) {
      this.u64(at + i * 16, tag);
      this.u64(at + i * 16 + 8, value);
    }
    headers.push([2, 6, at, (dynamic.length + 1) * 16]);
    return headers;
  }

  /** DT_SYMTAB, DT_STRTAB and a DT_HASH of one bucket. */
  #writeSymbols(reserve: (size: number) => number): [tag: number, value: number][] {
    const count = this.#symbols.length;
    const names = `\0${this.#symbols.map(({ name }) => `${name}\0`).join('')}`;
    const strings = reserve(names.length);
    for (let i = 0; i < names.length; i++) this.#bytes[strings + i] = names.charCodeAt(i);
    const table = reserve((count + 1) * 24);
    const hash = reserve((3 + count + 1) * 4);
    this.u32(hash, 1);
    this.u32(hash + 4, count + 1);
    this.u32(hash + 8, count === 0 ? 0 : 1);
    let name = 1;
    for (const [i, symbol] of this.#symbols.entries()) {
      const at = table + (i + 1) * 24;
      this.u32(at, name);
      this.u8(at + 4, 0x11);
      if (symbol.address !== undefined) {
        this.u8(at + 6, 1);
        this.u64(at + 8, symbol.address);
      }
      name += symbol.name.length + 1;
      this.u32(hash + 12 + (i + 1) * 4, i + 1 < count ? i + 2 : 0);
    }
    return [
      [6, table],
      [5, strings],
      [10, names.length],
      [4, hash],
    ];
  }
}

/** DT_RELR of some places: an address, then bitmaps of 63 words while they reach the next place. */
export function relrWords(places: readonly number[]): bigint[] {
  const sorted = [...new Set(places)].sort((a, b) => a - b);
  const words: bigint[] = [];
  let i = 0;
  while (i < sorted.length) {
    words.push(BigInt(sorted[i]!));
    let next = sorted[i]! + 8;
    i++;
    for (;;) {
      let bitmap = 0n;
      while (i < sorted.length && sorted[i]! < next + 63 * 8) {
        bitmap |= 1n << BigInt((sorted[i]! - next) / 8);
        i++;
      }
      if (bitmap === 0n) break;
      words.push((bitmap << 1n) | 1n);
      next += 63 * 8;
    }
  }
  return words;
}
