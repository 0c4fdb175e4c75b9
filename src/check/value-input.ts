import type { PathComponent } from '../bytes/diagnostic.ts';
import type { LayoutNode, StructNode } from '../layout/node.ts';
import type { Section } from '../stream/stream.ts';
import type { Destination } from './destination.ts';

/** A section as the destination reads it, and the destination's own one. */
export interface SectionValues {
  readonly section: Section;
  readonly root: StructNode;
  readonly own: StructNode;
  readonly destination: Destination;
}

/** What a rule for values is asked about. */
export interface ValueInput extends SectionValues {
  readonly node: LayoutNode;
  readonly ownNode: LayoutNode | undefined;
  readonly path: readonly PathComponent[];
}
