import { printable } from '../bytes/diagnostic.ts';
import type { SchemaMatch } from '../ops/schema-find.ts';
import type { VmsdSummary } from '../ops/schema-list.ts';
import type {
  BinaryAddress,
  CountDescription,
  CounterDescription,
  FieldDescription,
  VmsdDescription,
} from '../ops/schema-show.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { type SchemaSymbols, sourceText } from '../schema/symbols.ts';
import { plainStyle, type Style } from './style.ts';
import { formatTable } from './text-table.ts';

/** What a schema was made from, one fact a line. */
export function* schemaFacts(schema: QemuSchema, style: Style = plainStyle): Generator<string> {
  const { vmsds, infos, functions, types, propertyLists } = schema;
  const facts = schema.origin === 'streams' ? streamFacts(schema) : binaryFacts(schema);
  const properties = propertyLists.reduce((sum, list) => sum + list.properties.length, 0);
  const fields = vmsds.reduce((sum, vmsd) => sum + vmsd.fields.length, 0);
  facts.push(['tables', `${vmsds.length} VMSDs with ${fields} fields, ${infos.length} infos`]);
  facts.push([
    'more',
    `${functions.length} functions, ${types.length} device types, ${properties} properties`,
  ]);
  for (const [name, value] of facts) yield `${style.name(name.padEnd(9))}${printable(value)}`;
}

function binaryFacts({
  qemuVersion,
  target,
  host,
  layout,
  objects,
  symbols,
}: QemuSchema): [string, string][] {
  const facts: [string, string][] = [
    ['QEMU', qemuVersion ?? 'does not say its version'],
    ['target', target ?? 'unknown'],
    ['host', `${host.machine}, ${host.byteOrder} endian`],
    ['layout', layoutText(layout)],
    ['binary', `${objects[0]?.name ?? ''}  build id ${objects[0]?.buildId ?? 'none'}`],
  ];
  const modules = objects.slice(1).map(({ name }) => name);
  if (modules.length > 0) facts.push(['modules', modules.join(', ')]);
  if (symbols) facts.push(['symbols', symbolsText(symbols)]);
  return facts;
}

function layoutText(layout: string): string {
  if (layout === 'inferred') return 'worked out from the binary';
  return layout === 'described' ? 'as debug information describes it' : `as in QEMU ${layout}`;
}

function symbolsText({ functions, vmsds }: SchemaSymbols): string {
  const named = [...functions, ...vmsds].flatMap((symbol) => symbol ?? []);
  const placed = named.filter(({ line }) => line !== undefined).length;
  const structs = vmsds.filter((symbol) => symbol?.struct !== undefined).length;
  return placed === 0
    ? `${named.length} names, no debug information`
    : `${named.length} names, ${placed} with file and line, ${structs} VMSDs with their struct`;
}

function streamFacts({ objects, machineTypes }: QemuSchema): [string, string][] {
  const [first, ...others] = objects.map(({ name }) => name);
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return [
    ['learned', `from ${first ?? 'nothing'}${more}`],
    ['machines', machineTypes.join(', ')],
  ];
}

/** A table of the schemas that ship with the package. */
export function builtinSchemaTable(
  schemas: readonly { name: string; qemuVersion: string; target: string }[],
): string[] {
  const columns = [
    { title: 'name', align: 'left' },
    { title: 'target', align: 'left' },
    { title: 'QEMU', align: 'left' },
  ] as const;
  return formatTable(
    columns,
    schemas.map(({ name, target, qemuVersion }) => [name, target, qemuVersion]),
  );
}

/** A table of VMSDs. */
export function vmsdTable(summaries: readonly VmsdSummary[]): string[] {
  const columns = [
    { title: 'name', align: 'left' },
    { title: 'version', align: 'right' },
    { title: 'from', align: 'right' },
    { title: 'fields', align: 'right' },
    { title: 'subsections', align: 'right' },
    { title: 'used by', align: 'left' },
  ] as const;
  const rows = summaries.map((vmsd) => [
    vmsdName(vmsd),
    String(vmsd.versionId),
    String(vmsd.minimumVersionId),
    String(vmsd.fields),
    vmsd.subsections === 0 ? '' : String(vmsd.subsections),
    [
      ...(vmsd.unmigratable ? ['cannot be migrated'] : []),
      ...vmsd.types.map(printable),
      ...(vmsd.embedded ? ['other VMSDs'] : []),
    ].join(', '),
  ]);
  return formatTable(columns, rows);
}

/** What a search found. */
export function matchTable(matches: readonly SchemaMatch[]): string[] {
  const columns = [
    { title: 'what', align: 'left' },
    { title: 'name', align: 'left' },
  ] as const;
  return formatTable(
    columns,
    matches.map(({ kind, name }) => [kind, printable(name)]),
  );
}

/** A VMSD as a table of its fields, with its subsections below. */
export function* vmsdText(vmsd: VmsdDescription, style: Style = plainStyle): Generator<string> {
  const file = vmsd.at.file;
  yield style.heading(vmsdName(vmsd));
  const versions =
    vmsd.minimumVersionId === vmsd.versionId
      ? `version ${vmsd.versionId}`
      : `version ${vmsd.versionId}, loads from ${vmsd.minimumVersionId}`;
  const remarks = [
    versions,
    ...(vmsd.unmigratable ? ['cannot be migrated'] : []),
    ...(vmsd.earlySetup ? ['sent before RAM'] : []),
    ...(vmsd.embeddedOnly ? ['no section is of it'] : []),
    ...(vmsd.priority === 0 ? [] : [`priority ${vmsd.priority}`]),
  ];
  yield `  ${remarks.join(', ')}`;
  yield style.faint(`  at 0x${vmsd.at.address.toString(16)} in ${printable(file)}, #${vmsd.index}`);
  const { symbol } = vmsd.at;
  if (symbol) {
    const struct = vmsd.struct && `describes ${vmsd.struct.name} (${vmsd.struct.size} bytes)`;
    yield `  ${printable([symbol.name, sourceText(symbol) ?? [], struct ?? []].flat().join(', '))}`;
  }
  if (vmsd.callbacks.length > 0) {
    yield `  ${vmsd.callbacks.map(({ name, at }) => `${name} ${placeText(at, file)}`).join(', ')}`;
  }
  if (vmsd.types.length > 0) yield `  types: ${vmsd.types.map(printable).join(', ')}`;
  if (vmsd.users.length > 0) {
    const users = vmsd.users.map((user) =>
      user.field === undefined ? vmsdName(user) : `${vmsdName(user)}/${printable(user.field)}`,
    );
    yield `  in: ${users.join(', ')}`;
  }
  if (vmsd.fields.length > 0) {
    yield '';
    for (const line of fieldTable(vmsd, file)) yield `  ${line}`;
  }
  if (vmsd.subsections.length > 0) {
    yield '';
    yield style.name('  subsections');
    const rows = vmsd.subsections.map((subsection) => [
      vmsdName(subsection),
      `version ${subsection.versionId}`,
      subsection.needed ? `needed ${placeText(subsection.needed, file)}` : 'always',
    ]);
    const widths = [0, 1].map((i) => Math.max(...rows.map((row) => row[i]!.length)));
    for (const row of rows)
      yield `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd();
  }
}

function fieldTable(vmsd: VmsdDescription, file: string): string[] {
  const columns = [
    { title: 'offset', align: 'right' },
    { title: 'size', align: 'right' },
    { title: 'field', align: 'left' },
    { title: 'type', align: 'left' },
    { title: 'count', align: 'left' },
    { title: 'from', align: 'right' },
    { title: 'if', align: 'left' },
    { title: 'flags', align: 'left' },
  ] as const;
  const rows = vmsd.fields.map((field) => [
    `0x${field.offset.toString(16)}`,
    field.sizeAt
      ? `${field.size > 1 ? `${field.size} × ` : ''}${counterText(field.sizeAt)}`
      : String(field.size),
    printable(field.name),
    typeText(field),
    countText(field.count),
    field.versionId === 0 ? '' : String(field.versionId),
    field.fieldExists ? placeText(field.fieldExists, file) : '',
    field.flags.join('|'),
  ]);
  return formatTable(columns, rows);
}

function typeText({ info, vmsd, structVersionId }: FieldDescription): string {
  const struct = vmsd && `${vmsdName(vmsd)}${structVersionId === 0 ? '' : ` version ${structVersionId}`}`;
  if (info === undefined) return struct === undefined ? '' : `struct ${struct}`;
  return struct === undefined ? printable(info) : `${printable(info)} of ${struct}`;
}

function countText(count: CountDescription): string {
  if (typeof count === 'number') return count === 1 ? '' : String(count);
  return count.factor === 1 ? counterText(count) : `${counterText(count)} × ${count.factor}`;
}

/** `*nr_irqs`, or where it is and how wide: `*0x40:u16`. */
function counterText({ offset, width, field, member }: CounterDescription): string {
  const name = field ?? member;
  return name === undefined ? `*0x${offset.toString(16)}:${width * 8} bit` : `*${printable(name)}`;
}

/** What is at an address, by the source; else the address, with the file where that is another one. */
function placeText({ file, address, symbol, condition }: BinaryAddress, here: string): string {
  if (condition !== undefined) return printable(condition);
  if (symbol) {
    const source = sourceText(symbol);
    return printable(source === undefined ? symbol.name : `${symbol.name} (${source})`);
  }
  return `0x${address.toString(16)}${file === here ? '' : ` in ${printable(file)}`}`;
}

function vmsdName({ name, index }: { readonly name: string | undefined; readonly index: number }): string {
  return name === undefined ? `#${index}` : printable(name);
}
