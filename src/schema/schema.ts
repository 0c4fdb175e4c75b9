import { appendTo } from '../bytes/append-to.ts';

/** What the bytes of a stream's device state may mean, as plain data: what its vmdesc says. */
export interface Schema {
  /** Target page size in bytes. */
  readonly pageSize: number | undefined;
  /** The CONFIGURATION record; undefined where it is not described (blobs of QEMU before 8.1 or so). */
  readonly configuration: StructSchema | undefined;
  /** In stream order. */
  readonly devices: readonly DeviceSchema[];
  /** Descriptions of devices, not known how many, were lost. */
  readonly isDamaged: boolean;
}

/** A section: which device it is, and how its state is laid out. */
export interface DeviceSchema extends StructSchema {
  readonly idstr: string;
  readonly instanceId: number;
}

/** A VMStateDescription as it was applied. */
export interface StructSchema {
  /** Undefined for an old-style section, which has no VMSD, and for a NULL element of a pointer array. */
  readonly vmsdName: string | undefined;
  readonly versionId: number | undefined;
  readonly fields: readonly FieldSchema[];
  readonly subsections: readonly StructSchema[];
}

/** A VMStateField as it was applied: what it put into the stream. */
export interface FieldSchema {
  readonly name: string;
  /** Name of its VMStateInfo, or `struct`, `vstruct`. */
  readonly type: string;
  /** Bytes in the stream; of one element, for an array. */
  readonly size: number;
  /** Elements of an array that is described by its first element; undefined where there is one value. */
  readonly arrayLength: number | undefined;
  /** Place in the array, where each element is described by itself. */
  readonly index: number | undefined;
  /** The VMSD of a `struct` or `vstruct`, and of an info that walks one (`tmp`, `qtailq` …). */
  readonly struct: StructSchema | undefined;
}

/**
 * The description of a section, or undefined. Real streams hold sections with the same idstr and instance id (two
 * IPMI simulators, isa-ide …): `occurrence` counts them from 0, in stream order. For one too many the last description
 * stands, unless some were lost; for an occurrence of infinity always.
 */
export function findDevice(
  schema: Schema,
  idstr: string,
  instanceId: number,
  occurrence = 0,
): DeviceSchema | undefined {
  const devices = deviceIndex(schema).get(deviceKey({ idstr, instanceId }));
  const isLastMeant = !schema.isDamaged || occurrence === Number.POSITIVE_INFINITY;
  return devices?.[occurrence] ?? (isLastMeant ? devices?.at(-1) : undefined);
}

/** A text by which devices and sections are found: the same for those of one idstr and instance id. */
export function deviceKey({ idstr, instanceId }: Pick<DeviceSchema, 'idstr' | 'instanceId'>): string {
  return `${instanceId}/${idstr}`;
}

const deviceIndexes = new WeakMap<Schema, ReadonlyMap<string, readonly DeviceSchema[]>>();

function deviceIndex(schema: Schema): ReadonlyMap<string, readonly DeviceSchema[]> {
  const known = deviceIndexes.get(schema);
  if (known) return known;
  const index = new Map<string, DeviceSchema[]>();
  for (const device of schema.devices) appendTo(index, deviceKey(device), device);
  deviceIndexes.set(schema, index);
  return index;
}

/** Bytes that a struct takes in the stream: its fields, then its subsections with their headers. */
export function structLength(struct: StructSchema): number {
  let length = 0;
  for (const field of struct.fields) length += field.size * (field.arrayLength ?? 1);
  for (const subsection of struct.subsections)
    length += subsectionHeaderLength(subsection) + structLength(subsection);
  return length;
}

/** Type byte, len8 and name, u32 version. */
function subsectionHeaderLength(subsection: StructSchema): number {
  return 1 + 1 + (subsection.vmsdName?.length ?? 0) + 4;
}
