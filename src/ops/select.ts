import { formatPath, type PathComponent } from '../bytes/diagnostic.ts';
import { type GlobPattern, globPattern } from '../bytes/glob.ts';
import { childrenOf, type WalkStep, walk } from '../layout/children.ts';
import type { Layout, LayoutNode } from '../layout/node.ts';

/** Picks nodes by section and field. */
export interface Selection {
  /** Is this node selected by itself (not through an ancestor)? */
  matches(layout: Layout, path: readonly PathComponent[]): boolean;
  /** The selectors that have matched nothing so far. */
  unmatched(): readonly string[];
}

/**
 * Compiles selectors: globs over `section/field/field[index]`, as dump prints them. `*` matches within one name, `**`
 * anything, `?` one character; all else is literal. A selector may begin at any part of the section's idstr (`virtio-net`
 * selects `0000:00:02.0/virtio-net`), and `idstr@N` is the section with instance id N. Undefined selects everything.
 */
export function compileSelectors(selectors: readonly string[]): Selection | undefined {
  if (selectors.length === 0) return undefined;
  const patterns = selectors.map(globPattern);
  const unmatched = new Set(selectors);
  const ofLayouts = new WeakMap<Layout, readonly GlobPattern[]>();
  return {
    matches(layout, path) {
      let ofLayout = ofLayouts.get(layout);
      if (!ofLayout) {
        const names = sectionNames(layout);
        ofLayout = patterns.map((pattern) => pattern.behindAny(names));
        ofLayouts.set(layout, ofLayout);
      }
      const rest = path.length === 0 ? '' : `/${formatPath(path)}`;
      let matches = false;
      for (const [i, pattern] of ofLayout.entries()) {
        // One that has matched already need not be tried where another does.
        if (matches && !unmatched.has(selectors[i]!)) continue;
        if (!pattern.test(rest)) continue;
        matches = true;
        unmatched.delete(selectors[i]!);
      }
      return matches;
    },
    unmatched: () => [...unmatched],
  };
}

/** Names that a selector can call a section by. */
export function sectionNames({ section, instanceId }: Layout): string[] {
  const parts = section.split('/');
  return parts.flatMap((_, i) => {
    const name = parts.slice(i).join('/');
    return [name, `${name}@${instanceId}`];
  });
}

/** The nodes that a selection picks, with all below them, in stream order; all nodes without a selection. */
export function selectNodes(layout: Layout, selection: Selection | undefined): Iterable<WalkStep> {
  return selection ? selectedNodes(layout, selection) : walk(layout.root);
}

function* selectedNodes(layout: Layout, selection: Selection): Generator<WalkStep> {
  let selectedDepth: number | undefined;
  for (const step of walk(layout.root)) {
    const depth = step.path.length;
    if (selectedDepth !== undefined && depth <= selectedDepth) selectedDepth = undefined;
    if (selectedDepth === undefined && selection.matches(layout, step.path)) selectedDepth = depth;
    if (selectedDepth !== undefined) yield step;
  }
}

/**
 * The layout's tree reduced to selected nodes and their ancestors, for showing them in their place; undefined when
 * nothing is selected.
 */
export function pruneLayout(layout: Layout, selection: Selection | undefined): Layout | undefined {
  if (!selection) return layout;
  const root = prune(layout, selection, layout.root, []);
  return root?.kind === 'struct' ? { ...layout, root } : undefined;
}

function prune(
  layout: Layout,
  selection: Selection,
  node: LayoutNode,
  path: readonly PathComponent[],
): LayoutNode | undefined {
  if (selection.matches(layout, path)) return node;
  if (node.kind !== 'struct' && node.kind !== 'array') return undefined;
  const children: LayoutNode[] = [];
  for (const child of childrenOf(node)) {
    const kept = prune(layout, selection, child, [...path, child.name]);
    if (kept) children.push(kept);
  }
  if (children.length === 0) return undefined;
  if (node.kind === 'struct') return { ...node, children };
  const { rest: _, ...array } = node;
  return { ...array, elements: children };
}
