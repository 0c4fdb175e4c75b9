import type { Abbreviation } from './abbreviations.ts';
import type { Unit } from './units.ts';

/**
 * Which entry: its offset in .debug_info; of the supplementary file, SUPPLEMENT more. One number, so that it can be the
 * key of a map.
 */
export type EntryReference = number;

/** Offsets of the supplementary file begin here in an EntryReference. */
export const SUPPLEMENT = 2 ** 40;

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
  /** DW_AT_high_pc: where the code ends, or how many bytes it has. */
  end: { readonly value: number; readonly isLength: boolean } | undefined;
  /** DW_AT_ranges: of code that is not in one piece. */
  ranges: RangesPlace | undefined;
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

export type TextAttribute = 'name' | 'folder' | 'splitName';

/** A list of ranges: its offset in the section, or its number in the table of the unit. */
export interface RangesPlace {
  readonly form: number;
  readonly value: number;
}
