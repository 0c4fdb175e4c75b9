import {
  type HostAddress,
  type QemuSchema,
  VMS_ALLOC,
  VMS_ARRAY,
  VMS_ARRAY_OF_POINTER,
  VMS_ARRAY_OF_POINTER_AUTO_ALLOC,
  VMS_BUFFER,
  VMS_MULTIPLY,
  VMS_MULTIPLY_ELEMENTS,
  VMS_MUST_EXIST,
  VMS_POINTER,
  VMS_SINGLE,
  VMS_STRUCT,
  VMS_VARRAY,
  VMS_VARRAY_INT32,
  VMS_VARRAY_UINT8,
  VMS_VARRAY_UINT16,
  VMS_VARRAY_UINT32,
  VMS_VBUFFER,
  VMS_VSTRUCT,
  type VMStateField,
} from '../schema/qemu-schema.ts';
import { memberName, type SourceSymbol } from '../schema/symbols.ts';

/** A VMSD as its developer sees it: names where the schema has indexes. */
export interface VmsdDescription {
  readonly index: number;
  readonly name: string | undefined;
  readonly versionId: number;
  readonly minimumVersionId: number;
  readonly unmigratable: boolean;
  readonly earlySetup: boolean;
  readonly embeddedOnly: boolean;
  readonly priority: number;
  readonly at: BinaryAddress;
  /** The struct that it describes, where the schema knows it. */
  readonly struct?: { readonly name: string; readonly size: number };
  readonly callbacks: readonly { readonly name: string; readonly at: BinaryAddress }[];
  readonly fields: readonly FieldDescription[];
  readonly subsections: readonly SubsectionDescription[];
  /** QOM types whose class_init sets it. */
  readonly types: readonly string[];
  /** VMSDs that it is in. */
  readonly users: readonly {
    readonly index: number;
    readonly name: string | undefined;
    readonly field: string | undefined;
  }[];
}

/** A place in one of the files of a schema. */
export interface BinaryAddress {
  /** File name. */
  readonly file: string;
  readonly address: number;
  /** What QEMU's source calls what is there, where the schema knows it. */
  readonly symbol?: SourceSymbol;
  /** Of a test: what it asks, if that is known and its source, too. */
  readonly condition?: string;
}

export interface FieldDescription {
  readonly name: string;
  /** Bytes from the start of the struct. */
  readonly offset: number;
  /** Bytes of one element in memory. */
  readonly size: number;
  /** Name of the info; undefined for a struct. */
  readonly info: string | undefined;
  /** The struct of an element, or what the info works on. */
  readonly vmsd: { readonly index: number; readonly name: string | undefined } | undefined;
  readonly count: CountDescription;
  /** Where the size of an element is, when it is not fixed. */
  readonly sizeAt: CounterDescription | undefined;
  readonly versionId: number;
  readonly structVersionId: number;
  readonly fieldExists: BinaryAddress | undefined;
  /** `VMS_SINGLE` and the like, without the prefix. */
  readonly flags: readonly string[];
  readonly start: number;
  readonly errHint: string | undefined;
}

/** How many elements there are: a number, or what another member of the struct holds. */
export type CountDescription = number | (CounterDescription & { readonly factor: number });

/** A member of the struct that holds a count or size. */
export interface CounterDescription {
  readonly offset: number;
  /** Bytes. */
  readonly width: number;
  /** Field of the same VMSD at that place, if there is one. */
  readonly field: string | undefined;
  /** What the member is called in the source, where the schema knows it. */
  readonly member?: string;
}

export interface SubsectionDescription {
  readonly index: number;
  readonly name: string | undefined;
  readonly versionId: number;
  readonly needed: BinaryAddress | undefined;
}

const flagNames: readonly (readonly [number, string])[] = [
  [VMS_SINGLE, 'SINGLE'],
  [VMS_POINTER, 'POINTER'],
  [VMS_ARRAY, 'ARRAY'],
  [VMS_STRUCT, 'STRUCT'],
  [VMS_VARRAY_INT32, 'VARRAY_INT32'],
  [VMS_BUFFER, 'BUFFER'],
  [VMS_ARRAY_OF_POINTER, 'ARRAY_OF_POINTER'],
  [VMS_VARRAY_UINT16, 'VARRAY_UINT16'],
  [VMS_VBUFFER, 'VBUFFER'],
  [VMS_MULTIPLY, 'MULTIPLY'],
  [VMS_VARRAY_UINT8, 'VARRAY_UINT8'],
  [VMS_VARRAY_UINT32, 'VARRAY_UINT32'],
  [VMS_MUST_EXIST, 'MUST_EXIST'],
  [VMS_ALLOC, 'ALLOC'],
  [VMS_MULTIPLY_ELEMENTS, 'MULTIPLY_ELEMENTS'],
  [VMS_VSTRUCT, 'VSTRUCT'],
  [VMS_ARRAY_OF_POINTER_AUTO_ALLOC, 'ARRAY_OF_POINTER_AUTO_ALLOC'],
];

/** The VMSDs with a name, or the one with an index (`#12`), or those of a QOM type of that name. */
export function describeVmsds(
  schema: QemuSchema,
  name: string,
  conditionOf: ConditionOf = () => undefined,
): VmsdDescription[] {
  const index = /^#(\d{1,9})$/.exec(name)?.[1];
  if (index !== undefined)
    return Number(index) < schema.vmsds.length ? [describe(schema, Number(index), conditionOf)] : [];
  const named = schema.vmsds.flatMap((vmsd, i) => (vmsd.name === name ? [i] : []));
  const indexes = named.length > 0 ? named : vmsdsOfType(schema, name);
  return indexes.map((i) => describe(schema, i, conditionOf));
}

/** What a test of a VMSD asks, both by their indexes; undefined where it is not known. */
export type ConditionOf = (vmsd: number, functionIndex: number) => string | undefined;

/** The VMSDs of a QOM type, or of its nearest parent that has one: indexes into `vmsds`. */
export function vmsdsOfType(schema: QemuSchema, name: string): readonly number[] {
  const types = new Map(schema.types.map((type) => [type.name, type]));
  // A file may have types that are each other's parents.
  const seen = new Set<string>();
  for (let type = types.get(name); type && !seen.has(type.name); type = types.get(type.parent)) {
    if (type.vmsds.length > 0) return type.vmsds;
    seen.add(type.name);
  }
  return [];
}

function describe(schema: QemuSchema, index: number, conditionOf: ConditionOf): VmsdDescription {
  const vmsd = schema.vmsds[index]!;
  const { symbols } = schema;
  const place = (at: HostAddress | undefined): BinaryAddress | undefined =>
    at && { file: schema.objects[at.object]?.name ?? '', address: at.address };
  const functionAt = (i: number | undefined): BinaryAddress | undefined => {
    const at = i === undefined ? undefined : place(schema.functions[i]);
    const symbol = i === undefined ? undefined : symbols?.functions[i];
    return at && symbol ? { ...at, symbol } : at;
  };
  const testAt = (i: number | undefined, of = index): BinaryAddress | undefined => {
    const at = functionAt(i);
    const condition = at?.symbol && i !== undefined ? conditionOf(of, i) : undefined;
    return at && condition !== undefined ? { ...at, condition } : at;
  };
  const symbol = symbols?.vmsds[index];
  const struct = symbol?.struct === undefined ? undefined : symbols?.structs[symbol.struct];
  const counter = (offset: number, width: number): CounterDescription => {
    const { field } = counterOf(offset, width, vmsd.fields);
    const member =
      symbol?.struct === undefined || !symbols
        ? undefined
        : memberName(symbols.structs, symbol.struct, [offset], width);
    return { offset, width, field, ...(member?.behind === 0 ? { member: member.text } : {}) };
  };
  return {
    index,
    name: vmsd.name,
    versionId: vmsd.versionId,
    minimumVersionId: vmsd.minimumVersionId,
    unmigratable: vmsd.unmigratable,
    earlySetup: vmsd.earlySetup,
    embeddedOnly: vmsd.embeddedOnly,
    priority: vmsd.priority,
    at: { ...place(vmsd)!, ...(symbol ? { symbol: sourceSymbol(symbol) } : {}) },
    ...(struct ? { struct: { name: struct.name, size: struct.size } } : {}),
    callbacks: Object.entries(vmsd.callbacks).flatMap(([name, i]) => {
      const at = name === 'needed' ? testAt(i) : functionAt(i);
      return at ? [{ name, at }] : [];
    }),
    fields: vmsd.fields.map((field) => ({
      name: field.name,
      offset: field.offset,
      size: field.size,
      info: field.info === undefined ? undefined : schema.infos[field.info]?.name,
      vmsd:
        field.vmsd === undefined ? undefined : { index: field.vmsd, name: schema.vmsds[field.vmsd]?.name },
      count: countOf(field, counter),
      sizeAt: (field.flags & VMS_VBUFFER) === 0 ? undefined : counter(field.sizeOffset, field.sizeSize),
      versionId: field.versionId,
      structVersionId: field.structVersionId,
      fieldExists: testAt(field.fieldExists),
      flags: flagNames.filter(([flag]) => (field.flags & flag) !== 0).map(([, text]) => text),
      start: field.start,
      errHint: field.errHint,
    })),
    subsections: vmsd.subsections.map((i) => {
      const subsection = schema.vmsds[i]!;
      const { name, versionId, callbacks } = subsection;
      return { index: i, name, versionId, needed: testAt(callbacks.needed, i) };
    }),
    types: schema.types.filter(({ vmsds }) => vmsds.includes(index)).map(({ name }) => name),
    users: schema.vmsds.flatMap(({ name, fields, subsections }, i) => [
      ...fields
        .filter((field) => field.vmsd === index)
        .map((field) => ({ index: i, name, field: field.name })),
      ...(subsections.includes(index) ? [{ index: i, name, field: undefined }] : []),
    ]),
  };
}

function sourceSymbol({ name, file, line }: SourceSymbol): SourceSymbol {
  return { name, file, line };
}

function countOf(
  field: VMStateField,
  counter: (offset: number, width: number) => CounterDescription,
): CountDescription {
  const { flags, num, numOffset, numSize } = field;
  if ((flags & VMS_VARRAY) !== 0) {
    const factor = flags & VMS_MULTIPLY_ELEMENTS ? num : 1;
    return { ...counter(numOffset, numSize), factor };
  }
  return flags & VMS_ARRAY ? num : 1;
}

function counterOf(offset: number, width: number, fields: readonly VMStateField[]): CounterDescription {
  const at = fields.find((field) => field.offset === offset && (field.flags & VMS_POINTER) === 0);
  return { offset, width, field: at?.name };
}
