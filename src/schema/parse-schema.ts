import { DecodeError, printable } from '../bytes/diagnostic.ts';
import { checkExpression } from '../expressions/check-expression.ts';
import { MAX_EXPRESSION_DEPTH } from '../expressions/expression.ts';
import {
  asArray,
  asInt32,
  asInteger,
  asObject,
  asString,
  type CheckedObject,
  JsonProblem,
  parseCheckedJson,
  quoted,
} from './checked-json.ts';
import {
  type FunctionExpression,
  type GlobalProperty,
  type HostAddress,
  type MachineProperties,
  type Property,
  type PropertyList,
  QEMU_SCHEMA_FORMAT,
  QEMU_SCHEMA_FORMAT_VERSION,
  type QemuSchema,
  type QomType,
  type SchemaObject,
  type VMStateDescription,
  type VMStateField,
  type VMStateInfo,
  type VmsdCallback,
} from './qemu-schema.ts';
import { fieldColumns, infoColumns, vmsdCallbacks } from './schema-json.ts';
import type { HostStruct, SchemaSymbols, SourceSymbol, StructMember, VmsdSymbol } from './symbols.ts';
import { vmsdGraphProblem } from './vmsd-graph.ts';

/** Brackets inside each other: those of an expression, and a few around it. */
export const MAX_SCHEMA_DEPTH = MAX_EXPRESSION_DEPTH + 8;
/** The path of a row of which nothing is known to be wrong. */
const NOWHERE = '';
const INT32_MIN = -0x8000_0000;
const INT32_MAX = 0x7fff_ffff;
const UINT32_MAX = 0xffff_ffff;
/** Bytes of a counter. */
const COUNTER_SIZES: readonly number[] = [0, 1, 2, 4, 8];

/**
 * Reads the published JSON of a schema, which may come from anybody: every type, range, index and count is checked, and
 * VMSDs must not contain themselves. Members that are not known are ignored. `name` is for messages. Throws DecodeError
 * `bad-schema`.
 *
 * Checked by hand, not by a schema library: most of what can be wrong is an index out of range, which no library would
 * check, and a schema is read each time a stream is.
 */
export function parseSchema(text: string, name = '<schema>'): QemuSchema {
  return orBadSchema(name, () => new SchemaParser(parseCheckedJson(text, MAX_SCHEMA_DEPTH)));
}

/** The same of JSON that is parsed already, and nests no deeper than MAX_SCHEMA_DEPTH. */
export function schemaOfJson(value: unknown, name: string): QemuSchema {
  return orBadSchema(name, () => new SchemaParser(value));
}

function orBadSchema(name: string, parser: () => SchemaParser): QemuSchema {
  try {
    return parser().schema();
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw new DecodeError({
      severity: 'error',
      code: 'bad-schema',
      message: `${printable(name)} is no usable schema: ${error.message}`,
    });
  }
}

/** Numbers of rows of the tables that others refer to. */
interface TableSizes {
  readonly objects: number;
  readonly strings: number;
  readonly functions: number;
  readonly infos: number;
  readonly vmsds: number;
  readonly propertyLists: number;
  readonly globalPropertyLists: number;
  readonly structs: number;
}

class SchemaParser {
  readonly #json: CheckedObject;
  readonly #strings: readonly string[];
  readonly #sizes: TableSizes;

  constructor(value: unknown) {
    const json = asObject(value, 'the file');
    if (json['format'] !== QEMU_SCHEMA_FORMAT)
      throw new JsonProblem(`"format" is not "${QEMU_SCHEMA_FORMAT}"`);
    if (json['formatVersion'] !== QEMU_SCHEMA_FORMAT_VERSION)
      throw new JsonProblem(
        `"formatVersion" is ${printable(String(json['formatVersion'])).slice(0, 20)}, this program reads ${QEMU_SCHEMA_FORMAT_VERSION}`,
      );
    this.#json = json;
    this.#strings = asArray(json['strings'], 'strings').map((text, i) => asString(text, `strings[${i}]`));
    const size = (name: string) => asArray(json[name], name).length;
    this.#sizes = {
      objects: size('objects'),
      strings: this.#strings.length,
      functions: size('functions'),
      infos: size('infos'),
      vmsds: size('vmsds'),
      propertyLists: size('propertyLists'),
      globalPropertyLists: json['globalPropertyLists'] === undefined ? 0 : size('globalPropertyLists'),
      structs: json['structs'] === undefined ? 0 : size('structs'),
    };
  }

  schema(): QemuSchema {
    const json = this.#json;
    const host = asObject(json['host'], 'host');
    const byteOrder = host['byteOrder'];
    if (byteOrder !== 'little' && byteOrder !== 'big')
      throw new JsonProblem('"host.byteOrder" is neither "little" nor "big"');
    const vmsds = this.#rows('vmsds', (row, path) => this.#vmsd(row, path));
    const problem = vmsdGraphProblem(vmsds);
    if (problem !== undefined) throw new JsonProblem(problem);
    return {
      format: QEMU_SCHEMA_FORMAT,
      formatVersion: QEMU_SCHEMA_FORMAT_VERSION,
      origin: parseOrigin(json['origin']),
      qemuVersion: asOptionalString(json['qemuVersion'], 'qemuVersion'),
      target: asOptionalString(json['target'], 'target'),
      host: { machine: asString(host['machine'], 'host.machine'), byteOrder },
      layout: asString(json['layout'], 'layout'),
      objects: this.#rows('objects', (row, path) => parseObject(row, path)),
      functions: this.#rows('functions', (row, path) => this.#address(row, path)),
      expressions:
        json['expressions'] === undefined
          ? []
          : this.#rows('expressions', (row, path) => this.#expression(row, path)),
      infos: this.#rows('infos', (row, path) => this.#info(row, path)),
      vmsds,
      propertyLists: this.#rows('propertyLists', (row, path) => this.#propertyList(row, path)),
      types: this.#rows('types', (row, path) => this.#type(row, path)),
      machineTypes:
        json['machineTypes'] === undefined
          ? []
          : this.#rows('machineTypes', (name, path) => asString(name, path)),
      globalPropertyLists:
        json['globalPropertyLists'] === undefined
          ? []
          : this.#rows('globalPropertyLists', (row, path) => this.#globalProperties(row, path)),
      machineProperties:
        json['machineProperties'] === undefined
          ? []
          : this.#rows('machineProperties', (row, path) => this.#machineProperties(row, path)),
      ...(json['functionSymbols'] === undefined ? {} : { symbols: this.#symbols() }),
    };
  }

  #symbols(): SchemaSymbols {
    const functions: (SourceSymbol | undefined)[] = Array.from({ length: this.#sizes.functions });
    const vmsds: (VmsdSymbol | undefined)[] = Array.from({ length: this.#sizes.vmsds });
    this.#rows('functionSymbols', (value, path) => {
      const row = asRow(value, 4, path);
      functions[this.#index(row[0], 'functions', `${path}[0]`)] = this.#symbol(row, path);
    });
    if (this.#json['vmsdSymbols'] !== undefined)
      this.#rows('vmsdSymbols', (value, path) => {
        const row = asRow(value, 5, path);
        const struct = this.#reference(row[4], 'structs', `${path}[4]`);
        vmsds[this.#index(row[0], 'vmsds', `${path}[0]`)] = { ...this.#symbol(row, path), struct };
      });
    const structs =
      this.#json['structs'] === undefined
        ? []
        : this.#rows('structs', (row, path) => this.#struct(row, path));
    const variables =
      this.#json['variableSymbols'] === undefined
        ? []
        : this.#rows('variableSymbols', (row, path) => this.#member(row, path));
    return { functions, vmsds, structs, variables };
  }

  #symbol(row: readonly unknown[], path: string): SourceSymbol {
    const file = this.#reference(row[2], 'strings', `${path}[2]`);
    const line = asInteger(row[3] ?? 0, 0, UINT32_MAX, `${path}[3]`);
    return {
      name: this.#string(row[1], `${path}[1]`),
      file: file === undefined ? undefined : this.#strings[file],
      line: line === 0 ? undefined : line,
    };
  }

  #struct(value: unknown, path: string): HostStruct {
    const { name, size, members } = asObject(value, path);
    return {
      name: this.#string(name, `${path}.name`),
      size: asInteger(size, 0, Number.MAX_SAFE_INTEGER, `${path}.size`),
      members: asArray(members ?? [], `${path}.members`).map((row, i) =>
        this.#member(row, path === NOWHERE ? NOWHERE : `${path}.members[${i}]`),
      ),
    };
  }

  #member(value: unknown, path: string): StructMember {
    const row = asRow(value, 6, path);
    const count = asInteger(row[5] ?? 0, 0, 64, `${path}[5]`);
    const first = asInteger(row[4] ?? 0, 0, 7, `${path}[4]`);
    return {
      path: this.#string(row[0], `${path}[0]`),
      offset: asInteger(row[1] ?? 0, 0, Number.MAX_SAFE_INTEGER, `${path}[1]`),
      size: asInteger(row[2] ?? 0, 0, Number.MAX_SAFE_INTEGER, `${path}[2]`),
      struct: this.#reference(row[3], 'structs', `${path}[3]`),
      bits: count === 0 ? undefined : { first, count },
    };
  }

  #rows<T>(name: string, parse: (row: unknown, path: string) => T): T[] {
    return asArray(this.#json[name], name).map((row, i) => {
      try {
        return parse(row, NOWHERE);
      } catch (error) {
        if (!(error instanceof JsonProblem)) throw error;
        // Where a thing is, is only made up for what is wrong.
        return parse(row, `${name}[${i}]`);
      }
    });
  }

  /** An index into a table. */
  #index(value: unknown, table: keyof TableSizes, path: string): number {
    const index = asInteger(value, 0, Number.MAX_SAFE_INTEGER, path);
    if (index >= this.#sizes[table])
      throw new JsonProblem(`"${path}" is ${index}, but ${table} has ${this.#sizes[table]} rows`);
    return index;
  }

  #indexes(value: unknown, table: keyof TableSizes, path: string): number[] {
    if (value === undefined) return [];
    return asArray(value, path).map((index, i) => this.#index(index, table, `${path}[${i}]`));
  }

  /** An index + 1 in a row; 0 and what is missing is none. */
  #reference(value: unknown, table: keyof TableSizes, path: string): number | undefined {
    if (value === undefined || value === 0) return undefined;
    return this.#index(asInteger(value, 1, Number.MAX_SAFE_INTEGER, path) - 1, table, path);
  }

  #string(value: unknown, path: string): string {
    return this.#strings[this.#index(value, 'strings', path)] ?? '';
  }

  #address(value: unknown, path: string): HostAddress {
    const row = asArray(value, path);
    return {
      object: this.#index(row[0], 'objects', `${path}[0]`),
      address: asInteger(row[1], 0, Number.MAX_SAFE_INTEGER, `${path}[1]`),
    };
  }

  #expression(value: unknown, path: string): FunctionExpression {
    const [index, json] = asArray(value, path);
    const expression = checkExpression(json);
    if (expression === undefined) throw new JsonProblem(`"${path}[1]" is no expression`);
    return { function: this.#index(index, 'functions', `${path}[0]`), expression };
  }

  #info(value: unknown, path: string): VMStateInfo {
    const row = asRow(value, infoColumns.length, path);
    const at = (column: number) => `${path}.${infoColumns[column]?.[0]}`;
    return {
      name: this.#string(row[0], at(0)),
      object: this.#index(row[1] ?? 0, 'objects', at(1)),
      address: asInteger(row[2] ?? 0, 0, Number.MAX_SAFE_INTEGER, at(2)),
      get: this.#reference(row[3], 'functions', at(3)),
      put: this.#reference(row[4], 'functions', at(4)),
      load: this.#reference(row[5], 'functions', at(5)),
      save: this.#reference(row[6], 'functions', at(6)),
    };
  }

  #vmsd(value: unknown, path: string): VMStateDescription {
    const json = asObject(value, path);
    const { name, at, versionId, minimumVersionId, priority, callbacks, fields, subsections } = json;
    return {
      ...this.#address(at, `${path}.at`),
      name: name === undefined ? undefined : this.#string(name, `${path}.name`),
      versionId: asInt32(versionId, `${path}.versionId`),
      minimumVersionId: asInt32(minimumVersionId, `${path}.minimumVersionId`),
      unmigratable: asFlag(json['unmigratable'], `${path}.unmigratable`),
      earlySetup: asFlag(json['earlySetup'], `${path}.earlySetup`),
      embeddedOnly: asFlag(json['embeddedOnly'], `${path}.embeddedOnly`),
      priority: asInteger(priority ?? 0, 0, UINT32_MAX, `${path}.priority`),
      callbacks: this.#callbacks(callbacks, `${path}.callbacks`),
      fields: asArray(fields ?? [], `${path}.fields`).map((row, i) =>
        this.#field(row, path === NOWHERE ? NOWHERE : `${path}.fields[${i}]`),
      ),
      subsections: this.#indexes(subsections, 'vmsds', `${path}.subsections`),
    };
  }

  #callbacks(value: unknown, path: string): Readonly<Partial<Record<VmsdCallback, number>>> {
    const json = asObject(value ?? {}, path);
    const callbacks: Partial<Record<VmsdCallback, number>> = {};
    for (const name of vmsdCallbacks) {
      if (json[name] !== undefined) callbacks[name] = this.#index(json[name], 'functions', `${path}.${name}`);
    }
    return callbacks;
  }

  #field(value: unknown, path: string): VMStateField {
    const row = asRow(value, fieldColumns.length, path);
    const at = (column: number) => (path === NOWHERE ? NOWHERE : `${path}.${fieldColumns[column]?.[0]}`);
    const integer = (column: number, minimum: number, maximum: number) =>
      asInteger(row[column] ?? 0, minimum, maximum, at(column));
    const size = (column: number) => integer(column, 0, Number.MAX_SAFE_INTEGER);
    const counterSize = (column: number) => {
      const bytes = integer(column, 0, 8);
      if (!COUNTER_SIZES.includes(bytes)) throw new JsonProblem(`"${at(column)}" is not 0, 1, 2, 4 or 8`);
      return bytes;
    };
    const errHint = this.#reference(row[15], 'strings', at(15));
    return {
      name: this.#string(row[0], at(0)),
      offset: size(1),
      size: size(2),
      flags: integer(3, 0, UINT32_MAX),
      info: this.#reference(row[4], 'infos', at(4)),
      vmsd: this.#reference(row[5], 'vmsds', at(5)),
      num: integer(6, INT32_MIN, INT32_MAX),
      versionId: integer(7, INT32_MIN, INT32_MAX),
      fieldExists: this.#reference(row[8], 'functions', at(8)),
      numOffset: size(9),
      numSize: counterSize(10),
      sizeOffset: size(11),
      sizeSize: counterSize(12),
      start: size(13),
      structVersionId: integer(14, INT32_MIN, INT32_MAX),
      errHint: errHint === undefined ? undefined : this.#strings[errHint],
    };
  }

  #propertyList(value: unknown, path: string): PropertyList {
    const { at, properties } = asObject(value, path);
    return {
      ...this.#address(at, `${path}.at`),
      properties: asArray(properties, `${path}.properties`).map((row, i) =>
        this.#property(row, path === NOWHERE ? NOWHERE : `${path}.properties[${i}]`),
      ),
    };
  }

  #property(value: unknown, path: string): Property {
    const row = asRow(value, 5, path);
    const bit = asInteger(row[3] ?? 0, 0, 64, `${path}[3]`);
    return {
      name: this.#string(row[0], `${path}[0]`),
      type: this.#string(row[1], `${path}[1]`),
      offset: asInteger(row[2] ?? 0, 0, Number.MAX_SAFE_INTEGER, `${path}[2]`),
      bit: bit === 0 ? undefined : bit - 1,
      defaultValue: row.length > 4 ? asInt64(row[4], `${path}[4]`) : undefined,
    };
  }

  #globalProperties(value: unknown, path: string): GlobalProperty[] {
    const row = asArray(value, path);
    if (row.length % 3 !== 0)
      throw new JsonProblem(`${quoted(path)} has ${row.length} columns, which is no multiple of 3`);
    const properties: GlobalProperty[] = [];
    for (let i = 0; i < row.length; i += 3) {
      const text = (at: number) => this.#string(row[at], `${path}[${at}]`);
      properties.push({ driver: text(i), property: text(i + 1), value: text(i + 2) });
    }
    return properties;
  }

  #machineProperties(value: unknown, path: string): MachineProperties {
    const [name, ...lists] = asArray(value, path);
    return {
      machineType: this.#string(name, `${path}[0]`),
      globalPropertyLists: lists.map((list, i) =>
        this.#index(list, 'globalPropertyLists', `${path}[${i + 1}]`),
      ),
    };
  }

  #type(value: unknown, path: string): QomType {
    const json = asObject(value, path);
    const size = json['instanceSize'] ?? 0;
    return {
      name: this.#string(json['name'], `${path}.name`),
      parent: this.#string(json['parent'], `${path}.parent`),
      instanceSize: asInteger(size, 0, Number.MAX_SAFE_INTEGER, `${path}.instanceSize`),
      abstract: asFlag(json['abstract'], `${path}.abstract`),
      vmsds: this.#indexes(json['vmsds'], 'vmsds', `${path}.vmsds`),
      propertyLists: this.#indexes(json['propertyLists'], 'propertyLists', `${path}.propertyLists`),
    };
  }
}

function parseOrigin(value: unknown): QemuSchema['origin'] {
  if (value === undefined || value === 'binary') return 'binary';
  if (value === 'streams') return value;
  throw new JsonProblem('"origin" is neither "binary" nor "streams"');
}

function parseObject(value: unknown, path: string): SchemaObject {
  const { name, buildId } = asObject(value, path);
  return { name: asString(name, `${path}.name`), buildId: asOptionalString(buildId, `${path}.buildId`) };
}

function asRow(value: unknown, columns: number, path: string): readonly unknown[] {
  const row = asArray(value, path);
  if (row.length === 0 || row.length > columns)
    throw new JsonProblem(`${quoted(path)} has ${row.length} columns, not 1 to ${columns}`);
  return row;
}

function asInt64(value: unknown, path: string): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?[0-9]{1,20}$/.test(value)) {
    const number = BigInt(value);
    if (BigInt.asIntN(64, number) === number) return number;
  }
  throw new JsonProblem(`${quoted(path)} is no 64-bit integer`);
}

function asOptionalString(value: unknown, path: string): string | undefined {
  return value === undefined ? undefined : asString(value, path);
}

/** True, or not there. */
function asFlag(value: unknown, path: string): boolean {
  if (value !== undefined && typeof value !== 'boolean')
    throw new JsonProblem(`${quoted(path)} is no boolean`);
  return value === true;
}
