import { appendTo } from '../bytes/append-to.ts';
import { printable } from '../bytes/diagnostic.ts';
import { findingId } from '../compat/baseline.ts';
import type { CompatFinding, CompatReport } from '../compat/compat.ts';
import type { Direction } from '../compat/direction.ts';
import { type CompatRank, compatRules } from '../compat/rules.ts';
import { distinctIssues, type GitlabIssue, githubLine } from './annotations.ts';
import { type JunitCase, junitXml } from './junit.ts';
import { relativeUri, sarifLog } from './sarif.ts';

/** Devices that are named in a message. */
const MAX_DEVICES = 4;

const arrows: Readonly<Record<Direction, string>> = {
  'old-to-new': 'old -> new',
  'new-to-old': 'new -> old',
};
const marks: Readonly<Record<CompatRank, string>> = {
  certain: 'breaks',
  conditional: 'may break',
  cosmetic: 'same bytes',
};

/** What CI systems are told: which findings count as failures, and which are shown at all. */
export interface CompatReportOptions {
  /** Findings of these ranks are failures. */
  readonly failing: readonly CompatRank[];
  /** Cosmetic findings, too. */
  readonly all?: boolean;
}

/** Findings that are not known, and worth a word. */
function shownFindings({ findings }: CompatReport, all: boolean): CompatFinding[] {
  return findings.filter(({ rank, known }) => !known && (all || rank !== 'cosmetic'));
}

/** One line that says all of a finding. */
function messageOf(finding: CompatFinding): string {
  const { direction, rank, vmsd, fields, devices, message, conditions, machineTypes, qemuSays } = finding;
  const names = [...new Set(devices.map(({ name }) => name))].filter((name) => name !== vmsd);
  const listed = names.slice(0, MAX_DEVICES).join(', ');
  const more = names.length > MAX_DEVICES ? ` and ${names.length - MAX_DEVICES} more` : '';
  const where = `${[vmsd, ...fields.slice(0, 1)].join('/')}${listed === '' ? '' : ` in ${listed}${more}`}`;
  const parts = [
    `${arrows[direction]} ${marks[rank]}: ${where}: ${message}`,
    ...(conditions.length > 0 ? [`if ${conditions.join('; and ')}`] : []),
    ...(machineTypes ? [`for ${machineTypes.join(', ')}`] : []),
    ...(qemuSays !== undefined && rank === 'certain' ? [`QEMU: ${qemuSays}`] : []),
  ];
  return printable(parts.join('; '));
}

/** Where the VMSD of a finding is in QEMU's source, in the new build if that has it. */
function sourceOf({ symbols }: CompatFinding): { readonly file: string; readonly line?: number } | undefined {
  for (const symbol of [symbols?.new, symbols?.old]) {
    const { file, line } = symbol ?? {};
    if (file !== undefined) return { file, ...(line === undefined ? {} : { line }) };
  }
  return undefined;
}

/** Where a finding is shown: in the source where that is known, else at the build. */
function placeOf(
  report: CompatReport,
  finding: CompatFinding,
): { readonly file: string; readonly line?: number } {
  return sourceOf(finding) ?? { file: report.new.name };
}

/** Annotations for GitHub. Without a place in the source an annotation is of the job. */
export function* compatGithub(
  report: CompatReport,
  { failing, all = false }: CompatReportOptions,
): Generator<string> {
  for (const finding of shownFindings(report, all)) {
    const { rule, rank } = finding;
    const source = sourceOf(finding);
    const kind = failing.includes(rank) ? 'error' : rank === 'cosmetic' ? 'notice' : 'warning';
    yield githubLine({ kind, title: rule, message: messageOf(finding), ...source });
  }
}

const gitlabSeverities: Readonly<Record<CompatRank, GitlabIssue['severity']>> = {
  certain: 'critical',
  conditional: 'minor',
  cosmetic: 'info',
};

/** GitLab's Code Quality report. */
export function compatGitlab(
  report: CompatReport,
  { all = false }: Pick<CompatReportOptions, 'all'> = {},
): GitlabIssue[] {
  return distinctIssues(
    shownFindings(report, all).map((finding) => {
      const { file, line = 1 } = placeOf(report, finding);
      return {
        description: messageOf(finding),
        check_name: finding.rule,
        fingerprint: findingId(finding),
        severity: gitlabSeverities[finding.rank],
        location: { path: file, lines: { begin: line } },
      };
    }),
  );
}

/**
 * JUnit XML: a test case for each VMSD with findings in a direction, and one for all others, which passes. Those of ranks
 * that do not fail are output of theirs.
 */
export function compatJunit(report: CompatReport, { failing, all = false }: CompatReportOptions): string {
  const cases: JunitCase[] = [];
  for (const direction of report.directions) {
    const groups = new Map<string, CompatFinding[]>();
    for (const finding of shownFindings(report, all))
      if (finding.direction === direction) appendTo(groups, finding.vmsd, finding);
    for (const [vmsd, findings] of groups) {
      const failures = findings.filter(({ rank }) => failing.includes(rank));
      const [first] = failures;
      cases.push({
        name: `${arrows[direction]} ${vmsd}`,
        failure: first && {
          type: first.rule,
          message: messageOf(first),
          text: failures.map(messageOf).join('\n'),
        },
        output: findings.filter(({ rank }) => !failing.includes(rank)).map(messageOf),
      });
    }
    cases.push({ name: `${arrows[direction]} all others of ${report.compared} devices`, output: [] });
  }
  return junitXml('compat', cases);
}

const sarifLevels: Readonly<Record<CompatRank, string>> = {
  certain: 'error',
  conditional: 'warning',
  cosmetic: 'note',
};

/** SARIF 2.1.0. Known findings are there as unchanged, where there is a baseline. */
export function compatSarif(report: CompatReport, version: string): object {
  const codes: readonly string[] = compatRules.map(([id]) => id);
  const hasBaseline = report.findings.some(({ known }) => known);
  const results = report.findings.map((finding) => {
    const { rule, rank, vmsd, fields, known } = finding;
    const { file, line } = placeOf(report, finding);
    return {
      ruleId: rule,
      ruleIndex: codes.indexOf(rule),
      level: sarifLevels[rank],
      message: { text: messageOf(finding) },
      ...(hasBaseline ? { baselineState: known ? 'unchanged' : 'new' } : {}),
      partialFingerprints: { 'vmwalkFinding/v1': findingId(finding) },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: relativeUri(file) },
            ...(line === undefined ? {} : { region: { startLine: line } }),
          },
          logicalLocations: [{ fullyQualifiedName: [vmsd, ...fields.slice(0, 1)].join('/') }],
        },
      ],
    };
  });
  return sarifLog(
    version,
    compatRules.map(([id, text]) => ({ id, text })),
    results,
  );
}
