import { DecodeError } from '../bytes/diagnostic.ts';
import { VMS_ARRAY, VMS_MUST_EXIST, VMS_STRUCT, VMS_VSTRUCT } from '../schema/qemu-schema.ts';
import { forEachPointer, type Image } from './elf/image.ts';
import type { TableLayout } from './table-layout.ts';

/** A field list longer than this is none; the longest real one has some 200 fields. */
const MAX_FIELDS = 4096;
/** A list of subsections longer than this is none; the longest real one has some 40. */
const MAX_SUBSECTIONS = 1024;
/** Structs that are looked at; in real binaries a million. */
const MAX_LOOKS = 30_000_000;
/** All flags there are, the marker of the last field of a list apart. */
const ALL_FLAGS = 0x1ffff;
/** VMS_END of QEMU 10.0 and of 11.1. */
const END_FLAGS: readonly number[] = [0x10000, 0x20000];
/** The largest version ids are dates (eeprom: 20061112). */
const MAX_VERSION = 100_000_000;
const MAX_PRIORITY = 64;
/** Bytes of a struct of QEMU's, with the buffers in it. */
const MAX_STRUCT_SIZE = 2 ** 40;
/** Widths of a counter, in bytes. */
const COUNTER_SIZES: readonly number[] = [0, 1, 2, 4, 8];

/** Reads the structs of tables with one layout, and says whether they can be what they are taken for. */
export class TableReader {
  readonly image: Image;
  readonly layout: TableLayout;
  #looked = 0;
  /** Addresses of all VMStateInfos. */
  readonly #infos: ReadonlySet<number>;
  #fieldPointers: ReadonlySet<number> | undefined;

  constructor(image: Image, layout: TableLayout, infos: ReadonlySet<number>) {
    this.image = image;
    this.layout = layout;
    this.#infos = infos;
  }

  /** A reader of tables whose fields lie in memory as in those of this one. */
  withLayout(layout: TableLayout): TableReader {
    const reader = new TableReader(this.image, layout, this.#infos);
    reader.#fieldPointers = this.fieldPointers();
    return reader;
  }

  /** Addresses of the words that point to what can be a VMStateField, in order. */
  fieldPointers(): ReadonlySet<number> {
    if (this.#fieldPointers) return this.#fieldPointers;
    const places = new Set<number>();
    forEachPointer(this.image, (place, target) => {
      if (this.isField(target)) places.add(place);
    });
    this.#fieldPointers = places;
    return places;
  }

  /** Bounds the time that overlapping tables of a file that lies can take. */
  #count(): void {
    if (++this.#looked <= MAX_LOOKS) return;
    throw new DecodeError({
      severity: 'error',
      code: 'bad-schema',
      message: 'the tables are larger than those of any QEMU, and overlap',
    });
  }

  /** Is this the field that ends a list? */
  isLastField(address: number): boolean {
    const { image } = this;
    const { field } = this.layout;
    if (image.u64(address + field.name) !== 0) return false;
    const flags = image.u32(address + field.flags);
    return (
      (flags === 0 || END_FLAGS.includes(flags)) &&
      image.u64(address + field.info) === 0 &&
      image.u64(address + field.vmsd) === 0 &&
      image.u64(address + field.offset) === 0
    );
  }

  /** Can a VMStateField be at this address? */
  isField(address: number): boolean {
    this.#count();
    const { image } = this;
    const { field } = this.layout;
    const name = image.pointer(address + field.name);
    if (name === 0) return false;
    const flags = image.u32(address + field.flags);
    if ((flags & ~ALL_FLAGS) !== 0) return false;
    const info = image.pointer(address + field.info);
    const vmsd = image.pointer(address + field.vmsd);
    if (info !== 0) {
      if (!this.#infos.has(info)) return false;
    } else if ((flags & (VMS_STRUCT | VMS_VSTRUCT)) !== 0) {
      if (vmsd === 0) return false;
    } else if (flags !== (VMS_ARRAY | VMS_MUST_EXIST)) return false;
    for (const at of [field.offset, field.size, field.start]) {
      if (at !== undefined && image.u64(address + at) > MAX_STRUCT_SIZE) return false;
    }
    const exists = image.pointer(address + field.fieldExists);
    if (exists === 0 ? image.u64(address + field.fieldExists) !== 0 : !image.isCode(exists)) return false;
    return this.#hasCounters(address) && image.text(name) !== undefined;
  }

  /** Are the places of the number of elements and of their size, and the widths of those, possible? */
  #hasCounters(address: number): boolean {
    const { image } = this;
    const { numOffset, numSize, sizeOffset, sizeSize } = this.layout.field;
    for (const [offset, size] of [
      [numOffset, numSize],
      [sizeOffset, sizeSize],
    ] as const) {
      if (size === undefined) {
        if (image.u64(address + offset) > MAX_STRUCT_SIZE) return false;
      } else if (!COUNTER_SIZES.includes(image.u8(address + size))) return false;
    }
    return true;
  }

  /** Addresses of the fields of a list; undefined when something that is no field comes before its end. */
  fieldsAt(address: number): readonly number[] | undefined {
    const fields: number[] = [];
    for (let at = address; !this.isLastField(at); at += this.layout.field.stride) {
      if (fields.length >= MAX_FIELDS || !this.isField(at)) return undefined;
      const child = this.image.pointer(at + this.layout.field.vmsd);
      if (child !== 0 && !this.hasVmsdShape(child)) return undefined;
      fields.push(at);
    }
    return fields;
  }

  /** Addresses of the VMSDs of a list of subsections; undefined when it is none. */
  subsectionsAt(address: number): readonly number[] | undefined {
    const subsections: number[] = [];
    for (let at = address; ; at += 8) {
      const subsection = this.image.pointer(at);
      if (subsection === 0) return this.image.u64(at) === 0 ? subsections : undefined;
      if (subsections.length >= MAX_SUBSECTIONS || !this.hasVmsdShape(subsection)) return undefined;
      subsections.push(subsection);
    }
  }

  /** Could the numbers and pointers at this address be those of a VMStateDescription? Its lists are not read. */
  hasVmsdShape(address: number): boolean {
    this.#count();
    const { image } = this;
    const { vmsd } = this.layout;
    if (!image.isMapped(address)) return false;
    const name = image.pointer(address);
    if (name === 0 ? image.u64(address) !== 0 : image.text(name) === undefined) return false;
    if (!isVersion(image.i32(address + vmsd.versionId))) return false;
    if (!isVersion(image.i32(address + vmsd.minimumVersionId))) return false;
    if (vmsd.earlySetup === undefined) {
      if (image.u32(address + vmsd.unmigratable) > 1) return false;
    } else if (
      image.u8(address + vmsd.unmigratable) > 1 ||
      image.u8(address + vmsd.earlySetup) > 1 ||
      image.u8(address + vmsd.unmigratable + 2) + image.u8(address + vmsd.unmigratable + 3) !== 0
    )
      return false;
    if (vmsd.priority !== undefined && image.u32(address + vmsd.priority) > MAX_PRIORITY) return false;
    for (const at of vmsd.callbacks.values()) {
      const callback = image.pointer(address + at);
      if (callback === 0 ? image.u64(address + at) !== 0 : !image.isCode(callback)) return false;
    }
    for (const at of [vmsd.fields, vmsd.subsections]) {
      if (image.pointer(address + at) === 0 && image.u64(address + at) !== 0) return false;
    }
    return true;
  }

  /**
   * The VMStateDescription at an address, with its lists; undefined when it cannot be one. A list that is not there is
   * empty.
   */
  vmsdAt(address: number): RawVmsd | undefined {
    if (!this.hasVmsdShape(address)) return undefined;
    const { image } = this;
    const { vmsd } = this.layout;
    const fieldList = image.pointer(address + vmsd.fields);
    const fields = fieldList === 0 ? [] : this.fieldsAt(fieldList);
    if (!fields) return undefined;
    const subsectionList = image.pointer(address + vmsd.subsections);
    const subsections = subsectionList === 0 ? [] : this.subsectionsAt(subsectionList);
    return subsections && { address, fields, subsections };
  }
}

/** A VMStateDescription in the image: addresses only. */
export interface RawVmsd {
  readonly address: number;
  readonly fields: readonly number[];
  readonly subsections: readonly number[];
}

function isVersion(value: number): boolean {
  return value >= 0 && value <= MAX_VERSION;
}
