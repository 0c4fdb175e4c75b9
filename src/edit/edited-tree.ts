import { badArgument, type PathComponent, printable } from '../bytes/diagnostic.ts';
import { walk } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';
import { type EditedNode, nameOf, opened } from './edited-node.ts';

export function isSubsection(node: EditedNode): boolean {
  return (node.kind === 'kept' ? node.node : node).type === 'subsection';
}

export function children(node: LayoutNode | undefined): Iterable<LayoutNode> {
  return node ? [...walk(node, (each) => each === node)].slice(1).map((step) => step.node) : [];
}

/** The node at a path; structs go before markers of the same name. */
export function nodeAt(root: LayoutNode, path: readonly PathComponent[]): LayoutNode | undefined {
  let node: LayoutNode | undefined = root;
  for (const component of path) {
    const named: LayoutNode[] = [...children(node)].filter(({ name }) => name === component);
    node = named.find(({ kind }) => kind !== 'leaf') ?? named[0];
  }
  return node;
}

/** The nodes on the way to a path. */
export function nodesOn(root: LayoutNode, path: readonly PathComponent[]): LayoutNode[] {
  return path.flatMap((_, i) => nodeAt(root, path.slice(0, i + 1)) ?? []);
}

/** What is in the node at a path, as it has become; nothing where there is none any more. */
export function partsAt(root: EditedNode, path: readonly PathComponent[]): readonly EditedNode[] {
  let node: EditedNode | undefined = root;
  for (const name of path)
    node =
      node && opened(node)?.children.find((child) => nameOf(child) === name && opened(child) !== undefined);
  return (node && opened(node)?.children) ?? [];
}

/** The tree in which what is in the node at a path has become something else. */
export function changedAt(
  root: EditedNode,
  path: readonly PathComponent[],
  change: (children: readonly EditedNode[]) => readonly EditedNode[],
): EditedNode {
  const node = opened(root);
  if (!node) throw badArgument('a value has no parts');
  const [name, ...rest] = path;
  if (name === undefined) return { ...node, children: change(node.children) };
  const isPart = (child: EditedNode) => nameOf(child) === name && opened(child) !== undefined;
  const at = node.children.findIndex(isPart);
  if (at < 0) throw badArgument(`${printable(String(name))} has been dropped already`);
  return {
    ...node,
    children: node.children.map((child, i) => (i === at ? changedAt(child, rest, change) : child)),
  };
}
