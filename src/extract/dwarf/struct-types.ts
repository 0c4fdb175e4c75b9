import * as dw from './constants.ts';
import type { DebugData, WantedTags } from './debug-data.ts';
import type { Entry, EntryReference } from './entry.ts';

/** What a type is, once typedefs and qualifiers are taken away. */
export type Type =
  | { readonly kind: 'struct'; readonly struct: StructType; readonly size: number }
  | { readonly kind: 'array'; readonly element: Type; readonly count: number; readonly size: number }
  | { readonly kind: 'pointer'; readonly target: EntryReference | undefined; readonly size: number }
  /** An integer, enumeration or the like. */
  | { readonly kind: 'plain'; readonly size: number };

/** A struct or union with its members. */
export interface StructType {
  readonly reference: EntryReference;
  /** Its tag, or a typedef of it; undefined where it has neither. */
  readonly name: string | undefined;
  readonly isUnion: boolean;
  /** Bytes. */
  readonly size: number;
  readonly members: readonly Member[];
  /** Index into the files of its unit, and a line of it. */
  readonly file: number | undefined;
  readonly line: number | undefined;
}

export interface Member {
  /** Undefined for an anonymous struct or union, whose members count as those of what it is in. */
  readonly name: string | undefined;
  /** Bytes from the start of the struct; of a bit field, to the byte of its lowest bit. */
  readonly offset: number;
  readonly type: EntryReference | undefined;
  /** Of a bit field: bits above the lowest of the byte at `offset`, and how many. Little endian. */
  readonly bits: { readonly first: number; readonly count: number } | undefined;
}

/** A member of a member of a struct: one that has no members of its own. */
export interface Leaf {
  /** As in C: `core.timadj`, `ports[2].x`; of something that is no struct, empty or `[1]`. */
  readonly path: string;
  /** Bytes from the start of the outermost struct. */
  readonly offset: number;
  readonly size: number;
  readonly bits: Member['bits'];
  readonly type: Type;
}

/** Typedefs and qualifiers one around the other. */
const MAX_QUALIFIERS = 64;
/** Of a bit field. */
const MAX_BITS = 64;
/** Structs and arrays inside each other. */
const MAX_NESTED = 32;
/** Members of a struct: the largest real ones have some hundred. */
const MAX_MEMBERS = 65_536;
/** Structs that are looked into for one member: unions of unions of a file that lies have many ways to it. */
const MAX_LOOKS = 10_000;
/** Members that are looked at, of all structs together; in real binaries some million. */
const MAX_TOTAL_LOOKS = 200_000_000;
/** Bytes of a struct. */
const MAX_SIZE = 2 ** 40;

const memberTags: WantedTags = new Map([[dw.DW_TAG_member, []]]);
const subrangeTags: WantedTags = new Map([[dw.DW_TAG_subrange_type, []]]);

/** Types of C, read when they are asked for. What is damaged, or has no end, has no type. */
export class StructTypes {
  readonly #data: DebugData;
  readonly #types = new Map<EntryReference, Type | undefined>();
  #looked = 0;
  #membersLooked = 0;

  constructor(data: DebugData) {
    this.#data = data;
  }

  /** The type of a reference; undefined for void, functions, declarations, and what is damaged. */
  typeOf(reference: EntryReference | undefined): Type | undefined {
    if (reference === undefined) return undefined;
    const known = this.#types.get(reference);
    if (known || this.#types.has(reference)) return known;
    // What contains itself finds nothing here, and so ends.
    this.#types.set(reference, undefined);
    let type: Type | undefined;
    try {
      type = this.#read(reference);
    } catch (error) {
      this.#data.leftOut.add(error);
    }
    this.#types.set(reference, type);
    return type;
  }

  /** What a pointer points to, be it in a typedef or not. */
  targetOf(type: Type | undefined): Type | undefined {
    return type?.kind === 'pointer' ? this.typeOf(type.target) : undefined;
  }

  #read(first: EntryReference): Type | undefined {
    let reference: EntryReference = first;
    let name: string | undefined;
    for (let i = 0; i < MAX_QUALIFIERS; i++) {
      const entry = this.#data.entry(reference);
      switch (entry.tag) {
        case dw.DW_TAG_typedef:
        case dw.DW_TAG_const_type:
        case dw.DW_TAG_volatile_type:
        case dw.DW_TAG_restrict_type:
        case dw.DW_TAG_atomic_type:
          name ??= entry.name;
          if (entry.type === undefined) return undefined;
          reference = entry.type;
          continue;
        case dw.DW_TAG_structure_type:
        case dw.DW_TAG_union_type:
          return this.#struct(entry, name);
        case dw.DW_TAG_array_type:
          return this.#array(entry);
        case dw.DW_TAG_pointer_type:
          return { kind: 'pointer', target: entry.type, size: entry.byteSize ?? entry.unit.addressSize };
        case dw.DW_TAG_base_type:
        case dw.DW_TAG_enumeration_type:
          return entry.byteSize === undefined ? undefined : { kind: 'plain', size: entry.byteSize };
        default:
          return undefined;
      }
    }
    return undefined;
  }

  #struct(entry: Entry, typedefName: string | undefined): Type | undefined {
    const { reference, byteSize: size, file, line, isDeclaration } = entry;
    if (isDeclaration || size === undefined || size > MAX_SIZE) return undefined;
    // One struct, whichever typedef it was come to by.
    const known = this.#types.get(reference);
    if (known?.kind === 'struct' && (known.struct.name !== undefined || typedefName === undefined))
      return known;
    // Of an anonymous one that several typedefs name the members are read once.
    const members = known?.kind === 'struct' ? known.struct.members : this.#members(entry);
    const name = entry.name ?? typedefName;
    const isUnion = entry.tag === dw.DW_TAG_union_type;
    const type: Type = {
      kind: 'struct',
      size,
      struct: { reference, name, isUnion, size, members, file, line },
    };
    this.#types.set(reference, type);
    return type;
  }

  #members(entry: Entry): readonly Member[] {
    const members: Member[] = [];
    this.#data.forEachChild(entry, memberTags, (child) => {
      const member = members.length < MAX_MEMBERS ? memberOf(child) : undefined;
      if (member) members.push(member);
    });
    return members;
  }

  #array(entry: Entry): Type | undefined {
    const counts: number[] = [];
    this.#data.forEachChild(entry, subrangeTags, ({ count, upperBound }) => {
      // One without a length, at the end of a struct, is as long as it was made.
      counts.push(count ?? (upperBound === undefined ? 0 : upperBound + 1));
    });
    let type = counts.length <= MAX_NESTED ? this.typeOf(entry.type) : undefined;
    for (const count of counts.reverse()) {
      if (!type) return undefined;
      const size: number = type.size * count;
      if (size > MAX_SIZE) return undefined;
      type = { kind: 'array', element: type, count, size };
    }
    return type;
  }

  /** The member with a path as VMSTATE macros write it (`core.timadj`), and where it is in the struct. */
  memberNamed(
    struct: StructType,
    path: string,
  ): { readonly offset: number; readonly type: Type | undefined } | undefined {
    let type: Type | undefined = { kind: 'struct', struct, size: struct.size };
    let offset = 0;
    this.#looked = 0;
    for (const part of path.match(/[^.[\]]+|\[[^\]]*\]/g) ?? []) {
      if (part.startsWith('[')) {
        const index = Number(part.slice(1, -1));
        if (type?.kind !== 'array' || !Number.isInteger(index)) return undefined;
        offset += index * type.element.size;
        type = type.element;
        continue;
      }
      if (type?.kind !== 'struct') return undefined;
      const member = this.#find(type.struct, part, 0);
      if (!member) return undefined;
      offset += member.offset;
      type = this.typeOf(member.type);
    }
    return { offset, type };
  }

  /** Bounds the time that many fields in large structs of a file that lies can take. */
  #mayLook({ members }: StructType): boolean {
    this.#membersLooked += members.length;
    return this.#membersLooked <= MAX_TOTAL_LOOKS;
  }

  #find(struct: StructType, name: string, depth: number): Member | undefined {
    if (++this.#looked > MAX_LOOKS || !this.#mayLook(struct)) return undefined;
    for (const member of struct.members) {
      if (member.name === name) return member;
      if (member.name !== undefined || depth >= MAX_NESTED) continue;
      const inner = this.typeOf(member.type);
      const found = inner?.kind === 'struct' ? this.#find(inner.struct, name, depth + 1) : undefined;
      if (found) return { ...found, offset: found.offset + member.offset };
    }
    return undefined;
  }

  /**
   * The members without members that have the bytes `[offset, offset + size)` in them: one, or bit fields that share
   * them. Of a union, those of the first member that has one there; one of just that place and size, if there is.
   */
  leavesAt(type: Type, offset: number, size: number): readonly Leaf[] {
    this.#looked = 0;
    return this.#leaves(type, offset, size, '', 0, 0);
  }

  #leaves(
    type: Type,
    offset: number,
    size: number,
    path: string,
    start: number,
    depth: number,
  ): readonly Leaf[] {
    if (++this.#looked > MAX_LOOKS || depth > MAX_NESTED) return [];
    if (offset < 0 || offset + size > type.size) return [];
    if (type.kind === 'array') {
      const { element } = type;
      if (element.size === 0) return [];
      const index = Math.floor(offset / element.size);
      const before = index * element.size;
      return this.#leaves(element, offset - before, size, `${path}[${index}]`, start + before, depth + 1);
    }
    if (type.kind !== 'struct') return [{ path, offset: start, size: type.size, bits: undefined, type }];
    if (!this.#mayLook(type.struct)) return [];
    const found: (readonly Leaf[])[] = [];
    const bitFields: Leaf[] = [];
    for (const member of type.struct.members) {
      const inner = this.typeOf(member.type);
      if (!inner || member.offset >= offset + size) continue;
      const named = member.name === undefined ? path : path === '' ? member.name : `${path}.${member.name}`;
      if (member.bits) {
        const bytes = Math.ceil((member.bits.first + member.bits.count) / 8);
        if (member.offset + bytes > offset)
          bitFields.push({
            path: named,
            offset: start + member.offset,
            size: bytes,
            bits: member.bits,
            type: inner,
          });
        continue;
      }
      if (member.offset > offset) continue;
      const leaves = this.#leaves(
        inner,
        offset - member.offset,
        size,
        named,
        start + member.offset,
        depth + 1,
      );
      if (leaves.length > 0) found.push(leaves);
    }
    const exact = found.find(([leaf]) => leaf && leaf.offset === start + offset && leaf.size === size);
    return exact ?? found[0] ?? bitFields;
  }
}

function memberOf(entry: Entry): Member | undefined {
  const { name, type, bitSize, bitOffset, dataBitOffset, memberOffset = 0, byteSize } = entry;
  if (bitSize === undefined) return { name, offset: memberOffset, type, bits: undefined };
  let first = dataBitOffset;
  if (first === undefined) {
    // DWARF 2 and 3 count from the most significant bit of a storage unit.
    if (bitOffset === undefined || byteSize === undefined) return undefined;
    first = memberOffset * 8 + byteSize * 8 - bitOffset - bitSize;
  }
  if (first < 0 || bitSize === 0 || bitSize > MAX_BITS) return undefined;
  return { name, offset: Math.floor(first / 8), type, bits: { first: first % 8, count: bitSize } };
}
