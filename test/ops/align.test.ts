import fc from 'fast-check';
import { expect, test } from 'vitest';
import { longestRise } from '../../src/ops/align.ts';
import { alignSequences } from '../../src/ops/align-sequences.ts';

const sequence = fc.array(fc.nat({ max: 5 }), { maxLength: 60 });

/** Length of the longest common subsequence, by the textbook's table. */
function commonLength(a: readonly number[], b: readonly number[]): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i]![j] =
        a[i] === b[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
  return table[0]![0]!;
}

test('runs cover both sequences, and what is equal is a longest common subsequence', () => {
  fc.assert(
    fc.property(sequence, sequence, (a, b) => {
      const runs = alignSequences(Uint32Array.from(a), Uint32Array.from(b));
      let endA = 0;
      let endB = 0;
      let equal = 0;
      for (const run of runs) {
        expect([run.startA, run.startB]).toEqual([endA, endB]);
        ({ endA, endB } = run);
        if (!run.equal) continue;
        expect(a.slice(run.startA, endA)).toEqual(b.slice(run.startB, endB));
        equal += endA - run.startA;
      }
      expect([endA, endB]).toEqual([a.length, b.length]);
      expect(equal).toBe(commonLength(a, b));
    }),
  );
});

test('sequences with nothing in common take no long search', () => {
  const a = Uint32Array.from({ length: 300_000 }, (_, i) => 2 * i);
  const b = Uint32Array.from({ length: 300_001 }, (_, i) => 2 * i + 1);
  expect(alignSequences(a, b)).toEqual([
    { equal: false, startA: 0, endA: 300_000, startB: 0, endB: 300_001 },
  ]);
});

test('a longest rise rises, and none is longer', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 30 }), { maxLength: 12 }), (all) => {
      const values = [...new Set(all)];
      const rise = [...longestRise(values)].sort((x, y) => x - y).map((i) => values[i]!);
      expect(rise).toEqual([...rise].sort((x, y) => x - y));
      expect(rise.length).toBe(
        commonLength(
          values,
          [...values].sort((x, y) => x - y),
        ),
      );
    }),
  );
});
