import type { Diagnostic, PathComponent } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import type { StructSchema } from '../schema/schema.ts';
import type { GapNode, LayoutNode, StructNode } from './node.ts';

/** Bytes of a section: `bytes[0]` is at `base` in the stream. */
export interface SectionBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly base: number;
}

export function sectionBytes(bytes: Uint8Array, base: number): SectionBytes {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), base };
}

/** Name, type and half-open range of the node that is being made. */
export interface NodePlace extends Range {
  readonly name: PathComponent;
  readonly type: string;
}

/** What resolving needs to know of where it is, and the way back into the walk for what walks a VMSD itself. */
export interface ResolveContext {
  readonly section: SectionBytes;
  readonly idstr: string;
  readonly path: readonly PathComponent[];
  report(diagnostic: Omit<Diagnostic, 'section' | 'instanceId'>): void;
  resolveStruct(context: ResolveContext, struct: StructSchema, at: NodePlace): StructNode;
  /** Opens up a field whose VMStateInfo writes what a reader of the walk can follow; undefined where none can. */
  readInfo(context: ResolveContext, at: NodePlace): LayoutNode | undefined;
}

/** A gap node over `[start, end)`, which lies within the section's bytes. */
export function gap(context: ResolveContext, type: string, start: number, end: number): GapNode {
  const { bytes, base } = context.section;
  return { kind: 'gap', name: '(gap)', type, start, end, value: bytes.subarray(start - base, end - base) };
}
