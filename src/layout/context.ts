import type { InfoContext, Infos } from '../infos/info.ts';
import type { StructSchema } from '../schema/schema.ts';
import type { GapNode, LayoutNode, NodePlace, StructNode } from './node.ts';

/** What resolving needs to know of where it is, and the way back into the walk for what walks a VMSD itself. */
export interface ResolveContext extends InfoContext {
  readonly idstr: string;
  readonly infos: Infos;
  resolveStruct(context: ResolveContext, struct: StructSchema, at: NodePlace): StructNode;
  /** Opens up a field whose VMStateInfo writes what a reader of the walk can follow; undefined where none can. */
  readInfo(context: ResolveContext, at: NodePlace): LayoutNode | undefined;
}

/** A gap node over `[start, end)`, which lies within the section's bytes. */
export function gap(context: ResolveContext, type: string, start: number, end: number): GapNode {
  const { bytes, base } = context.section;
  return { kind: 'gap', name: '(gap)', type, start, end, value: bytes.subarray(start - base, end - base) };
}
