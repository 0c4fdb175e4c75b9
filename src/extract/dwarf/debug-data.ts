import { type Abbreviation, AbbreviationTable } from './abbreviations.ts';
import * as dw from './constants.ts';
import { Cursor, DwarfProblem, textAt } from './cursor.ts';
import { Entry, type EntryReference, type RangesPlace, SUPPLEMENT } from './entry.ts';
import { LeftOut, MissingSupplement } from './left-out.ts';
import { type CodeRange, readRanges } from './ranges.ts';
import { readUnits, type Unit } from './units.ts';
import { isBlock, isConstant, isUnitReference, ValueReader } from './values.ts';

/** The sections of DWARF 2 to 5 that names and types are in; those that are not there are empty. */
export interface DebugSections {
  readonly littleEndian: boolean;
  readonly info: Uint8Array;
  readonly abbrev: Uint8Array;
  readonly str: Uint8Array | undefined;
  readonly lineStr: Uint8Array | undefined;
  readonly strOffsets: Uint8Array | undefined;
  readonly line: Uint8Array | undefined;
  readonly addr: Uint8Array | undefined;
  /** DWARF 5, and before. */
  readonly rnglists: Uint8Array | undefined;
  readonly ranges: Uint8Array | undefined;
}

/** Offsets in .debug_str_offsets, .debug_addr and .debug_rnglists. */
interface Bases {
  strOffsets: number;
  addr: number;
  rnglists: number;
}

/** By tag attributes, one of which an entry must have; none where it need not. */
export type WantedTags = ReadonlyMap<number, readonly number[]>;

/** Abbreviations that are kept, of all tables together: some 50 MB. A real QEMU has some 200 in each of 1700 tables. */
const MAX_KEPT = 100_000;
/** Times that .debug_abbrev is read, all tables together: units of a file that lies may all read the whole of it. */
const MAX_ABBREV_TIMES = 8;
/** Bytes of it that may be read in any case. */
const FREE_ABBREV = 1 << 16;
/** Namespaces inside each other. */
const MAX_NAMESPACES = 64;
/** Entries inside each other. */
const MAX_DEPTH = 1024;

/**
 * Debug information of one file, with that of its supplementary file (dwz), if it has one. Untrusted: what is wrong
 * throws DwarfProblem, each loop goes forward or is bounded. Nothing is read before it is asked for but the headers of
 * the units.
 */
export class DebugData {
  readonly sections: DebugSections;
  /** In order of their offsets. */
  readonly units: readonly Unit[];
  readonly supplement: DebugData | undefined;
  /** Of this file and its supplement: noted by those who read, as a part that is damaged ends nothing else. */
  readonly leftOut: LeftOut;
  /** Added to offsets to make an EntryReference: 0, or SUPPLEMENT. */
  readonly #base: number;
  readonly #cursor: Cursor;
  readonly #abbreviations = new Map<string, AbbreviationTable>();
  /** Abbreviations in the tables that are kept. */
  #kept = 0;
  /** Bytes of .debug_abbrev that may still be read. */
  #abbrevLeft: number;
  readonly #bases = new Map<Unit, Bases>();
  readonly #values: ValueReader;

  constructor(sections: DebugSections, supplement?: DebugSections, base = 0, leftOut = new LeftOut()) {
    this.sections = sections;
    this.leftOut = leftOut;
    this.#base = base;
    this.#abbrevLeft = sections.abbrev.byteLength * MAX_ABBREV_TIMES + FREE_ABBREV;
    this.#cursor = new Cursor('.debug_info', sections.info, sections.littleEndian);
    this.supplement = supplement && new DebugData(supplement, undefined, SUPPLEMENT, leftOut);
    const { units, signatures } = readUnits(
      new Cursor('.debug_info', sections.info, sections.littleEndian),
      leftOut,
    );
    this.units = units;
    this.#values = new ValueReader(this.#cursor, signatures);
  }

  /** The unit that an entry is in. Throws DwarfProblem. */
  unitOf(reference: EntryReference): Unit {
    const { data, offset } = this.#resolve(reference);
    let low = 0;
    let high = data.units.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (data.units[middle]!.end <= offset) low = middle + 1;
      else high = middle;
    }
    const unit = data.units[low];
    if (!unit || offset < unit.entries) throw data.#cursor.problem('it is in no unit', offset);
    return unit;
  }

  #resolve(reference: EntryReference): { readonly data: DebugData; readonly offset: number } {
    if (reference < SUPPLEMENT || this.#base !== 0) return { data: this, offset: reference - this.#base };
    if (!this.supplement) throw new MissingSupplement('the supplementary file is missing');
    return { data: this.supplement, offset: reference - SUPPLEMENT };
  }

  /** An entry. Throws DwarfProblem. */
  entry(reference: EntryReference): Entry {
    const { data, offset } = this.#resolve(reference);
    return data.#entry(this.unitOf(reference), offset);
  }

  /** The entry about the whole of the unit that has an entry. */
  rootOf(reference: EntryReference): Entry {
    const { data } = this.#resolve(reference);
    const unit = this.unitOf(reference);
    return data.#entry(unit, unit.entries);
  }

  /** The entry about the whole of a unit of this file. */
  root(unit: Unit): Entry {
    return this.#entry(unit, unit.entries);
  }

  /** The sections of the file that an entry is in. */
  sectionsOf(reference: EntryReference): DebugSections {
    return this.#resolve(reference).data.sections;
  }

  #entry(unit: Unit, offset: number): Entry {
    const cursor = this.#cursor;
    cursor.pos = offset;
    const abbreviation = this.#abbreviation(this.#abbreviationsOf(unit), cursor.index());
    return this.#attributes(unit, offset, abbreviation);
  }

  /** The form of an entry. Throws DwarfProblem. */
  #abbreviation(table: AbbreviationTable, code: number): Abbreviation {
    const known = table.known(code);
    if (known) return known;
    if (this.#abbrevLeft <= 0)
      throw new DwarfProblem('.debug_abbrev: units read the same abbreviations over and over');
    const { size, position } = table;
    try {
      const found = table.find(code);
      if (!found) throw this.#cursor.problem(`an entry has a form that is not there (${code})`);
      return found;
    } finally {
      // Of a table that is damaged, too: each of its units reads it again.
      this.#abbrevLeft -= table.position - position;
      this.#kept += table.size - size;
    }
  }

  #abbreviationsOf(unit: Unit): AbbreviationTable {
    const { version, is64, addressSize, abbreviations } = unit;
    const key = `${abbreviations} ${version} ${is64} ${addressSize}`;
    let table = this.#abbreviations.get(key);
    if (!table) {
      const { abbrev, littleEndian } = this.sections;
      // Mostly each unit has its own, and is read once.
      if (this.#kept > MAX_KEPT || this.#abbreviations.size >= MAX_KEPT) {
        this.#abbreviations.clear();
        this.#kept = 0;
      }
      table = new AbbreviationTable(new Cursor('.debug_abbrev', abbrev, littleEndian, abbreviations), unit);
      this.#abbreviations.set(key, table);
    }
    return table;
  }

  /**
   * Calls `visit` with the children of an entry that have one of the tags, and an attribute of those named beside it.
   * Children of a namespace count as those of what it is in.
   */
  forEachChild(parent: Entry, tags: WantedTags, visit: (child: Entry) => void): void {
    if (!parent.hasChildren) return;
    this.#resolve(parent.reference).data.#forEachChild(parent.unit, parent.next, tags, visit, 0);
  }

  #forEachChild(
    unit: Unit,
    first: number,
    tags: WantedTags,
    visit: (child: Entry) => void,
    depth: number,
  ): number {
    const cursor = this.#cursor;
    const abbreviations = this.#abbreviationsOf(unit);
    let next = first;
    while (next < unit.end) {
      cursor.pos = next;
      const code = cursor.index();
      if (code === 0) return cursor.pos;
      const abbreviation = this.#abbreviation(abbreviations, code);
      const attributes = cursor.pos;
      const wanted = tags.get(abbreviation.tag);
      if (wanted && (wanted.length === 0 || wanted.some((name) => abbreviation.names.includes(name)))) {
        const entry = this.#attributes(unit, next, abbreviation);
        visit(entry);
        cursor.pos = attributes;
      }
      if (abbreviation.tag === dw.DW_TAG_namespace && abbreviation.hasChildren && depth < MAX_NAMESPACES) {
        this.#skipAttributes(unit, abbreviation);
        next = this.#forEachChild(unit, cursor.pos, tags, visit, depth + 1);
      } else next = this.#behind(unit, abbreviations, abbreviation);
    }
    return next;
  }

  /** Where the entry behind one, and behind its children, begins; the cursor is behind its code. */
  #behind(unit: Unit, abbreviations: AbbreviationTable, first: Abbreviation): number {
    const cursor = this.#cursor;
    let abbreviation = first;
    let depth = 0;
    for (;;) {
      if (!abbreviation.hasChildren) this.#skipAttributes(unit, abbreviation);
      else if (abbreviation.siblingAt >= 0) cursor.pos = this.#sibling(unit, abbreviation);
      else {
        this.#skipAttributes(unit, abbreviation);
        if (++depth > MAX_DEPTH) throw cursor.problem('entries are too deep inside each other');
      }
      if (depth === 0) return cursor.pos;
      let code = cursor.pos < unit.end ? cursor.index() : 0;
      while (code === 0) {
        if (--depth === 0 || cursor.pos >= unit.end) return cursor.pos;
        code = cursor.index();
      }
      abbreviation = this.#abbreviation(abbreviations, code);
    }
  }

  #sibling(unit: Unit, { siblingAt, siblingForm }: Abbreviation): number {
    const cursor = this.#cursor;
    const before = cursor.pos;
    cursor.take(siblingAt);
    this.#values.read(unit, siblingForm, undefined);
    const sibling = isUnitReference(siblingForm) ? unit.start + this.#values.value : -1;
    if (!(sibling > before && sibling <= unit.end))
      throw cursor.problem('an entry says that the next is in front of it', before);
    return sibling;
  }

  #skipAttributes(unit: Unit, { size, forms }: Abbreviation): void {
    if (size >= 0) this.#cursor.take(size);
    else for (const form of forms) this.#values.skip(unit, form);
  }

  /** Reads all attributes of an entry; the cursor is behind its code. */
  #attributes(unit: Unit, offset: number, abbreviation: Abbreviation): Entry {
    const entry = new Entry(this.#base + offset, unit, abbreviation);
    const { names, forms, constants } = abbreviation;
    for (let i = 0; i < names.length; i++) {
      const form = forms[i]!;
      if (usedAttributes.has(names[i]!)) this.#attribute(entry, names[i]!, form, constants[i]);
      else this.#values.skip(unit, form);
    }
    entry.next = this.#cursor.pos;
    return entry;
  }

  #attribute(entry: Entry, name: number, declaredForm: number, constant: number | undefined): void {
    const { unit } = entry;
    const form = this.#values.read(unit, declaredForm, constant);
    const value = this.#values.value;
    const number = isConstant(form) && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
    switch (name) {
      case dw.DW_AT_name:
        entry.texts.name = () => this.#text(unit, form, value);
        break;
      case dw.DW_AT_comp_dir:
        entry.texts.folder = () => this.#text(unit, form, value);
        break;
      case dw.DW_AT_dwo_name:
      case dw.DW_AT_GNU_dwo_name:
        entry.texts.splitName = () => this.#text(unit, form, value);
        break;
      case dw.DW_AT_type:
        entry.type = this.#reference(unit, form, value);
        break;
      case dw.DW_AT_abstract_origin:
      case dw.DW_AT_specification:
        entry.origin ??= this.#reference(unit, form, value);
        break;
      case dw.DW_AT_import:
        entry.imported = this.#reference(unit, form, value);
        break;
      case dw.DW_AT_low_pc:
        entry.address = this.#address(unit, form, value);
        break;
      case dw.DW_AT_location:
        if (isBlock(form)) entry.address = this.#addressOfLocation(unit, value, this.#values.length);
        break;
      case dw.DW_AT_high_pc:
        // A number of bytes, from DWARF 4 on, or an address.
        entry.end = highPc(number, this.#address(unit, form, value));
        break;
      case dw.DW_AT_ranges:
        entry.ranges = { form, value };
        break;
      case dw.DW_AT_declaration:
        entry.isDeclaration = true;
        break;
      case dw.DW_AT_byte_size:
        entry.byteSize = number;
        break;
      case dw.DW_AT_bit_size:
        entry.bitSize = number;
        break;
      case dw.DW_AT_bit_offset:
        entry.bitOffset = number;
        break;
      case dw.DW_AT_data_bit_offset:
        entry.dataBitOffset = number;
        break;
      case dw.DW_AT_data_member_location:
        entry.memberOffset = isBlock(form) ? this.#offsetOfLocation(value, this.#values.length) : number;
        break;
      case dw.DW_AT_count:
        entry.count = number;
        break;
      case dw.DW_AT_upper_bound:
        entry.upperBound = number;
        break;
      case dw.DW_AT_decl_file:
        entry.file = number;
        break;
      case dw.DW_AT_decl_line:
        entry.line = number;
        break;
      case dw.DW_AT_stmt_list:
        entry.lineTable = value;
        break;
    }
  }

  #text(unit: Unit, form: number, value: number): string | undefined {
    const { info, str, lineStr } = this.sections;
    switch (form) {
      case dw.DW_FORM_string:
        return this.#textIn('.debug_info', info, value);
      case dw.DW_FORM_strp:
        return this.#textIn('.debug_str', str, value);
      case dw.DW_FORM_line_strp:
        return this.#textIn('.debug_line_str', lineStr, value);
      case dw.DW_FORM_strp_sup:
      case dw.DW_FORM_GNU_strp_alt:
        return this.supplement && this.#textIn('.debug_str', this.supplement.sections.str, value);
      case dw.DW_FORM_strx:
      case dw.DW_FORM_strx1:
      case dw.DW_FORM_strx2:
      case dw.DW_FORM_strx3:
      case dw.DW_FORM_strx4:
      case dw.DW_FORM_GNU_str_index:
        return this.#textIn(
          '.debug_str',
          str,
          this.#tableOffset(this.sections.strOffsets, this.#basesOf(unit).strOffsets, unit.is64, value),
        );
      default:
        return undefined;
    }
  }

  #textIn(section: string, bytes: Uint8Array | undefined, offset: number | undefined): string | undefined {
    const text = textAt(bytes, offset);
    if (text === undefined) {
      const place = offset === undefined ? '' : ` at 0x${offset.toString(16)}`;
      this.leftOut.add(new DwarfProblem(`${section}${place}: there is no name`));
    }
    return text;
  }

  /** Where the parts of a unit in the tables begin that forms with an index mean. */
  #basesOf(unit: Unit): Bases {
    const known = this.#bases.get(unit);
    if (known) return known;
    // A .dwo has no attribute: its table begins behind the header.
    const bases = {
      strOffsets: unit.version < 5 ? 0 : unit.is64 ? 16 : 8,
      addr: unit.version < 5 ? 0 : 8,
      rnglists: 0,
    };
    this.#bases.set(unit, bases);
    const cursor = this.#cursor;
    const before = cursor.pos;
    cursor.pos = unit.entries;
    const table = this.#abbreviationsOf(unit);
    const { names, forms, constants } = this.#abbreviation(table, cursor.index());
    for (let i = 0; i < names.length; i++) {
      this.#values.read(unit, forms[i]!, constants[i]);
      if (names[i] === dw.DW_AT_str_offsets_base) bases.strOffsets = this.#values.value;
      else if (names[i] === dw.DW_AT_addr_base || names[i] === dw.DW_AT_GNU_addr_base)
        bases.addr = this.#values.value;
      else if (names[i] === dw.DW_AT_rnglists_base) bases.rnglists = this.#values.value;
    }
    cursor.pos = before;
    return bases;
  }

  #tableOffset(
    table: Uint8Array | undefined,
    base: number,
    is64: boolean,
    index: number,
  ): number | undefined {
    const at = base + index * (is64 ? 8 : 4);
    if (table === undefined || !(at >= 0 && at + (is64 ? 8 : 4) <= table.byteLength)) return undefined;
    return new Cursor('a table', table, this.sections.littleEndian, at).offset(is64);
  }

  #address(unit: Unit, form: number, value: number): number | undefined {
    switch (form) {
      case dw.DW_FORM_addr:
        return Number.isNaN(value) ? undefined : value;
      case dw.DW_FORM_addrx:
      case dw.DW_FORM_addrx1:
      case dw.DW_FORM_addrx2:
      case dw.DW_FORM_addrx3:
      case dw.DW_FORM_addrx4:
      case dw.DW_FORM_GNU_addr_index:
        return this.#tableOffset(this.sections.addr, this.#basesOf(unit).addr, unit.addressSize === 8, value);
      default:
        return undefined;
    }
  }

  /** Where the code of an entry is, at most `limit` pieces; none where it does not say it. Throws DwarfProblem. */
  rangesOf({ reference, unit, address, end, ranges }: Entry, limit: number): readonly CodeRange[] {
    if (ranges) return this.#resolve(reference).data.#ranges(unit, ranges, limit);
    if (address === undefined || !end) return [];
    return [{ start: address, end: end.isLength ? address + end.value : end.value }];
  }

  #ranges(unit: Unit, { form, value }: RangesPlace, limit: number): readonly CodeRange[] {
    const { ranges, rnglists, littleEndian } = this.sections;
    const section = unit.version < 5 ? ranges : rnglists;
    if (!section) return [];
    let offset: number | undefined = value;
    if (form === dw.DW_FORM_rnglistx) {
      const { rnglists: base } = this.#basesOf(unit);
      const inTable = this.#tableOffset(rnglists, base, unit.is64, value);
      if (inTable === undefined) return [];
      offset = base + inTable;
    }
    const name = unit.version < 5 ? '.debug_ranges' : '.debug_rnglists';
    const addresses = {
      base: this.root(unit).address ?? 0,
      indexed: (index: number) => this.#address(unit, dw.DW_FORM_addrx, index),
    };
    return readRanges(new Cursor(name, section, littleEndian, offset), unit, addresses, limit);
  }

  /** Where the addresses of a unit begin in .debug_addr. */
  addressBaseOf(unit: Unit): number {
    return this.#basesOf(unit).addr;
  }

  /** The address, where a location is nothing else (DWARF 5, 2.6). */
  #addressOfLocation(unit: Unit, start: number, length: number): number | undefined {
    if (length < 2) return undefined;
    const cursor = new Cursor(
      '.debug_info',
      this.sections.info.subarray(0, start + length),
      this.sections.littleEndian,
      start,
    );
    const operation = cursor.u8();
    let address: number | undefined;
    if (operation === dw.DW_OP_addr) address = unit.addressSize === 8 ? cursor.u64() : cursor.u32();
    else if (operation === dw.DW_OP_addrx || operation === dw.DW_OP_GNU_addr_index)
      address = this.#address(unit, dw.DW_FORM_addrx, cursor.index());
    return cursor.pos === start + length ? address : undefined;
  }

  /** DWARF 2: the offset of a member as an operation. */
  #offsetOfLocation(start: number, length: number): number | undefined {
    const cursor = new Cursor(
      '.debug_info',
      this.sections.info.subarray(0, start + length),
      this.sections.littleEndian,
      start,
    );
    return length > 1 && cursor.u8() === dw.DW_OP_plus_uconst ? cursor.uleb() : undefined;
  }

  #reference(unit: Unit, form: number, value: number): EntryReference | undefined {
    if (Number.isNaN(value)) return undefined;
    if (isUnitReference(form)) return this.#base + unit.start + value;
    switch (form) {
      case dw.DW_FORM_ref_addr:
      case dw.DW_FORM_ref_sig8:
        return this.#base + value;
      case dw.DW_FORM_GNU_ref_alt:
      case dw.DW_FORM_ref_sup4:
      case dw.DW_FORM_ref_sup8:
        return SUPPLEMENT + value;
      default:
        return undefined;
    }
  }
}

const usedAttributes: ReadonlySet<number> = new Set([
  dw.DW_AT_location,
  dw.DW_AT_name,
  dw.DW_AT_byte_size,
  dw.DW_AT_bit_offset,
  dw.DW_AT_bit_size,
  dw.DW_AT_stmt_list,
  dw.DW_AT_low_pc,
  dw.DW_AT_high_pc,
  dw.DW_AT_ranges,
  dw.DW_AT_import,
  dw.DW_AT_comp_dir,
  dw.DW_AT_upper_bound,
  dw.DW_AT_abstract_origin,
  dw.DW_AT_count,
  dw.DW_AT_data_member_location,
  dw.DW_AT_decl_file,
  dw.DW_AT_decl_line,
  dw.DW_AT_declaration,
  dw.DW_AT_specification,
  dw.DW_AT_type,
  dw.DW_AT_data_bit_offset,
  dw.DW_AT_dwo_name,
  dw.DW_AT_GNU_dwo_name,
]);

function highPc(length: number | undefined, address: number | undefined): Entry['end'] {
  if (length !== undefined) return { value: length, isLength: true };
  return address === undefined ? undefined : { value: address, isLength: false };
}
