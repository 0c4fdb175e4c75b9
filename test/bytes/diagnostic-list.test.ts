import { expect, test } from 'vitest';
import { MAX_OF_ONE_KIND } from '../../src/bytes/bounded-list.ts';
import type { Diagnostic } from '../../src/bytes/diagnostic.ts';
import { DiagnosticList } from '../../src/bytes/diagnostic-list.ts';

const warning: Diagnostic = { severity: 'warning', code: 'bad-ram', message: 'x' };

test('keeps so many of a kind, and says how many more there were', () => {
  const list = new DiagnosticList(Array.from({ length: MAX_OF_ONE_KIND }, () => warning));
  expect(list.list().some(({ more }) => more !== undefined)).toBe(false);
  list.addAll([warning, { ...warning, more: 4 }, { ...warning, severity: 'note' }]);
  expect(list.list()).toHaveLength(MAX_OF_ONE_KIND + 1);
  expect(list.list()[MAX_OF_ONE_KIND - 1]?.more).toBe(6);
  expect(list.hasProblems).toBe(true);
});
