/**
 * What QEMU's source calls what the tables refer to, from the symbols and the debug information of a binary. Only what
 * tables and expressions refer to is in it.
 */
export interface SchemaSymbols {
  /** By index in `functions` of the schema; undefined for one without a name. */
  readonly functions: readonly (SourceSymbol | undefined)[];
  /** By index in `vmsds` of the schema: the variable that the VMSD is. */
  readonly vmsds: readonly (VmsdSymbol | undefined)[];
  readonly structs: readonly HostStruct[];
  /** Variables of the program that expressions read, or members of them, at their addresses as expressions have those. */
  readonly variables: readonly StructMember[];
}

/** A function or variable of the source. */
export interface SourceSymbol {
  readonly name: string;
  /** Relative to the folder of QEMU's sources, as far as that could be told; without folders if only symbols say it. */
  readonly file: string | undefined;
  readonly line: number | undefined;
}

export interface VmsdSymbol extends SourceSymbol {
  /** The struct that the VMSD describes: index into `structs`. Undefined where that could not be told for certain. */
  readonly struct: number | undefined;
}

/** A struct of QEMU's, with those members that something refers to. */
export interface HostStruct {
  /** Its tag, or the typedef of it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Sorted by offset. */
  readonly members: readonly StructMember[];
}

/** A member of a struct that has no members of its own: a number, a pointer … */
export interface StructMember {
  /** As in C: `core.timadj`, `ports[2].x`. */
  readonly path: string;
  /** Bytes from the start of the struct. */
  readonly offset: number;
  readonly size: number;
  /** Of a pointer: what it points to, if something refers to members of that; index into `structs`. */
  readonly struct: number | undefined;
  /** Of a bit field: bits above the lowest of the byte at `offset`, and how many; little endian. */
  readonly bits: { readonly first: number; readonly count: number } | undefined;
}

/** `hw/net/e1000e.c:604`, as far as it is known. */
export function sourceText({ file, line }: SourceSymbol): string | undefined {
  return file === undefined || line === undefined ? file : `${file}:${line}`;
}

/** A way of pointers from a struct to a member, as C spells it behind the variable: `core->timadj`. */
export interface MemberName {
  readonly text: string;
  /** Bytes that the place is behind the start of the member. */
  readonly behind: number;
  readonly isBitField: boolean;
}

/**
 * What the members are called on the way from a struct: a member at the first offset, one of what it points to at the
 * next. `size` bytes are read of the last; a mask with one bit tells bit fields apart. Undefined where a step has no name.
 */
export function memberName(
  structs: readonly HostStruct[],
  first: number,
  path: readonly number[],
  size: number,
  mask?: bigint,
): MemberName | undefined {
  return nameFrom(structs, structs[first], path, size, mask);
}

/** The same on the way from a variable: the first offset is an address in it. */
export function variableName(
  { structs, variables }: SchemaSymbols,
  path: readonly number[],
  size: number,
  mask?: bigint,
): MemberName | undefined {
  return nameFrom(structs, { name: '', size: 0, members: variables }, path, size, mask);
}

function nameFrom(
  structs: readonly HostStruct[],
  first: HostStruct | undefined,
  path: readonly number[],
  size: number,
  mask: bigint | undefined,
): MemberName | undefined {
  let struct = first;
  let text = '';
  for (const [i, offset] of path.entries()) {
    if (!struct) return undefined;
    const isLast = i === path.length - 1;
    const member = memberAt(struct, offset, isLast ? size : POINTER_SIZE, isLast ? mask : undefined);
    if (!member) return undefined;
    text += `${i === 0 ? '' : '->'}${member.path}`;
    const isBitField = member.bits !== undefined;
    if (isLast) return { text, behind: isBitField ? 0 : offset - member.offset, isBitField };
    struct = member.struct === undefined ? undefined : structs[member.struct];
  }
  return undefined;
}

/** Bytes of a pointer: all hosts have 64 bits. */
export const POINTER_SIZE = 8;

function memberAt(
  { members }: HostStruct,
  offset: number,
  size: number,
  mask: bigint | undefined,
): StructMember | undefined {
  const around = members.filter(
    (member) => member.offset < offset + size && member.offset + member.size > offset,
  );
  const fields = around.filter(({ bits }) => bits);
  if (fields.length > 0) {
    // Bits of a storage unit are told apart by the mask.
    if (mask === undefined) return undefined;
    const bit = offset * 8 + mask.toString(2).length - 1;
    const isThere = ({ offset: at, bits }: StructMember) => {
      const start = at * 8 + bits!.first;
      return bit >= start && bit < start + bits!.count && bits!.count === 1;
    };
    return fields.find(isThere);
  }
  const whole = around.filter(
    (member) => member.offset <= offset && member.offset + member.size >= offset + size,
  );
  return whole.find((member) => member.offset === offset && member.size === size) ?? whole[0];
}
