import { badArgument, type PathComponent } from '../bytes/diagnostic.ts';
import { type EditedNode, nameOf, nodeLength, opened, renamed } from './edited-node.ts';
import { changedAt } from './edited-tree.ts';

/**
 * The tree without an element of the array at a path, and how many are left; those behind it take its place. An array of
 * one element is the element.
 */
export function withoutElement(
  root: EditedNode,
  path: readonly PathComponent[],
  index: PathComponent,
): { readonly root: EditedNode; readonly length: number } {
  const name = path.at(-1);
  let length = 0;
  const changed = changedAt(root, path.slice(0, -1), (list) =>
    list.flatMap((child): EditedNode[] => {
      if (nameOf(child) !== name) return [child];
      const array = opened(child);
      if (array?.kind !== 'array') return [];
      const left = array.children.filter((element) => nameOf(element) !== index);
      const elements = left.map((element) => {
        const at = Number(nameOf(element));
        return renamed(element, at > Number(index) ? at - 1 : at);
      });
      length = array.length - 1;
      return arrayOf({ ...array, children: elements, length });
    }),
  );
  return { root: changed, length };
}

/** An array as it is shown: one of one element is the element, one of none is nothing. */
function arrayOf(array: EditedNode & { kind: 'array' }): EditedNode[] {
  if (array.length === 0) return [];
  return array.length === 1 ? array.children.map((child) => renamed(child, array.name)) : [array];
}

/** A field that is counted, with another count; `held` is what a buffer has. */
export function resized(
  child: EditedNode,
  count: number,
  held: Uint8Array | undefined,
  place: string,
): EditedNode[] {
  const array = opened(child);
  if (array?.kind !== 'array') {
    const { type } = child.kind === 'kept' ? child.node : child;
    const length = nodeLength(child);
    if (child.kind === 'kept' && child.node.kind === 'leaf' && type === 'buffer')
      return count === 0 ? [] : [{ kind: 'leaf', name: nameOf(child), type, bytes: sized(held, count) }];
    // An array of one element.
    if (count <= 1) return count === 0 ? [] : [child];
    return repeated(
      {
        kind: 'array',
        name: nameOf(child),
        type,
        described: 'first',
        length: 1,
        children: [renamed(child, 0)],
      },
      count,
      length,
      place,
    );
  }
  const first = array.children[0];
  return repeated(array, count, first ? nodeLength(first) : 0, place);
}

function repeated(
  array: EditedNode & { kind: 'array' },
  count: number,
  length: number,
  place: string,
): EditedNode[] {
  if (count <= array.length) {
    const left = array.children.filter((element) => Number(nameOf(element)) < count);
    return arrayOf({ ...array, children: left, length: count });
  }
  const [first] = array.children;
  const isAlike =
    array.children.length === array.length && array.children.every((each) => nodeLength(each) === length);
  if (!first || !isAlike)
    throw badArgument(
      `${place}: its elements are not all alike, so that there is nothing that new ones could be`,
    );
  if (length * count > MAX_RESIZED)
    throw badArgument(`${place}: ${length * count} bytes are more than a section has`);
  const added = Array.from(
    { length: count - array.length },
    (_, i): EditedNode => renamed(zeros(first), array.length + i),
  );
  return [{ ...array, children: [...array.children, ...added], length: count }];
}

/** Bytes of an array or buffer that was made longer. */
const MAX_RESIZED = 64 << 20;

/** A node like it, all of whose bytes are zero. */
function zeros(node: EditedNode): EditedNode {
  const shape = node.kind === 'kept' ? node.node : undefined;
  return shape
    ? { kind: 'kept', node: shape, bytes: new Uint8Array(shape.end - shape.start) }
    : { ...node, ...('bytes' in node ? { bytes: new Uint8Array(nodeLength(node)) } : {}) };
}

function sized(held: Uint8Array | undefined, count: number): Uint8Array {
  if (count > MAX_RESIZED) throw badArgument(`${count} bytes are more than a section has`);
  const bytes = new Uint8Array(count);
  if (held) bytes.set(held.subarray(0, count));
  return bytes;
}
