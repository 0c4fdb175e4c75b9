import { formatPath, printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import { knowledgeOf, type LayoutNode } from '../layout/node.ts';
import { isPadding } from '../ops/align.ts';
import type { Change } from '../ops/diff-layouts.ts';
import type { PageRange, RamBlockDiff, RamDiff } from '../ops/diff-ram.ts';
import type { CommandChange, SectionDiff, SectionName, SectionSide, StreamDiff } from '../ops/diff-result.ts';
import type { ChangedRange } from '../ops/range-list.ts';
import { asciiText, valueText } from './dump-text.ts';
import { formatSize } from './size.ts';
import { plainText, type Style, type TextOptions } from './style.ts';
import { hexBytes } from './value.ts';

export interface DiffTextOptions extends TextOptions {
  /** A column for each side. */
  readonly sideBySide: boolean;
  /** Shorten nothing. */
  readonly full: boolean;
}

/** Columns from which on there is room for one of each side. */
export const WIDE = 120;

interface Context extends DiffTextOptions {
  /** Values are not shown. */
  readonly structure: boolean;
}

const INDENT = '  ';
/** Without `full`: ranges that are listed of a buffer or array, of a block of RAM, and bytes that are shown of a range. */
const SHORT_RANGES = 4;
const SHORT_PAGE_RANGES = 16;
const SHORT_BYTES = 16;
/** Bytes of a buffer of another size that are shown. */
const MAX_RESIZED = 32;
/** Sections that are named one by one where others are alike. */
const SHORT_ALIKE = 6;
const MAX_NAME_WIDTH = 44;

/** The differences of two streams, line by line without newlines. */
export function* diffText(diff: StreamDiff, display: Partial<DiffTextOptions> = {}): Generator<string> {
  const { style } = contextOf(diff, display);
  for (const side of ['a', 'b'] as const) {
    const { name, machineType, sections, size } = diff[side];
    const facts = [machineType ?? 'no machine type', `${sections} sections`, formatSize(size)];
    yield `${style.heading(side.toUpperCase())}  ${printable(name)}  ${style.faint(printable(facts.join(', ')))}`;
  }
  yield* differencesText(diff, display);
  yield '';
  yield* totals(diff);
}

function contextOf({ structure }: StreamDiff, display: Partial<DiffTextOptions>): Context {
  return { ...plainText, width: WIDE, sideBySide: false, full: false, ...display, structure };
}

/** The differences alone, each part behind an empty line. */
export function* differencesText(
  diff: StreamDiff,
  display: Partial<DiffTextOptions> = {},
): Generator<string> {
  const options = contextOf(diff, display);
  const { style } = options;
  if (diff.footers) {
    const text = (has: boolean) => (has ? 'footers' : 'no footers');
    yield '';
    yield `${style.heading('framing')}`;
    yield `${INDENT}${mark('changed', style)} ${text(diff.footers.a)} → ${text(diff.footers.b)}`;
  }
  yield* commandLines(diff.commands, options);
  for (const section of diff.sections) yield* sectionLines(section, options);
  if (diff.order.length > 0) {
    yield '';
    yield style.heading('order of sections');
    yield `${INDENT}${mark('changed', style)} elsewhere among the others in B: ${namesText(diff.order, options)}`;
  }
  if (diff.ram) yield* ramLines(diff.ram, options);
}

function* totals(diff: StreamDiff): Generator<string> {
  const { unchanged, ram, structure } = diff;
  const same = structure ? 'the same in form' : 'the same';
  const rest = `${count(unchanged.sections, 'section')} unchanged, ${count(unchanged.fields, 'field')} ${same}`;
  const unread = [
    ...(ram && !ram.pagesCompared && !structure ? ['the content of RAM (--ram does)'] : []),
    ...diff.unread.map((name) => `${nameText(name)} (--full-scan does)`),
  ];
  const apart = unread.length > 0 ? `; not compared: ${unread.join(', ')}` : '';
  if (diff.verdict !== 'different') {
    const found = diff.verdict === 'same' ? 'no difference' : 'no difference in what could be decoded';
    yield `${found}: ${rest}${apart}`;
    return;
  }
  const all = diff.sections.flatMap((section) => [section, ...(section.alike ?? [])]).length;
  yield `${count(all, 'section')} ${all === 1 ? 'differs' : 'differ'}; ${rest}${apart}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

type Mark = 'added' | 'removed' | 'changed' | 'form';

const MARKS: Readonly<Record<Mark, string>> = { added: '+', removed: '-', changed: '~', form: '!' };

function mark(kind: Mark, style: Style): string {
  const paint = kind === 'removed' ? style.error : kind === 'added' ? style.name : style.warning;
  return paint(MARKS[kind]);
}

function* commandLines(commands: readonly CommandChange[], options: Context): Generator<string> {
  const { style } = options;
  if (commands.length === 0) return;
  yield '';
  yield style.heading('commands');
  for (const { kind, a, b } of commands) {
    const text = `${mark(kind === 'value' ? 'changed' : kind, style)} ${printable((a ?? b)!.name)}`;
    yield `${INDENT}${text}  ${kind === 'value' ? 'carries something else  ' : ''}${style.faint(offsetsText(a?.offset, b?.offset))}`;
  }
}

function* sectionLines(section: SectionDiff, options: Context): Generator<string> {
  const { style } = options;
  const { kind, alike = [], counterpart, changes, omitted, same } = section;
  // Shown with its counterpart.
  if (kind === 'added' && counterpart) return;
  yield '';
  const a = section.a;
  const b = kind === 'removed' ? counterpart : section.b;
  const facts = [
    factText('version', a, b, ({ versionId }) => versionId),
    factText('VMSD', a, b, ({ vmsdName }) =>
      section.section.endsWith(vmsdName ?? '') ? undefined : vmsdName,
    ),
    factText('', a, b, ({ size }) => formatSize(size)),
    alike.length > 0 ? '' : offsetsText(a?.offset, b?.offset),
  ];
  const known = style.faint(facts.filter((fact) => fact !== '').join(', '));
  const names = style.heading(namesText([section, ...alike], options));
  if (counterpart) {
    const other = style.heading(nameText(counterpart));
    yield `${mark('removed', style)} ${names} ${mark('added', style)} ${other}  the same VMSD elsewhere  ${known}`;
  } else if (kind === 'changed') yield `${names}  ${known}`;
  else {
    const only = alike.length > 0 ? `${alike.length + 1} sections only` : 'only';
    yield `${mark(kind, style)} ${names}  ${only} in ${kind === 'added' ? 'B' : 'A'}  ${known}`;
    return;
  }
  const rows = changes
    // That of the section itself is in the heading.
    .filter(({ kind: what, path }) => what !== 'version' || path.length > 0)
    .map((change) => changeRow(change, options));
  const width = Math.min(MAX_NAME_WIDTH, Math.max(0, ...rows.map(({ name }) => name.length)));
  for (const row of rows)
    yield options.sideBySide ? sideLine(row, width, options) : unifiedLine(row, width, options);
  if (omitted > 0) yield `${INDENT}${style.faint(`… ${count(omitted, 'more difference')}`)}`;
  if (same > 0) yield `${INDENT}${style.faint(`${count(same, 'field')} the same`)}`;
}

function factText(
  what: string,
  a: SectionSide | undefined,
  b: SectionSide | undefined,
  get: (side: SectionSide) => string | number | undefined,
): string {
  const [valueA, valueB] = [a && get(a), b && get(b)];
  if (valueA === undefined && valueB === undefined) return '';
  const text = a && b && valueA !== valueB ? `${valueA ?? '-'} → ${valueB ?? '-'}` : String(valueA ?? valueB);
  return printable(`${what} ${text}`.trimStart());
}

export function nameText({ section, instanceId }: SectionName): string {
  return printable(instanceId === 0 ? section : `${section}@${instanceId}`);
}

function namesText(names: readonly SectionName[], { full }: Context): string {
  const shown = full || names.length <= SHORT_ALIKE + 1 ? names : names.slice(0, SHORT_ALIKE);
  const rest = names.length - shown.length;
  return `${shown.map(nameText).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** `at 0x1a` where both are there, or only one is; `at 0x1a / 0x1b` where they are not at the same place. */
function offsetsText(a: number | undefined, b: number | undefined): string {
  if (a === undefined || b === undefined || a === b) return `at ${hexOffset((a ?? b)!)}`;
  return `at ${hexOffset(a)} / ${hexOffset(b)}`;
}

/** A change in words. */
export interface ChangeRow {
  readonly mark: Mark;
  readonly name: string;
  /** What holds for both sides. */
  readonly type: string;
  /** What they have, part by part; `label` is the part. */
  readonly parts: readonly { readonly label: string; readonly a: string; readonly b: string }[];
  readonly notes: readonly string[];
  readonly offsetA: number | undefined;
  readonly offsetB: number | undefined;
}

/** A change in words; with `structure` without values. */
export function changeRow(change: Change, options: Pick<Context, 'structure' | 'full'>): ChangeRow {
  const { kind, path, pathB, a, b, times } = change;
  const [nodeA] = a;
  const [nodeB] = b;
  const node = (nodeA ?? nodeB)!;
  const name = pathName(path);
  const row = {
    name: pathB === undefined || kind === 'regrouped' ? name : `${name} → ${pathName(pathB)}`,
    type: '',
    parts: [],
    notes: notesOf(change),
    offsetA: times === undefined ? nodeA?.start : undefined,
    offsetB: times === undefined ? nodeB?.start : undefined,
  };
  const pair = (textA: string, textB: string) => [{ label: '', a: textA, b: textB }];
  const both = (text: (each: LayoutNode) => string) => pair(text(nodeA!), text(nodeB!));
  switch (kind) {
    case 'value': {
      const type = typeText(node);
      const [textA, textB] = [a, b].map((nodes) => asciiText(bytesOf(nodes)));
      if (textA !== undefined && textB !== undefined)
        return { ...row, mark: 'changed', type, parts: pair(JSON.stringify(textA), JSON.stringify(textB)) };
      if (change.ranges && !isShort(change))
        return { ...row, mark: 'changed', type, parts: rangeParts(change, options) };
      return { ...row, mark: 'changed', type, parts: both((each) => shownValue(each, options)) };
    }
    case 'type':
      return { ...row, mark: 'form', parts: both(typeText) };
    case 'size': {
      const sizes = [nodeA!, nodeB!].map((each) => formatSize(sizeOf(each)));
      const text = (each: LayoutNode) => {
        const size = sizes[0] === sizes[1] ? `${sizeOf(each)} B` : formatSize(sizeOf(each));
        const isLong = each.kind !== 'leaf' || sizeOf(each) > MAX_RESIZED;
        return options.structure || isLong ? size : `${size}: ${shownValue(each, options)}`;
      };
      return { ...row, mark: 'form', type: printable(node.type), parts: both(text) };
    }
    case 'length':
      return {
        ...row,
        mark: 'form',
        type: printable(node.type),
        parts: both((each) => `[${lengthOf(each)}]`),
      };
    case 'version':
      return { ...row, mark: 'form', type: 'version', parts: both((each) => String(versionOf(each) ?? '-')) };
    case 'moved':
      return { ...row, mark: 'form', type: typeText(node) };
    case 'renamed':
      return { ...row, mark: 'form', type: typeText(node) };
    case 'regrouped':
      return {
        ...row,
        mark: 'form',
        name: `${groupName(path, a)} → ${groupName(pathB ?? path, b)}`,
        parts: pair(a.map(typeText).join(', '), b.map(typeText).join(', ')),
      };
    case 'added':
    case 'removed': {
      const part = change.ranges ? rangesText(change, options) : ownText(node, options);
      const parts = part === '' ? [] : [{ label: part, a: '', b: '' }];
      return { ...row, mark: kind, type: typeText(node), parts };
    }
  }
}

function pathName(path: Change['path']): string {
  return printable(formatPath(path)).replaceAll('/*', '[*]') || '(section)';
}

function notesOf({ kind, times, differing, unit, ranges, a, b }: Change): string[] {
  const notes: string[] = [];
  if (kind === 'moved') notes.push('at another place in its struct');
  if (kind === 'renamed') notes.push('another name, the same form');
  if (kind === 'regrouped') {
    const isCovered = [a, b].some((nodes) => nodes.every(isPadding));
    notes.push(
      `${formatSize(a.reduce((sum, node) => sum + sizeOf(node), 0))} ${isCovered ? 'of padding in their place' : 'of the same form in other fields'}`,
    );
  }
  if (differing !== undefined && ranges && kind === 'value') {
    const [node] = a;
    const all = unit === 'bytes' ? sizeOf(node!) : lengthOf(node!);
    if (differing > 1 && all !== 1) notes.push(`${differing} of ${all} ${unit}`);
  }
  if (times !== undefined) notes.push(`${times} times`);
  for (const [side, nodes] of [['A', a] as const, ['B', b] as const]) {
    const knowledge = nodes.map(knowledgeOf);
    if (knowledge.includes('gap')) notes.push(`not decoded in ${side}`);
    else if (knowledge.includes('chosen')) notes.push(`a guess in ${side}`);
  }
  return notes;
}

function unifiedLine(row: ChangeRow, width: number, { style }: Context): string {
  const parts = row.parts.map(({ label, a, b }) => {
    const change = a === '' && b === '' ? '' : `${a} → ${b}`;
    return [label, change].filter((text) => text !== '').join(' ');
  });
  const words = [
    `${mark(row.mark, style)} ${style.name(row.name.padEnd(width))}`,
    style.faint(row.type),
    style.value(parts.join(', ')),
    row.notes.length > 0 ? `(${row.notes.join(', ')})` : '',
    row.offsetA === undefined && row.offsetB === undefined
      ? ''
      : style.faint(offsetsText(row.offsetA, row.offsetB)),
  ];
  return INDENT + words.filter((word) => word !== '').join('  ');
}

/** Name and type, then a column for each side. */
function sideLine(row: ChangeRow, width: number, { style, width: columns, full }: Context): string {
  const room = Math.max(16, Math.floor((columns - INDENT.length - 2 - width - 6) / 2));
  const cell = (side: 'a' | 'b', offset: number | undefined) => {
    if (offset === undefined && row.parts.every((part) => part[side] === '' && part.label !== '')) return '';
    const values = row.parts.map((part) => [part.label, part[side]].filter((text) => text !== '').join(' '));
    const words = [
      offset === undefined ? '' : `${hexOffset(offset)}:`,
      row.type,
      values.join(', '),
      side === 'b' || row.mark === 'removed' ? row.notes.join(', ') : '',
    ];
    const text = words.filter((word) => word !== '').join('  ');
    return full || text.length <= room ? text : `${text.slice(0, room - 1)}…`;
  };
  const isBoth = row.mark !== 'added' && row.mark !== 'removed';
  const left = isBoth || row.mark === 'removed' ? cell('a', row.offsetA) : '';
  const right = isBoth || row.mark === 'added' ? cell('b', row.offsetB) : '';
  const name = row.name.length > width ? `${row.name.slice(0, width - 1)}…` : row.name.padEnd(width);
  return `${INDENT}${mark(row.mark, style)} ${style.name(name)}  ${left.padEnd(room)} ${style.faint('│')} ${right}`.trimEnd();
}

function sizeOf({ start, end }: LayoutNode): number {
  return end - start;
}

function lengthOf(node: LayoutNode): number {
  return node.kind === 'array' ? node.length : 1;
}

function versionOf(node: LayoutNode): number | undefined {
  return node.kind === 'struct' ? node.versionId : undefined;
}

function typeText(node: LayoutNode): string {
  const type = printable(node.type);
  switch (node.kind) {
    case 'gap':
      return `(gap: ${type})`;
    case 'array':
      return `${type}[${node.length}]`;
    case 'struct': {
      const isNamed = node.vmsdName !== undefined && node.vmsdName !== node.name;
      return isNamed ? `${type} ${printable(node.vmsdName ?? '')}` : type;
    }
    default:
      return node.value instanceof Uint8Array ? `${type} (${formatSize(sizeOf(node))})` : type;
  }
}

/** The path of the first, and the names of the others. */
function groupName(path: Change['path'], nodes: readonly LayoutNode[]): string {
  return [pathName(path), ...nodes.slice(1).map(({ name }) => printable(String(name)))].join(', ');
}

/** Value of what one side has, where it is short. */
function shownValue(node: LayoutNode, { full }: Pick<Context, 'full'>): string {
  if (node.kind === 'leaf') return valueText(node, full);
  return node.kind === 'array' ? `[${node.length}]` : formatSize(sizeOf(node));
}

function ownText(node: LayoutNode, { full, structure }: Pick<Context, 'structure' | 'full'>): string {
  if (node.kind === 'leaf') return structure ? '' : valueText(node, full);
  const version = versionOf(node);
  return `${version === undefined ? '' : `v${version}, `}${formatSize(sizeOf(node))}`;
}

/** A buffer that is shown whole. */
function isShort({ a: [a], b: [b], unit }: Change): boolean {
  return (
    unit === 'bytes' &&
    a?.kind === 'leaf' &&
    b?.kind === 'leaf' &&
    sizeOf(a) <= SHORT_BYTES &&
    a.value !== null
  );
}

function rangeParts(change: Change, options: Pick<Context, 'full'>): ChangeRow['parts'] {
  const { ranges = [], unit, a, b } = change;
  const shown = options.full ? ranges : ranges.slice(0, SHORT_RANGES);
  const [bytesA, bytesB] = [bytesOf(a), bytesOf(b)];
  const parts = shown.map((range) => {
    const label = rangeText(range, unit);
    if (unit !== 'bytes' || !bytesA || !bytesB) return { label, a: '', b: '' };
    const part = (bytes: Uint8Array, start: number, end: number) => {
      const limit = options.full ? end : Math.min(end, start + SHORT_BYTES);
      return `${hexBytes(bytes.subarray(start, limit))}${limit < end ? '…' : ''}`;
    };
    return { label, a: part(bytesA, range.startA, range.endA), b: part(bytesB, range.startB, range.endB) };
  });
  return ranges.length > shown.length
    ? [...parts, { label: `… ${ranges.length - shown.length} more ranges`, a: '', b: '' }]
    : parts;
}

function bytesOf(nodes: readonly LayoutNode[]): Uint8Array | undefined {
  const [node] = nodes;
  if (nodes.length !== 1 || !node || node.kind === 'array') return undefined;
  return node.value instanceof Uint8Array ? node.value : undefined;
}

function rangesText({ ranges = [], unit, kind }: Change, { full }: Pick<Context, 'full'>): string {
  const shown = full ? ranges : ranges.slice(0, SHORT_RANGES);
  const texts = shown.map((range) => rangeText(range, unit, kind === 'added'));
  if (shown.length < ranges.length) texts.push(`… ${ranges.length - shown.length} more ranges`);
  return texts.join(', ');
}

function rangeText(range: ChangedRange, unit: Change['unit'], inB = false): string {
  const { startA, endA, startB, endB } = range;
  const [start, end] = inB ? [startB, endB] : [startA, endA];
  return unit === 'bytes' ? `[${hexOffset(start)}..${hexOffset(end)})` : `[${start}..${end})`;
}

function* ramLines(ram: RamDiff, options: Context): Generator<string> {
  const { style } = options;
  if (ram.same) return;
  yield '';
  yield style.heading('RAM blocks');
  const changed = ram.blocks.filter(({ kind }) => kind !== 'same');
  for (const block of changed) yield* blockLines(block, options);
  const same = ram.blocks.length - changed.length;
  if (same > 0) yield `${INDENT}${style.faint(`${count(same, 'block')} the same`)}`;
}

function* blockLines(block: RamBlockDiff, options: Context): Generator<string> {
  const { style, full } = options;
  const { idstr, kind, a, b, pages } = block;
  const name = style.name(printable(idstr));
  if (kind === 'added' || kind === 'removed') {
    yield `${INDENT}${mark(kind, style)} ${name}  ${formatSize((a ?? b)!.length)}`;
    return;
  }
  const facts = [
    a!.length === b!.length ? '' : `${sizeText(a!.length)} → ${sizeText(b!.length)}`,
    a!.address === b!.address ? '' : `address ${addressText(a!.address)} → ${addressText(b!.address)}`,
    a!.pageSize === b!.pageSize ? '' : `page size ${a!.pageSize ?? 'normal'} → ${b!.pageSize ?? 'normal'}`,
    ...(pages ? pageFacts(pages) : []),
  ];
  yield `${INDENT}${mark('changed', style)} ${name}  ${facts.filter((fact) => fact !== '').join('; ')}`;
  const ranges = pages?.ranges ?? [];
  const shown = full ? ranges : ranges.slice(0, SHORT_PAGE_RANGES);
  const pageSize = pages?.pageSizeA ?? pages?.pageSizeB ?? 1;
  const address = a?.address === b?.address ? a?.address : undefined;
  for (const range of shown) yield `${INDENT}${INDENT}${pageRangeText(range, pageSize, address, options)}`;
  const rest = ranges.length - shown.length + (pages?.omittedRanges ?? 0);
  if (rest > 0) {
    const hint = full ? '' : ' (--full lists them)';
    yield `${INDENT}${INDENT}${style.faint(`… ${count(rest, 'more range')}${hint}`)}`;
  }
}

function pageFacts({ counts, pageSizeA, pageSizeB }: NonNullable<RamBlockDiff['pages']>): string[] {
  if (pageSizeA !== undefined && pageSizeB !== undefined && pageSizeA !== pageSizeB)
    return [`pages of ${pageSizeA} and ${pageSizeB} bytes cannot be compared`];
  const { same, changed, onlyA, onlyB, undecoded } = counts;
  return [
    changed > 0 ? `${count(changed, 'page')} ${changed === 1 ? 'differs' : 'differ'}` : '',
    onlyA > 0 ? `${count(onlyA, 'page')} only in A` : '',
    onlyB > 0 ? `${count(onlyB, 'page')} only in B` : '',
    undecoded > 0 ? `${count(undecoded, 'page')} not decoded` : '',
    `${same} the same`,
  ];
}

const PAGE_MARKS: Readonly<Record<PageRange['kind'], Mark>> = {
  changed: 'changed',
  undecoded: 'changed',
  onlyA: 'removed',
  onlyB: 'added',
};

function pageRangeText(
  { kind, start, end }: PageRange,
  pageSize: number,
  address: bigint | undefined,
  { style }: Context,
): string {
  const guest = address === undefined ? '' : `, address 0x${(address + BigInt(start)).toString(16)}`;
  return `${mark(PAGE_MARKS[kind], style)} [${hexOffset(start)}..${hexOffset(end)})  ${style.faint(`${count((end - start) / pageSize, 'page')}${guest}`)}`;
}

function sizeText(size: number): string {
  return size < 1024 ? formatSize(size) : `${formatSize(size)} (${size})`;
}

function addressText(address: bigint | undefined): string {
  return address === undefined ? 'not sent' : `0x${address.toString(16)}`;
}
