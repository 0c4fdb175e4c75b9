import { moreLikeIt } from '../bytes/bounded-list.ts';
import type { CheckReport, Finding } from '../check/finding.ts';
import { findingPlace } from './check-text.ts';
import { xmlText } from './xml.ts';

/**
 * Reports as JUnit XML, the form that CI systems read: a test case for each stream, which fails when it will be
 * rejected and is an error when nothing can be told.
 */
export function checkJunit(reports: readonly CheckReport[]): string {
  const failures = reports.filter(({ verdict }) => verdict === 'will be rejected').length;
  const errors = reports.filter(({ verdict }) => verdict === 'cannot tell').length;
  const counts = `tests="${reports.length}" failures="${failures}" errors="${errors}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="vmwalk check" ${counts}>`,
    `  <testsuite name="vmwalk check" ${counts} skipped="0" time="0">`,
    ...reports.flatMap(testCase),
    '  </testsuite>',
    '</testsuites>',
  ].join('\n');
}

function testCase(report: CheckReport): string[] {
  const { name, verdict, reason = '', findings } = report;
  const lines = [`    <testcase classname="vmwalk.check" name="${xmlText(name)}" time="0">`];
  const blocking = findings.filter(({ severity }) => severity === 'blocks');
  const [first] = blocking;
  if (first) {
    const text = blocking.map(findingLine).join('\n');
    lines.push(
      `      <failure type="${first.rule}" message="${xmlText(`${verdict}: ${first.message}`)}">${xmlText(text)}</failure>`,
    );
  } else if (verdict === 'cannot tell') {
    lines.push(`      <error type="cannot-tell" message="${xmlText(reason)}"/>`);
  }
  const others = findings.filter(({ severity }) => severity !== 'blocks');
  if (others.length > 0)
    lines.push(`      <system-out>${xmlText(others.map(findingLine).join('\n'))}</system-out>`);
  lines.push('    </testcase>');
  return lines;
}

function findingLine(finding: Finding): string {
  const { rule, severity, message, says, fix, more } = finding;
  const place = findingPlace(finding);
  return [
    `${severity} ${rule}${place === '' ? '' : `: ${place}`}: ${message}${moreLikeIt(more)}`,
    ...(says === undefined ? [] : [`QEMU says: ${says}`]),
    ...(fix === undefined ? [] : [`what helps: ${fix}`]),
  ].join('; ');
}
