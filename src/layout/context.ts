import type { InfoContext, Infos } from '../infos/info.ts';
import type { GapNode } from './node.ts';

/** What making nodes needs to know of where it is. */
export interface ResolveContext extends InfoContext {
  readonly idstr: string;
  readonly infos: Infos;
}

/** A gap node over `[start, end)`, which lies within the section's bytes. */
export function gap(context: ResolveContext, type: string, start: number, end: number): GapNode {
  const { bytes, base } = context.section;
  return { kind: 'gap', name: '(gap)', type, start, end, value: bytes.subarray(start - base, end - base) };
}
