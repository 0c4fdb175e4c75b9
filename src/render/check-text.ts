import { appendTo } from '../bytes/append-to.ts';
import { moreLikeIt } from '../bytes/bounded-list.ts';
import { formatPath, printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import { type CheckReport, countFindings, type Finding } from '../check/finding.ts';
import { bestDestination } from '../check/preflight.ts';
import type { FindingSeverity } from '../check/rules.ts';
import { formatSize } from './size.ts';
import { plainStyle, type Style } from './style.ts';
import { type Column, formatTable } from './text-table.ts';

export interface CheckTextOptions {
  readonly style: Style;
  /** Show notes, too. */
  readonly notes: boolean;
}

/** A report for people: the verdict, then what it rests on. */
export function* checkText(
  report: CheckReport,
  { style = plainStyle, notes = false }: Partial<CheckTextOptions> = {},
): Generator<string> {
  yield `${style.heading(printable(checkedName(report)))}: ${verdictText(report, style)}`;
  let hidden = 0;
  const redacted: Finding[] = [];
  for (const finding of report.findings) {
    // What was not checked is part of what the verdict means.
    if (finding.severity === 'note' && finding.rule !== 'not-checked' && !notes) {
      hidden += 1 + (finding.more ?? 0);
      continue;
    }
    if (finding.redactedBytes !== undefined && !notes) {
      redacted.push(finding);
      continue;
    }
    yield '';
    yield* findingText(finding, style);
  }
  if (redacted.length > 0) {
    yield '';
    yield* findingText(redactedSummary(redacted), style);
  }
  if (hidden > 0)
    yield style.faint(
      `\n${hidden} note${hidden === 1 ? '' : 's'}; --notes shows ${hidden === 1 ? 'it' : 'them'}`,
    );
}

/** What was taken out of a redacted capture, in one note in place of one for each section. */
function redactedSummary(findings: readonly Finding[]): Finding {
  const bytes = findings.reduce((sum, { redactedBytes = 0 }) => sum + redactedBytes, 0);
  const { length } = findings;
  const message = `${formatSize(bytes)} of ${length} section${length === 1 ? '' : 's'} were taken out of the capture: what they said is not checked (--notes lists them)`;
  const more = findings.at(-1)?.more;
  return { rule: 'not-checked', severity: 'note', message, ...(more === undefined ? {} : { more }) };
}

function* findingText(finding: Finding, style: Style): Generator<string> {
  const { rule, severity, message, says, fix, more } = finding;
  const place = findingPlace(finding);
  yield `${severityName(severity, style)} ${style.name(rule)}${place === '' ? '' : `  ${place}`}`;
  yield `    ${printable(message)}${moreLikeIt(more)}`;
  if (says !== undefined) yield `    ${style.faint('QEMU says:')} ${printable(says)}`;
  if (fix !== undefined) yield `    ${style.faint('what helps:')} ${printable(fix)}`;
}

/** Section, field and offset of a finding. */
export function findingPlace({
  section,
  instanceId,
  path,
  range,
}: Pick<Finding, 'section' | 'instanceId' | 'path' | 'range'>): string {
  const parts: string[] = [];
  if (section !== undefined) parts.push(printable(section) + (instanceId ? ` instance ${instanceId}` : ''));
  if (path && path.length > 0) parts.push(printable(formatPath(path)));
  if (range) parts.push(`at ${hexOffset(range.start)}`);
  return parts.join(', ');
}

/** Several reports in a line each, the worst first. */
export function checkTable(reports: readonly CheckReport[]): string[] {
  const ordered = [...reports].sort(
    (a, b) => rank(a) - rank(b) || countFindings(b, 'blocks') - countFindings(a, 'blocks'),
  );
  const rows = ordered.map((report) => {
    return [
      report.verdict,
      String(countFindings(report, 'blocks')),
      String(countFindings(report, 'suspicious')),
      printable(checkedName(report)),
      firstFinding(report),
    ];
  });
  return formatTable(
    [
      { title: 'verdict', align: 'left' },
      { title: 'blocks', align: 'right' },
      { title: 'suspicious', align: 'right' },
      { title: 'stream', align: 'left' },
      { title: 'first finding', align: 'left' },
    ],
    rows,
  );
}

/** What a verdict rests on, in a line. */
export function firstFinding({ findings, reason }: CheckReport): string {
  const [first] = findings;
  if (!first || first.severity === 'note') return printable(reason ?? '');
  const section = first.section === undefined ? '' : `${printable(first.section)}: `;
  return `${first.rule}: ${section}${printable(first.message)}`;
}

/** Each stream by each of several destinations, the best of them in front, and the table of those pairs that are not fine. */
export function checkGrid(reports: readonly CheckReport[]): string[] {
  const [streams, destinations] = [
    [...new Set(reports.map(({ name }) => name))],
    [...new Set(reports.map(({ destination = '' }) => destination))],
  ];
  const verdicts = new Map(
    reports.map((each) => [JSON.stringify([each.name, each.destination]), each.verdict]),
  );
  const byName = new Map<string, CheckReport[]>();
  for (const report of reports) appendTo(byName, report.name, report);
  const rows = streams.map((name) => [
    printable(name),
    printable(bestDestination(byName.get(name) ?? [])?.destination ?? '-'),
    ...destinations.map((destination) => verdicts.get(JSON.stringify([name, destination])) ?? '-'),
  ]);
  const columns: Column[] = [
    { title: 'FROM \\ TO', align: 'left' },
    { title: 'best', align: 'left' },
    ...destinations.map((name): Column => ({ title: printable(name), align: 'left' })),
  ];
  const open = reports.filter(({ verdict }) => verdict !== 'no blocker found');
  return [...formatTable(columns, rows), ...(open.length === 0 ? [] : ['', ...checkTable(open)])];
}

/** What a report is of, for people. */
export function checkedName({ name, destination }: CheckReport): string {
  return destination === undefined ? name : `${name} for ${destination}`;
}

function verdictText(report: CheckReport, style: Style): string {
  const { verdict, reason } = report;
  if (verdict === 'will be rejected') return style.error(report.known ? `${verdict}, as is known` : verdict);
  if (verdict === 'cannot tell') return style.warning(`${verdict}: ${printable(reason ?? '')}`);
  const suspicious = countFindings(report, 'suspicious');
  return suspicious === 0
    ? verdict
    : `${verdict}, but ${suspicious} suspicious finding${suspicious === 1 ? '' : 's'}`;
}

function severityName(severity: FindingSeverity, style: Style): string {
  if (severity === 'blocks') return style.error('blocks:');
  return severity === 'suspicious' ? style.warning('suspicious:') : style.faint('note:');
}

function rank({ verdict }: CheckReport): number {
  return ['will be rejected', 'cannot tell', 'no blocker found'].indexOf(verdict);
}
