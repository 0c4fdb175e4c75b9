import { badArgument, formatPath } from '../bytes/diagnostic.ts';
import type { LeafNode } from '../layout/node.ts';
import { layouts, type OpenedStream } from '../layout/open.ts';
import { type Selection, selectNodes } from './select.ts';

/** Fields that are looked at over time. */
const MAX_FIELDS = 10_000;

/** A field at one time. */
export interface SampledField {
  /** `cpu/env.eip`, with `@N` behind the section of another instance. */
  readonly name: string;
  readonly leaf: LeafNode;
}

/** The leaves that a selection picks, in the order of the stream. Throws DecodeError `bad-argument` for more than 10,000. */
export async function sampleFields(opened: OpenedStream, selection: Selection): Promise<SampledField[]> {
  const fields: SampledField[] = [];
  for await (const layout of layouts(opened)) {
    const section = layout.instanceId === 0 ? layout.section : `${layout.section}@${layout.instanceId}`;
    for (const { node, path } of selectNodes(layout, selection)) {
      if (node.kind !== 'leaf') continue;
      if (fields.length === MAX_FIELDS) throw badArgument(`more than ${MAX_FIELDS} fields are selected`);
      fields.push({ name: path.length === 0 ? section : `${section}/${formatPath(path)}`, leaf: node });
    }
  }
  return fields;
}
