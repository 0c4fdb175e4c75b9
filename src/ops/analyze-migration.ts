import { rangeLength } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { childrenOf } from '../layout/children.ts';
import type { ArrayNode, LayoutNode, LeafNode, StructNode } from '../layout/node.ts';
import { layoutOf, type OpenedStream } from '../layout/open.ts';
import { type SectionBytes, sectionBytes } from '../layout/section-bytes.ts';
import type { RamSummary } from '../ram/ram.ts';
import { findDevice, type Schema, structLength } from '../schema/schema.ts';
import { parseVmdesc } from '../schema/vmdesc.ts';
import type { Section } from '../stream/stream.ts';
import { describe } from './describe.ts';

/**
 * A value as QEMU's scripts/analyze-migration.py shows it: integers as text; whatever the script does not know as
 * bytes; a list, whose items are made on demand and anew at each iteration; a dict.
 */
type AnalyzedValue = boolean | string | Uint8Array | Iterable<AnalyzedValue> | Map<string, AnalyzedValue>;

/**
 * What QEMU's scripts/analyze-migration.py (that of QEMU 10.2) shows of a stream, for programs that read its output:
 * a dict of sections. Where the script gives up, what it would have shown if it did not: all sections, those that
 * nothing describes as '', undecoded bytes as bytes. The configuration is not shown.
 */
export async function* analyzedSections(
  opened: OpenedStream,
): AsyncGenerator<readonly [string, AnalyzedValue]> {
  const schema = await descriptionOf(opened);
  // A section whose id was there before takes the place of that one.
  const sections = new Map(opened.stream.sections.map((section) => [section.id, section]));
  for (const section of sections.values()) {
    const summary = section.scanner?.summary();
    const described = schema && withDescription(schema, section);
    const name = `${section.idstr} (${section.id})`;
    if (described) yield [name, await describedValue({ ...opened, schema }, described)];
    else yield [name, summary?.kind === 'ram' ? ramValue(summary) : ''];
  }
}

/** The stream's own description; by tables, the one that QEMU would have written. */
async function descriptionOf(opened: OpenedStream): Promise<Schema | undefined> {
  if (!opened.tables) return opened.schema;
  const { vmdesc } = await describe(opened);
  if (!vmdesc || vmdesc === opened.vmdesc) return opened.schema;
  return parseVmdesc(JSON.stringify(vmdesc), { start: 0, end: 0 }).vmdesc?.schema;
}

/**
 * The section with the description that the script takes: of several for the same idstr and instance id the last one
 * stands for all. Where its length is not right, the script gives up, and the section keeps its own. Undefined where
 * there is no description.
 */
function withDescription(schema: Schema, section: Section): Section | undefined {
  const last = { ...section, occurrence: Number.POSITIVE_INFINITY };
  const device = findDevice(schema, last.idstr, last.instanceId, last.occurrence);
  const [record] = section.records;
  if (!device || !record || section.records.length > 1) return undefined;
  return structLength(device) === rangeLength(record.body) ? last : section;
}

async function describedValue(opened: OpenedStream, section: Section): Promise<AnalyzedValue> {
  // The script opens up nothing that the vmdesc leaves closed.
  const closed = { ...opened, tables: undefined, infoTables: undefined, resolved: undefined };
  const { root } = await layoutOf(closed, section);
  return structValue(await readSection(opened.source, root), root);
}

/** The bytes of a section, as far as its layout has read them. */
async function readSection(source: FinishedSource, root: StructNode): Promise<SectionBytes> {
  const last = root.children.at(-1);
  const end = last?.kind === 'gap' && !last.value ? last.start : root.end;
  return sectionBytes(await source.read(root.start, end - root.start), root.start);
}

function ramValue({ blocks }: RamSummary): AnalyzedValue {
  const sizes = new Map<string, AnalyzedValue>();
  for (const { idstr, length } of blocks) sizes.set(idstr, `0x${length.toString(16).padStart(16, '0')}`);
  return new Map([['section sizes', sizes]]);
}

/** Fields of the same name are one list, wherever in the struct they are; a subsection replaces what has its name. */
function structValue(section: SectionBytes, struct: StructNode): Map<string, AnalyzedValue> {
  const fields = new Map<string, LayoutNode[]>();
  for (const child of struct.children) {
    if (child.type === 'subsection header') continue;
    const name = String(child.name);
    const same = fields.get(name);
    if (same && child.type !== 'subsection') same.push(child);
    else fields.set(name, [child]);
  }
  const values = new Map<string, AnalyzedValue>();
  for (const [name, nodes] of fields) values.set(name, fieldValue(section, nodes));
  return values;
}

/** A list, or the value if there is just one, even of an array. */
function fieldValue(section: SectionBytes, nodes: readonly LayoutNode[]): AnalyzedValue {
  const list = { [Symbol.iterator]: () => elementValues(section, nodes) };
  const length = nodes.reduce((sum, node) => sum + (node.kind === 'array' ? node.length : 1), 0);
  return length === 1 ? (list[Symbol.iterator]().next().value ?? list) : list;
}

function* elementValues(
  section: SectionBytes,
  nodes: readonly LayoutNode[],
): Generator<AnalyzedValue, undefined> {
  for (const node of nodes) {
    if (node.kind !== 'array') yield nodeValue(section, node);
    else if (node.start === node.end) yield* emptyElements(node);
    else for (const element of childrenOf(node)) yield nodeValue(section, element);
  }
}

/** More elements without bytes than these are not believed. */
const MAX_EMPTY_ELEMENTS = 1 << 16;

/** Elements without bytes, for which a layout has no nodes. */
function* emptyElements({ type, length }: ArrayNode): Generator<AnalyzedValue> {
  for (let i = 0; i < Math.min(length, MAX_EMPTY_ELEMENTS); i++) yield type === 'struct' ? new Map() : '';
}

function nodeValue(section: SectionBytes, node: LayoutNode): AnalyzedValue {
  // The script does not look into a vstruct, nor into the infos that a layout opens up.
  if (node.kind === 'struct' && (node.type === 'struct' || node.type === 'subsection'))
    return structValue(section, node);
  const value = node.kind === 'leaf' ? scalarValue(node) : undefined;
  return value ?? section.bytes.subarray(node.start - section.base, node.end - section.base);
}

const unsignedTypes: ReadonlySet<string> = new Set(['uint8', 'uint16', 'uint32', 'uint32 equal', 'uint64']);

/** Types that the script shows with a sign, whether they have one or not. */
const signedTypes: ReadonlySet<string> = new Set([
  'int8',
  'int16',
  'int32',
  'int32 equal',
  'int32 le',
  'int64',
  'int64 equal',
  'uint8 equal',
  'uint16 equal',
]);

/** The value of a type that the script knows, else undefined. */
function scalarValue({ type, value, start, end }: LeafNode): AnalyzedValue | undefined {
  if (type === 'nullptr') return 'nullptr';
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value !== 'number' && typeof value !== 'bigint') return undefined;
  const signed = signedTypes.has(type);
  if (!signed && !unsignedTypes.has(type)) return undefined;
  const digits = 2 * (end - start);
  if (typeof value === 'bigint') {
    const unsigned = BigInt.asUintN(4 * digits, value);
    return hexValue(unsigned, digits, signed ? BigInt.asIntN(4 * digits, value) : unsigned);
  }
  // Of up to 32 bits: without BigInt, as there may be millions.
  const unused = 32 - 4 * digits;
  const unsigned = (value << unused) >>> unused;
  return hexValue(unsigned, digits, signed ? (value << unused) >> unused : unsigned);
}

/** The digits of `unsigned`, and in decimal what that is with its sign, where it is negative. */
function hexValue(unsigned: number | bigint, digits: number, shown: number | bigint): string {
  const hex = `0x${unsigned.toString(16).padStart(digits, '0')}`;
  return shown < 0 ? `${hex} (${shown})` : hex;
}
