import { builtInInfos } from '../../src/infos/infos.ts';
import { childrenOf, walk } from '../../src/layout/children.ts';
import type { LayoutNode, LeafNode } from '../../src/layout/node.ts';
import { sectionBytes } from '../../src/layout/section-bytes.ts';
import { type InfoTables, readBoundedInfo } from '../../src/layout/walk/bounded-info.ts';

/** Where the field begins in its stream: not at 0, so that a mix-up of offsets shows. */
export const FIELD_START = 0x1234;

const WITHOUT_TABLES: InfoTables = { vmsds: () => [], infoField: () => undefined };

/** What the codec or the reader of a VMStateInfo makes of a field's bytes. */
export function decodeInfo(
  type: string,
  bytes: Uint8Array,
  tables: InfoTables = WITHOUT_TABLES,
): LayoutNode | undefined {
  // The field lies between others.
  const around = new Uint8Array(bytes.length + 14).fill(0xee);
  around.set(bytes, 7);
  const context = {
    section: sectionBytes(around, FIELD_START - 7),
    idstr: 'device',
    path: ['field'],
    report: () => {},
    infos: builtInInfos,
  };
  const place = { name: 'field', type, start: FIELD_START, end: FIELD_START + bytes.length };
  const info = builtInInfos.get(type);
  if (!info?.open) {
    if (!info?.read) throw new Error(`nothing reads ${type}`);
    const read = readBoundedInfo(context, place, undefined, tables);
    return read?.fits ? read.open()?.node : undefined;
  }
  return info.open(context, place);
}

export function decodeHex(type: string, hex: string, tables?: InfoTables): LayoutNode | undefined {
  return decodeInfo(type, Buffer.from(hex, 'hex'), tables);
}

/** Bytes from rows of offset and 16 bytes in hex; those without a row are zero. */
export function bytesOf(size: number, rows: string): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const row of rows.trim().split('\n')) {
    const [offset, hex] = row.trim().split(' ');
    bytes.set(Buffer.from(hex!, 'hex'), Number.parseInt(offset!, 16));
  }
  return bytes;
}

/** The node at a path below a node. */
export function at(node: LayoutNode | undefined, ...path: readonly (string | number)[]): LayoutNode {
  let found = node;
  for (const name of path) found = found && [...childrenOf(found)].find((child) => child.name === name);
  if (!found) throw new Error(`nothing at ${path.join('/')}`);
  return found;
}

/** Value and meaning of the leaf at a path. */
export function leaf(node: LayoutNode | undefined, ...path: readonly (string | number)[]) {
  const { value, meaning } = at(node, ...path) as LeafNode;
  return { value, meaning };
}

export function meaning(node: LayoutNode | undefined, ...path: readonly (string | number)[]) {
  return leaf(node, ...path).meaning;
}

/** Asserts that leaves lie one behind the other over the field, and that no two siblings have one name. */
export function checkTree(node: LayoutNode, length: number): void {
  let end = FIELD_START;
  for (const { node: child } of walk(node)) {
    const names = [...childrenOf(child)].map(({ name }) => name);
    if (new Set(names).size !== names.length) throw new Error(`names twice: ${names.join(', ')}`);
    if (child.kind !== 'leaf' && child.kind !== 'gap') continue;
    if (child.start !== end) throw new Error(`${child.name} begins at ${child.start}, not at ${end}`);
    if (child.end < child.start) throw new Error(`${child.name} ends before it begins`);
    ({ end } = child);
  }
  if (end !== FIELD_START + length) throw new Error(`ends at ${end}, not at ${FIELD_START + length}`);
  if (node.start !== FIELD_START || node.end !== end) throw new Error('the field has another range');
}
