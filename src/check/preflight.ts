import type { OpenedStream } from '../layout/open.ts';
import { checkStream } from './check.ts';
import type { Destination } from './destination.ts';
import { type CheckReport, countFindings, type Verdict } from './finding.ts';

/** A destination, and what it is called where there are several. */
export interface NamedDestination {
  readonly destination: Destination;
  readonly name?: string | undefined;
}

/** Would each of the destinations accept the stream? In their order. Loads nothing. */
export async function checkDestinations(
  opened: OpenedStream,
  destinations: readonly NamedDestination[],
): Promise<CheckReport[]> {
  const reports: CheckReport[] = [];
  for (const { name, destination } of destinations)
    reports.push(toDestination(await checkStream(opened, destination), name));
  return reports;
}

/** A report with the name of its destination, where it has one. */
export function toDestination(report: CheckReport, name: string | undefined): CheckReport {
  return name === undefined ? report : { ...report, destination: name };
}

const ranks: Readonly<Record<Verdict, number>> = {
  'no blocker found': 0,
  'cannot tell': 1,
  'will be rejected': 2,
};

/** Reports of one stream, those of destinations that would take it with the fewest doubts first. */
export function bestFirst(reports: readonly CheckReport[]): CheckReport[] {
  return [...reports].sort(
    (a, b) =>
      ranks[a.verdict] - ranks[b.verdict] ||
      countFindings(a, 'blocks') - countFindings(b, 'blocks') ||
      countFindings(a, 'suspicious') - countFindings(b, 'suspicious'),
  );
}

/** The report of the destination that would take it with the fewest doubts; undefined where none is known to. */
export function bestDestination(reports: readonly CheckReport[]): CheckReport | undefined {
  const [best] = bestFirst(reports);
  return best?.verdict === 'no blocker found' ? best : undefined;
}
