import { BoundedList } from '../bytes/bounded-list.ts';
import type { PathComponent } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import type { FindingSeverity, RuleCode } from './rules.ts';

/** Something that a destination would make of a stream. */
export interface Finding {
  readonly rule: RuleCode;
  readonly severity: FindingSeverity;
  /** What is where and what the destination has instead; one line, without the place. */
  readonly message: string;
  /** idstr of the section. */
  readonly section?: string | undefined;
  readonly instanceId?: number | undefined;
  /** Path of the field inside the section. */
  readonly path?: readonly PathComponent[] | undefined;
  /** Where, as absolute offsets in the stream. */
  readonly range?: Range | undefined;
  /** What the destination's QEMU will say. Wording and numbers differ a little between versions. */
  readonly says?: string | undefined;
  /** What usually helps. */
  readonly fix?: string | undefined;
  /** `fix` is on the destination's command line, whose devices have the properties, as far as they are known. */
  readonly isSetting?: true | undefined;
  /** Of a note about what was taken out of a redacted capture: how many bytes of the section that are. */
  readonly redactedBytes?: number;
  /** How many more of this severity and rule there were behind this one, the last that is kept. */
  readonly more?: number;
}

/** Findings, of which so many of one severity and rule are kept. */
export class FindingList extends BoundedList<Finding> {
  constructor(findings: Iterable<Finding> = []) {
    super(({ severity, rule }) => `${severity} ${rule}`, findings);
  }
}

/** `no blocker found` is no promise: code of a device that runs after its load can still refuse. */
export type Verdict = 'no blocker found' | 'will be rejected' | 'cannot tell';

export interface CheckReport {
  /** Name of the stream. */
  readonly name: string;
  /** Name of the destination, where there are several. */
  readonly destination?: string | undefined;
  /** All that keeps it from there is in a baseline. */
  readonly known?: true | undefined;
  readonly verdict: Verdict;
  /** Why it is `cannot tell`. */
  readonly reason: string | undefined;
  /** There was no stream to be had: nothing was checked. */
  readonly isUnread?: true | undefined;
  /** Those that block first, else in stream order: QEMU stops at the first. Of many of one kind, the first. */
  readonly findings: readonly Finding[];
}

/** How many findings of a severity there are, those included that are not kept. */
export function countFindings({ findings }: CheckReport, severity: FindingSeverity): number {
  return findings.reduce(
    (sum, finding) => (finding.severity === severity ? sum + 1 + (finding.more ?? 0) : sum),
    0,
  );
}

const ranks = { blocks: 0, suspicious: 1, note: 2 } as const;

export function report(name: string, findings: readonly Finding[], reason: string | undefined): CheckReport {
  const sorted = new FindingList(
    [...findings].sort(
      (a, b) => ranks[a.severity] - ranks[b.severity] || (a.range?.start ?? 0) - (b.range?.start ?? 0),
    ),
  )
    .list()
    .map(withPlainRange);
  if (sorted[0]?.severity === 'blocks')
    return { name, verdict: 'will be rejected', reason: undefined, findings: sorted };
  const verdict = reason === undefined ? 'no blocker found' : 'cannot tell';
  return { name, verdict, reason, findings: sorted };
}

/** Rules give the node that they look at: what is below it is no part of a report. */
function withPlainRange(finding: Finding): Finding {
  const { range } = finding;
  return range === undefined ? finding : { ...finding, range: { start: range.start, end: range.end } };
}
