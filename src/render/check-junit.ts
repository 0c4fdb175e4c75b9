import { moreLikeIt } from '../bytes/bounded-list.ts';
import type { CheckReport, Finding } from '../check/finding.ts';
import { findingPlace } from './check-text.ts';
import { type JunitCase, junitXml } from './junit.ts';

/**
 * Reports as JUnit XML, the form that CI systems read: a test case for each stream, which fails when it will be
 * rejected and is an error when nothing can be told.
 */
export function checkJunit(reports: readonly CheckReport[]): string {
  return junitXml('check', reports.map(testCase));
}

function testCase({ name, verdict, reason = '', findings }: CheckReport): JunitCase {
  const blocking = findings.filter(({ severity }) => severity === 'blocks');
  const [first] = blocking;
  return {
    name,
    failure: first && {
      type: first.rule,
      message: `${verdict}: ${first.message}`,
      text: blocking.map(findingLine).join('\n'),
    },
    error: verdict === 'cannot tell' ? { type: 'cannot-tell', message: reason } : undefined,
    output: findings.filter(({ severity }) => severity !== 'blocks').map(findingLine),
  };
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
