import type { PathComponent } from '../bytes/diagnostic.ts';
import { childrenOf, isUniform } from '../layout/children.ts';
import type { LayoutNode, Shape } from '../layout/node.ts';

/** Elements of an array that are compared. */
const MAX_ELEMENTS = 4096;

/** A node of a stream, and the destination's own node of that name at the same place of its section. */
interface Pair {
  readonly node: LayoutNode;
  readonly own: LayoutNode | undefined;
  readonly path: readonly PathComponent[];
}

/** Says of the shape of elements, and of what is in it, whether nodes of it are looked at. */
type ShapeFilter = (shape: Shape) => boolean;

/** For who looks at nothing that is in arrays of elements that are all alike. */
export const noShape: ShapeFilter = () => false;

/**
 * Nodes of a tree, each with the one of another tree that has the same path; of an array of plain values not these, and
 * of one of structs that are laid out alike only if they are looked at, as there can be very many.
 */
export function* walkPairs(
  node: LayoutNode,
  own: LayoutNode | undefined,
  isLookedAt: ShapeFilter,
  path: readonly PathComponent[] = [],
): Generator<Pair> {
  yield { node, own, path };
  if (node.kind === 'array') {
    const { elements } = node;
    if (isUniform(elements) && !holds(elements.shape, isLookedAt)) return;
    const others = own?.kind === 'array' ? childrenOf(own)[Symbol.iterator]() : undefined;
    let index = 0;
    for (const child of childrenOf(node)) {
      if (++index > MAX_ELEMENTS) return;
      yield* walkPairs(child, others?.next().value as LayoutNode | undefined, isLookedAt, [
        ...path,
        child.name,
      ]);
    }
    return;
  }
  const others = new Map<PathComponent, LayoutNode>();
  if (own) for (const child of childrenOf(own)) others.set(child.name, child);
  for (const child of childrenOf(node))
    yield* walkPairs(child, others.get(child.name), isLookedAt, [...path, child.name]);
}

function holds(shape: Shape, isLookedAt: ShapeFilter): boolean {
  if (isLookedAt(shape)) return true;
  if (shape.kind === 'array') return holds(shape.element, isLookedAt);
  return shape.kind === 'struct' && shape.members.some((member) => holds(member.shape, isLookedAt));
}
