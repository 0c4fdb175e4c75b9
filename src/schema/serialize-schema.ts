import { printableJson } from '../bytes/printable.ts';
import type {
  PropertyList,
  QemuSchema,
  QomType,
  VMStateDescription,
  VMStateField,
  VMStateInfo,
} from './qemu-schema.ts';
import type { PropertyListJson, SchemaJson, StructJson, TypeJson, VmsdJson } from './schema-json.ts';
import type { HostStruct, SchemaSymbols, SourceSymbol, StructMember } from './symbols.ts';

/** The published JSON of a schema: one line for each VMSD and the like, so that two can be compared line by line. */
export function serializeSchema(schema: QemuSchema): string {
  const json = schemaToJson(schema);
  const members = Object.entries(json).map(([name, value]) => {
    if (!Array.isArray(value) || value.length === 0)
      return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
    return `${JSON.stringify(name)}:[\n${value.map((row) => JSON.stringify(row)).join(',\n')}\n]`;
  });
  return printableJson(`{\n${members.join(',\n')}\n}\n`);
}

/** The published form of a schema, as data. */
export function schemaToJson(schema: QemuSchema): SchemaJson {
  const strings = new StringTable();
  const vmsds = schema.vmsds.map((vmsd) => vmsdToJson(vmsd, strings));
  const infos = schema.infos.map((info) => infoToRow(info, strings));
  const propertyLists = schema.propertyLists.map((list) => propertiesToJson(list, strings));
  const types = schema.types.map((type) => typeToJson(type, strings));
  const globalPropertyLists = schema.globalPropertyLists.map((list) =>
    list.flatMap(({ driver, property, value }) =>
      [driver, property, value].map((text) => strings.index(text)),
    ),
  );
  const machineProperties = schema.machineProperties.map((machine) => [
    strings.index(machine.machineType),
    ...machine.globalPropertyLists,
  ]);
  // Behind all others, so that the rest is the same with them and without.
  const symbols = schema.symbols && symbolsToJson(schema.symbols, strings);
  return {
    format: schema.format,
    formatVersion: schema.formatVersion,
    ...(schema.origin === 'binary' ? {} : { origin: schema.origin }),
    ...(schema.qemuVersion === undefined ? {} : { qemuVersion: schema.qemuVersion }),
    ...(schema.target === undefined ? {} : { target: schema.target }),
    host: schema.host,
    layout: schema.layout,
    objects: schema.objects.map(({ name, buildId }) =>
      buildId === undefined ? { name } : { name, buildId },
    ),
    strings: strings.strings,
    functions: schema.functions.map(({ object, address }) => [object, address]),
    expressions: schema.expressions.map((entry) => [entry.function, entry.expression]),
    infos,
    vmsds,
    propertyLists,
    types,
    machineTypes: schema.machineTypes,
    ...(machineProperties.length === 0 ? {} : { globalPropertyLists, machineProperties }),
    ...symbols,
  };
}

/** Numbers texts in order of first use. */
class StringTable {
  readonly strings: string[] = [];
  readonly #indexes = new Map<string, number>();

  index(text: string): number {
    const known = this.#indexes.get(text);
    if (known !== undefined) return known;
    const index = this.strings.length;
    this.#indexes.set(text, index);
    this.strings.push(text);
    return index;
  }
}

/** A reference + 1; 0 for none. */
function reference(index: number | undefined): number {
  return index === undefined ? 0 : index + 1;
}

function withoutTrailingZeros(row: number[], least = 1): number[] {
  let length = row.length;
  while (length > least && row[length - 1] === 0) length--;
  return row.slice(0, length);
}

/** In the order of `infoColumns`. */
function infoToRow(
  { name, object, address, get, put, load, save }: VMStateInfo,
  strings: StringTable,
): number[] {
  const functions = [get, put, load, save].map(reference);
  return withoutTrailingZeros([strings.index(name), object, address, ...functions]);
}

/** In the order of `fieldColumns`. */
function fieldToRow(field: VMStateField, strings: StringTable): number[] {
  return withoutTrailingZeros([
    strings.index(field.name),
    field.offset,
    field.size,
    field.flags,
    reference(field.info),
    reference(field.vmsd),
    field.num,
    field.versionId,
    reference(field.fieldExists),
    field.numOffset,
    field.numSize,
    field.sizeOffset,
    field.sizeSize,
    field.start,
    field.structVersionId,
    field.errHint === undefined ? 0 : strings.index(field.errHint) + 1,
  ]);
}

function vmsdToJson(vmsd: VMStateDescription, strings: StringTable): VmsdJson {
  const { name, object, address, versionId, minimumVersionId, priority, callbacks, subsections } = vmsd;
  return {
    ...(name === undefined ? {} : { name: strings.index(name) }),
    at: [object, address],
    versionId,
    minimumVersionId,
    ...(vmsd.unmigratable ? { unmigratable: true } : {}),
    ...(vmsd.earlySetup ? { earlySetup: true } : {}),
    ...(vmsd.embeddedOnly ? { embeddedOnly: true } : {}),
    ...(priority === 0 ? {} : { priority }),
    ...(Object.keys(callbacks).length === 0 ? {} : { callbacks }),
    ...(vmsd.fields.length === 0 ? {} : { fields: vmsd.fields.map((field) => fieldToRow(field, strings)) }),
    ...(subsections.length === 0 ? {} : { subsections }),
  };
}

function propertiesToJson(
  { object, address, properties }: PropertyList,
  strings: StringTable,
): PropertyListJson {
  return {
    at: [object, address],
    properties: properties.map(({ name, type, offset, bit, defaultValue }) => {
      const row: (number | string)[] = [strings.index(name), strings.index(type), offset, reference(bit)];
      if (defaultValue !== undefined) {
        const number = Number(defaultValue);
        row.push(Number.isSafeInteger(number) ? number : defaultValue.toString());
      }
      return row;
    }),
  };
}

function symbolsToJson(
  { functions, vmsds, structs, variables }: SchemaSymbols,
  strings: StringTable,
): Pick<SchemaJson, 'functionSymbols' | 'vmsdSymbols' | 'structs' | 'variableSymbols'> {
  const row = (index: number, { name, file, line }: SourceSymbol): number[] => [
    index,
    strings.index(name),
    file === undefined ? 0 : strings.index(file) + 1,
    line ?? 0,
  ];
  return {
    functionSymbols: functions.flatMap((symbol, i) =>
      symbol ? [withoutTrailingZeros(row(i, symbol), 2)] : [],
    ),
    vmsdSymbols: vmsds.flatMap((symbol, i) =>
      symbol ? [withoutTrailingZeros([...row(i, symbol), reference(symbol.struct)], 2)] : [],
    ),
    structs: structs.map((struct) => structToJson(struct, strings)),
    ...(variables.length === 0
      ? {}
      : { variableSymbols: variables.map((member) => memberToRow(member, strings)) }),
  };
}

function structToJson({ name, size, members }: HostStruct, strings: StringTable): StructJson {
  return {
    name: strings.index(name),
    size,
    ...(members.length === 0
      ? {}
      : {
          members: members.map((member) => memberToRow(member, strings)),
        }),
  };
}

function memberToRow({ path, offset, size, struct, bits }: StructMember, strings: StringTable): number[] {
  const row = [strings.index(path), offset, size, reference(struct), bits?.first ?? 0, bits?.count ?? 0];
  return withoutTrailingZeros(row);
}

function typeToJson(type: QomType, strings: StringTable): TypeJson {
  const { instanceSize, vmsds, propertyLists } = type;
  return {
    name: strings.index(type.name),
    parent: strings.index(type.parent),
    ...(instanceSize === 0 ? {} : { instanceSize }),
    ...(type.abstract ? { abstract: true } : {}),
    ...(vmsds.length === 0 ? {} : { vmsds }),
    ...(propertyLists.length === 0 ? {} : { propertyLists }),
  };
}
