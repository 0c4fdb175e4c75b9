import type { Side } from '../../src/compat/side.ts';
import { sideOfSchema } from '../../src/compat/side-of-schema.ts';
import type { Expression } from '../../src/expressions/expression.ts';
import {
  QEMU_SCHEMA_FORMAT,
  QEMU_SCHEMA_FORMAT_VERSION,
  type QemuSchema,
  VMS_ARRAY,
  VMS_ARRAY_OF_POINTER,
  VMS_ARRAY_OF_POINTER_AUTO_ALLOC,
  VMS_BUFFER,
  VMS_MUST_EXIST,
  VMS_POINTER,
  VMS_SINGLE,
  VMS_STRUCT,
  VMS_VARRAY_UINT32,
  type VMStateField,
} from '../../src/schema/qemu-schema.ts';

/** A field of a table, as QEMU's macros would say it. */
export interface TableField {
  readonly name: string;
  /** `uint32` without it. */
  readonly info?: string;
  readonly struct?: TableVmsd;
  /** Bytes in memory; those of the info without it. */
  readonly size?: number;
  /** Fixed number of elements. */
  readonly num?: number;
  /** Name of a field before it that counts. */
  readonly countedBy?: string;
  readonly version?: number;
  readonly exists?: Expression;
  readonly validates?: boolean;
  readonly pointers?: 'nullable' | 'marked';
}

export interface TableVmsd {
  readonly name: string;
  readonly version?: number;
  readonly minimum?: number;
  readonly unmigratable?: boolean;
  readonly earlySetup?: boolean;
  readonly fields?: readonly TableField[];
  readonly subsections?: readonly TableVmsd[];
  readonly needed?: Expression;
  /** QOM types that have it. */
  readonly types?: readonly string[];
}

const sizes: Readonly<Record<string, number>> = {
  bool: 1,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  'uint32 equal': 4,
  int32: 4,
  uint64: 8,
  timer: 8,
};

/** Makes the tables of a QEMU that has these devices. */
export function tables(devices: readonly TableVmsd[]): QemuSchema {
  return new TableBuilder().schema(devices);
}

export function side(devices: readonly TableVmsd[]): Side {
  return sideOfSchema(tables(devices), 'tables');
}

class TableBuilder {
  readonly #functions: Expression[] = [];
  readonly #infos: string[] = [];
  readonly #known = new Map<TableVmsd, number>();
  readonly #vmsds: QemuSchema['vmsds'][number][] = [];

  schema(devices: readonly TableVmsd[]): QemuSchema {
    const types: QemuSchema['types'][number][] = [];
    for (const device of devices) {
      const index = this.#vmsd(device);
      for (const name of device.types ?? [])
        types.push({
          name,
          parent: 'device',
          instanceSize: 0,
          abstract: false,
          vmsds: [index],
          propertyLists: [],
        });
    }
    return {
      format: QEMU_SCHEMA_FORMAT,
      formatVersion: QEMU_SCHEMA_FORMAT_VERSION,
      origin: 'binary',
      qemuVersion: '9.0.0',
      target: 'x86_64',
      host: { machine: 'x86_64', byteOrder: 'little' },
      layout: '7.0',
      objects: [{ name: 'qemu-system-x86_64', buildId: undefined }],
      functions: this.#functions.map((_, address) => ({ object: 0, address })),
      expressions: this.#functions.map((expression, i) => ({ function: i, expression })),
      infos: this.#infos.map((name, address) => ({
        name,
        object: 0,
        address,
        get: undefined,
        put: undefined,
        load: undefined,
        save: undefined,
      })),
      vmsds: this.#vmsds,
      propertyLists: [],
      types,
      machineTypes: [],
      globalPropertyLists: [],
      machineProperties: [],
    };
  }

  #vmsd(table: TableVmsd): number {
    const known = this.#known.get(table);
    if (known !== undefined) return known;
    const index = this.#make(table);
    this.#known.set(table, index);
    return index;
  }

  #make(table: TableVmsd): number {
    const { name, version = 1, minimum = 1, fields = [], subsections = [], needed } = table;
    const offsets = new Map<string, number>();
    const made = fields.map((field, i) => {
      offsets.set(field.name, i * 16);
      return this.#field(field, i * 16, offsets);
    });
    const inner = subsections.map((subsection) => this.#vmsd(subsection));
    this.#vmsds.push({
      name,
      object: 0,
      address: this.#vmsds.length,
      versionId: version,
      minimumVersionId: minimum,
      unmigratable: table.unmigratable ?? false,
      earlySetup: table.earlySetup ?? false,
      embeddedOnly: false,
      priority: 0,
      callbacks: needed === undefined ? {} : { needed: this.#function(needed) },
      fields: made,
      subsections: inner,
    });
    return this.#vmsds.length - 1;
  }

  #field(field: TableField, offset: number, offsets: ReadonlyMap<string, number>): VMStateField {
    const { name, struct, num, countedBy, version = 0, exists, pointers } = field;
    const info = field.info ?? 'uint32';
    let flags = num === undefined ? VMS_SINGLE : VMS_ARRAY;
    if (countedBy !== undefined) flags = VMS_VARRAY_UINT32 | VMS_POINTER;
    if (struct) flags |= VMS_STRUCT;
    if (info === 'buffer' || info === 'unused_buffer') flags |= VMS_BUFFER;
    if (field.validates) flags = VMS_MUST_EXIST | VMS_ARRAY;
    if (pointers) flags |= VMS_ARRAY_OF_POINTER;
    if (pointers === 'marked') flags |= VMS_ARRAY_OF_POINTER_AUTO_ALLOC;
    return {
      name,
      offset,
      size: field.size ?? sizes[info] ?? 8,
      start: 0,
      num: field.validates ? 0 : (num ?? 0),
      numOffset: countedBy === undefined ? 0 : offsets.get(countedBy)!,
      numSize: countedBy === undefined ? 0 : 4,
      sizeOffset: 0,
      sizeSize: 0,
      flags,
      info: struct || field.validates ? undefined : this.#info(info),
      vmsd: struct && this.#vmsd(struct),
      versionId: version,
      structVersionId: 0,
      fieldExists: exists === undefined ? undefined : this.#function(exists),
      errHint: undefined,
    };
  }

  #function(expression: Expression): number {
    return this.#functions.push(expression) - 1;
  }

  #info(name: string): number {
    const known = this.#infos.indexOf(name);
    return known >= 0 ? known : this.#infos.push(name) - 1;
  }
}
