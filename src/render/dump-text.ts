import { printable } from '../bytes/diagnostic.ts';
import type { FileOffsets } from '../bytes/file-offsets.ts';
import { hexOffset } from '../bytes/range.ts';
import type { SortedRanges } from '../bytes/sorted-ranges.ts';
import { childrenOf } from '../layout/children.ts';
import type { Layout, LayoutNode, LeafNode } from '../layout/node.ts';
import { formatSize } from './size.ts';
import { plainText, type TextOptions } from './style.ts';
import { hexBytes } from './value.ts';
import { visibleLength } from './wrap.ts';

export interface DumpTextOptions extends TextOptions {
  /** Offset and size in front of each line. */
  readonly offsets: boolean;
  /** Offsets are in the file that the stream was taken out of, as far as things are stored there as such. */
  readonly fileOffsets?: FileOffsets | undefined;
  /** The bytes in hex beside each value. */
  readonly raw: boolean;
  /** No shortening of buffers and arrays. */
  readonly full: boolean;
  /** Where the stream of a redacted capture has zeros in place of what it had. */
  readonly redacted?: SortedRanges | undefined;
}

/** Without `full`: bytes shown of a buffer, values of an array of numbers, elements of an array of structs. */
const SHORT_BUFFER = 32;
const SHORT_VALUES = 64;
const SHORT_ELEMENTS = 16;
/** In place of a value that was taken out of a capture. */
const REDACTED = '(redacted)';
const INDENT = '  ';
const MAX_NAME_WIDTH = 32;
/** Narrower than this, nothing is wrapped. */
const MIN_WRAP = 40;

/** A section as an indented tree, line by line without newlines. */
export function* dumpText(layout: Layout, display: Partial<DumpTextOptions> = {}): Generator<string> {
  const options: DumpTextOptions = { ...plainText, offsets: false, raw: false, full: false, ...display };
  const { style } = options;
  const { root, section, instanceId, versionId } = layout;
  const facts = [
    instanceId === 0 ? '' : `instance ${instanceId}`,
    versionId === undefined ? '' : `version ${versionId}`,
    root.vmsdName === undefined || section.endsWith(root.vmsdName) ? '' : `VMSD ${printable(root.vmsdName)}`,
    `at ${offsetText(root.start, options)}`,
    formatSize(root.end - root.start),
  ];
  yield `${style.heading(printable(section))}  ${style.faint(facts.filter((fact) => fact !== '').join(', '))}`;
  for (const { code, message } of layout.diagnostics)
    if (code === 'chosen-reading') yield `${INDENT}${style.faint(`? ${message}`)}`;
  if (!options.full && root.children.length > 1 && root.children.every(isRecord)) {
    yield `${margin(undefined, options)}${INDENT}${style.faint(`${root.children.length} records (--full lists them)`)}`;
  } else yield* childLines(root, INDENT, options);
}

/** One of several records of an iterative section, whose content is not held. */
function isRecord(node: LayoutNode): boolean {
  return node.kind === 'leaf' && node.value === null && typeof node.name === 'number';
}

function* childLines(node: LayoutNode, indent: string, options: DumpTextOptions): Generator<string> {
  const limit = options.full || node.kind !== 'array' ? Number.POSITIVE_INFINITY : SHORT_ELEMENTS;
  const nameWidth = node.kind === 'struct' ? columnWidth(node.children) : 0;
  let shown = 0;
  for (const child of childrenOf(node)) {
    if (shown === limit && node.kind === 'array') {
      yield `${margin(undefined, options)}${indent}${options.style.faint(`… ${node.length - shown} more (--full shows them)`)}`;
      return;
    }
    shown++;
    yield* nodeLines(child, indent, nameWidth, options);
  }
}

function columnWidth(children: readonly LayoutNode[]): number {
  let width = 0;
  for (const child of children) {
    const length = label(child).length;
    if (length <= MAX_NAME_WIDTH && length > width) width = length;
  }
  return width;
}

function label(node: LayoutNode): string {
  const name = typeof node.name === 'number' ? `[${node.name}]` : printable(node.name);
  return node.chosen ? `${name} ?` : name;
}

function* nodeLines(
  node: LayoutNode,
  indent: string,
  nameWidth: number,
  options: DumpTextOptions,
): Generator<string> {
  const { style, offsets } = options;
  const name = style.name(label(node).padEnd(nameWidth));
  const start = `${margin(offsets ? node : undefined, options)}${indent}${name}  `;
  switch (node.kind) {
    case 'leaf':
      yield* wrap(start, typeText(node), leafWords(node, options), options);
      return;
    case 'gap': {
      const words = options.redacted?.contains(node)
        ? [REDACTED]
        : node.value
          ? bufferWords(node.value, options)
          : [];
      yield* wrap(start, `(gap: ${node.type}, ${formatSize(node.end - node.start)})`, words, options);
      return;
    }
    case 'struct':
      yield `${start}${style.faint(structText(node))}`;
      yield* childLines(node, indent + INDENT, options);
      return;
    case 'array': {
      const values = leafValues(node, options);
      if (values) {
        yield* wrap(start, `${printable(node.type)}[${node.length}]`, values, options);
        return;
      }
      yield `${start}${style.faint(`${printable(node.type)}[${node.length}]`)}`;
      yield* childLines(node, indent + INDENT, options);
    }
  }
}

function structText(node: LayoutNode & { kind: 'struct' }): string {
  const words = [printable(node.type)];
  const { vmsdName, versionId } = node;
  if (vmsdName !== undefined && vmsdName !== node.name) words.push(printable(vmsdName));
  if (versionId !== undefined) words.push(`v${versionId}`);
  return words.join(' ');
}

/** Offset and size, or as much space, when offsets are shown. */
function margin(node: LayoutNode | undefined, options: DumpTextOptions): string {
  if (!options.offsets) return '';
  const text = node ? `${offsetText(node.start, options)} +${node.end - node.start}` : '';
  return options.style.faint(`${text.padEnd(20)} `);
}

function offsetText(offset: number, { fileOffsets }: DumpTextOptions): string {
  if (!fileOffsets) return hexOffset(offset);
  const found = fileOffsets.of(offset);
  return found === undefined ? '-' : hexOffset(found);
}

/** The values of an array of plain leaves, for one line; undefined for an array that needs a line for each element. */
function leafValues(node: LayoutNode & { kind: 'array' }, options: DumpTextOptions): string[] | undefined {
  const limit = options.full ? Number.POSITIVE_INFINITY : SHORT_VALUES;
  const isRedacted = options.redacted?.contains(node) ?? false;
  const words: string[] = [];
  let shown = 0;
  for (const child of childrenOf(node)) {
    if (child.kind !== 'leaf' || child.type !== node.type || child.meaning !== undefined) return undefined;
    if (shown === limit) {
      words.push(`… ${node.length - shown} more`);
      break;
    }
    shown++;
    words.push(...leafWords(child, { ...options, raw: false }));
  }
  return isRedacted ? [REDACTED] : words;
}

function typeText(node: LeafNode): string {
  const size = node.end - node.start;
  return node.value instanceof Uint8Array && size > 8
    ? `${printable(node.type)} (${formatSize(size)})`
    : printable(node.type);
}

/** A value in one line, as dump shows it, and what it means. */
export function valueText(node: LeafNode, full: boolean): string {
  return leafWords(node, { ...plainText, offsets: false, raw: false, full }).join(' ');
}

/** The value, and behind a colon what it means. */
function leafWords(node: LeafNode, options: DumpTextOptions): string[] {
  if (options.redacted?.contains(node)) return [REDACTED];
  const words = valueWords(node, options);
  if (node.meaning === undefined) return words;
  return [...words.slice(0, -1), `${words.at(-1)}:`, ...printable(node.meaning).split(' ')];
}

function valueWords(node: LeafNode, options: DumpTextOptions): string[] {
  const { value, type, start, end } = node;
  const size = end - start;
  if (value === null) return [formatSize(size)];
  if (value instanceof Uint8Array) {
    if (type === 'nullptr') return ['NULL'];
    return bufferWords(value, options);
  }
  if (typeof value === 'string') return [JSON.stringify(printable(value))];
  if (typeof value === 'boolean') return [String(value), ...rawWord(BigInt(value), size, options)];
  const decimal = value.toString();
  const number = BigInt(value);
  if (type === 'timer') {
    return [number === -1n ? 'not armed' : `${decimal} ns`, ...rawWord(number, size, options)];
  }
  if (options.raw) return [decimal, ...rawWord(number, size, options)];
  if (number >= 0n && number < 10n) return [decimal];
  const hex = `0x${BigInt.asUintN(size * 8, number).toString(16)}`;
  // Numbers that a person reads in decimal, and those that are masks and addresses.
  return number < 0n || number < 0x10000n ? [`${decimal} (${hex})`] : [hex];
}

function rawWord(number: bigint, size: number, { raw, style }: DumpTextOptions): string[] {
  if (!raw) return [];
  const digits = BigInt.asUintN(size * 8, number)
    .toString(16)
    .padStart(size * 2, '0');
  return [style.faint(`<${digits}>`)];
}

/** Hex in groups of four bytes, shortened; as text as well, where all of it is printable. */
function bufferWords(bytes: Uint8Array, options: DumpTextOptions): string[] {
  if (bytes.length === 0) return ['(empty)'];
  if (!options.full && bytes.length > 4 && bytes.every((byte) => byte === 0)) return ['all zero'];
  const length = options.full ? bytes.length : Math.min(bytes.length, SHORT_BUFFER);
  const words: string[] = [];
  for (let i = 0; i < length; i += 4) words.push(hexBytes(bytes.subarray(i, Math.min(i + 4, length))));
  if (length < bytes.length) words.push(`… ${bytes.length - length} more bytes`);
  const text = asciiText(bytes);
  if (text !== undefined) words.push(JSON.stringify(text));
  return words;
}

/** Text in a buffer that a zero ends and zeros follow; undefined where it is none. */
export function asciiText(bytes: Uint8Array | undefined): string | undefined {
  if (!bytes || bytes.length < 3 || bytes.length > 256) return undefined;
  const end = bytes.indexOf(0) < 0 ? bytes.length : bytes.indexOf(0);
  if (end < 3 || bytes.subarray(end).some((byte) => byte !== 0)) return undefined;
  const text = String.fromCharCode(...bytes.subarray(0, end));
  return /^[\x20-\x7e]+$/.test(text) ? text : undefined;
}

/** Words behind a name and a type, wrapped under the first word. */
function* wrap(
  start: string,
  type: string,
  words: readonly string[],
  options: DumpTextOptions,
): Generator<string> {
  const { style, width } = options;
  const lead = `${start}${style.faint(type)}`;
  const column = visibleLength(start) + type.length + 2;
  const room = width - column;
  let line = '';
  let first = true;
  for (const word of words) {
    if (line !== '' && room >= MIN_WRAP && visibleLength(line) + 1 + visibleLength(word) > room) {
      yield `${first ? `${lead}  ` : ' '.repeat(column)}${style.value(line)}`;
      first = false;
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  yield `${first ? `${lead}  ` : ' '.repeat(column)}${style.value(line)}`.trimEnd();
}
