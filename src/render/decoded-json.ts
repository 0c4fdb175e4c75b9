import { equalBytes } from '../bytes/equal-bytes.ts';
import { viewOf } from '../bytes/view.ts';
import { leafBytes } from '../edit/leaf-value.ts';
import { childrenOf, isUniform } from '../layout/children.ts';
import type {
  ArrayNode,
  GapNode,
  Layout,
  LayoutNode,
  LeafNode,
  LeafValue,
  UniformElements,
} from '../layout/node.ts';
import { scalarTypes } from '../vmsd/scalars.ts';
import { textJson, valueJson } from './ndjson.ts';
import { hexBytes } from './value.ts';

/** Values of an array beside each other in a line. */
const VALUES_A_LINE = 8;

/**
 * A section as JSON for people, in pieces: a leaf is a line, with its value as `dump --ndjson` has it and what it means. It
 * has all that is needed to write the section again: docs/decode.md. `bytesOf` gives the bytes of a leaf.
 */
export function* decodedSectionJson(
  { section, instanceId, root }: Layout,
  bytesOf: (node: LayoutNode) => Uint8Array,
): Generator<string> {
  yield `{\n  "section": ${textJson(section)},\n  "instance": ${instanceId},\n`;
  if (root.vmsdName !== undefined) yield `  "vmsd": ${textJson(root.vmsdName)},\n`;
  if (root.versionId !== undefined) yield `  "version": ${root.versionId},\n`;
  yield '  "fields": [';
  yield* nodesJson(root.children, '    ', bytesOf);
  yield root.children.length > 0 ? '\n  ]\n}\n' : ']\n}\n';
}

function* nodesJson(
  nodes: Iterable<LayoutNode>,
  indent: string,
  bytesOf: (node: LayoutNode) => Uint8Array,
): Generator<string> {
  let separator = '';
  for (const node of nodes) {
    yield `${separator}\n${indent}`;
    separator = ',';
    const name = typeof node.name === 'number' ? String(node.name) : textJson(node.name);
    const head = `{"name": ${name}, "type": ${textJson(node.type)}`;
    if (node.kind === 'leaf' || node.kind === 'gap') yield `${head}${leafMembers(node, bytesOf)}}`;
    else if (node.kind === 'array') yield* arrayJson(node, head, indent, bytesOf);
    else {
      yield head;
      if (node.vmsdName !== undefined) yield `, "vmsd": ${textJson(node.vmsdName)}`;
      if (node.versionId !== undefined) yield `, "version": ${node.versionId}`;
      yield ', "fields": [';
      yield* nodesJson(node.children, `${indent}  `, bytesOf);
      yield node.children.length > 0 ? `\n${indent}]}` : ']}';
    }
  }
}

function leafMembers(node: LeafNode | GapNode, bytesOf: (node: LayoutNode) => Uint8Array): string {
  const { value } = node;
  const kind = node.kind === 'gap' ? ', "kind": "gap"' : '';
  const meaning =
    node.kind === 'leaf' && node.meaning !== undefined ? `, "meaning": ${textJson(node.meaning)}` : '';
  const raw = node.kind === 'leaf' ? unusualBytes(node, bytesOf) : undefined;
  const bytes = raw ? `, "bytes": "${hexBytes(raw)}"` : '';
  return `${kind}, "value": ${valueJson(value)}${bytes}${meaning}`;
}

/** The bytes of a leaf, where its value does not tell them: a `bool` that is 2, a name that is no text. */
function unusualBytes(
  { type, value, ...place }: LeafNode,
  bytesOf: (node: LayoutNode) => Uint8Array,
): Uint8Array | undefined {
  if (value === null || value instanceof Uint8Array || typeof value === 'bigint') return undefined;
  if (typeof value === 'number' && scalarTypes.has(type)) return undefined;
  const bytes = bytesOf({ type, value, ...place });
  return equalBytes(leafBytes(type, value), bytes) ? undefined : bytes;
}

function* arrayJson(
  node: ArrayNode,
  head: string,
  indent: string,
  bytesOf: (node: LayoutNode) => Uint8Array,
): Generator<string> {
  const { elements, rest, length, described } = node;
  const how = described && described !== 'first' ? `, "described": "${described}"` : '';
  yield `${head}, "length": ${length}${how}`;
  if (isUniform(elements) && elements.shape.kind === 'scalar' && elements.shape.type !== 'bool' && !rest) {
    yield ', "values": [';
    yield* valuesJson(elements, `${indent}  `);
    yield elements.count > VALUES_A_LINE ? `\n${indent}]}` : ']}';
    return;
  }
  yield ', "elements": [';
  yield* nodesJson(childrenOf(node), `${indent}  `, bytesOf);
  yield node.end > node.start ? `\n${indent}]}` : ']}';
}

function* valuesJson({ shape, count, bytes, pos }: UniformElements, indent: string): Generator<string> {
  const { read } = scalarTypes.get(shape.kind === 'scalar' ? shape.type : '')!;
  const view = viewOf(bytes);
  const value = (i: number): LeafValue => read(view, pos + i * shape.size);
  for (let i = 0; i < count; i += VALUES_A_LINE) {
    const line = Array.from({ length: Math.min(VALUES_A_LINE, count - i) }, (_, k) =>
      valueJson(value(i + k)),
    );
    yield `${i > 0 ? ',' : ''}${count > VALUES_A_LINE ? `\n${indent}` : ''}${line.join(', ')}`;
  }
}
