import { expect, test } from 'vitest';
import { Terms } from '../../src/expressions/terms.ts';

test('of two limits of one value the narrower one is kept, the wider one where either will do', () => {
  const terms = new Terms(1000);
  const value = terms.load(terms.symbol('opaque'), 8n, 4);
  const signed = terms.sext(value, 32);
  for (const [operator, x] of [
    ['ltu', value],
    ['lts', signed],
  ] as const) {
    const below = (limit: bigint) => terms.binary(operator, x, terms.constant(limit));
    const above = (limit: bigint) => terms.binary(operator, terms.constant(limit), x);
    for (const [least, most] of [[5n, 8n], ...(operator === 'lts' ? [[-3n, 8n] as const] : [])] as const) {
      for (const [a, b] of [
        [least, most],
        [most, least],
      ] as const) {
        expect(terms.binary('and', below(a), below(b))).toBe(below(least));
        expect(terms.binary('or', below(a), below(b))).toBe(below(most));
        expect(terms.binary('and', above(a), above(b))).toBe(above(most));
        expect(terms.binary('or', above(a), above(b))).toBe(above(least));
      }
    }
  }
  // Limits of different values both count.
  const other = terms.load(terms.symbol('opaque'), 16n, 4);
  const both = terms.binary(
    'and',
    terms.binary('ltu', value, terms.constant(5n)),
    terms.binary('ltu', other, terms.constant(8n)),
  );
  expect(both.operator).toBe('and');
});

test('a smaller or larger value is one term, whichever way it is asked for', () => {
  const terms = new Terms(1000);
  const opaque = terms.symbol('opaque');
  const [x, y] = [terms.load(opaque, 8n, 2), terms.load(opaque, 16n, 2)];
  const choose = (a: typeof x, b: typeof x, then: typeof x, otherwise: typeof x) =>
    terms.if(terms.binary('ltu', a, b), then, otherwise);
  expect(choose(x, y, x, y)).toBe(choose(y, x, y, x));
  expect(choose(x, y, y, x)).toBe(choose(y, x, x, y));
  expect(choose(x, y, x, y)).not.toBe(choose(x, y, y, x));
  // Where equal values do not give the same, it is another question.
  const one = terms.constant(1n);
  expect(choose(x, y, one, y)).not.toBe(choose(y, x, y, one));
  // What is asked for does not hang on which was made first.
  const again = new Terms(1000);
  const base = again.symbol('opaque');
  const [second, first] = [again.load(base, 16n, 2), again.load(base, 8n, 2)];
  const least = again.if(again.binary('ltu', second, first), second, first);
  expect(least.parts[0]?.parts.map(({ value }) => value)).toEqual([8n, 16n]);
});
