import { type Abbreviation, type Abbreviations, formSize, readAbbreviations } from './abbreviations.ts';
import * as dw from './constants.ts';
import { Cursor, DwarfProblem, textAt } from './cursor.ts';
import { LeftOut, MissingSupplement } from './left-out.ts';
import { readUnits, type Unit } from './units.ts';

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

/**
 * Which entry: its offset in .debug_info; of the supplementary file, SUPPLEMENT more. One number, so that it can be the
 * key of a map.
 */
export type EntryReference = number;

/** Offsets of the supplementary file begin here in an EntryReference. */
const SUPPLEMENT = 2 ** 40;

/** What is used of an entry (DW_TAG_*, "debugging information entry"). */
export class Entry {
  readonly reference: EntryReference;
  readonly unit: Unit;
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Where the entry behind its attributes begins: its first child, if it has any. */
  next = 0;
  type: EntryReference | undefined;
  /** DW_AT_abstract_origin or DW_AT_specification: the entry that has the rest of the attributes. */
  origin: EntryReference | undefined;
  /** DW_AT_import */
  imported: EntryReference | undefined;
  /** DW_AT_low_pc, or the address that DW_AT_location names. */
  address: number | undefined;
  /** DW_AT_ranges: of code that is not in one piece. */
  ranges: RangeList | undefined;
  isDeclaration = false;
  byteSize: number | undefined;
  bitSize: number | undefined;
  /** DWARF 2 and 3: bits from the most significant one of the storage unit. */
  bitOffset: number | undefined;
  /** Bits from the start of the struct. */
  dataBitOffset: number | undefined;
  /** Bytes from the start of the struct. */
  memberOffset: number | undefined;
  count: number | undefined;
  upperBound: number | undefined;
  /** Index into the files of the unit, and a line of it. */
  file: number | undefined;
  line: number | undefined;
  /** Offset in .debug_line. */
  lineTable: number | undefined;
  /** Texts are read when they are asked for: most never are. */
  readonly texts: Partial<Record<TextAttribute, () => string | undefined>> = {};

  constructor(reference: EntryReference, unit: Unit, { tag, hasChildren }: Abbreviation) {
    this.reference = reference;
    this.unit = unit;
    this.tag = tag;
    this.hasChildren = hasChildren;
  }

  get name(): string | undefined {
    return this.texts.name?.();
  }

  /** DW_AT_comp_dir */
  get folder(): string | undefined {
    return this.texts.folder?.();
  }

  /** Name of a .dwo file, where the rest of the unit is. */
  get splitName(): string | undefined {
    return this.texts.splitName?.();
  }
}

type TextAttribute = 'name' | 'folder' | 'splitName';

/** Offsets in .debug_str_offsets, .debug_addr and .debug_rnglists. */
interface Bases {
  strOffsets: number;
  addr: number;
  rnglists: number;
}

/** A list of ranges: its offset in the section, or its number in the table of the unit. */
interface RangeList {
  readonly form: number;
  readonly value: number;
}

/** By tag attributes, one of which an entry must have; none where it need not. */
export type WantedTags = ReadonlyMap<number, readonly number[]>;

/** Abbreviations that are kept, of all tables together: some 50 MB. A real QEMU has some 200 in each of 1700 tables. */
const MAX_KEPT = 100_000;
/** Times that .debug_abbrev is read, all tables together: units of a file that lies may all read the whole of it. */
const MAX_ABBREV_TIMES = 8;
/** Bytes of it that may be read in any case. */
const FREE_ABBREV = 1 << 16;
/** Ranges of a function. */
const MAX_RANGES = 64;

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
  readonly #abbreviations = new Map<string, Abbreviations>();
  readonly #signatures: ReadonlyMap<string, number>;
  /** Abbreviations in the tables that are kept. */
  #kept = 0;
  /** Bytes of .debug_abbrev that may still be read. */
  #abbrevLeft: number;
  readonly #bases = new Map<Unit, Bases>();
  #value = 0;
  #length = 0;

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
    this.#signatures = signatures;
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
    const abbreviation = this.#abbreviation(unit, cursor.index());
    return this.#attributes(unit, offset, abbreviation);
  }

  #abbreviation(unit: Unit, code: number): Abbreviation {
    const found = this.#abbreviationsOf(unit).get(code);
    if (!found) throw this.#cursor.problem(`an entry has a form that is not there (${code})`);
    return found;
  }

  #abbreviationsOf(unit: Unit): Abbreviations {
    const { version, is64, addressSize, abbreviations } = unit;
    const key = `${abbreviations} ${version} ${is64} ${addressSize}`;
    let table = this.#abbreviations.get(key);
    if (!table) {
      const { abbrev, littleEndian } = this.sections;
      if (this.#abbrevLeft <= 0)
        throw new DwarfProblem('.debug_abbrev: units read the same abbreviations over and over');
      const cursor = new Cursor('.debug_abbrev', abbrev, littleEndian, abbreviations);
      try {
        table = readAbbreviations(cursor, unit);
      } finally {
        // Of a table that is damaged, too: each of its units reads it again.
        this.#abbrevLeft -= cursor.pos - abbreviations;
      }
      // Mostly each unit has its own, and is read once.
      if (this.#kept + table.size > MAX_KEPT) {
        this.#abbreviations.clear();
        this.#kept = 0;
      }
      this.#abbreviations.set(key, table);
      this.#kept += table.size;
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
      const abbreviation = abbreviations.get(code);
      if (!abbreviation) throw this.#cursor.problem(`an entry has a form that is not there (${code})`);
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
  #behind(unit: Unit, abbreviations: Abbreviations, first: Abbreviation): number {
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
      const next = abbreviations.get(code);
      if (!next) throw this.#cursor.problem(`an entry has a form that is not there (${code})`);
      abbreviation = next;
    }
  }

  #sibling(unit: Unit, { siblingAt, siblingForm }: Abbreviation): number {
    const cursor = this.#cursor;
    const before = cursor.pos;
    cursor.take(siblingAt);
    this.#readValue(unit, siblingForm, undefined);
    const sibling = isUnitReference(siblingForm) ? unit.start + this.#value : -1;
    if (!(sibling > before && sibling <= unit.end))
      throw cursor.problem('an entry says that the next is in front of it', before);
    return sibling;
  }

  #skipAttributes(unit: Unit, { size, forms }: Abbreviation): void {
    if (size >= 0) this.#cursor.take(size);
    else for (const form of forms) this.#skipValue(unit, form);
  }

  #skipValue(unit: Unit, form: number): void {
    const cursor = this.#cursor;
    const size = formSize(form, unit);
    if (size >= 0) {
      cursor.take(size);
      return;
    }
    switch (form) {
      case dw.DW_FORM_string:
        cursor.skipText();
        break;
      case dw.DW_FORM_block1:
        cursor.take(cursor.u8());
        break;
      case dw.DW_FORM_block2:
        cursor.take(cursor.u16());
        break;
      case dw.DW_FORM_block4:
        cursor.take(cursor.u32());
        break;
      case dw.DW_FORM_block:
      case dw.DW_FORM_exprloc:
        cursor.take(cursor.index());
        break;
      case dw.DW_FORM_sdata:
      case dw.DW_FORM_udata:
      case dw.DW_FORM_ref_udata:
      case dw.DW_FORM_strx:
      case dw.DW_FORM_addrx:
      case dw.DW_FORM_loclistx:
      case dw.DW_FORM_rnglistx:
      case dw.DW_FORM_GNU_addr_index:
      case dw.DW_FORM_GNU_str_index:
        cursor.skipLeb();
        break;
      case dw.DW_FORM_indirect: {
        const real = cursor.index();
        if (real === dw.DW_FORM_indirect) throw cursor.problem('a form leads to itself');
        this.#skipValue(unit, real);
        break;
      }
      default:
        throw cursor.problem(`unknown form 0x${form.toString(16)}`);
    }
  }

  /** Reads all attributes of an entry; the cursor is behind its code. */
  #attributes(unit: Unit, offset: number, abbreviation: Abbreviation): Entry {
    const entry = new Entry(this.#base + offset, unit, abbreviation);
    const { names, forms, constants } = abbreviation;
    for (let i = 0; i < names.length; i++) {
      const form = forms[i]!;
      if (usedAttributes.has(names[i]!)) this.#attribute(entry, names[i]!, form, constants[i]);
      else this.#skipValue(unit, form);
    }
    entry.next = this.#cursor.pos;
    return entry;
  }

  #attribute(entry: Entry, name: number, declaredForm: number, constant: number | undefined): void {
    const { unit } = entry;
    const form = this.#readValue(unit, declaredForm, constant);
    const value = this.#value;
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
        if (isBlock(form)) entry.address = this.#addressOfLocation(unit, value, this.#length);
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
        entry.memberOffset = isBlock(form) ? this.#offsetOfLocation(value, this.#length) : number;
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

  /** Reads a value into `#value`: a number, or where a block or text begins, with its `#length`. Its real form. */
  #readValue(unit: Unit, form: number, constant: number | undefined): number {
    const cursor = this.#cursor;
    const number = (value: number | undefined) => {
      this.#value = value ?? Number.NaN;
      return form;
    };
    const block = (length: number) => {
      this.#length = length;
      return number(cursor.take(length));
    };
    switch (form) {
      case dw.DW_FORM_implicit_const:
        return number(constant);
      case dw.DW_FORM_flag_present:
        return number(1);
      case dw.DW_FORM_data1:
      case dw.DW_FORM_flag:
      case dw.DW_FORM_ref1:
      case dw.DW_FORM_strx1:
      case dw.DW_FORM_addrx1:
        return number(cursor.u8());
      case dw.DW_FORM_data2:
      case dw.DW_FORM_ref2:
      case dw.DW_FORM_strx2:
      case dw.DW_FORM_addrx2:
        return number(cursor.u16());
      case dw.DW_FORM_strx3:
      case dw.DW_FORM_addrx3:
        return number(cursor.u24());
      case dw.DW_FORM_data4:
      case dw.DW_FORM_ref4:
      case dw.DW_FORM_ref_sup4:
      case dw.DW_FORM_strx4:
      case dw.DW_FORM_addrx4:
        return number(cursor.u32());
      case dw.DW_FORM_data8:
      case dw.DW_FORM_ref8:
      case dw.DW_FORM_ref_sup8:
        return number(cursor.u64());
      case dw.DW_FORM_ref_sig8: {
        const [high, low] = [cursor.u32(), cursor.u32()];
        return number(this.#signatures.get(`${high} ${low}`));
      }
      case dw.DW_FORM_data16:
        return block(16);
      case dw.DW_FORM_addr:
        return number(unit.addressSize === 8 ? cursor.u64() : cursor.u32());
      case dw.DW_FORM_ref_addr:
        return number(
          unit.version > 2 ? cursor.offset(unit.is64) : unit.addressSize === 8 ? cursor.u64() : cursor.u32(),
        );
      case dw.DW_FORM_sec_offset:
      case dw.DW_FORM_strp:
      case dw.DW_FORM_line_strp:
      case dw.DW_FORM_strp_sup:
      case dw.DW_FORM_GNU_ref_alt:
      case dw.DW_FORM_GNU_strp_alt:
        return number(cursor.offset(unit.is64));
      case dw.DW_FORM_sdata:
        return number(cursor.sleb());
      case dw.DW_FORM_udata:
      case dw.DW_FORM_ref_udata:
      case dw.DW_FORM_strx:
      case dw.DW_FORM_addrx:
      case dw.DW_FORM_loclistx:
      case dw.DW_FORM_rnglistx:
      case dw.DW_FORM_GNU_addr_index:
      case dw.DW_FORM_GNU_str_index:
        return number(cursor.uleb());
      case dw.DW_FORM_block1:
        return block(cursor.u8());
      case dw.DW_FORM_block2:
        return block(cursor.u16());
      case dw.DW_FORM_block4:
        return block(cursor.u32());
      case dw.DW_FORM_block:
      case dw.DW_FORM_exprloc:
        return block(cursor.index());
      case dw.DW_FORM_string: {
        const start = cursor.pos;
        cursor.skipText();
        return number(start);
      }
      case dw.DW_FORM_indirect: {
        const real = cursor.index();
        if (real === dw.DW_FORM_indirect) throw cursor.problem('a form leads to itself');
        return this.#readValue(unit, real, undefined);
      }
      default:
        throw cursor.problem(`unknown form 0x${form.toString(16)}`);
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
    const { names, forms, constants } = this.#abbreviation(unit, cursor.index());
    for (let i = 0; i < names.length; i++) {
      this.#readValue(unit, forms[i]!, constants[i]);
      if (names[i] === dw.DW_AT_str_offsets_base) bases.strOffsets = this.#value;
      else if (names[i] === dw.DW_AT_addr_base || names[i] === dw.DW_AT_GNU_addr_base)
        bases.addr = this.#value;
      else if (names[i] === dw.DW_AT_rnglists_base) bases.rnglists = this.#value;
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

  /** Where the parts of what has DW_AT_ranges begin. Throws DwarfProblem. */
  startsOf({ reference, unit, ranges }: Entry): readonly number[] {
    return ranges ? this.#resolve(reference).data.#starts(unit, ranges) : [];
  }

  #starts(unit: Unit, { form, value }: RangeList): readonly number[] {
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
    const cursor = new Cursor(
      unit.version < 5 ? '.debug_ranges' : '.debug_rnglists',
      section,
      littleEndian,
      offset,
    );
    const base = this.root(unit).address ?? 0;
    return unit.version < 5 ? this.#oldRanges(unit, cursor, base) : this.#rangeList(unit, cursor, base);
  }

  #oldRanges(unit: Unit, cursor: Cursor, first: number): readonly number[] {
    const starts: number[] = [];
    let base = first;
    const read = () => (unit.addressSize === 8 ? cursor.u64() : cursor.u32());
    while (starts.length < MAX_RANGES) {
      const start = read();
      const end = read();
      if (start === 0 && end === 0) break;
      // The highest address there is says that the other one is a base.
      if (start === undefined || start === 0xffff_ffff) base = end ?? 0;
      else starts.push(base + start);
    }
    return starts;
  }

  /** DWARF 5, 7.25. */
  #rangeList(unit: Unit, cursor: Cursor, first: number): readonly number[] {
    const starts: number[] = [];
    let base = first;
    const address = () => (unit.addressSize === 8 ? cursor.u64() : cursor.u32()) ?? 0;
    const indexed = () => this.#address(unit, dw.DW_FORM_addrx, cursor.index()) ?? 0;
    for (let i = 0; i < MAX_RANGES; i++) {
      const kind = cursor.u8();
      switch (kind) {
        case dw.DW_RLE_end_of_list:
          return starts;
        case dw.DW_RLE_base_addressx:
          base = indexed();
          break;
        case dw.DW_RLE_base_address:
          base = address();
          break;
        case dw.DW_RLE_startx_endx:
        case dw.DW_RLE_startx_length:
          starts.push(indexed());
          cursor.skipLeb();
          break;
        case dw.DW_RLE_offset_pair:
          starts.push(base + cursor.index());
          cursor.skipLeb();
          break;
        case dw.DW_RLE_start_end:
          starts.push(address());
          address();
          break;
        case dw.DW_RLE_start_length:
          starts.push(address());
          cursor.skipLeb();
          break;
        default:
          throw cursor.problem(`unknown kind of range ${kind}`);
      }
    }
    return starts;
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

function isConstant(form: number): boolean {
  return (
    form === dw.DW_FORM_data1 ||
    form === dw.DW_FORM_data2 ||
    form === dw.DW_FORM_data4 ||
    form === dw.DW_FORM_data8 ||
    form === dw.DW_FORM_udata ||
    form === dw.DW_FORM_sdata ||
    form === dw.DW_FORM_implicit_const
  );
}

function isBlock(form: number): boolean {
  return (
    form === dw.DW_FORM_exprloc ||
    form === dw.DW_FORM_block1 ||
    form === dw.DW_FORM_block2 ||
    form === dw.DW_FORM_block4 ||
    form === dw.DW_FORM_block
  );
}

/** A reference inside the unit. */
function isUnitReference(form: number): boolean {
  return (form >= dw.DW_FORM_ref1 && form <= dw.DW_FORM_ref8) || form === dw.DW_FORM_ref_udata;
}
