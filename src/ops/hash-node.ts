import { childrenOf } from '../layout/children.ts';
import type { LayoutNode, LeafValue } from '../layout/node.ts';

/** FNV-1a, 32 bits. */
const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * A hash of what a node and all below it hold: types, names and values, but neither its own name nor where it is.
 * Nodes with other hashes differ; those with the same may.
 */
export function hashNode(node: LayoutNode): number {
  return addContent(BASIS, node) >>> 0;
}

function addContent(hash: number, node: LayoutNode): number {
  let next = addText(hash, node.type);
  if (node.kind === 'leaf' || node.kind === 'gap') return addValue(next, node.value ?? null);
  for (const child of childrenOf(node)) next = addContent(addText(next, String(child.name)), child);
  return next;
}

function addValue(hash: number, value: LeafValue): number {
  if (value instanceof Uint8Array) {
    let next = hash;
    for (let i = 0; i < value.length; i++) next = add(next, value[i]!);
    return next;
  }
  if (typeof value === 'number') return add(hash, value);
  return addText(hash, String(value));
}

function addText(hash: number, text: string): number {
  let next = hash;
  for (let i = 0; i < text.length; i++) next = add(next, text.charCodeAt(i));
  return next;
}

function add(hash: number, word: number): number {
  return Math.imul(hash ^ word, PRIME);
}
