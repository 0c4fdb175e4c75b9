import { printable } from '../bytes/printable.ts';
import type { CheckReport } from '../check/finding.ts';
import { bestFirst } from '../check/preflight.ts';
import { type CheckTextOptions, checkGrid, checkText, firstFinding } from './check-text.ts';
import { plainStyle } from './style.ts';
import { formatTable } from './text-table.ts';

const HOW_TO_KNOW =
  'to know: vmwalk profile -o THERE -- QEMU…, with the command line that would start it, on the host that it would run on';

/**
 * What `preflight` prints: of one VM a line for each destination, the best first, then what the verdicts rest on; of
 * several VMs a grid of all.
 */
export function* preflightText(
  reports: readonly CheckReport[],
  { style = plainStyle, notes = false }: Partial<CheckTextOptions> = {},
): Generator<string> {
  const [first] = reports;
  if (first && reports.every(({ name }) => name === first.name)) {
    const ordered = bestFirst(reports);
    yield style.heading(printable(first.name));
    yield* formatTable(
      ['  destination', 'verdict', 'first finding'].map((title) => ({ title, align: 'left' as const })),
      ordered.map((report) => [
        `  ${printable(report.destination ?? '')}`,
        report.known ? `${report.verdict}, as is known` : report.verdict,
        firstFinding(report),
      ]),
    );
    for (const report of ordered) {
      // Why is in the table, and nothing rests on it.
      if (report.isUnread) continue;
      yield '';
      yield* checkText(report, { style, notes });
    }
  } else yield* checkGrid(reports);
  if (reports.some(({ verdict, isUnread }) => verdict === 'cannot tell' && !isUnread))
    yield* ['', HOW_TO_KNOW];
}
