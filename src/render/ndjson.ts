import type { PathComponent } from '../bytes/diagnostic.ts';
import type { Layout, LayoutNode, LeafValue } from '../layout/node.ts';
import { hexBytes } from './value.ts';

/** Longer buffers are written in pieces of this many bytes. */
const PIECE = 1 << 20;

/** A value in JSON text: 64-bit integers as decimal strings, bytes as lowercase hex. */
function* valueText(value: LeafValue | undefined): Generator<string> {
  if (value instanceof Uint8Array) {
    yield '"';
    for (let i = 0; i < value.length; i += PIECE) yield hexBytes(value.subarray(i, i + PIECE));
    yield '"';
  } else {
    yield JSON.stringify(typeof value === 'bigint' ? value.toString() : (value ?? null));
  }
}

/** Kind, type and place of a node and its value, as members of a JSON object; `first` are members before them. */
function* nodeMembers(node: LayoutNode, first: object): Generator<string> {
  const { kind, type, start, end } = node;
  const facts: Record<string, unknown> = { ...first, kind, type, offset: start, size: end - start };
  if (node.kind === 'struct') Object.assign(facts, { vmsd: node.vmsdName, version: node.versionId });
  if (node.kind === 'array') facts['length'] = node.length;
  yield JSON.stringify(facts).slice(0, -1);
  if (node.kind === 'leaf' || node.kind === 'gap' || (node.kind === 'struct' && node.value)) {
    yield ',"value":';
    yield* valueText(node.value);
  }
  if (node.kind === 'leaf' && node.meaning !== undefined) yield `,"meaning":${JSON.stringify(node.meaning)}`;
}

/** One line of `dump --ndjson`, in pieces, its newline included. docs/ndjson.md is its contract. */
export function* ndjsonLine(
  layout: Layout,
  node: LayoutNode,
  path: readonly PathComponent[],
): Generator<string> {
  yield* nodeMembers(node, { section: layout.section, instance: layout.instanceId, path });
  yield '}\n';
}

/** A node and all below it as one JSON object, in pieces. */
export function* nodeJson(node: LayoutNode): Generator<string> {
  yield* nodeMembers(node, { name: node.name });
  if (node.kind === 'struct' || node.kind === 'array') {
    yield ',"children":[';
    let separator = '';
    for (const child of node.children) {
      yield separator;
      yield* nodeJson(child);
      separator = ',';
    }
    yield ']';
  }
  yield '}';
}
