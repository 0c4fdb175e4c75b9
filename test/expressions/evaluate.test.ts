import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { candidateValues } from '../../src/expressions/candidate-values.ts';
import { type Dependency, evaluate, type MemoryPlace } from '../../src/expressions/evaluate.ts';
import { type Expression, hasUnknown } from '../../src/expressions/expression.ts';
import { simplify } from '../../src/expressions/term-expression.ts';
import { anyExpression } from './any-expression.ts';

/** A memory in which every place holds a value that follows from its path and a seed; `known` masks what is told. */
function memory(seed: number, known: bigint) {
  const byteAt = (path: readonly number[], offset: number): bigint => {
    let hash = seed | 1;
    for (const part of [...path, offset]) hash = Math.imul(hash ^ part, 0x9e3779b1) ^ (hash >>> 13);
    // Small numbers are what tests look for.
    return BigInt((hash >>> 8) % 3 === 0 ? (hash >>> 16) & 0xff : (hash >>> 20) & 3);
  };
  return ({ path, size, root }: MemoryPlace) => {
    let value = 0n;
    const last = path.at(-1) ?? 0;
    for (let i = size - 1; i >= 0; i--)
      value = (value << 8n) | byteAt([root.length, ...path.slice(0, -1)], last + i);
    return { value: value & known, known };
  };
}

const ALL = 0xffff_ffff_ffff_ffffn;

describe('evaluate', () => {
  test('decides by what is known, and says which bits it hangs on otherwise', () => {
    const flags: Expression = ['load', 'opaque', 20, 4];
    const both: Expression = ['and', ['ne', ['and', flags, 8], 0], ['lts', 2, 'version']];
    const place: MemoryPlace = { root: 'opaque', path: [20], size: 4 };
    const none = () => undefined;
    expect(evaluate(both, { version: 2, load: none })).toEqual({ known: true, value: 0n });
    expect(evaluate(both, { version: 3, load: none })).toEqual({
      known: false,
      hangsOn: [{ place, mask: 8n }],
      unknowable: false,
    });
    expect(evaluate(both, { version: 3, load: () => ({ value: 8n, known: 8n }) })).toEqual({
      known: true,
      value: 1n,
    });
    expect(evaluate(both, { version: 3, load: () => 0xf7n })).toEqual({ known: true, value: 0n });
  });

  test('follows pointers by their places, never by their values', () => {
    const asked: MemoryPlace[] = [];
    const load = (place: MemoryPlace) => {
      asked.push(place);
      return undefined;
    };
    const mode: Expression = ['load', ['load', ['add', 'opaque', ['shl', 'version', 3]], 8, 8], 16, 1];
    const place: MemoryPlace = { root: 'opaque', path: [24, 16], size: 1 };
    expect(evaluate(['eq', mode, 7], { version: 2, load })).toMatchObject({
      hangsOn: [{ place, mask: 0xffn }],
    });
    expect(asked).toContainEqual(place);
  });

  test('names what an unknown index hangs on', () => {
    const index: Expression = ['load', 'opaque', 4, 1];
    const entry: Expression = ['load', ['add', ['load', 'opaque', 8, 8], ['shl', index, 2]], 0, 4];
    expect(evaluate(['ne', entry, 0], { version: 1, load: () => undefined })).toMatchObject({
      hangsOn: [{ place: { path: [4], size: 1 }, mask: 0xffn }],
    });
  });

  test('tells what no place can decide', () => {
    const expression: Expression = [
      'or',
      ['ne', ['load', 'global', 4096, 1], 0],
      ['ne', ['unknown', 'call'], 0],
    ];
    expect(evaluate(expression, { version: 1, load: () => 1n })).toEqual({ known: true, value: 1n });
    expect(evaluate(expression, { version: 1, load: () => 0n })).toEqual({
      known: false,
      hangsOn: [],
      unknowable: true,
    });
  });

  test('agrees with itself on a simplified expression', () => {
    fc.assert(
      fc.property(
        anyExpression,
        fc.integer(),
        fc.integer({ min: -3, max: 9 }),
        (expression, seed, version) => {
          const environment = { version, size: 8, load: memory(seed, ALL) };
          const before = evaluate(expression, environment);
          const simplified = simplify(expression);
          const after = evaluate(simplified, environment);
          if (before.known && (after.known || !hasUnknown(simplified))) expect(after).toEqual(before);
        },
      ),
      { numRuns: 5000 },
    );
  });

  test('never says otherwise when more is known, and hangs on nothing else', () => {
    fc.assert(
      fc.property(anyExpression, fc.integer(), fc.bigInt({ min: 0n, max: ALL }), (expression, seed, mask) => {
        const full = evaluate(expression, { version: 3, size: 8, load: memory(seed, ALL) });
        const partial = evaluate(expression, { version: 3, size: 8, load: memory(seed, mask) });
        if (partial.known) {
          expect(full).toEqual(partial);
          return;
        }
        // With what it hangs on known as well, and nothing else, it hangs on less, in the end on nothing.
        const told: Dependency[] = [...partial.hangsOn];
        const load = (place: MemoryPlace) => {
          const { value } = memory(seed, ALL)(place);
          let known = mask;
          for (const dependency of told)
            if (JSON.stringify(dependency.place) === JSON.stringify(place)) known |= dependency.mask;
          return { value: value & known, known };
        };
        for (let round = 0; round < 50; round++) {
          const next = evaluate(expression, { version: 3, size: 8, load });
          if (next.known) expect(full).toEqual(next);
          if (next.known || next.hangsOn.length === 0) return;
          told.push(...next.hangsOn);
        }
        expect.unreachable('it hung on the same again and again');
      }),
      { numRuns: 3000 },
    );
  });

  test('candidates of a place decide a comparison both ways', () => {
    const place: MemoryPlace = { root: 'opaque', path: [624], size: 4 };
    const load: Expression = ['load', 'opaque', 624, 4];
    const tests: Expression[] = [
      ['ltu', load, 65],
      ['eq', ['and', load, 0x40], 0],
      ['ne', load, 0],
      ['lts', ['sext', load, 32], '0xffffffffffffffff'],
      ['eq', ['trunc', ['add', load, '0xfffffffffffffffd'], 32], 4],
    ];
    for (const expression of tests.map((each) => simplify(each))) {
      const answers = candidateValues(expression, place).map((value) =>
        evaluate(expression, { version: 1, load: () => value }),
      );
      expect(answers).toContainEqual({ known: true, value: 0n });
      expect(answers).toContainEqual({ known: true, value: 1n });
    }
  });
});
