import type { Expression } from '../expressions/expression.ts';
import {
  type HostAddress,
  type QemuSchema,
  VMS_VARRAY,
  VMS_VBUFFER,
  type VMStateDescription,
} from '../schema/qemu-schema.ts';
import type { HostStruct, SchemaSymbols, SourceSymbol, StructMember, VmsdSymbol } from '../schema/symbols.ts';
import type { DebugFile } from './debug-files.ts';
import { findSourcePlaces, type SourcePlace } from './dwarf/source-places.ts';
import { type FoundStruct, matchStructs, structKey, type VmsdEvidence } from './match-structs.ts';

/** Structs, and members of all of them: real schemas have some 200, and 500. */
const MAX_STRUCTS = 20_000;
const MAX_MEMBERS = 200_000;
/** Characters of a name; longer ones a schema file cannot have. */
const MAX_NAME = 1000;
const MAX_LINE = 0xffff_ffff;
/** What compilers add to the name of a function that they made a variant of. */
const VARIANT = /\.(constprop|isra|part|lto_priv|cold|llvm|__uniq)\b.*$/;
/** What compilers call what has no name. */
const NAMELESS = /^(__compound_literal|\.?compoundliteral|\.?L)\b/;

/**
 * The names of the functions and VMSDs of a schema, and of the members that they read, from the debug files of its
 * objects. Undefined where they have none. `vmsdSize` is the bytes of a VMStateDescription, which tells those of an
 * array apart.
 */
export function readSchemaSymbols(
  schema: QemuSchema,
  files: readonly DebugFile[],
  vmsdSize: number,
): SchemaSymbols | undefined {
  if (files.every(({ symbols, data }) => !symbols && !data)) return undefined;
  const reader = new SymbolReader(schema, files, vmsdSize);
  return reader.read();
}

/** A variable and how far behind its start a VMSD in it is. */
interface Variable {
  readonly name: string | undefined;
  readonly file: string | undefined;
  readonly start: number;
}

class SymbolReader {
  readonly #schema: QemuSchema;
  readonly #files: readonly DebugFile[];
  readonly #vmsdSize: number;
  readonly #places: readonly ReadonlyMap<number, SourcePlace>[];
  readonly #variables: readonly Variable[];
  readonly #expressions: ReadonlyMap<number, Expression>;

  constructor(schema: QemuSchema, files: readonly DebugFile[], vmsdSize: number) {
    this.#schema = schema;
    this.#files = files;
    this.#vmsdSize = vmsdSize;
    this.#expressions = new Map(schema.expressions.map((entry) => [entry.function, entry.expression]));
    this.#variables = schema.vmsds.map(({ object, address }) => {
      const symbol = files[object]?.symbols?.variableAt(address);
      return { name: symbol?.name, file: symbol?.file, start: symbol?.address ?? address };
    });
    this.#places = files.map(({ data }, object) => {
      if (!data) return new Map();
      const functions = new Set<number>();
      const variables = new Set<number>();
      for (const place of schema.functions) if (place.object === object) functions.add(place.address);
      for (const [i, vmsd] of schema.vmsds.entries())
        if (vmsd.object === object) variables.add(this.#variables[i]!.start);
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
    return {
      functions: functions.map((place) => this.#function(place)),
      vmsds: vmsds.map((vmsd, i) => this.#vmsd(vmsd, i, structs.indexOf(found[i]))),
      structs: structs.structs(),
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
        forEachLoad(expression, (path, size) => structs.refer(struct, path, size));
    }
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

/** Calls `visit` for each load by pointers from the object. */
function forEachLoad(expression: Expression, visit: (path: readonly number[], size: number) => void): void {
  if (typeof expression !== 'object' || expression[0] === 'unknown') return;
  if (expression[0] === 'load') {
    const path = pathOf(expression);
    if (path) visit(path, expression[3]);
    if (typeof expression[1] === 'object') forEachLoad(expression[1], visit);
    return;
  }
  for (const part of expression.slice(1))
    if (typeof part !== 'number') forEachLoad(part as Expression, visit);
}

function pathOf(expression: Expression): readonly number[] | undefined {
  if (typeof expression !== 'object' || expression[0] !== 'load') return undefined;
  const [, base, offset] = expression;
  if (base === 'opaque') return [offset];
  const before = base === 'global' ? undefined : pathOf(base);
  return before && [...before, offset];
}

interface MutableStruct {
  readonly found: FoundStruct;
  /** By path. */
  readonly members: Map<string, { -readonly [K in keyof StructMember]: StructMember[K] }>;
}

/** Structs that are referred to, each once. */
class StructTable {
  readonly #structs: MutableStruct[] = [];
  readonly #indexes = new Map<string, number>();
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
    let found: FoundStruct = first;
    for (const [i, offset] of path.entries()) {
      const index = this.add(found);
      if (index === undefined) return;
      const { struct, types } = found;
      const isLast = i === path.length - 1;
      const type = { kind: 'struct', struct, size: struct.size } as const;
      const leaves = types.leavesAt(type, offset, isLast ? size : 8);
      const { members } = this.#structs[index]!;
      for (const leaf of leaves) {
        const { path: name, offset: at, size: length, bits } = leaf;
        if (members.has(name) || !isName(name) || ++this.#members > MAX_MEMBERS) continue;
        members.set(name, { path: name, offset: at, size: length, struct: undefined, bits });
      }
      if (isLast) return;
      const [leaf] = leaves;
      const target = leaf && types.targetOf(leaf.type);
      if (!leaf || target?.kind !== 'struct') return;
      found = { struct: target.struct, types };
      const member = members.get(leaf.path);
      if (member) member.struct = this.add(found);
    }
  }

  structs(): HostStruct[] {
    return this.#structs.map(({ found, members }) => ({
      name: found.struct.name ?? '',
      size: found.struct.size,
      members: [...members.values()].sort((a, b) => a.offset - b.offset || (a.path < b.path ? -1 : 1)),
    }));
  }
}
