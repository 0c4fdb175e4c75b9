import type { MemoryPlace } from './evaluate.ts';
import { constantValue, type Expression, type Load } from './expression.ts';
import { maskOf, wrap } from './term.ts';

/** A test compares a member with a handful of numbers. */
const MAX_CANDIDATES = 16;

/**
 * Values of a place that a simplified test may tell apart: those next to each number that it is compared with, small ones first.
 * A search that does not know the place tries these; every other value gives the answer that one of them gives, for
 * a test that compares the place, or bits of it, with constants.
 */
export function candidateValues(expression: Expression, { path, size }: MemoryPlace): bigint[] {
  const values = new Set<bigint>([0n, 1n]);
  collect(expression, path.at(-1) ?? 0, size, values);
  return [...values].sort((a, b) => (a < b ? -1 : 1)).slice(0, MAX_CANDIDATES);
}

/** Adds the numbers beside a load of so many bytes at an offset. Whether it belongs to the place exactly is no matter. */
function collect(expression: Expression, offset: number, size: number, values: Set<bigint>): boolean {
  if (typeof expression !== 'object') return false;
  const mask = maskOf(size * 8);
  switch (expression[0]) {
    case 'unknown':
      return false;
    case 'load':
      return (
        isPlace(expression, offset, size) ||
        (expression[1] !== 'global' && collect(expression[1], offset, size, values))
      );
    case 'trunc':
    case 'sext':
      return collect(expression[1], offset, size, values);
    case 'if':
      return expression
        .slice(1)
        .map((part) => collect(part as Expression, offset, size, values))
        .includes(true);
    default: {
      const [, a, b] = expression;
      const found = [collect(a, offset, size, values), collect(b, offset, size, values)];
      for (const [i, other] of [b, a].entries()) {
        if (!found[i] || typeof other === 'object' || Number.isNaN(Number(other))) continue;
        const value = constantValue(other as number);
        for (const near of [value, wrap(value - 1n), wrap(value + 1n), wrap(-value)]) values.add(near & mask);
      }
      return found.includes(true);
    }
  }
}

function isPlace(load: Load, offset: number, size: number): boolean {
  return load[2] === offset && load[3] === size;
}
