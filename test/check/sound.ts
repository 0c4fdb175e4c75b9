import type { CheckReport } from '../../src/check/finding.ts';
import { rules } from '../../src/check/rules.ts';

const VERDICTS = ['no blocker found', 'will be rejected', 'cannot tell'];
const SEVERITIES = ['blocks', 'suspicious', 'note'];

/** What cannot be of any report, whatever is checked; `size` is that of the stream. */
export function soundnessProblems(found: CheckReport, size: number): string[] {
  const problems: string[] = [];
  const blocks = found.findings.some(({ severity }) => severity === 'blocks');
  if (!VERDICTS.includes(found.verdict)) problems.push(`the verdict ${found.verdict}`);
  if ((found.verdict === 'will be rejected') !== blocks)
    problems.push(`${found.verdict}, with blockers: ${blocks}`);
  if ((found.reason !== undefined) !== (found.verdict === 'cannot tell'))
    problems.push(`${found.verdict} with the reason ${found.reason}`);
  const severities = found.findings.map(({ severity }) => SEVERITIES.indexOf(severity));
  if (severities.some((severity, i) => severity < (severities[i - 1] ?? 0)))
    problems.push('findings out of order');
  for (const { rule, message, range } of found.findings) {
    if (!(rule in rules)) problems.push(`a finding of no rule: ${rule}`);
    if (message === '') problems.push(`${rule} says nothing`);
    if (range && !(range.start >= 0 && range.start <= range.end && range.end <= size))
      problems.push(`${rule}: range ${range.start}-${range.end}`);
  }
  return problems;
}
