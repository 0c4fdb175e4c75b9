import type { CheckReport } from '../check/finding.ts';
import { EXIT_OK } from './output.ts';

const EXIT_REJECTED = 1;
const EXIT_CANNOT_TELL = 3;

/** Exit status by verdicts: of the worst, but for those that are known. */
export function checkStatus(reports: readonly CheckReport[]): number {
  const verdicts = reports.flatMap(({ verdict, known }) => (known ? [] : verdict));
  if (verdicts.includes('will be rejected')) return EXIT_REJECTED;
  return verdicts.includes('cannot tell') ? EXIT_CANNOT_TELL : EXIT_OK;
}
