import { type FinishedSource, memorySource, readExactly } from '../bytes/source.ts';
import { splicedSource } from '../bytes/splice.ts';
import type { ConfigurationRecord, SectionRecord } from '../stream/records.ts';
import { type EditedNode, nodePieces } from './edited-node.ts';

/** A record with another body, with nothing around it: what is to be written for it can be read by itself. */
export async function recordAlone<T extends SectionRecord | ConfigurationRecord>(
  source: FinishedSource,
  record: T,
  edited: EditedNode,
): Promise<{ readonly source: FinishedSource; readonly record: T }> {
  const written = splicedSource(source, nodePieces(edited));
  const body = await readExactly(written, 0, written.size);
  const range = { start: 0, end: body.byteLength };
  return { source: memorySource(body, source.name), record: { ...record, body: range, range } };
}
