import type { PathComponent } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import { walk } from '../layout/children.ts';
import type { Layout, LayoutNode } from '../layout/node.ts';
import { compileSelectors, type Selection } from './select.ts';
import { volatileFields, volatileTypes } from './volatile-fields.ts';

export interface DiffFilterOptions {
  /** Selectors (see `compileSelectors`): only what they pick is compared; all without one. */
  readonly only?: readonly string[];
  /** Selectors: what they pick is not compared. */
  readonly ignore?: readonly string[];
  /** Do not compare what changes while nothing happens: see `volatileFields`. */
  readonly ignoreVolatile?: boolean | undefined;
}

/** Says which differences are asked for. */
export interface DiffFilter {
  /** Is a difference at this place asked for? With `node`, also if only something in it was selected. */
  accepts(layout: Layout, path: readonly PathComponent[], node?: LayoutNode): boolean;
  /** Bytes of a buffer at this place that were not asked for. */
  ignoredBytes(layout: Layout, path: readonly PathComponent[]): readonly Range[];
  /** Picks what is compared; undefined for all. Then what is no field, such as commands, was asked for, too. */
  readonly only: Selection | undefined;
}

/** Undefined when all differences are asked for. */
export function compileDiffFilter({
  only = [],
  ignore = [],
  ignoreVolatile = false,
}: DiffFilterOptions): DiffFilter | undefined {
  const selected = compileSelectors(only);
  const fields = ignoreVolatile ? volatileFields : [];
  const whole = fields.filter(({ bytes }) => !bytes).map(({ selector }) => selector);
  const ignored = compileSelectors([...ignore, ...whole]);
  if (!selected && !ignored && !ignoreVolatile) return undefined;
  const inPart = fields.flatMap(({ selector, bytes }) => {
    const selection = bytes && compileSelectors([selector]);
    return selection ? [{ selection, bytes }] : [];
  });
  return {
    only: selected,
    ignoredBytes: (layout, path) =>
      inPart.find(({ selection }) => selection.matches(layout, path))?.bytes ?? [],
    accepts(layout, path, node) {
      if (ignoreVolatile && node?.kind === 'leaf' && volatileTypes.has(node.type)) return false;
      if (ignored && isIn(ignored, layout, path)) return false;
      return (
        !selected ||
        isIn(selected, layout, path) ||
        (node !== undefined && holds(selected, layout, path, node))
      );
    },
  };
}

/** Is the node at `path` picked, or one that it is in? */
function isIn(selection: Selection, layout: Layout, path: readonly PathComponent[]): boolean {
  for (let length = 0; length <= path.length; length++)
    if (selection.matches(layout, path.slice(0, length))) return true;
  return false;
}

function holds(
  selection: Selection,
  layout: Layout,
  path: readonly PathComponent[],
  node: LayoutNode,
): boolean {
  for (const step of walk(node)) if (selection.matches(layout, [...path, ...step.path])) return true;
  return false;
}
