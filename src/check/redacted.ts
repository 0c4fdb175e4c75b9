import { SortedRanges } from '../bytes/sorted-ranges.ts';
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
  if (!sender?.redacted || sender.redacted.length === 0) return findings;
  const redacted = new SortedRanges(sender.redacted);
  const notes = sections.flatMap((section): Finding[] => {
    const redactedBytes = section.records.reduce((sum, { body }) => sum + redacted.bytesWithin(body), 0);
    if (redactedBytes === 0) return [];
    const message = `${redactedBytes} of its bytes were taken out of the capture: what they said is not checked`;
    return [{ ...placeOf(section), rule: 'not-checked', severity: 'note', message, redactedBytes }];
  });
  const kept = findings.filter(({ range }) => range === undefined || !redacted.contains(range));
  return [...kept, ...notes];
}
