import { moreLikeIt } from '../bytes/bounded-list.ts';
import type { CheckReport, Finding } from '../check/finding.ts';
import { checkedName, findingPlace } from './check-text.ts';
import { type JunitCase, junitXml } from './junit.ts';

/**
 * Reports as JUnit XML, the form that CI systems read: a test case for each stream (and destination), which fails when it will be
 * rejected and is an error when nothing can be told.
 */
export function checkJunit(reports: readonly CheckReport[]): string {
  return junitXml('check', reports.map(testCase));
}

function testCase(report: CheckReport): JunitCase {
  const { verdict, reason = '', findings, known } = report;
  const blocking = findings.filter(({ severity }) => severity === 'blocks');
  const [first] = known ? [] : blocking;
  return {
    name: checkedName(report),
    failure: first && {
      type: first.rule,
      message: `${verdict}: ${first.message}`,
      text: blocking.map(findingLine).join('\n'),
    },
    error: verdict === 'cannot tell' ? { type: 'cannot-tell', message: reason } : undefined,
    output: findings.filter(({ severity }) => known || severity !== 'blocks').map(findingLine),
  };
}

/** One line that says all of a finding. */
export function findingLine(finding: Finding): string {
  const { rule, severity, message, says, fix, more } = finding;
  const place = findingPlace(finding);
  return [
    `${severity} ${rule}${place === '' ? '' : `: ${place}`}: ${message}${moreLikeIt(more)}`,
    ...(says === undefined ? [] : [`QEMU says: ${says}`]),
    ...(fix === undefined ? [] : [`what helps: ${fix}`]),
  ].join('; ');
}
