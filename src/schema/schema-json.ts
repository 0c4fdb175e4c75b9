import type { Expression } from '../expressions/expression.ts';
import type { QEMU_SCHEMA_FORMAT, QEMU_SCHEMA_FORMAT_VERSION, VmsdCallback } from './qemu-schema.ts';

/**
 * The published form of a QemuSchema (docs/qemu-schema.schema.json). Names are indexes into `strings`, each of which is
 * there once; tables with many rows are arrays of numbers. Zeros at the end of a row are left out.
 */
export interface SchemaJson {
  readonly format: typeof QEMU_SCHEMA_FORMAT;
  readonly formatVersion: typeof QEMU_SCHEMA_FORMAT_VERSION;
  /** `binary` where it is not there. */
  readonly origin?: 'streams';
  readonly qemuVersion?: string;
  readonly target?: string;
  readonly host: { readonly machine: string; readonly byteOrder: 'little' | 'big' };
  readonly layout: string;
  readonly objects: readonly { readonly name: string; readonly buildId?: string }[];
  readonly strings: readonly string[];
  /** Object, address. */
  readonly functions: readonly (readonly [number, number])[];
  /** Index into `functions`, and what that function computes (Expression of src/expressions). */
  readonly expressions?: readonly (readonly [number, Expression])[];
  /** See `infoColumns`. */
  readonly infos: readonly (readonly number[])[];
  readonly vmsds: readonly VmsdJson[];
  readonly propertyLists: readonly PropertyListJson[];
  readonly types: readonly TypeJson[];
  readonly machineTypes?: readonly string[];
  /** Driver, property, value of each (all in `strings`), one behind the other. */
  readonly globalPropertyLists?: readonly (readonly number[])[];
  /** Machine type (in `strings`), then indexes into `globalPropertyLists`. */
  readonly machineProperties?: readonly (readonly number[])[];
  /** Index into `functions`, name, file + 1 (both in `strings`), line. */
  readonly functionSymbols?: readonly (readonly number[])[];
  /** Index into `vmsds`, name, file + 1 (both in `strings`), line, struct + 1. */
  readonly vmsdSymbols?: readonly (readonly number[])[];
  readonly structs?: readonly StructJson[];
  /** As members of a struct: path, address, size, struct + 1; of a bit field its first bit and how many. */
  readonly variableSymbols?: readonly (readonly number[])[];
}

export interface StructJson {
  /** Index into `strings`. */
  readonly name: number;
  readonly size: number;
  /** Path (in `strings`), offset, size, struct + 1; of a bit field its first bit and how many. */
  readonly members?: readonly (readonly number[])[];
}

export interface VmsdJson {
  /** Index into `strings`. */
  readonly name?: number;
  /** Object, address. */
  readonly at: readonly [number, number];
  readonly versionId: number;
  readonly minimumVersionId: number;
  readonly unmigratable?: true;
  readonly earlySetup?: true;
  readonly embeddedOnly?: true;
  readonly priority?: number;
  /** Indexes into `functions`. */
  readonly callbacks?: Readonly<Partial<Record<VmsdCallback, number>>>;
  /** See `fieldColumns`. */
  readonly fields?: readonly (readonly number[])[];
  /** Indexes into `vmsds`. */
  readonly subsections?: readonly number[];
}

export interface PropertyListJson {
  /** Object, address. */
  readonly at: readonly [number, number];
  /** Name, type (both in `strings`), offset, bit + 1 or 0, default if there is one: a number, or digits above 2^53. */
  readonly properties: readonly (readonly (number | string)[])[];
}

export interface TypeJson {
  /** Indexes into `strings`. */
  readonly name: number;
  readonly parent: number;
  readonly instanceSize?: number;
  readonly abstract?: true;
  /** Indexes into `vmsds` and `propertyLists`. */
  readonly vmsds?: readonly number[];
  readonly propertyLists?: readonly number[];
}

/** Columns of an info, in order: each a number as it is, a string, or a reference + 1, with 0 for none. */
export const infoColumns = [
  ['name', 'string'],
  ['object', 'object'],
  ['address', 'unsigned'],
  ['get', 'function'],
  ['put', 'function'],
  ['load', 'function'],
  ['save', 'function'],
] as const;

/** Columns of a field, in order: what is seldom set comes last. */
export const fieldColumns = [
  ['name', 'string'],
  ['offset', 'unsigned'],
  ['size', 'unsigned'],
  ['flags', 'unsigned'],
  ['info', 'info'],
  ['vmsd', 'vmsd'],
  ['num', 'signed'],
  ['versionId', 'signed'],
  ['fieldExists', 'function'],
  ['numOffset', 'unsigned'],
  ['numSize', 'unsigned'],
  ['sizeOffset', 'unsigned'],
  ['sizeSize', 'unsigned'],
  ['start', 'unsigned'],
  ['structVersionId', 'signed'],
  ['errHint', 'optionalString'],
] as const;

/** All members of VMStateDescription that are functions. */
export const vmsdCallbacks: readonly VmsdCallback[] = [
  'loadStateOld',
  'preLoad',
  'preLoadErrp',
  'postLoad',
  'postLoadErrp',
  'preSave',
  'preSaveErrp',
  'postSave',
  'needed',
  'devUnplugPending',
];
