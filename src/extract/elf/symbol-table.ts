import { viewOf } from '../../bytes/view.ts';
import { decodeText } from '../../bytes/window.ts';
import { type DecompressSection, type ElfSections, readSection } from './sections.ts';

/** A function or variable of a .symtab. */
export interface Symbol {
  readonly name: string;
  /** As it was linked. */
  readonly address: number;
  /** Bytes; 0 where it is not known. */
  readonly size: number;
  /** The source file that STT_FILE names, without folders; undefined for what other files may use. */
  readonly file: string | undefined;
}

/** Symbols by address. */
export interface SymbolTable {
  /** The function that begins at an address. */
  functionAt(address: number): Symbol | undefined;
  /** The variable that an address is in. */
  variableAt(address: number): Symbol | undefined;
}

const SHT_SYMTAB = 2;
const SYMBOL_SIZE = 24;
const STT_OBJECT = 1;
const STT_FUNC = 2;
const STT_FILE = 4;
const STT_GNU_IFUNC = 10;
const STB_LOCAL = 0;
const SHN_UNDEF = 0;
const MAX_NAME = 1024;

/** Reads .symtab (gABI, chapter 4, "Symbol table"), which strip removes. Undefined where there is none. */
export async function readSymbolTable(
  elf: ElfSections,
  decompress: DecompressSection | undefined,
): Promise<SymbolTable | undefined> {
  const section = elf.sections.find(
    ({ type, size, isOutside }) => type === SHT_SYMTAB && (size > 0 || isOutside),
  );
  const table = await readSection(elf, section, decompress);
  const strings = section && (await readSection(elf, elf.sections[section.link], decompress));
  if (!table) return undefined;
  if (!strings) throw new Error('.symtab has no strings');
  const rows = new SymbolRows(table, strings, elf.littleEndian);
  const functions = new SymbolIndex(rows, [STT_FUNC, STT_GNU_IFUNC]);
  const variables = new SymbolIndex(rows, [STT_OBJECT]);
  return {
    functionAt: (address) => functions.at(address),
    variableAt: (address) => variables.around(address),
  };
}

class SymbolRows {
  readonly count: number;
  readonly #view: DataView;
  readonly #strings: Uint8Array;
  readonly #littleEndian: boolean;
  /** Of each symbol: index of the STT_FILE before it, or 0, which is no symbol. */
  readonly #files: Uint32Array;

  constructor(table: Uint8Array, strings: Uint8Array, littleEndian: boolean) {
    this.#view = viewOf(table);
    this.#strings = strings;
    this.#littleEndian = littleEndian;
    this.count = Math.floor(table.byteLength / SYMBOL_SIZE);
    this.#files = new Uint32Array(this.count);
    let file = 0;
    for (let i = 0; i < this.count; i++) {
      if (this.type(i) === STT_FILE) file = i;
      this.#files[i] = this.isLocal(i) ? file : 0;
    }
  }

  type(index: number): number {
    return this.#view.getUint8(index * SYMBOL_SIZE + 4) & 0xf;
  }

  isLocal(index: number): boolean {
    return this.#view.getUint8(index * SYMBOL_SIZE + 4) >>> 4 === STB_LOCAL;
  }

  isDefined(index: number): boolean {
    return this.#view.getUint16(index * SYMBOL_SIZE + 6, this.#littleEndian) !== SHN_UNDEF;
  }

  address(index: number): number {
    return this.#u64(index * SYMBOL_SIZE + 8);
  }

  size(index: number): number {
    return this.#u64(index * SYMBOL_SIZE + 16);
  }

  name(index: number): string {
    const start = this.#view.getUint32(index * SYMBOL_SIZE, this.#littleEndian);
    const end = this.#strings.indexOf(0, start);
    return end < start || end > start + MAX_NAME ? '' : decodeText(this.#strings.subarray(start, end));
  }

  /** The STT_FILE in front of a local symbol. */
  file(index: number): string | undefined {
    const file = this.#files[index]!;
    return file === 0 ? undefined : this.name(file) || undefined;
  }

  #u64(at: number): number {
    const high = this.#view.getUint32(this.#littleEndian ? at + 4 : at, this.#littleEndian);
    const low = this.#view.getUint32(this.#littleEndian ? at : at + 4, this.#littleEndian);
    return high * 0x1_0000_0000 + low;
  }
}

/** Symbols of some types, sorted by address: only what is asked for gets a name. */
class SymbolIndex {
  readonly #rows: SymbolRows;
  readonly #indexes: Uint32Array;
  readonly #addresses: Float64Array;

  constructor(rows: SymbolRows, types: readonly number[]) {
    this.#rows = rows;
    let count = 0;
    const found = new Uint32Array(rows.count);
    const addresses = new Float64Array(rows.count);
    for (let i = 0; i < rows.count; i++) {
      if (!types.includes(rows.type(i)) || !rows.isDefined(i)) continue;
      found[count++] = i;
      addresses[i] = rows.address(i);
    }
    // What other files may use is the name that people know, where two symbols are at one address.
    this.#indexes = found
      .subarray(0, count)
      .sort(
        (a, b) => addresses[a]! - addresses[b]! || Number(rows.isLocal(a)) - Number(rows.isLocal(b)) || a - b,
      );
    this.#addresses = Float64Array.from(this.#indexes, (index) => addresses[index]!);
  }

  at(address: number): Symbol | undefined {
    const place = this.#firstAt(address);
    return this.#addresses[place] === address ? this.#symbol(place) : undefined;
  }

  around(address: number): Symbol | undefined {
    const exact = this.at(address);
    if (exact) return exact;
    const place = this.#firstAt(address) - 1;
    if (place < 0) return undefined;
    const symbol = this.#symbol(place);
    return address < symbol.address + symbol.size ? symbol : undefined;
  }

  /** The first symbol that is not below an address. */
  #firstAt(address: number): number {
    let low = 0;
    let high = this.#addresses.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#addresses[middle]! < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #symbol(place: number): Symbol {
    const index = this.#indexes[place]!;
    const rows = this.#rows;
    return {
      name: rows.name(index),
      address: rows.address(index),
      size: rows.size(index),
      file: rows.file(index),
    };
  }
}
