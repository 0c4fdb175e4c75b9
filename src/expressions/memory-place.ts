import type { MemoryPlace } from './evaluate.ts';
import type { Expression } from './expression.ts';

/** Where a load reads, if it is a way of pointers from the object, the field or a variable; undefined for all else. */
export function memoryPlaceOf(expression: Expression): MemoryPlace | undefined {
  if (typeof expression !== 'object' || expression[0] !== 'load') return undefined;
  const [, base, offset, size] = expression;
  if (base === 'opaque' || base === 'field' || base === 'global') return { root: base, path: [offset], size };
  const before = memoryPlaceOf(base);
  return before && { root: before.root, path: [...before.path, offset], size };
}
