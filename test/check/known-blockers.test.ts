import { expect, test } from 'vitest';
import type { CheckReport, Finding } from '../../src/check/finding.ts';
import { blockerId, markKnown, parseKnown, serializeKnown } from '../../src/check/known-blockers.ts';
import { bestDestination, bestFirst } from '../../src/check/preflight.ts';
import { checkGithub, checkGitlab } from '../../src/render/check-annotations.ts';
import { checkJunit } from '../../src/render/check-junit.ts';
import { preflightText } from '../../src/render/preflight-text.ts';

const blocker = (message: string, section = 'ram'): Finding => ({
  rule: 'ram-block-size',
  severity: 'blocks',
  section,
  message,
  range: { start: 1, end: 2 },
});
const report = (destination: string, ...findings: Finding[]): CheckReport => ({
  name: 'vm',
  destination,
  verdict: findings.some(({ severity }) => severity === 'blocks') ? 'will be rejected' : 'no blocker found',
  reason: undefined,
  findings,
});
const suspicious: Finding = { rule: 'capabilities', severity: 'suspicious', message: 'a, b: 100%\n' };
const reports = [
  report('small', blocker('4 bytes')),
  report('worse', blocker('4 bytes'), blocker('8 bytes', 'rom')),
  report('doubtful', suspicious),
  report('good'),
];

test('the best destination comes first, with the fewest doubts', () => {
  expect(bestFirst(reports).map(({ destination }) => destination)).toEqual([
    'good',
    'doubtful',
    'small',
    'worse',
  ]);
  expect(bestDestination(reports)?.destination).toBe('good');
  expect(bestDestination(reports.slice(0, 2))).toBeUndefined();
});

test('what is known is no failure, wherever it is in the stream now; what is new is', () => {
  const known = parseKnown(serializeKnown(reports.slice(0, 1)));
  expect([...known]).toEqual([blockerId(reports[0]!, blocker(''))]);
  const moved = report('small', { ...blocker('5 bytes'), range: { start: 7, end: 9 } });
  expect(markKnown(moved, known)).toEqual({ ...moved, known: true });
  expect(markKnown(reports[1]!, known).known).toBeUndefined();
  expect(markKnown(report('small', blocker('', 'rom')), known).known).toBeUndefined();
  expect(markKnown({ ...moved, name: 'other' }, known).known).toBeUndefined();
  expect(checkJunit([markKnown(moved, known)])).toContain('failures="0"');
  expect([...checkGithub([markKnown(moved, known)])]).toEqual([]);
  expect([...preflightText([markKnown(moved, known)])].join('\n')).toContain('will be rejected, as is known');
});

test.each([
  ['[]', 'not an object'],
  ['{"format":"x"}', '"format" is not'],
  ['{"format":"vmwalk-preflight-baseline","formatVersion":2}', '"formatVersion" is not 1'],
  [
    '{"format":"vmwalk-preflight-baseline","formatVersion":1,"blockers":[3]}',
    '"blockers[0]" is not a string',
  ],
  ['{', 'not valid JSON'],
])('a baseline that is none is refused: %s', (text, message) => {
  expect(() => parseKnown(text, 'known.json')).toThrow(`known.json is no usable baseline: `);
  expect(() => parseKnown(text, 'known.json')).toThrow(message);
});

test('annotations have one line each, whatever is in them', () => {
  expect([...checkGithub(reports.slice(1, 3))]).toEqual([
    '::error title=ram-block-size::vm for worse: blocks ram-block-size: ram, at 0x1: 4 bytes',
    '::error title=ram-block-size::vm for worse: blocks ram-block-size: rom, at 0x1: 8 bytes',
    '::warning title=capabilities::vm for doubtful: suspicious capabilities: a, b: 100%25%0A',
  ]);
  const unknown: CheckReport = {
    name: 'x',
    verdict: 'cannot tell',
    reason: 'nothing is known',
    findings: [],
  };
  expect([...checkGithub([unknown])]).toEqual([
    '::warning title=not-checked::x: suspicious not-checked: cannot tell: nothing is known',
  ]);
  expect(checkGitlab([...reports, ...reports])).toHaveLength(4);
  expect(checkGitlab(reports)[0]).toEqual({
    description: 'vm for small: blocks ram-block-size: ram, at 0x1: 4 bytes',
    check_name: 'ram-block-size',
    fingerprint: 'vm small ram-block-size ram@0 ',
    severity: 'critical',
    location: { path: 'vm', lines: { begin: 1 } },
  });
});
