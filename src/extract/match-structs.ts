import { type QemuSchema, VMS_ARRAY, VMS_MUST_EXIST, type VMStateField } from '../schema/qemu-schema.ts';
import {
  DW_AT_import,
  DW_TAG_imported_unit,
  DW_TAG_structure_type,
  DW_TAG_typedef,
} from './dwarf/constants.ts';
import type { DebugData, WantedTags } from './dwarf/debug-data.ts';
import type { EntryReference } from './dwarf/entry.ts';
import type { SourcePlace } from './dwarf/source-places.ts';
import type { StructType, StructTypes, Type } from './dwarf/struct-types.ts';

/** What is known of a VMSD and of the functions that get a pointer to what it describes. */
export interface VmsdEvidence {
  readonly place: SourcePlace | undefined;
  readonly functions: readonly SourcePlace[];
  readonly data: DebugData;
  readonly types: StructTypes;
}

/** A struct, with the types of the file that it is from. */
export interface FoundStruct {
  readonly struct: StructType;
  readonly types: StructTypes;
}

/** Pointers and arrays around a struct. */
const MAX_AROUND = 4;
/** VMSDs inside each other, each of which tells the struct of the next. */
const MAX_ROUNDS = 32;
/** Objects inside each other, a type of QOM and its parents. */
const MAX_PARENTS = 16;
const NAME = /^[A-Za-z_][\w.[\]]*$/;
/** Structs and typedefs of a unit; real ones have some thousand. */
const MAX_STRUCTS = 100_000;
const MAX_IMPORTS = 10_000;

/**
 * Which struct each VMSD describes, by its index. That is not written anywhere: a struct is taken for it when all names
 * of fields, which VMSTATE macros make of the members' own, are members at the fields' offsets. Such structs are looked
 * for among the types of the variables in its functions, the members of structs that other VMSDs describe, those that
 * are as large as instances of its device types, and then all of the source file. Where several remain, it has none.
 */
export function matchStructs(
  schema: QemuSchema,
  evidence: readonly (VmsdEvidence | undefined)[],
): readonly (FoundStruct | undefined)[] {
  return new StructMatcher(schema, evidence).match();
}

class StructMatcher {
  readonly #schema: QemuSchema;
  readonly #evidence: readonly (VmsdEvidence | undefined)[];
  readonly #found: (FoundStruct | undefined)[];
  readonly #units = new Map<EntryReference, UnitStructs>();
  readonly #instanceSizes = new Map<number, Set<number>>();
  /** VMSDs that each VMSD is inside of. */
  readonly #users = new Map<number, { readonly vmsd: number; readonly field: VMStateField | undefined }[]>();

  constructor(schema: QemuSchema, evidence: readonly (VmsdEvidence | undefined)[]) {
    this.#schema = schema;
    this.#evidence = evidence;
    this.#found = schema.vmsds.map(() => undefined);
    const sizes = instanceSizes(schema);
    for (const { name, vmsds } of schema.types) {
      const size = sizes.get(name) ?? 0;
      for (const index of size === 0 ? [] : vmsds) {
        const known = this.#instanceSizes.get(index);
        if (known) known.add(size);
        else this.#instanceSizes.set(index, new Set([size]));
      }
    }
    const addUser = (inner: number, user: { vmsd: number; field: VMStateField | undefined }) => {
      const users = this.#users.get(inner);
      if (users) users.push(user);
      else this.#users.set(inner, [user]);
    };
    for (const [vmsd, { fields, subsections }] of schema.vmsds.entries()) {
      for (const field of fields) if (field.vmsd !== undefined) addUser(field.vmsd, { vmsd, field });
      for (const subsection of subsections) addUser(subsection, { vmsd, field: undefined });
    }
  }

  match(): readonly (FoundStruct | undefined)[] {
    this.#round((index) => this.#near(index));
    this.#round((index) => [...this.#near(index), ...this.#ofUnit(index)]);
    return this.#found;
  }

  /** Looks for structs until no more are found: each one that is may tell others. */
  #round(candidates: (index: number) => readonly FoundStruct[]): void {
    let isNew = true;
    for (let i = 0; isNew && i < MAX_ROUNDS; i++) {
      isNew = false;
      for (const index of this.#found.keys()) {
        if (this.#found[index]) continue;
        this.#found[index] = this.#choose(index, candidates(index));
        isNew ||= this.#found[index] !== undefined;
      }
    }
  }

  #choose(index: number, candidates: readonly FoundStruct[]): FoundStruct | undefined {
    const names = this.#namedFields(index);
    const sizes = this.#instanceSizes.get(index);
    const isOfSize = ({ struct }: FoundStruct) => sizes?.has(struct.size) ?? false;
    if (names.length === 0) return only(this.#around(index)) ?? only(candidates.filter(isOfSize));
    const agreeing = candidates.filter((candidate) => agrees(candidate, names));
    // Structs with the same beginning: the size of the device's tells.
    return (
      only(agreeing) ??
      only(agreeing.filter(isOfSize)) ??
      only(candidates.filter((candidate) => isOfSize(candidate) && agreesWithParents(candidate, names)))
    );
  }

  /** What probably is it. */
  #near(index: number): readonly FoundStruct[] {
    return [...this.#around(index), ...this.#locals(index), ...this.#ofSize(index)];
  }

  /** By the structs of the VMSDs that it is in. */
  #around(index: number): readonly FoundStruct[] {
    return (this.#users.get(index) ?? []).flatMap(({ vmsd, field }) => {
      const outer = this.#found[vmsd];
      if (!outer) return [];
      if (!field) return [outer];
      const member = outer.types.memberNamed(outer.struct, field.name);
      if (!member || member.offset > field.offset) return [];
      const struct = structIn(outer.types, member.type);
      return struct ? [{ struct, types: outer.types }] : [];
    });
  }

  #locals(index: number): readonly FoundStruct[] {
    const { functions = [], types } = this.#evidence[index] ?? {};
    if (!types) return [];
    return functions.flatMap(({ locals }) =>
      locals.flatMap((local) => {
        const type = types.typeOf(local);
        const target = type?.kind === 'pointer' ? types.targetOf(type) : undefined;
        return target?.kind === 'struct' ? [{ struct: target.struct, types }] : [];
      }),
    );
  }

  #ofSize(index: number): readonly FoundStruct[] {
    const sizes = this.#instanceSizes.get(index);
    const unit = sizes && this.#unitOf(index);
    if (!unit) return [];
    return [...sizes].flatMap((size) => unit.ofSize(size));
  }

  #ofUnit(index: number): readonly FoundStruct[] {
    const [first] = this.#namedFields(index);
    const name = first && /^\w+/.exec(first.name)?.[0];
    return name === undefined ? [] : (this.#unitOf(index)?.withMember(name) ?? []);
  }

  /**
   * Fields whose names can be those of members: not the texts of validations and of bytes that nobody uses, and not what
   * an info makes of the whole object.
   */
  #namedFields(index: number): readonly VMStateField[] {
    const { vmsds, infos } = this.#schema;
    return vmsds[index]!.fields.filter(({ name, flags, num, offset, size, info }) => {
      const isValidation = (flags & VMS_MUST_EXIST) !== 0 && (flags & VMS_ARRAY) !== 0 && num === 0;
      const infoName = info === undefined ? undefined : infos[info]?.name;
      const isOfWhole = offset === 0 && (infoName === 'tmp' || (size === 0 && infoName !== undefined));
      return name !== 'unused' && NAME.test(name) && !isValidation && !isOfWhole;
    });
  }

  /** The structs of the source file that a VMSD is in. */
  #unitOf(index: number): UnitStructs | undefined {
    const evidence = this.#evidence[index];
    const reference = (evidence?.place ?? evidence?.functions[0])?.reference;
    if (!evidence || reference === undefined) return undefined;
    let root: EntryReference;
    try {
      root = evidence.data.rootOf(reference).reference;
    } catch (error) {
      evidence.data.leftOut.add(error);
      return undefined;
    }
    let unit = this.#units.get(root);
    if (!unit) {
      unit = new UnitStructs(evidence.data, evidence.types, root);
      this.#units.set(root, unit);
    }
    return unit;
  }
}

const structTags: WantedTags = new Map([
  [DW_TAG_structure_type, []],
  [DW_TAG_typedef, []],
  [DW_TAG_imported_unit, [DW_AT_import]],
]);

/** The structs of a unit and of those that it imports. */
class UnitStructs {
  readonly #types: StructTypes;
  readonly #bySize = new Map<number, EntryReference[]>();
  #byMember: Map<string, FoundStruct[]> | undefined;

  constructor(data: DebugData, types: StructTypes, root: EntryReference) {
    this.#types = types;
    const pending = [root];
    const seen = new Set(pending);
    const anonymous = new Map<EntryReference, number>();
    /** By the type that each names, which may stand before it or behind it. */
    const typedefs: (readonly [EntryReference, EntryReference])[] = [];
    let count = 0;
    for (let unit = pending.pop(); unit !== undefined; unit = pending.pop()) {
      try {
        data.forEachChild(data.entry(unit), structTags, (entry) => {
          const { reference, tag, type, imported, byteSize, isDeclaration } = entry;
          if (tag === DW_TAG_imported_unit) {
            const other = imported === undefined ? undefined : data.rootOf(imported).reference;
            if (other === undefined || seen.has(other) || seen.size > MAX_IMPORTS) return;
            seen.add(other);
            pending.push(other);
          } else if (tag === DW_TAG_typedef) {
            if (type !== undefined && ++count < MAX_STRUCTS) typedefs.push([type, reference]);
          } else if (!isDeclaration && byteSize !== undefined && ++count < MAX_STRUCTS) {
            if (entry.name === undefined) anonymous.set(reference, byteSize);
            else this.#add(byteSize, reference);
          }
        });
      } catch (error) {
        data.leftOut.add(error);
      }
    }
    for (const [type, reference] of typedefs) {
      const size = anonymous.get(type);
      if (size !== undefined) this.#add(size, reference);
    }
  }

  #add(size: number, reference: EntryReference): void {
    const known = this.#bySize.get(size);
    if (known) known.push(reference);
    else this.#bySize.set(size, [reference]);
  }

  ofSize(size: number): readonly FoundStruct[] {
    return (this.#bySize.get(size) ?? []).flatMap((reference) => this.#struct(reference));
  }

  /** Those that have a member of a name, of their own or of an anonymous struct in them. */
  withMember(name: string): readonly FoundStruct[] {
    if (!this.#byMember) {
      this.#byMember = new Map();
      for (const reference of [...this.#bySize.values()].flat())
        for (const found of this.#struct(reference)) this.#index(found, found.struct, 0);
    }
    return this.#byMember.get(name) ?? [];
  }

  #index(found: FoundStruct, { members }: StructType, depth: number): void {
    for (const { name, type } of members) {
      if (name !== undefined) {
        const known = this.#byMember?.get(name);
        if (!known) this.#byMember?.set(name, [found]);
        else if (known.at(-1) !== found) known.push(found);
      } else if (depth < MAX_AROUND) {
        const inner = this.#types.typeOf(type);
        if (inner?.kind === 'struct') this.#index(found, inner.struct, depth + 1);
      }
    }
  }

  #struct(reference: EntryReference): FoundStruct[] {
    const type = this.#types.typeOf(reference);
    return type?.kind === 'struct' ? [{ struct: type.struct, types: this.#types }] : [];
  }
}

/** Is one field a member of a struct, at its place? A part of an array is within it. */
function isMember({ struct, types }: FoundStruct, { name, offset }: VMStateField): boolean {
  // An index by the name of a constant, which debug information does not have, may be any.
  const [, array = name, index] = /^([^[]*)\[(?!\d+\])(.*)$/.exec(name) ?? [];
  const member = types.memberNamed(struct, array);
  if (!member) return false;
  if (index === undefined && offset === member.offset) return true;
  return offset >= member.offset && offset < member.offset + (member.type?.size ?? 0);
}

function agrees(found: FoundStruct, fields: readonly VMStateField[]): boolean {
  return fields.every((field) => isMember(found, field));
}

/** The same of fields that are written as those of the object's parents, which begin where it does. */
function agreesWithParents(found: FoundStruct, fields: readonly VMStateField[]): boolean {
  const { types } = found;
  const parents = [found];
  let struct: StructType | undefined = found.struct;
  while (struct && parents.length <= MAX_PARENTS) {
    struct = firstMember(types, struct);
    if (struct) parents.push({ struct, types });
  }
  return fields.every((field) => parents.some((parent) => isMember(parent, field)));
}

/** The struct that another begins with. */
function firstMember(types: StructTypes, { members }: StructType): StructType | undefined {
  const [first] = members;
  const type = first?.offset === 0 ? types.typeOf(first.type) : undefined;
  return type?.kind === 'struct' ? type.struct : undefined;
}

/** The struct that a member is, or points to, or has elements of. */
function structIn(types: StructTypes, type: Type | undefined): StructType | undefined {
  let inner = type;
  for (let i = 0; i < MAX_AROUND && inner; i++) {
    if (inner.kind === 'struct') return inner.struct;
    inner = inner.kind === 'array' ? inner.element : types.targetOf(inner);
  }
  return undefined;
}

/** The only one: a struct of a header is in the debug information of every file that includes it. */
function only(candidates: readonly FoundStruct[]): FoundStruct | undefined {
  const distinct = new Map(candidates.map((found) => [structKey(found), found]));
  return distinct.size === 1 ? candidates[0] : undefined;
}

/** The same for one struct of the source, wherever it is described. */
export function structKey({ struct }: FoundStruct): string {
  const { name, size, line, members, reference } = struct;
  if (name === undefined) return `at ${reference}`;
  return `${name} ${size} ${line} ${members.map((member) => member.name).join(' ')}`;
}

/** Bytes of the struct of each type: its own, or that of its nearest parent that says it. */
function instanceSizes({ types }: QemuSchema): ReadonlyMap<string, number> {
  const byName = new Map(types.map((type) => [type.name, type]));
  const sizes = new Map<string, number>();
  for (const { name } of types) {
    const seen = new Set<string>();
    let type = byName.get(name);
    while (type && type.instanceSize === 0 && !seen.has(type.name)) {
      seen.add(type.name);
      type = byName.get(type.parent);
    }
    sizes.set(name, type?.instanceSize ?? 0);
  }
  return sizes;
}
