import type { Expression } from '../expressions/expression.ts';
import type { SchemaSymbols } from './symbols.ts';

/** `format` of every published schema. */
export const QEMU_SCHEMA_FORMAT = 'vmwalk-qemu-schema';
/** `formatVersion` of the schemas that this version writes. */
export const QEMU_SCHEMA_FORMAT_VERSION = 1;

/**
 * What a QEMU binary knows of device state: its VMStateDescription tables, as plain data, or what could be learned of
 * them from streams that describe themselves. Where QEMU has a pointer
 * there is an index here, into `vmsds`, `infos` or `functions`; so the data has no cycles although the tables may
 * have (a VMSD that embeds itself). Every index is in range; nothing else is promised of a table, since a binary or a
 * file may lie: whoever follows `vmsd` from field to field has to bound the depth.
 */
export interface QemuSchema {
  readonly format: typeof QEMU_SCHEMA_FORMAT;
  readonly formatVersion: typeof QEMU_SCHEMA_FORMAT_VERSION;
  /**
   * Tables learned from streams have what was in the streams and nothing else; offsets and functions are made up, and
   * addresses are offsets in a stream.
   */
  readonly origin: 'binary' | 'streams';
  /** As `qemu-system-X --version` prints it: `7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)`. */
  readonly qemuVersion: string | undefined;
  /** Guest architecture, as in the name of the binary: `x86_64`, `ppc64` … */
  readonly target: string | undefined;
  /** What the binary runs on. */
  readonly host: HostMachine;
  /**
   * How the structs of the tables are laid out: a name of `knownTableLayouts`, `inferred`, `learned`, or `described`: by
   * debug information, as no known one is.
   */
  readonly layout: string;
  /** The binary, then its modules; or the streams. */
  readonly objects: readonly SchemaObject[];
  /** The functions that the tables point to, in order of first use. */
  readonly functions: readonly HostFunction[];
  /** Tests (`fieldExists` of fields, `needed` of VMSDs), as far as they could be read from the code. */
  readonly expressions: readonly FunctionExpression[];
  readonly infos: readonly VMStateInfo[];
  readonly vmsds: readonly VMStateDescription[];
  readonly propertyLists: readonly PropertyList[];
  /** QOM types of devices and what is known of them. */
  readonly types: readonly QomType[];
  /** Machine types, as a stream's configuration names them (`pc-q35-7.2`), aliases apart; or those of the streams. */
  readonly machineTypes: readonly string[];
  /** Lists of what machine types set properties to (`hw_compat_9_2`, `pc_compat_9_2`, those of single machine types). */
  readonly globalPropertyLists: readonly (readonly GlobalProperty[])[];
  /** Machine types of which it is known what they set; others may set anything. */
  readonly machineProperties: readonly MachineProperties[];
  /** Names of the source; not there where the binary has neither symbols nor debug information. */
  readonly symbols?: SchemaSymbols | undefined;
}

/** A host architecture. */
export interface HostMachine {
  /** As `uname -m` says it: `x86_64`, `aarch64`, `ppc64le`, `s390x`, `riscv64` … */
  readonly machine: string;
  readonly byteOrder: 'little' | 'big';
}

/** A file that the schema was made from. */
export interface SchemaObject {
  /** File name without folders. */
  readonly name: string;
  /** GNU build id, lower-case hex digits. */
  readonly buildId: string | undefined;
}

/** What a function computes, by its index in `functions`. */
export interface FunctionExpression {
  readonly function: number;
  readonly expression: Expression;
}

/** A place in the code or data of an ELF file. */
export interface HostAddress {
  /** Index into `objects`. */
  readonly object: number;
  /** Virtual address in that file, as it was linked. */
  readonly address: number;
}

/** A function: two uses of one function have the same index. */
export type HostFunction = HostAddress;

/** How a value that is no struct goes into the stream. */
export interface VMStateInfo extends HostAddress {
  readonly name: string;
  /** Indexes into `functions`. QEMU before 11.1 has get and put only; later infos may have load and save instead. */
  readonly get: number | undefined;
  readonly put: number | undefined;
  readonly load: number | undefined;
  readonly save: number | undefined;
}

/** A VMStateDescription: a struct of QEMU's, and which members of it go into the stream in which order. */
export interface VMStateDescription extends HostAddress {
  /** Undefined for one that gets its name at run time (`eeprom`). */
  readonly name: string | undefined;
  readonly versionId: number;
  /** Oldest version that can be loaded. */
  readonly minimumVersionId: number;
  /** A device with this VMSD blocks migration. */
  readonly unmigratable: boolean;
  /** Its section is sent in the setup phase, before RAM (QEMU 8.1 and later). */
  readonly earlySetup: boolean;
  /** No section is of it: nothing in the binary refers to it but VMSDs that embed it, if any do. False: not known. */
  readonly embeddedOnly: boolean;
  /** MigrationPriority: a higher one is saved earlier. The numbers differ between versions. */
  readonly priority: number;
  /** Functions that QEMU calls around it; `needed` decides whether a subsection is sent. */
  readonly callbacks: Readonly<Partial<Record<VmsdCallback, number>>>;
  readonly fields: readonly VMStateField[];
  /** Indexes into `vmsds`. */
  readonly subsections: readonly number[];
}

/** Members of VMStateDescription that point to functions; indexes into `functions`. */
export type VmsdCallback =
  | 'loadStateOld'
  | 'preLoad'
  | 'preLoadErrp'
  | 'postLoad'
  | 'postLoadErrp'
  | 'preSave'
  | 'preSaveErrp'
  | 'postSave'
  | 'needed'
  | 'devUnplugPending';

/**
 * A VMStateField, with one change: QEMU before 11.1 says the width of a counter in `flags`, QEMU 11.1 beside its
 * offset. Here `numSize` and `sizeSize` have it for all versions.
 */
export interface VMStateField {
  readonly name: string;
  /** Bytes from the start of the struct to the member. */
  readonly offset: number;
  /** Bytes of one element in memory; a factor where `flags` has VMS_MULTIPLY. */
  readonly size: number;
  /** Depends on the info: for `gtree` and `qtailq` an offset. */
  readonly start: number;
  /** Elements, where `flags` has VMS_ARRAY; a factor with VMS_MULTIPLY_ELEMENTS. Signed. */
  readonly num: number;
  /** Where in the struct the number of elements is, with VMS_VARRAY_*. */
  readonly numOffset: number;
  /** Bytes of that number: 1, 2, 4 or 8; 0 without VMS_VARRAY_*. */
  readonly numSize: number;
  /** Where in the struct the size of an element is, with VMS_VBUFFER. */
  readonly sizeOffset: number;
  /** Bytes of that number; 0 without VMS_VBUFFER. */
  readonly sizeSize: number;
  /** VMS_*. */
  readonly flags: number;
  /** Index into `infos`. */
  readonly info: number | undefined;
  /** Index into `vmsds`: the struct of an element, with VMS_STRUCT and VMS_VSTRUCT, or what the info works on. */
  readonly vmsd: number | undefined;
  /** First version of the VMSD that has this field. Signed. */
  readonly versionId: number;
  /** Version of the inner struct, with VMS_VSTRUCT. Signed. */
  readonly structVersionId: number;
  /** Function that decides whether the field is there: an index into `functions`. */
  readonly fieldExists: number | undefined;
  /** What QEMU says when the value differs (QEMU 2.10 to 10.2). */
  readonly errHint: string | undefined;
}

/** VMStateFlags (include/migration/vmstate.h). */
export const VMS_SINGLE = 0x1;
export const VMS_POINTER = 0x2;
export const VMS_ARRAY = 0x4;
export const VMS_STRUCT = 0x8;
/** A signed 32-bit counter before 11.1; later any counter (VMS_VARRAY). */
export const VMS_VARRAY_INT32 = 0x10;
export const VMS_BUFFER = 0x20;
export const VMS_ARRAY_OF_POINTER = 0x40;
export const VMS_VARRAY_UINT16 = 0x80;
export const VMS_VBUFFER = 0x100;
export const VMS_MULTIPLY = 0x200;
export const VMS_VARRAY_UINT8 = 0x400;
export const VMS_VARRAY_UINT32 = 0x800;
export const VMS_MUST_EXIST = 0x1000;
export const VMS_ALLOC = 0x2000;
export const VMS_MULTIPLY_ELEMENTS = 0x4000;
export const VMS_VSTRUCT = 0x8000;
/** QEMU 11 and later: each element has a marker that says whether it is NULL. */
export const VMS_ARRAY_OF_POINTER_AUTO_ALLOC = 0x10000;
/** Any flag that says that the number of elements is in the struct. */
export const VMS_VARRAY = VMS_VARRAY_INT32 | VMS_VARRAY_UINT16 | VMS_VARRAY_UINT8 | VMS_VARRAY_UINT32;

/** An array of qdev Properties as it lies in the binary: what a device's configuration is called and defaults to. */
export interface PropertyList extends HostAddress {
  readonly properties: readonly Property[];
}

/** A qdev Property: a member of a device struct that the user can set. */
export interface Property {
  readonly name: string;
  /** Name of its PropertyInfo: `uint32`, `bool`, `bit` … */
  readonly type: string;
  /** Bytes from the start of the device struct to the member. */
  readonly offset: number;
  /** Which bit of the member, for a bit property. */
  readonly bit: number | undefined;
  /** Undefined where the table has no default. Signed, as int64_t. */
  readonly defaultValue: bigint | undefined;
}

/** A property that a machine type sets for all devices of a type (include/hw/qdev-core.h, GlobalProperty). */
export interface GlobalProperty {
  /** QOM type, often one that others are made of, or an interface. */
  readonly driver: string;
  readonly property: string;
  /** As on a command line: `off`, `0x10`. */
  readonly value: string;
}

/** What a machine type sets, as older QEMUs had it (MachineClass, compat_props). */
export interface MachineProperties {
  readonly machineType: string;
  /** Indexes into `globalPropertyLists`, in the order in which they are applied: of two values the later counts. */
  readonly globalPropertyLists: readonly number[];
}

/**
 * A QOM type of a device, from its TypeInfo. A device has the properties of its type and of all parents; its VMSD is
 * that of its type, or of the nearest parent that has one.
 */
export interface QomType {
  readonly name: string;
  readonly parent: string;
  /** Bytes of its struct; 0 where it is that of the parent. */
  readonly instanceSize: number;
  readonly abstract: boolean;
  /**
   * VMSDs that its class_init names: indexes into `vmsds`. One, where it sets `dc->vmsd`; none where it sets none, or
   * its code could not be looked through.
   */
  readonly vmsds: readonly number[];
  /** Properties that its class_init sets: indexes into `propertyLists`. */
  readonly propertyLists: readonly number[];
}
