import { childrenOf, isUniform } from './children.ts';
import type { LayoutNode, Shape } from './node.ts';

/** Are two trees of the same nodes: names, kinds, types and lengths? Where they are and what values they have may differ. */
export function isSameShape(a: LayoutNode, b: LayoutNode): boolean {
  if (a.name !== b.name || a.kind !== b.kind || a.type !== b.type) return false;
  if (a.kind === 'leaf' || a.kind === 'gap') return a.end - a.start === b.end - b.start;
  if (a.kind === 'struct' && b.kind === 'struct' && a.children.length !== b.children.length) return false;
  if (a.kind === 'array' && b.kind === 'array' && isUniform(a.elements) && isUniform(b.elements)) {
    const isAlike = a.elements.count === b.elements.count && isEqualShape(a.elements.shape, b.elements.shape);
    if (isAlike && !a.rest && !b.rest) return true;
  }
  const others = childrenOf(b)[Symbol.iterator]();
  for (const child of childrenOf(a)) {
    const other = others.next();
    if (other.done || !isSameShape(child, other.value)) return false;
  }
  return others.next().done === true;
}

function isEqualShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  if (a.kind === 'array')
    return b.kind === 'array' && a.length === b.length && isEqualShape(a.element, b.element);
  if (b.kind !== a.kind || a.type !== b.type) return false;
  if (a.kind !== 'struct' || b.kind !== 'struct') return true;
  return (
    a.members.length === b.members.length &&
    a.members.every(({ name, shape }, i) => {
      const other = b.members[i]!;
      return name === other.name && isEqualShape(shape, other.shape);
    })
  );
}
