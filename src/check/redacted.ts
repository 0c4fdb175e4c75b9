import { pieceAt } from '../bytes/piece-at.ts';
import { type Range, rangeLength } from '../bytes/range.ts';
import type { OpenedStream } from '../layout/open.ts';
import type { Section } from '../stream/stream.ts';
import type { Finding } from './finding.ts';
import { placeOf } from './section.ts';

/**
 * Findings of a redacted capture without those about values that were taken out of it, and for each section a note that
 * there were some: nothing is refused for a zero.
 */
export function withoutRedacted(
  { sender }: Pick<OpenedStream, 'sender'>,
  sections: readonly Section[],
  findings: readonly Finding[],
): readonly Finding[] {
  const { redacted } = sender ?? {};
  if (!redacted || redacted.length === 0) return findings;
  const starts = redacted.map(({ start }) => start);
  const isRedacted = ({ range }: Finding) => {
    const around = range && rangeLength(range) > 0 ? redacted[pieceAt(starts, range.start)] : undefined;
    return around !== undefined && range !== undefined && contains(around, range);
  };
  const notes = sections.flatMap((section): Finding[] => {
    const bytes = section.records.reduce((sum, { body }) => sum + bytesWithin(body, redacted, starts), 0);
    if (bytes === 0) return [];
    const message = `${bytes} of its bytes were taken out of the capture: what they said is not checked`;
    return [{ ...placeOf(section), rule: 'not-checked', severity: 'note', message }];
  });
  return [...findings.filter((finding) => !isRedacted(finding)), ...notes];
}

function contains(around: Range, { start, end }: Range): boolean {
  return around.start <= start && end <= around.end;
}

/** How many bytes of the ranges are in a body; none reaches beyond a section. */
function bytesWithin(body: Range, ranges: readonly Range[], starts: readonly number[]): number {
  let bytes = 0;
  for (let i = pieceAt(starts, body.start); i < ranges.length && ranges[i]!.start < body.end; i++)
    bytes += Math.max(0, Math.min(ranges[i]!.end, body.end) - Math.max(ranges[i]!.start, body.start));
  return bytes;
}
