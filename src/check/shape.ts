import { formatPath, type PathComponent, printable } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import { rangeLength } from '../bytes/range.ts';
import { childrenOf } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';

/** Where a section first differs in form from what the destination has. */
export interface Difference {
  readonly kind: 'count' | 'field';
  readonly text: string;
  readonly path: readonly PathComponent[];
  /** In the stream. */
  readonly range: Range | undefined;
}

/**
 * The first difference in form between a section, as its own description has it, and the destination's own section of
 * that name; or else what the destination took the bytes for, `read`. Subsections that only one side has are no
 * difference of form: they are known by name.
 */
export function firstDifference(
  read: LayoutNode | undefined,
  node: LayoutNode,
  own: LayoutNode | undefined,
): Difference | undefined {
  return (own && compare(node, own, [])) ?? (read && compare(node, read, []));
}

function compare(node: LayoutNode, own: LayoutNode, path: readonly PathComponent[]): Difference | undefined {
  const name = printable(formatPath(path));
  if (node.kind === 'array' || own.kind === 'array') {
    const [count, ownCount] = [elements(node), elements(own)];
    if (count !== ownCount) {
      const text = `${name} has ${count} elements in the stream, and ${ownCount} at the destination`;
      return { kind: 'count', text, path, range: node };
    }
  }
  const isLeaf = node.kind === 'leaf' || node.kind === 'gap';
  if (isLeaf || own.kind === 'leaf' || own.kind === 'gap') {
    if (own.kind === 'gap' || (isLeaf && rangeLength(node) === rangeLength(own))) return undefined;
    const text = `${name} has ${rangeLength(node)} bytes in the stream, and ${rangeLength(own)} at the destination`;
    return { kind: 'field', text, path, range: node };
  }
  if (node.kind === 'array') {
    const others = childrenOf(own)[Symbol.iterator]();
    for (const child of childrenOf(node)) {
      const other = others.next();
      if (other.done) return undefined;
      if (
        child.kind === 'leaf' &&
        other.value.kind === 'leaf' &&
        rangeLength(child) === rangeLength(other.value)
      ) {
        // Plain values are all of one size.
        if (typeof child.value !== 'object') return undefined;
        continue;
      }
      const found = compare(child, other.value, [...path, child.name]);
      if (found) return found;
    }
    return undefined;
  }
  const others = new Map([...childrenOf(own)].map((child) => [child.name, child]));
  for (const child of childrenOf(node)) {
    const other = others.get(child.name);
    others.delete(child.name);
    if (other) {
      const found = compare(child, other, [...path, child.name]);
      if (found) return found;
    } else if (child.type !== 'subsection' && child.kind !== 'gap') {
      const childPath = [...path, child.name];
      const text = `${printable(formatPath(childPath))} (${rangeLength(child)} bytes) is not there at the destination`;
      return { kind: 'field', text, path: childPath, range: child };
    }
  }
  for (const [childName, other] of others) {
    if (other.type === 'subsection' || other.kind === 'gap') continue;
    const childPath = [...path, childName];
    const text = `${printable(formatPath(childPath))} (${rangeLength(other)} bytes) is there at the destination, and not in the stream`;
    return { kind: 'field', text, path: childPath, range: node };
  }
  return undefined;
}

/** An array of one element is described as a field. */
function elements(node: LayoutNode): number {
  return node.kind === 'array' ? node.length : 1;
}
