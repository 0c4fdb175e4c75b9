import type { PathComponent } from '../../bytes/diagnostic.ts';
import type { Range } from '../../bytes/range.ts';
import type { FieldSchema } from '../../schema/schema.ts';
import type { ResolveContext } from '../context.ts';
import type { LayoutNode } from '../node.ts';

import { resolveCapability } from './capability.ts';
import { resolveQueue } from './queue.ts';

/**
 * Opens up a field with a custom VMStateInfo. Returns undefined where the bytes are not what the info writes: the
 * field is then shown as bytes.
 */
export type InfoCodec = (
  context: ResolveContext,
  field: FieldSchema,
  at: { readonly name: PathComponent } & Range,
) => LayoutNode | undefined;

/** By the name of the VMStateInfo. A custom info is one file beside this one and one line here. */
export const infoCodecs: ReadonlyMap<string, InfoCodec> = new Map([
  ['capability', resolveCapability],
  ['qlist', resolveQueue],
  ['qtailq', resolveQueue],
]);
