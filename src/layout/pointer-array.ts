import type { Range } from '../bytes/range.ts';
import { omittedElement } from '../schema/omitted.ts';
import type { FieldSchema, StructSchema } from '../schema/schema.ts';
import { gap, type ResolveContext } from './context.ts';
import type { LayoutNode } from './node.ts';

/** What QEMU writes in place of a NULL element: `'0'` (migration/vmstate-types.c, VMS_NULLPTR_MARKER). */
export const NULL_POINTER_MARKER = 0x30;
/** What QEMU 11 writes before an element that is not NULL, where every element has a marker. */
export const OBJECT_POINTER_MARKER = 0x31;

/**
 * A pointer array that its blob describes by a NULL first element: NULL elements are one marker byte each, the others
 * are structs that the blob says nothing of. When the struct is known from elsewhere the array is resolved, provided
 * that the count of elements comes out; otherwise all from the first other element on is a gap.
 */
export function resolvePointerArray(
  context: ResolveContext,
  parent: StructSchema,
  field: FieldSchema,
  at: Range,
): LayoutNode[] {
  const { section } = context;
  const { name, arrayLength = 0 } = field;
  const element = omittedElement(parent, field);
  const children: LayoutNode[] = [];
  let start = at.start;
  while (children.length < arrayLength && start < at.end) {
    const index = children.length;
    const pos = start - section.base;
    if (section.bytes[pos] === NULL_POINTER_MARKER) {
      const value = section.bytes.subarray(pos, pos + 1);
      children.push({ kind: 'leaf', name: index, type: 'nullptr', start, end: start + 1, value });
    } else {
      const end = start + (element?.size ?? 0);
      if (!element || end > at.end) break;
      const here = { ...context, path: [...context.path, index] };
      children.push(context.resolveStruct(here, element.struct, { name: index, type: 'struct', start, end }));
    }
    start = children.at(-1)!.end;
  }
  if (start === at.end && children.length === arrayLength) {
    return [
      {
        kind: 'array',
        name,
        type: children[0]?.type ?? 'struct',
        ...at,
        length: arrayLength,
        elements: children,
      },
    ];
  }
  // Only the leading NULL elements are sure.
  const known = children.findIndex((child) => child.type !== 'nullptr');
  const kept = known < 0 ? children : children.slice(0, known);
  const keptEnd = kept.at(-1)?.end ?? at.start;
  context.report({
    severity: 'warning',
    code: 'vmdesc-incomplete',
    message: 'QEMU before 10.0 does not describe the elements of a pointer array that begins with NULL',
    range: { start: keptEnd, end: at.end },
    path: context.path,
  });
  const nodes: LayoutNode[] = [];
  if (kept.length > 0) {
    nodes.push({
      kind: 'array',
      name,
      type: 'nullptr',
      start: at.start,
      end: keptEnd,
      length: kept.length,
      elements: kept,
    });
  }
  if (keptEnd < at.end) nodes.push(gap(context, 'undescribed', keptEnd, at.end));
  return nodes;
}
