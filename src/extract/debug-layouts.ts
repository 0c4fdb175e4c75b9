import type { VmsdCallback } from '../schema/qemu-schema.ts';
import type { DebugFile } from './debug-files.ts';
import { findStructs } from './dwarf/find-structs.ts';
import type { StructType, StructTypes } from './dwarf/struct-types.ts';
import type { PropertyLayout } from './qdev-properties.ts';
import type { TypeLayout } from './qom-types.ts';
import { type FieldLayout, knownTableLayouts, type TableLayout, type VmsdLayout } from './table-layout.ts';

/** How structs of QEMU's own lie in memory, as debug information says; undefined where it does not describe one. */
export interface DebugLayouts {
  /** Name of the file that says it. */
  readonly file: string;
  /** Structs that it describes, but as none in any QEMU that is known: members are missing, or of other sizes. */
  readonly others: readonly string[];
  readonly table: TableLayout | undefined;
  readonly property: PropertyLayout | undefined;
  readonly type: TypeLayout | undefined;
}

/** The name of a layout that only debug information has. */
const DESCRIBED = 'described';

/** Members without which a struct is none of those. */
const members: ReadonlyMap<string, readonly string[]> = new Map([
  ['VMStateField', ['name', 'offset', 'size', 'num', 'info', 'flags', 'vmsd', 'version_id', 'field_exists']],
  [
    'VMStateDescription',
    ['name', 'unmigratable', 'version_id', 'minimum_version_id', 'fields', 'subsections'],
  ],
  ['VMStateInfo', ['name', 'get', 'put']],
  ['Property', ['name', 'info', 'offset', 'bitnr', 'set_default', 'defval']],
  ['TypeInfo', ['name', 'parent', 'instance_size', 'abstract', 'class_size', 'class_init']],
]);

const callbackMembers: readonly (readonly [VmsdCallback, string])[] = [
  ['loadStateOld', 'load_state_old'],
  ['preLoad', 'pre_load'],
  ['preLoadErrp', 'pre_load_errp'],
  ['postLoad', 'post_load'],
  ['postLoadErrp', 'post_load_errp'],
  ['preSave', 'pre_save'],
  ['preSaveErrp', 'pre_save_errp'],
  ['postSave', 'post_save'],
  ['needed', 'needed'],
  ['devUnplugPending', 'dev_unplug_pending'],
];
const typeFunctions: readonly string[] = [
  'instance_init',
  'instance_post_init',
  'instance_finalize',
  'class_init',
  'class_base_init',
];
/** Pointers of a Property, some of which a version may not have. */
const propertyPointers: readonly string[] = ['arrayinfo', 'link_type'];

/** Reads the layouts of QEMU's structs from the first file that has debug information; undefined if none has. */
export function readDebugLayouts(files: readonly DebugFile[]): DebugLayouts | undefined {
  for (const { name, data, types } of files) {
    if (!data || !types) continue;
    const found = findStructs(data, types, members);
    const others: string[] = [];
    const read = <T>(
      tags: readonly string[],
      layout: (...structs: DescribedStruct[]) => T,
    ): T | undefined => {
      const structs = tags.flatMap((tag) => {
        const struct = found.get(tag);
        return struct ? [new DescribedStruct(tag, types, struct)] : [];
      });
      if (structs.length < tags.length) return undefined;
      try {
        return layout(...structs);
      } catch (error) {
        if (!(error instanceof OtherStruct)) throw error;
        others.push(error.message);
        return undefined;
      }
    };
    return {
      file: name,
      others,
      table: read(['VMStateField', 'VMStateDescription', 'VMStateInfo'], tableLayout),
      property: read(['Property'], propertyLayout),
      type: read(['TypeInfo'], typeLayout),
    };
  }
  return undefined;
}

/** A struct is not made as it is in any QEMU that is known. */
class OtherStruct extends Error {}

class DescribedStruct {
  readonly #name: string;
  readonly #types: StructTypes;
  readonly #struct: StructType;

  constructor(name: string, types: StructTypes, struct: StructType) {
    this.#name = name;
    this.#types = types;
    this.#struct = struct;
  }

  get size(): number {
    return this.#struct.size;
  }

  /** Offset of a member; undefined for one that is not there, or not of this size. */
  at(path: string, size: number): number | undefined {
    const member = this.#types.memberNamed(this.#struct, path);
    return member?.type?.size === size ? member.offset : undefined;
  }

  /** The same of a member that there has to be, at a place if that is the same in all versions. Throws OtherStruct. */
  must(path: string, size: number, place?: number): number {
    const offset = this.at(path, size);
    if (offset === undefined || (place !== undefined && offset !== place)) throw new OtherStruct(this.#name);
    return offset;
  }
}

function tableLayout(field: DescribedStruct, vmsd: DescribedStruct, info: DescribedStruct): TableLayout {
  info.must('name', 8, 0);
  info.must('get', 8, 8);
  info.must('put', 8, 16);
  const described = {
    field: fieldLayout(field),
    vmsd: vmsdLayout(vmsd),
    infoHasLoadAndSave: info.at('load', 8) === 24 && info.at('save', 8) === 32,
  };
  const known = knownTableLayouts.find((layout) => isSame(layout, described));
  return known ?? { name: DESCRIBED, since: [0, 0], ...described };
}

function fieldLayout(field: DescribedStruct): FieldLayout {
  // From 11.1 on each counter is a struct of a place and a width.
  const sized = field.at('num_indirect.offset', 4) !== undefined;
  return {
    stride: field.size,
    name: field.must('name', 8),
    errHint: field.at('err_hint', 8),
    offset: field.must('offset', 8),
    size: field.must('size', 8),
    start: field.at('start', 8),
    num: field.must('num', 4),
    numOffset: sized ? field.must('num_indirect.offset', 4) : field.must('num_offset', 8),
    sizeOffset: sized ? field.must('size_indirect.offset', 4) : field.must('size_offset', 8),
    numSize: sized ? field.must('num_indirect.size', 1) : undefined,
    sizeSize: sized ? field.must('size_indirect.size', 1) : undefined,
    info: field.must('info', 8),
    vmsd: field.must('vmsd', 8),
    fieldExists: field.must('field_exists', 8),
    flags: field.must('flags', 4),
    versionId: field.must('version_id', 4),
    structVersionId: field.at('struct_version_id', 4),
  };
}

function vmsdLayout(vmsd: DescribedStruct): VmsdLayout {
  const earlySetup = vmsd.at('early_setup', 1);
  vmsd.must('name', 8, 0);
  return {
    size: vmsd.size,
    unmigratable: vmsd.must('unmigratable', earlySetup === undefined ? 4 : 1),
    earlySetup,
    versionId: vmsd.must('version_id', 4),
    minimumVersionId: vmsd.must('minimum_version_id', 4),
    priority: vmsd.at('priority', 4),
    callbacks: new Map(
      callbackMembers.flatMap(([name, member]) => {
        const at = vmsd.at(member, 8);
        return at === undefined ? [] : [[name, at] as const];
      }),
    ),
    fields: vmsd.must('fields', 8),
    subsections: vmsd.must('subsections', 8),
  };
}

/** The same places of all members; of what differs in nothing else the name does not matter. */
function isSame(one: Pick<TableLayout, 'field' | 'vmsd' | 'infoHasLoadAndSave'>, other: typeof one): boolean {
  const places = ({ field, vmsd, infoHasLoadAndSave }: typeof one) =>
    JSON.stringify([
      Object.entries(field).sort(),
      Object.entries({ ...vmsd, callbacks: undefined }).sort(),
      [...vmsd.callbacks].sort(),
      infoHasLoadAndSave,
    ]);
  return places(one) === places(other);
}

function propertyLayout(property: DescribedStruct): PropertyLayout {
  property.must('name', 8, 0);
  property.must('info', 8, 8);
  property.must('offset', 8, 16);
  return {
    stride: property.size,
    bit: property.must('bitnr', 1),
    setDefault: property.must('set_default', 1),
    defaultValue: property.must('defval', 8),
    pointers: propertyPointers.flatMap((name) => property.at(name, 8) ?? []),
  };
}

function typeLayout(type: DescribedStruct): TypeLayout {
  type.must('name', 8, 0);
  type.must('parent', 8, 8);
  type.must('instance_size', 8, 16);
  const abstract = type.must('abstract', 1);
  type.must('class_size', 8, abstract + 8);
  return {
    instanceAlign: type.at('instance_align', 8),
    functions: typeFunctions.map((name) => type.must(name, 8)),
    abstract,
    classInit: type.must('class_init', 8),
  };
}
