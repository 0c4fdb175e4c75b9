import { COLLECTIONS } from './known-infos.ts';
import type { LearnedVmsd } from './learn-vmsds.ts';
import type { LearnedCounter } from './learned-counts.ts';
import { type LearnedMember, MemberLayout, UNKNOWN_COUNTER } from './learned-members.ts';
import {
  type FunctionExpression,
  type HostAddress,
  type HostFunction,
  type Property,
  type PropertyList,
  QEMU_SCHEMA_FORMAT,
  QEMU_SCHEMA_FORMAT_VERSION,
  type QemuSchema,
  type SchemaObject,
  VMS_ARRAY,
  VMS_ARRAY_OF_POINTER,
  VMS_ARRAY_OF_POINTER_AUTO_ALLOC,
  VMS_BUFFER,
  VMS_MULTIPLY,
  VMS_MULTIPLY_ELEMENTS,
  VMS_POINTER,
  VMS_SINGLE,
  VMS_STRUCT,
  VMS_VARRAY_UINT8,
  VMS_VARRAY_UINT16,
  VMS_VARRAY_UINT32,
  VMS_VBUFFER,
  VMS_VSTRUCT,
  type VMStateDescription,
  type VMStateField,
  type VMStateInfo,
} from './qemu-schema.ts';

const COUNTER_FLAGS: ReadonlyMap<number, number> = new Map([
  [1, VMS_VARRAY_UINT8],
  [2, VMS_VARRAY_UINT16],
]);

/**
 * Makes a schema of VMSDs that were learned from streams. Members get offsets of their own, in the order of the stream;
 * what is an array lies behind a pointer. A field that was not always there has an existence test of which nothing is
 * known, the same for fields that always come together. A count that differs is taken from the integer that agreed with
 * it in every struct, else it is a member that nothing fills, with the counts that were seen as its defaults.
 */
export function learnedSchema(
  vmsds: readonly LearnedVmsd[],
  streams: readonly SchemaObject[],
  machineTypes: readonly string[],
): QemuSchema {
  const maker = new SchemaMaker(vmsds);
  // Before the other tables, which this fills.
  const tables = maker.vmsds();
  return {
    format: QEMU_SCHEMA_FORMAT,
    formatVersion: QEMU_SCHEMA_FORMAT_VERSION,
    origin: 'streams',
    qemuVersion: undefined,
    target: undefined,
    host: { machine: 'unknown', byteOrder: 'little' },
    layout: 'learned',
    objects: streams,
    functions: maker.functions,
    expressions: maker.expressions,
    infos: maker.infos,
    vmsds: tables,
    propertyLists: maker.propertyLists,
    types: [],
    machineTypes,
    globalPropertyLists: [],
    machineProperties: [],
  };
}

/** What a field is that has all flags and numbers at zero. */
const NO_FIELD: Omit<VMStateField, 'name'> = {
  offset: 0,
  size: 0,
  start: 0,
  num: 0,
  numOffset: 0,
  numSize: 0,
  sizeOffset: 0,
  sizeSize: 0,
  flags: 0,
  info: undefined,
  vmsd: undefined,
  versionId: 0,
  structVersionId: 0,
  fieldExists: undefined,
  errHint: undefined,
};

class SchemaMaker {
  readonly functions: HostFunction[] = [];
  readonly expressions: FunctionExpression[] = [];
  readonly infos: VMStateInfo[] = [];
  readonly propertyLists: PropertyList[] = [];
  readonly #vmsds: readonly LearnedVmsd[];
  readonly #indexes: ReadonlyMap<LearnedVmsd, number>;
  readonly #infoIndexes = new Map<string, number>();
  readonly #layout = new MemberLayout();
  readonly #compressible = new Map<LearnedVmsd, boolean>();
  #always: number | undefined;
  #usesUnseen = false;

  constructor(vmsds: readonly LearnedVmsd[]) {
    this.#vmsds = vmsds;
    this.#indexes = new Map(vmsds.map((vmsd, i) => [vmsd, i]));
  }

  /** All VMSDs; the indexes are those of the learned ones, then come those that no vmdesc shows. */
  vmsds(): VMStateDescription[] {
    const learned = this.#vmsds.map((vmsd) => ({
      ...description(vmsd.name, vmsd.versionId, vmsd.at),
      callbacks: vmsd.parent ? { needed: this.#function() } : {},
      fields: this.#fields(vmsd),
      subsections: [...vmsd.subsections].map((subsection) => this.#indexes.get(subsection)!),
    }));
    return [...learned, ...(this.#usesUnseen ? [UNSEEN] : []), ...this.#virtio()];
  }

  #fields(vmsd: LearnedVmsd): VMStateField[] {
    const members = this.#layout.members(vmsd);
    const tests = new Map<string, number>();
    const test = (presence: string): number => {
      const known = tests.get(presence) ?? this.#function();
      tests.set(presence, known);
      return known;
    };
    const hints = members.flatMap(({ field, count }) =>
      count.kind === 'unknown' ? count.seen.map((value) => hint(field.name, count.offset, value)) : [],
    );
    if (hints.length > 0) this.propertyLists.push({ ...vmsd.at, properties: hints });
    return members.map((member): VMStateField => {
      const { field, offset, presence } = member;
      const base = { ...NO_FIELD, name: field.name, offset, ...this.#element(member) };
      const sized = this.#size(this.#count(base, member), member);
      if (presence !== undefined) return { ...sized, fieldExists: test(presence) };
      // A test that is always true is why a vmdesc describes each element.
      const needsTest = field.each && (!field.vmsd || this.#isCompressible(field.vmsd));
      return needsTest ? { ...sized, fieldExists: this.#alwaysTrue() } : sized;
    });
  }

  /** Flags, info and VMSD. */
  #element({ field, pointer, count }: LearnedMember): Partial<VMStateField> {
    const { type, vmsd, nullType, marked } = field;
    // Says how NULL elements are to be called.
    if (nullType !== undefined) this.#info(nullType);
    const array = count.kind !== 'fixed' || count.value !== 1 || nullType !== undefined;
    const flags =
      (pointer ? VMS_POINTER : 0) |
      (array ? 0 : VMS_SINGLE) |
      (nullType === undefined ? 0 : VMS_ARRAY_OF_POINTER) |
      (marked ? VMS_ARRAY_OF_POINTER_AUTO_ALLOC : 0);
    if (type === undefined || type === 'struct' || type === 'vstruct') {
      const kind = type === 'vstruct' ? VMS_VSTRUCT : VMS_STRUCT;
      return { flags: flags | kind, vmsd: this.#index(vmsd), structVersionId: vmsd?.versionId ?? 0 };
    }
    const info = this.#info(type);
    if (COLLECTIONS.has(type)) return { flags, info, vmsd: this.#index(vmsd) };
    return { flags, info, vmsd: vmsd && this.#index(vmsd) };
  }

  #index(vmsd: LearnedVmsd | undefined): number {
    const index = vmsd && this.#indexes.get(vmsd);
    if (index !== undefined) return index;
    this.#usesUnseen = true;
    return this.#vmsds.length;
  }

  #count(field: VMStateField, { count }: LearnedMember): VMStateField {
    const { flags } = field;
    if (count.kind === 'fixed')
      return count.value === 1 && (flags & VMS_ARRAY_OF_POINTER) === 0
        ? field
        : { ...field, flags: flags | VMS_ARRAY, num: count.value };
    if (count.kind === 'unknown')
      return {
        ...field,
        flags: flags | VMS_VARRAY_UINT32,
        numOffset: count.offset,
        numSize: UNKNOWN_COUNTER,
      };
    const { factor, width } = count.counter;
    return {
      ...field,
      flags:
        flags | (COUNTER_FLAGS.get(width) ?? VMS_VARRAY_UINT32) | (factor === 1 ? 0 : VMS_MULTIPLY_ELEMENTS),
      num: factor === 1 ? 0 : factor,
      numOffset: this.#offsetOf(count.counter),
      numSize: width,
    };
  }

  #size(field: VMStateField, { size, field: { type } }: LearnedMember): VMStateField {
    const flags = field.flags | (type === 'buffer' ? VMS_BUFFER : 0);
    if (size.kind === 'fixed') return { ...field, flags, size: size.value };
    if (size.kind === 'unknown')
      return { ...field, flags: flags | VMS_VBUFFER, sizeOffset: size.offset, sizeSize: UNKNOWN_COUNTER };
    const { factor, width } = size.counter;
    return {
      ...field,
      flags: flags | VMS_VBUFFER | (factor === 1 ? 0 : VMS_MULTIPLY),
      size: factor === 1 ? 0 : factor,
      sizeOffset: this.#offsetOf(size.counter),
      sizeSize: width,
    };
  }

  #offsetOf({ vmsd, field }: LearnedCounter): number {
    return this.#layout.offset(vmsd, field);
  }

  /** Functions have no place: they are numbered, to tell one from another. */
  #function(): number {
    return this.functions.push({ object: 0, address: this.functions.length + 1 }) - 1;
  }

  #info(name: string): number {
    const index = this.#infoIndexes.get(name) ?? this.infos.push(info(name)) - 1;
    this.#infoIndexes.set(name, index);
    return index;
  }

  #alwaysTrue(): number {
    if (this.#always === undefined) {
      this.#always = this.#function();
      this.expressions.push({ function: this.#always, expression: 1 });
    }
    return this.#always;
  }

  /** Would QEMU describe an array of it by its first element (migration/vmstate.c, vmsd_can_compress)? */
  #isCompressible(vmsd: LearnedVmsd): boolean {
    const known = this.#compressible.get(vmsd);
    if (known !== undefined) return known;
    const compressible =
      vmsd.subsections.size === 0 &&
      this.#layout
        .members(vmsd)
        .every(
          ({ presence, field }) =>
            presence === undefined && !field.each && (!field.vmsd || this.#isCompressible(field.vmsd)),
        );
    this.#compressible.set(vmsd, compressible);
    return compressible;
  }

  /**
   * QEMU writes the VMSD at the end of a virtio device's state, and some before it, without describing them
   * (hw/virtio/virtio.c, virtio_save): all behind the queues is left open.
   */
  #virtio(): VMStateDescription[] {
    const isKnown = this.#vmsds.some(({ name, parent }) => name === 'virtio' && !parent);
    if (!this.#infoIndexes.has('virtio') || isKnown) return [];
    const rest = { ...NO_FIELD, name: '(undescribed)', flags: VMS_SINGLE, info: this.#info('undescribed') };
    return [{ ...description('virtio', 1, NOWHERE), fields: [rest] }];
  }
}

const NOWHERE: HostAddress = { object: 0, address: 0 };

function description(name: string | undefined, versionId: number, at: HostAddress): VMStateDescription {
  return {
    object: at.object,
    address: at.address,
    name,
    versionId,
    minimumVersionId: versionId,
    unmigratable: false,
    earlySetup: false,
    embeddedOnly: false,
    priority: 0,
    callbacks: {},
    fields: [],
    subsections: [],
  };
}

/** What the elements of collections and pointer arrays are of which none was ever there. */
const UNSEEN = description('(never seen)', 0, NOWHERE);

function info(name: string): VMStateInfo {
  return { name, ...NOWHERE, get: undefined, put: undefined, load: undefined, save: undefined };
}

function hint(name: string, offset: number, value: number): Property {
  return { name, type: 'uint32', offset, bit: undefined, defaultValue: BigInt(value) };
}
