import { expect, test } from 'vitest';
import { excessOfJson } from '../../src/bytes/json-excess.ts';

test('counts depth, objects and values of a text of JSON outside its strings', () => {
  expect(excessOfJson('{"a\\"[[[": [1, 2, "{{,"]}', 2)).toBeUndefined();
  expect(excessOfJson('[[[]]]', 2)).toBe('it nests deeper than 2 levels');
  expect(excessOfJson(`[${'{},'.repeat(1_000_000)}1]`, 2)).toBe(
    'it has 1000001 objects and arrays, more than 1000000',
  );
  expect(excessOfJson(`[${'1,'.repeat(4_000_001)}1]`, 2)).toBe('it has 4000001 values, more than 4000000');
});
