import { childrenOf } from './children.ts';
import type { LayoutNode } from './node.ts';

/** Are two trees of the same nodes: names, kinds, types and lengths? Where they are and what values they have may differ. */
export function isSameShape(a: LayoutNode, b: LayoutNode): boolean {
  if (a.name !== b.name || a.kind !== b.kind || a.type !== b.type) return false;
  if (a.kind === 'leaf' || a.kind === 'gap') return a.end - a.start === b.end - b.start;
  if (a.kind === 'struct' && b.kind === 'struct' && a.children.length !== b.children.length) return false;
  const others = childrenOf(b)[Symbol.iterator]();
  for (const child of childrenOf(a)) {
    const other = others.next();
    if (other.done || !isSameShape(child, other.value)) return false;
  }
  return others.next().done === true;
}
