import { childrenOf } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';
import { COLLECTIONS } from '../schema/known-infos.ts';

/**
 * Where two trees of a section part: undefined where VMSDs have the same fields of the same lengths. What custom infos
 * are opened up to may differ, but for lists, whose elements are of VMSDs.
 */
export function formDifference(
  a: LayoutNode,
  b: LayoutNode,
  path: readonly (string | number)[] = [],
): readonly (string | number)[] | undefined {
  if (a.name !== b.name || a.type !== b.type || a.end - a.start !== b.end - b.start) return path;
  if (isClosed(a) || isClosed(b)) return undefined;
  const others = childrenOf(b)[Symbol.iterator]();
  for (const child of childrenOf(a)) {
    const other = others.next();
    const below = [...path, child.name];
    if (other.done) return below;
    const difference = formDifference(child, other.value, below);
    if (difference) return difference;
  }
  const more = others.next();
  return more.done ? undefined : [...path, more.value.name];
}

function isClosed(node: LayoutNode): boolean {
  if (node.kind === 'leaf' || node.kind === 'gap') return true;
  return node.kind === 'struct' && node.value !== undefined && !COLLECTIONS.has(node.type);
}
