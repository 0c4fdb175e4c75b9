import {
  arithmeticOperators,
  comparisons,
  type Expression,
  MAX_EXPRESSION_DEPTH,
  MAX_EXPRESSION_NODES,
  unknownReasons,
} from './expression.ts';

const operators: ReadonlySet<unknown> = new Set([...arithmeticOperators, ...comparisons]);
const reasons: ReadonlySet<unknown> = new Set(unknownReasons);
const symbols: ReadonlySet<unknown> = new Set(['version', 'opaque', 'field', 'size']);
const loadSizes: ReadonlySet<unknown> = new Set([1, 2, 4, 8]);
const CONSTANT = /^0x[0-9a-f]{1,16}$/;

/**
 * The expression that a JSON value of unknown origin is; undefined where it is none, is nested too deeply or is too
 * large. The value is not copied.
 */
export function checkExpression(value: unknown): Expression | undefined {
  const budget = { nodes: MAX_EXPRESSION_NODES };
  return isExpression(value, budget, MAX_EXPRESSION_DEPTH) ? value : undefined;
}

function isExpression(value: unknown, budget: { nodes: number }, depth: number): value is Expression {
  if (budget.nodes-- <= 0 || depth <= 0) return false;
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0;
  if (typeof value === 'string') return symbols.has(value) || CONSTANT.test(value);
  if (!Array.isArray(value)) return false;
  const [operator, a, b, c]: readonly unknown[] = value;
  const inner = (part: unknown): boolean => isExpression(part, budget, depth - 1);
  switch (operator) {
    case 'unknown':
      return value.length === 2 && reasons.has(a);
    case 'load':
      return (
        value.length === 4 &&
        Number.isSafeInteger(b) &&
        loadSizes.has(c) &&
        (a === 'global' || (isAddress(a) && inner(a)))
      );
    case 'trunc':
    case 'sext':
      return value.length === 3 && Number.isInteger(b) && Number(b) >= 1 && Number(b) <= 64 && inner(a);
    case 'if':
      return value.length === 4 && inner(a) && inner(b) && inner(c);
    default:
      return value.length === 3 && operators.has(operator) && inner(a) && inner(b);
  }
}

/** A number is no address that a load may start from: what lies at a fixed one is a `global`. */
function isAddress(value: unknown): boolean {
  return value === 'opaque' || value === 'field' || Array.isArray(value);
}
