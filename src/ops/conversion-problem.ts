import { formatDiagnostic } from '../bytes/diagnostic.ts';
import { equalBytes } from '../bytes/equal-bytes.ts';
import { printable } from '../bytes/printable.ts';
import { rangeLength } from '../bytes/range.ts';
import { readExactly } from '../bytes/source.ts';
import type { OpenedStream } from '../layout/open.ts';
import { ramSummaries } from '../ram/iterative.ts';
import type { SectionRecord } from '../stream/records.ts';
import type { Conversion } from './convert.ts';

/** Bytes that are compared at a time. */
const PIECE = 1 << 20;

/**
 * What is wrong with a stream that was written of another one: it has other sections, or other bytes in them, or not the
 * pages that were written. Undefined for nothing. Both must have been opened with all of their RAM scanned.
 */
export async function conversionProblem(
  from: OpenedStream,
  to: OpenedStream,
  { pages }: Pick<Conversion, 'pages'>,
): Promise<string | undefined> {
  const error = to.diagnostics.find(({ severity, code }) => severity === 'error' && code !== 'bad-vmdesc');
  if (error) return formatDiagnostic(error);
  const [before, after] = [from, to].map(sectionRecords);
  for (let i = 0; i < Math.max(before!.length, after!.length); i++) {
    const [a, b] = [before![i], after![i]];
    if (!a || !b || !(await isSame(from, a, to, b)))
      return `section ${printable((a ?? b)!.idstr)} is not what it was`;
  }
  const [ram] = ramSummaries(to.stream.sections);
  const plain = ram ? ram.pages.plain.pages + ram.pages.mapped.pages : 0;
  const zero = ram?.pages.zero.pages ?? 0;
  if (plain === pages.plain && zero === pages.zero) return undefined;
  return `it has ${plain} pages and ${zero} zero pages; ${pages.plain} and ${pages.zero} were written`;
}

/** Records of all that is not RAM, in the order of the stream. */
function sectionRecords({ stream }: OpenedStream): readonly SectionRecord[] {
  return stream.sections
    .filter(({ idstr }) => idstr !== 'ram')
    .flatMap(({ records }) => records)
    .sort((a, b) => a.range.start - b.range.start);
}

async function isSame(
  from: OpenedStream,
  a: SectionRecord,
  to: OpenedStream,
  b: SectionRecord,
): Promise<boolean> {
  const length = rangeLength(a.body);
  if (a.type !== b.type || a.id !== b.id || a.idstr !== b.idstr || a.instanceId !== b.instanceId)
    return false;
  if (a.versionId !== b.versionId || rangeLength(b.body) !== length) return false;
  for (let done = 0; done < length; done += PIECE) {
    const size = Math.min(PIECE, length - done);
    const [x, y] = [
      await readExactly(from.source, a.body.start + done, size),
      await readExactly(to.source, b.body.start + done, size),
    ];
    if (!equalBytes(x, y)) return false;
  }
  return true;
}
