import type { CheckReport, Finding } from '../check/finding.ts';
import { blockerId } from '../check/known-blockers.ts';
import { distinctIssues, type GithubAnnotation, type GitlabIssue, githubLine } from './annotations.ts';
import { findingLine } from './check-junit.ts';
import { checkedName } from './check-text.ts';

const kinds = { blocks: 'error', suspicious: 'warning', note: 'notice' } as const;
const severities = { blocks: 'critical', suspicious: 'minor', note: 'info' } as const;

/** Findings that are worth a word, and a line for each verdict that cannot be given. */
function shown(report: CheckReport): readonly Finding[] {
  if (report.verdict === 'cannot tell')
    return [{ rule: 'not-checked', severity: 'suspicious', message: `cannot tell: ${report.reason ?? ''}` }];
  return report.known ? [] : report.findings.filter(({ severity }) => severity !== 'note');
}

/** Annotations for GitHub, of the job: streams are no source. */
export function* checkGithub(reports: readonly CheckReport[]): Generator<string> {
  for (const report of reports)
    for (const finding of shown(report)) {
      const annotation: GithubAnnotation = {
        kind: kinds[finding.severity],
        title: finding.rule,
        message: `${checkedName(report)}: ${findingLine(finding)}`,
      };
      yield githubLine(annotation);
    }
}

/** GitLab's Code Quality report; the place is the stream. */
export function checkGitlab(reports: readonly CheckReport[]): GitlabIssue[] {
  return distinctIssues(
    reports.flatMap((report) =>
      shown(report).map((finding) => ({
        description: `${checkedName(report)}: ${findingLine(finding)}`,
        check_name: finding.rule,
        fingerprint: blockerId(report, finding),
        severity: severities[finding.severity],
        location: { path: report.name, lines: { begin: 1 } },
      })),
    ),
  );
}
