import type { PathComponent } from '../bytes/diagnostic.ts';
import { childrenOf, isUniform } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';

/** Elements of an array that are compared. */
const MAX_ELEMENTS = 4096;

/** A node of a stream, and the destination's own node of that name at the same place of its section. */
export interface Pair {
  readonly node: LayoutNode;
  readonly own: LayoutNode | undefined;
  readonly path: readonly PathComponent[];
}

/**
 * Nodes of a tree, each with the one of another tree that has the same path; of an array of plain values not these.
 */
export function* walkPairs(
  node: LayoutNode,
  own: LayoutNode | undefined,
  path: readonly PathComponent[] = [],
): Generator<Pair> {
  yield { node, own, path };
  if (node.kind === 'array') {
    const { elements } = node;
    if (isUniform(elements) && elements.shape.kind !== 'struct') return;
    const others = own?.kind === 'array' ? childrenOf(own)[Symbol.iterator]() : undefined;
    let index = 0;
    for (const child of childrenOf(node)) {
      if (++index > MAX_ELEMENTS) return;
      yield* walkPairs(child, others?.next().value as LayoutNode | undefined, [...path, child.name]);
    }
    return;
  }
  const others = new Map<PathComponent, LayoutNode>();
  if (own) for (const child of childrenOf(own)) others.set(child.name, child);
  for (const child of childrenOf(node))
    yield* walkPairs(child, others.get(child.name), [...path, child.name]);
}
