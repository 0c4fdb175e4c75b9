import type { MemoryPlace } from '../expressions/evaluate.ts';
import type { Expression } from '../expressions/expression.ts';
import { memoryPlaceOf } from '../expressions/memory-place.ts';
import {
  type HostAddress,
  type QemuSchema,
  VMS_VARRAY,
  VMS_VBUFFER,
  type VMStateDescription,
} from '../schema/qemu-schema.ts';
import {
  type HostStruct,
  POINTER_SIZE,
  type SchemaSymbols,
  type SourceSymbol,
  type StructMember,
  type VmsdSymbol,
} from '../schema/symbols.ts';
import type { DebugFile } from './debug-files.ts';
import { findSourcePlaces, type SourcePlace } from './dwarf/source-places.ts';
import type { Leaf, StructTypes, Type } from './dwarf/struct-types.ts';
import { type FoundStruct, matchStructs, structKey, type VmsdEvidence } from './match-structs.ts';

/** Structs, and members of all of them: real schemas have some 200, and 500. */
const MAX_STRUCTS = 20_000;
const MAX_MEMBERS = 200_000;
/** Characters of a name; longer ones a schema file cannot have. */
const MAX_NAME = 1000;
const MAX_LINE = 0xffff_ffff;
/** What compilers add to the name of a function that they made a variant of. */
const VARIANT = /\.(constprop|isra|part|lto_priv|cold|llvm|__uniq)\b.*$/;
/** What compilers add to the name of a static variable in a function. */
const LOCAL = /\.\d+$/;
/** What compilers call what has no name. */
const NAMELESS = /^(__compound_literal|\.?compoundliteral|\.?L)\b/;

/**
 * The names of the functions and VMSDs of a schema, and of the members that they read, from the debug files of its
 * objects. Undefined where they have none. `vmsdSize` is the bytes of a VMStateDescription, which tells those of an
 * array apart; `placeOf` says which object has an address of an expression.
 */
export function readSchemaSymbols(
  schema: QemuSchema,
  files: readonly DebugFile[],
  vmsdSize: number,
  placeOf: (address: number) => HostAddress,
): SchemaSymbols | undefined {
  if (files.every(({ symbols, data }) => !symbols && !data)) return undefined;
  const reader = new SymbolReader(schema, files, vmsdSize, placeOf);
  return reader.read();
}

/** A variable and how far behind its start a VMSD in it is. */
interface Variable {
  readonly name: string | undefined;
  readonly file: string | undefined;
  readonly start: number;
}

/** What a test reads of a variable. */
interface VariableLoad {
  /** In it: as the expression has it, and how far behind its start that is. */
  readonly address: number;
  readonly behind: number;
  readonly object: number;
  readonly symbol: { readonly name: string; readonly address: number; readonly size: number };
  /** Offsets behind pointers from there. */
  readonly path: readonly number[];
  readonly size: number;
}

class SymbolReader {
  readonly #schema: QemuSchema;
  readonly #files: readonly DebugFile[];
  readonly #vmsdSize: number;
  readonly #places: readonly ReadonlyMap<number, SourcePlace>[];
  readonly #variables: readonly Variable[];
  readonly #loads: readonly VariableLoad[];
  readonly #expressions: ReadonlyMap<number, Expression>;

  constructor(
    schema: QemuSchema,
    files: readonly DebugFile[],
    vmsdSize: number,
    placeOf: (address: number) => HostAddress,
  ) {
    this.#schema = schema;
    this.#files = files;
    this.#vmsdSize = vmsdSize;
    this.#expressions = new Map(schema.expressions.map((entry) => [entry.function, entry.expression]));
    this.#variables = schema.vmsds.map(({ object, address }) => {
      const symbol = files[object]?.symbols?.variableAt(address);
      return { name: symbol?.name, file: symbol?.file, start: symbol?.address ?? address };
    });
    const loads: VariableLoad[] = [];
    for (const { expression } of schema.expressions)
      forEachLoad(expression, ({ root, path: [first = 0, ...path], size }) => {
        if (root !== 'global') return;
        const { object, address } = placeOf(first);
        const symbol = files[object]?.symbols?.variableAt(address);
        if (symbol)
          loads.push({ address: first, behind: address - symbol.address, object, symbol, path, size });
      });
    this.#loads = loads;
    this.#places = files.map(({ data }, object) => {
      if (!data) return new Map();
      const functions = new Set<number>();
      const variables = new Set<number>();
      for (const place of schema.functions) if (place.object === object) functions.add(place.address);
      for (const [i, vmsd] of schema.vmsds.entries())
        if (vmsd.object === object) variables.add(this.#variables[i]!.start);
      for (const load of loads) if (load.object === object) variables.add(load.symbol.address);
      return findSourcePlaces(data, { functions, variables });
    });
  }

  read(): SchemaSymbols {
    const { functions, vmsds } = this.#schema;
    const found = matchStructs(
      this.#schema,
      vmsds.map((vmsd, i) => this.#evidence(vmsd, i)),
    );
    const structs = new StructTable();
    for (const [i, struct] of found.entries()) if (struct) this.#refer(structs, struct, vmsds[i]!);
    for (const load of this.#loads) this.#referVariable(structs, load);
    return {
      functions: functions.map((place) => this.#function(place)),
      vmsds: vmsds.map((vmsd, i) => this.#vmsd(vmsd, i, structs.indexOf(found[i]))),
      structs: structs.structs(),
      variables: structs.variables(),
    };
  }

  #placeOf({ object, address }: HostAddress): SourcePlace | undefined {
    return this.#places[object]?.get(address);
  }

  #function(at: HostAddress): SourceSymbol | undefined {
    const place = this.#placeOf(at);
    const symbol = this.#files[at.object]?.symbols?.functionAt(at.address);
    const name = place?.name ?? symbol?.name.replace(VARIANT, '');
    return isName(name) ? { name, ...sourceLine(place, symbol?.file) } : undefined;
  }

  #vmsd({ object, address }: HostAddress, index: number, struct: number | undefined): VmsdSymbol | undefined {
    const variable = this.#variables[index]!;
    const place = this.#placeOf({ object, address: variable.start });
    const name = place?.name ?? variable.name;
    if (!isName(name) || NAMELESS.test(name)) return undefined;
    const element = (address - variable.start) / this.#vmsdSize;
    return {
      name: element === 0 ? name : Number.isInteger(element) ? `${name}[${element}]` : name,
      ...sourceLine(place, variable.file),
      struct,
    };
  }

  #evidence(vmsd: VMStateDescription, index: number): VmsdEvidence | undefined {
    const { data, types } = this.#files[vmsd.object] ?? {};
    if (!data || !types) return undefined;
    const place = this.#placeOf({ object: vmsd.object, address: this.#variables[index]!.start });
    const indexes = new Set([
      ...Object.values(vmsd.callbacks),
      ...vmsd.fields.flatMap(({ fieldExists }) => fieldExists ?? []),
    ]);
    const functions = [...indexes].flatMap((i) => {
      const at = this.#schema.functions[i];
      return at && at.object === vmsd.object ? (this.#placeOf(at) ?? []) : [];
    });
    return { place, functions, data, types };
  }

  /** Notes the members of a struct that a VMSD refers to, but for those that are its fields. */
  #refer(structs: StructTable, struct: FoundStruct, { fields, callbacks }: VMStateDescription): void {
    structs.add(struct);
    const tests = new Set<number>();
    if (callbacks.needed !== undefined) tests.add(callbacks.needed);
    for (const { flags, numOffset, numSize, sizeOffset, sizeSize, fieldExists } of fields) {
      if (flags & VMS_VARRAY) structs.refer(struct, [numOffset], numSize);
      if (flags & VMS_VBUFFER) structs.refer(struct, [sizeOffset], sizeSize);
      if (fieldExists !== undefined) tests.add(fieldExists);
    }
    for (const test of tests) {
      const expression = this.#expressions.get(test);
      if (expression !== undefined)
        forEachLoad(expression, ({ root, path, size }) => {
          if (root === 'opaque') structs.refer(struct, path, size);
        });
    }
  }

  #referVariable(structs: StructTable, { address, behind, object, symbol, path, size }: VariableLoad): void {
    const place = this.#placeOf({ object, address: symbol.address });
    const types = this.#files[object]?.types;
    const type = place?.type === undefined ? undefined : types?.typeOf(place.type);
    const variable = {
      name: place?.name ?? symbol.name.replace(LOCAL, ''),
      start: address - behind,
      length: symbol.size,
    };
    structs.referVariable(variable, types && type && { types, type }, [behind, ...path], size);
  }
}

function isName(name: string | undefined): name is string {
  return name !== undefined && name !== '' && name.length <= MAX_NAME;
}

/** Where something is, as far as a schema can have it; without debug information the file that a symbol table names. */
function sourceLine(
  place: SourcePlace | undefined,
  symbolFile: string | undefined,
): Pick<SourceSymbol, 'file' | 'line'> {
  const { file = symbolFile, line } = place ?? {};
  return {
    file: isName(file) ? file : undefined,
    line: line !== undefined && line <= MAX_LINE ? line : undefined,
  };
}

/** Calls `visit` for each load by pointers from the object, or from a variable, whose address is the first of the path. */
function forEachLoad(expression: Expression, visit: (place: MemoryPlace) => void): void {
  if (typeof expression !== 'object' || expression[0] === 'unknown') return;
  if (expression[0] === 'load') {
    const place = memoryPlaceOf(expression);
    if (place) visit(place);
    if (typeof expression[1] === 'object') forEachLoad(expression[1], visit);
    return;
  }
  for (const part of expression.slice(1))
    if (typeof part !== 'number') forEachLoad(part as Expression, visit);
}

type MutableMember = { -readonly [K in keyof StructMember]: StructMember[K] };

interface MutableStruct {
  readonly found: FoundStruct;
  /** By path. */
  readonly members: Map<string, MutableMember>;
}

/** Structs that are referred to, each once. */
class StructTable {
  readonly #structs: MutableStruct[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #variables: MutableStruct['members'] = new Map();
  #members = 0;

  /** Its index; undefined for one that has no name. */
  add(found: FoundStruct): number | undefined {
    const known = this.indexOf(found);
    if (known !== undefined) return known;
    if (!isName(found.struct.name) || this.#structs.length >= MAX_STRUCTS) return undefined;
    this.#indexes.set(structKey(found), this.#structs.length);
    this.#structs.push({ found, members: new Map() });
    return this.#structs.length - 1;
  }

  indexOf(found: FoundStruct | undefined): number | undefined {
    return found && this.#indexes.get(structKey(found));
  }

  /** Notes the members on a way of pointers. */
  refer(first: FoundStruct, path: readonly number[], size: number): void {
    const index = this.add(first);
    const [offset, ...behind] = path;
    if (index === undefined || offset === undefined) return;
    const { struct, types } = first;
    const isLast = behind.length === 0;
    const type = { kind: 'struct', struct, size: struct.size } as const;
    const leaves = types.leavesAt(type, offset, isLast ? size : POINTER_SIZE);
    const { members } = this.#structs[index]!;
    for (const { path: name, offset: at, size: length, bits } of leaves)
      this.#note(members, { path: name, offset: at, size: length, struct: undefined, bits });
    const [leaf] = leaves;
    if (leaf && !isLast) this.#referBehind(members.get(leaf.path), leaf, types, behind, size);
  }

  /** Notes a variable, or a member of it, and those on a way of pointers from there; the first offset is in it. */
  referVariable(
    variable: { readonly name: string; readonly start: number; readonly length: number },
    known: { readonly types: StructTypes; readonly type: Type } | undefined,
    [offset = 0, ...behind]: readonly number[],
    size: number,
  ): void {
    const { name, start, length } = variable;
    const isLast = behind.length === 0;
    const leaves = known?.types.leavesAt(known.type, offset, isLast ? size : POINTER_SIZE) ?? [];
    const named = (path: string) =>
      path === '' || path.startsWith('[') ? `${name}${path}` : `${name}.${path}`;
    for (const { path, offset: at, size: bytes, bits } of leaves)
      this.#note(this.#variables, {
        path: named(path),
        offset: start + at,
        size: bytes,
        struct: undefined,
        bits,
      });
    const [leaf] = leaves;
    if (!leaf || !known) {
      const whole = Math.max(length, offset + size);
      this.#note(this.#variables, {
        path: name,
        offset: start,
        size: whole,
        struct: undefined,
        bits: undefined,
      });
    } else if (!isLast)
      this.#referBehind(this.#variables.get(named(leaf.path)), leaf, known.types, behind, size);
  }

  #note(members: MutableStruct['members'], member: StructMember): void {
    if (members.has(member.path) || !isName(member.path) || ++this.#members > MAX_MEMBERS) return;
    members.set(member.path, member);
  }

  /** What is behind a pointer, whose member is noted to point to it. */
  #referBehind(
    member: MutableMember | undefined,
    leaf: Leaf,
    types: StructTypes,
    path: readonly number[],
    size: number,
  ): void {
    const target = types.targetOf(leaf.type);
    if (target?.kind !== 'struct') return;
    const found = { struct: target.struct, types };
    if (member) member.struct = this.add(found);
    this.refer(found, path, size);
  }

  variables(): StructMember[] {
    return sorted(this.#variables);
  }

  structs(): HostStruct[] {
    return this.#structs.map(({ found, members }) => ({
      name: found.struct.name ?? '',
      size: found.struct.size,
      members: sorted(members),
    }));
  }
}

function sorted(members: MutableStruct['members']): StructMember[] {
  return [...members.values()].sort((a, b) => a.offset - b.offset || (a.path < b.path ? -1 : 1));
}
