import type { PathComponent } from '../bytes/diagnostic.ts';
import { childrenOf } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';

/** What a QEMU sends as zeros in the place of a field that it has given up, and does not load. */
const UNUSED = /^unused/;

/** A field of the destination in whose place the source sends nothing. */
interface GivenUpField {
  /** Inside of the destination's section. */
  readonly path: readonly PathComponent[];
  /** The zeros in the stream. */
  readonly node: LayoutNode;
  /** As the destination has it. */
  readonly own: LayoutNode;
}

/**
 * Fields that an older destination loads where a newer source sends zeros, as `env.features` of an Arm CPU: loaded as they
 * are, they take from a device what it is. Only of structs whose fields are of the same sizes up to there.
 */
export function* givenUpFields(
  node: LayoutNode,
  own: LayoutNode,
  path: readonly PathComponent[] = [],
): Generator<GivenUpField> {
  if (node.kind !== 'struct' || own.kind !== 'struct' || node.vmsdName !== own.vmsdName) return;
  const others = childrenOf(own)[Symbol.iterator]();
  for (const child of childrenOf(node)) {
    const { value: other, done } = others.next();
    if (done || child.type === 'subsection' || other.type === 'subsection') return;
    const below = [...path, other.name];
    if (child.end - child.start !== other.end - other.start) {
      yield* givenUpFields(child, other, below);
      return;
    }
    if (UNUSED.test(child.type) && child.kind === 'leaf' && other.kind === 'leaf' && !UNUSED.test(other.type))
      yield { path: below, node: child, own: other };
    else yield* givenUpFields(child, other, below);
  }
}
