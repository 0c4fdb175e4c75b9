import fc from 'fast-check';
import { expect, test } from 'vitest';
import { globPattern } from '../../src/bytes/glob.ts';
import '../seed.ts';

/** The same by an expression that may try in vain, for short texts. */
function reference(glob: string): RegExp {
  const source = glob.replace(/\*+|\?/gu, (token) => {
    if (token === '?') return '[^/]';
    return token === '*' ? '[^/]*' : '.*';
  });
  return new RegExp(`^${source}$`, 'su');
}

test('globs match what an expression of the same meaning does', () => {
  const of = (...parts: string[]) =>
    fc.array(fc.constantFrom(...parts), { maxLength: 7 }).map((list) => list.join(''));
  fc.assert(
    fc.property(of('a', 'b', '/', '*', '**', '?'), of('a', 'b', '/', '\u{1f600}'), (glob, text) => {
      expect(globPattern(glob).test(text)).toBe(reference(glob).test(text));
    }),
    { numRuns: 2000 },
  );
});

test('a glob ends whose expression would try for ever', () => {
  expect(globPattern(`${'**a'.repeat(30)}b`).test('a'.repeat(5000))).toBe(false);
  expect(globPattern('**a'.repeat(30)).test('a'.repeat(5000))).toBe(true);
});
