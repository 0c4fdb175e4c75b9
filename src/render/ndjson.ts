import type { PathComponent } from '../bytes/diagnostic.ts';
import type { FileOffsets } from '../bytes/file-offsets.ts';
import { PLAIN_TEXT, printableJson } from '../bytes/printable.ts';
import { childrenOf } from '../layout/children.ts';
import { knowledgeOf, type Layout, type LayoutNode, type LeafValue } from '../layout/node.ts';
import { hexBytes } from './value.ts';

/** Longer buffers are written in pieces of this many bytes. */
const PIECE = 1 << 20;

/**
 * The JSON of a text. Streams have hundreds of thousands of nodes: to put a line together from its parts takes a
 * quarter of the time that `JSON.stringify` takes for an object with the same members.
 */
export function textJson(text: string): string {
  return PLAIN_TEXT.test(text) ? `"${text}"` : printableJson(JSON.stringify(text));
}

function componentJson(component: PathComponent): string {
  return typeof component === 'number' ? String(component) : textJson(component);
}

function pathJson(path: readonly PathComponent[]): string {
  let text = '';
  for (const component of path)
    text += text === '' ? componentJson(component) : `,${componentJson(component)}`;
  return `[${text}]`;
}

/** A value in JSON text: 64-bit integers as decimal strings, bytes as lowercase hex. */
export function valueJson(value: LeafValue | undefined): string {
  if (value instanceof Uint8Array) return `"${hexBytes(value)}"`;
  if (typeof value === 'string') return textJson(value);
  return typeof value === 'bigint' ? `"${value}"` : String(value ?? null);
}

/** Kind, type and place of a node, as members of a JSON object. */
function factsJson(node: LayoutNode, places: FileOffsets | undefined): string {
  const { kind, type, start, end } = node;
  let text = `"kind":"${kind}","type":${textJson(type)},"offset":${start},"size":${end - start}`;
  if (places) text += `,"fileOffset":${places.of(start) ?? null}`;
  if (kind === 'struct') {
    if (node.vmsdName !== undefined) text += `,"vmsd":${textJson(node.vmsdName)}`;
    if (node.versionId !== undefined) text += `,"version":${node.versionId}`;
  }
  if (kind === 'array') text += `,"length":${node.length}`;
  text += `,"knowledge":"${knowledgeOf(node)}"`;
  const { chosen } = node;
  if (!chosen) return text;
  const { readings, allTried, taken, runnerUp } = chosen;
  return `${text},"choice":${printableJson(JSON.stringify({ readings, allTried, taken, runnerUp }))}`;
}

/** `head`, the value of the node if it has one, as a member of a JSON object, and `tail`; in pieces where it is long. */
function withValue(head: string, node: LayoutNode, tail: string): Iterable<string> {
  if (node.kind === 'array' || (node.kind === 'struct' && !node.value)) return [head + tail];
  const { value } = node;
  const meaning =
    node.kind === 'leaf' && node.meaning !== undefined ? `,"meaning":${textJson(node.meaning)}` : '';
  if (value instanceof Uint8Array && value.length > PIECE) {
    return inPieces(`${head},"value":"`, value, `"${meaning}${tail}`);
  }
  return [`${head},"value":${valueJson(value)}${meaning}${tail}`];
}

function* inPieces(head: string, bytes: Uint8Array, tail: string): Generator<string> {
  yield head;
  for (let i = 0; i < bytes.length; i += PIECE) yield hexBytes(bytes.subarray(i, i + PIECE));
  yield tail;
}

/**
 * One line of `dump --ndjson`, in pieces, its newline included; with `places` it says where in the file the node is.
 * docs/ndjson.md is its contract.
 */
export function ndjsonLine(
  layout: Pick<Layout, 'section' | 'instanceId'>,
  node: LayoutNode,
  path: readonly PathComponent[],
  places?: FileOffsets,
): Iterable<string> {
  const place = `"section":${textJson(layout.section)},"instance":${layout.instanceId},"path":${pathJson(path)}`;
  return withValue(`{${place},${factsJson(node, places)}`, node, '}\n');
}

/** An element of what `dump --json` prints: a section and its tree, in pieces. */
export function* layoutJson(layout: Layout, places?: FileOffsets): Generator<string> {
  yield `{"section":${textJson(layout.section)},"instance":${layout.instanceId},"root":`;
  yield* nodeJson(layout.root, places);
  yield '}';
}

/** A node and all below it as one JSON object, in pieces; `separator` comes in front of it. */
function* nodeJson(node: LayoutNode, places?: FileOffsets, separator = ''): Generator<string> {
  const head = headJson(node, places, separator);
  if (node.kind !== 'struct' && node.kind !== 'array') {
    yield* withValue(head, node, '}');
    return;
  }
  yield* withValue(head, node, ',"children":[');
  let between = '';
  for (const child of childrenOf(node)) {
    // Most nodes are leaves: no generator for each of them.
    if (child.kind === 'leaf') yield* withValue(headJson(child, places, between), child, '}');
    else yield* nodeJson(child, places, between);
    between = ',';
  }
  yield ']}';
}

function headJson(node: LayoutNode, places: FileOffsets | undefined, separator: string): string {
  return `${separator}{"name":${componentJson(node.name)},${factsJson(node, places)}`;
}
