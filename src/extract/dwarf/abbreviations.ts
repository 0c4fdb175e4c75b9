import {
  DW_AT_sibling,
  DW_FORM_addr,
  DW_FORM_addrx1,
  DW_FORM_addrx2,
  DW_FORM_addrx3,
  DW_FORM_addrx4,
  DW_FORM_data1,
  DW_FORM_data2,
  DW_FORM_data4,
  DW_FORM_data8,
  DW_FORM_data16,
  DW_FORM_flag,
  DW_FORM_flag_present,
  DW_FORM_GNU_ref_alt,
  DW_FORM_GNU_strp_alt,
  DW_FORM_implicit_const,
  DW_FORM_line_strp,
  DW_FORM_ref_addr,
  DW_FORM_ref_sig8,
  DW_FORM_ref_sup4,
  DW_FORM_ref_sup8,
  DW_FORM_ref1,
  DW_FORM_ref2,
  DW_FORM_ref4,
  DW_FORM_ref8,
  DW_FORM_sec_offset,
  DW_FORM_strp,
  DW_FORM_strp_sup,
  DW_FORM_strx1,
  DW_FORM_strx2,
  DW_FORM_strx3,
  DW_FORM_strx4,
} from './constants.ts';
import type { Cursor } from './cursor.ts';

/** What a unit's header says of how its entries are written. */
export interface Encoding {
  readonly version: number;
  /** Offsets have 8 bytes. */
  readonly is64: boolean;
  /** Bytes of an address: 4 or 8. */
  readonly addressSize: number;
}

/** The form of entries: their tag, and attributes one after the other. */
export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** DW_AT_* and DW_FORM_* of each attribute. */
  readonly names: readonly number[];
  readonly forms: readonly number[];
  /** The value, where the form is DW_FORM_implicit_const. */
  readonly constants: readonly (number | undefined)[];
  /** Bytes of all attributes, or -1 where that hangs on the entry. */
  readonly size: number;
  /** Where DW_AT_sibling begins behind the code, and its form; -1 where there is none, or behind what varies. */
  readonly siblingAt: number;
  readonly siblingForm: number;
}

/** Attributes of an entry; real ones have some twenty. */
const MAX_ATTRIBUTES = 256;

/** A table of .debug_abbrev (DWARF 5, 7.5.3), read as far as it is asked for. */
export class AbbreviationTable {
  readonly #byCode = new Map<number, Abbreviation>();
  readonly #cursor: Cursor;
  readonly #encoding: Encoding;
  #isWhole = false;

  /** `cursor` is where it begins. */
  constructor(cursor: Cursor, encoding: Encoding) {
    this.#cursor = cursor;
    this.#encoding = encoding;
  }

  /** Abbreviations that are read already. */
  get size(): number {
    return this.#byCode.size;
  }

  /** Offset in .debug_abbrev up to which it is read. */
  get position(): number {
    return this.#cursor.pos;
  }

  /** The one of a code, if it is read already. */
  known(code: number): Abbreviation | undefined {
    return this.#byCode.get(code);
  }

  /** The one of a code; undefined where there is none. Throws DwarfProblem. */
  find(code: number): Abbreviation | undefined {
    const cursor = this.#cursor;
    let found = this.#byCode.get(code);
    while (!found && !this.#isWhole) {
      // It is also where it is damaged.
      this.#isWhole = true;
      const next = cursor.index();
      if (next === 0) break;
      const abbreviation = readAbbreviation(cursor, this.#encoding);
      this.#isWhole = false;
      // The first one of a code counts, as for other readers.
      if (!this.#byCode.has(next)) this.#byCode.set(next, abbreviation);
      found = this.#byCode.get(code);
    }
    return found;
  }
}

function readAbbreviation(cursor: Cursor, encoding: Encoding): Abbreviation {
  const tag = cursor.index();
  const hasChildren = cursor.u8() !== 0;
  const names: number[] = [];
  const forms: number[] = [];
  const constants: (number | undefined)[] = [];
  let size = 0;
  let siblingAt = -1;
  let siblingForm = 0;
  for (;;) {
    const name = cursor.index();
    const form = cursor.index();
    const constant = form === DW_FORM_implicit_const ? cursor.sleb() : undefined;
    if (name === 0 && form === 0) break;
    if (names.length >= MAX_ATTRIBUTES) throw cursor.problem('an entry has too many attributes');
    if (name === DW_AT_sibling && size >= 0) {
      siblingAt = size;
      siblingForm = form;
    }
    const length = formSize(form, encoding);
    size = length < 0 || size < 0 ? -1 : size + length;
    names.push(name);
    forms.push(form);
    constants.push(constant);
  }
  return { tag, hasChildren, names, forms, constants, size, siblingAt, siblingForm };
}

/** Bytes that a value of a form takes; -1 where that hangs on the value. */
export function formSize(form: number, { version, is64, addressSize }: Encoding): number {
  switch (form) {
    case DW_FORM_flag_present:
    case DW_FORM_implicit_const:
      return 0;
    case DW_FORM_data1:
    case DW_FORM_flag:
    case DW_FORM_ref1:
    case DW_FORM_strx1:
    case DW_FORM_addrx1:
      return 1;
    case DW_FORM_data2:
    case DW_FORM_ref2:
    case DW_FORM_strx2:
    case DW_FORM_addrx2:
      return 2;
    case DW_FORM_strx3:
    case DW_FORM_addrx3:
      return 3;
    case DW_FORM_data4:
    case DW_FORM_ref4:
    case DW_FORM_ref_sup4:
    case DW_FORM_strx4:
    case DW_FORM_addrx4:
      return 4;
    case DW_FORM_data8:
    case DW_FORM_ref8:
    case DW_FORM_ref_sup8:
    case DW_FORM_ref_sig8:
      return 8;
    case DW_FORM_data16:
      return 16;
    case DW_FORM_addr:
      return addressSize;
    case DW_FORM_ref_addr:
      if (version <= 2) return addressSize;
      return is64 ? 8 : 4;
    case DW_FORM_sec_offset:
    case DW_FORM_strp:
    case DW_FORM_line_strp:
    case DW_FORM_strp_sup:
    case DW_FORM_GNU_ref_alt:
    case DW_FORM_GNU_strp_alt:
      return is64 ? 8 : 4;
    default:
      return -1;
  }
}
