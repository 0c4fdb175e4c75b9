import { xmlText } from './xml.ts';

/** A test case of a report; without a failure or an error it passed. */
export interface JunitCase {
  readonly name: string;
  readonly failure?: { readonly type: string; readonly message: string; readonly text: string } | undefined;
  readonly error?: { readonly type: string; readonly message: string } | undefined;
  /** Lines that are no failure. */
  readonly output: readonly string[];
}

/** Test cases as JUnit XML, the form that CI systems read. `command` is what ran: `check`. */
export function junitXml(command: string, cases: readonly JunitCase[]): string {
  const failures = cases.filter(({ failure }) => failure).length;
  const errors = cases.filter(({ error }) => error).length;
  const counts = `tests="${cases.length}" failures="${failures}" errors="${errors}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="vmwalk ${command}" ${counts}>`,
    `  <testsuite name="vmwalk ${command}" ${counts} skipped="0" time="0">`,
    ...cases.flatMap((each) => testCase(command, each)),
    '  </testsuite>',
    '</testsuites>',
  ].join('\n');
}

function testCase(command: string, { name, failure, error, output }: JunitCase): string[] {
  const lines = [`    <testcase classname="vmwalk.${command}" name="${xmlText(name)}" time="0">`];
  if (failure) {
    const { type, message, text } = failure;
    lines.push(`      <failure type="${type}" message="${xmlText(message)}">${xmlText(text)}</failure>`);
  } else if (error) lines.push(`      <error type="${error.type}" message="${xmlText(error.message)}"/>`);
  if (output.length > 0) lines.push(`      <system-out>${xmlText(output.join('\n'))}</system-out>`);
  lines.push('    </testcase>');
  return lines;
}
