import type { MemoryPlace } from '../expressions/evaluate.ts';
import { constantValue, type Expression, toConstant } from '../expressions/expression.ts';
import { memoryPlaceOf } from '../expressions/memory-place.ts';
import { simplify } from '../expressions/term-expression.ts';
import { comparisons, isAddress, isConstant, isTruth } from './expression-shape.ts';

/** Characters of a condition; what is longer nobody reads. */
const MAX_TEXT = 120;

/** Names a place in memory, or the bits of it that a mask with one bit picks. */
type PlaceNamer = (place: MemoryPlace, mask?: bigint) => string;

/** What a test asks about a version, for people: `property x-bit`, `mode != 3 and not (status & 0x4)`. */
export function expressionText(expression: Expression, versionId: number, name: PlaceNamer): string {
  const text = truthText(simplify(ofVersion(expression, versionId)), name);
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
}

/** An expression with the version put in. */
function ofVersion(expression: Expression, versionId: number): Expression {
  if (expression === 'version') return toConstant(BigInt.asUintN(64, BigInt(versionId)));
  if (typeof expression !== 'object') return expression;
  switch (expression[0]) {
    case 'unknown':
    case 'load':
      return expression;
    case 'trunc':
    case 'sext':
      return [expression[0], ofVersion(expression[1], versionId), expression[2]];
    case 'if': {
      const [, condition, then, otherwise] = expression;
      const put = (part: Expression) => ofVersion(part, versionId);
      return ['if', put(condition), put(then), put(otherwise)];
    }
    default:
      return [expression[0], ofVersion(expression[1], versionId), ofVersion(expression[2], versionId)];
  }
}

const operators: Readonly<Record<string, string>> = {
  add: '+',
  sub: '-',
  mul: '*',
  div: '/',
  mod: '%',
  and: '&',
  or: '|',
  xor: '^',
  shl: '<<',
  shr: '>>',
  sar: '>>',
  eq: '==',
  ne: '!=',
  ltu: '<',
  leu: '<=',
  lts: '<',
  les: '<=',
};

/** As what is true or not. */
function truthText(expression: Expression, name: PlaceNamer): string {
  if (typeof expression !== 'object') return valueText(expression, name);
  const [operator, a, b] = expression;
  if (operator === 'ne' && b === 0) return truthText(a, name);
  if (operator === 'ne' && b === 1 && isTruth(a)) return notText(a, name);
  if (operator === 'eq' && b === 0) return notText(a, name);
  if ((operator === 'and' || operator === 'or') && isTruth(a) && isTruth(b))
    return `${grouped(a, name)} ${operator} ${grouped(b, name)}`;
  if (operator === 'if')
    return `if ${grouped(a, name)} then ${grouped(b, name)} else ${grouped(expression[3], name)}`;
  return valueText(expression, name);
}

function notText(expression: Expression, name: PlaceNamer): string {
  return `not ${grouped(expression, name)}`;
}

/** In brackets where it has parts that could be taken for others'. */
function grouped(expression: Expression, name: PlaceNamer): string {
  const text = truthText(expression, name);
  return /^\(.*\)$/.test(text) || !/ (and|or|then) |^not | [<>=!]=? /.test(text) ? text : `(${text})`;
}

function valueText(expression: Expression, name: PlaceNamer): string {
  if (typeof expression === 'number') return String(expression);
  if (typeof expression === 'string') return expression === 'opaque' ? 'the device' : expression;
  switch (expression[0]) {
    case 'unknown':
      return '(something unknown)';
    case 'load': {
      const place = memoryPlaceOf(expression);
      return place ? name(place) : '(something in memory)';
    }
    case 'trunc':
    case 'sext':
      return valueText(expression[1], name);
    case 'if': {
      const least = minimum(expression);
      return least
        ? `min(${least.map((part) => valueText(part, name)).join(', ')})`
        : `(${truthText(expression, name)})`;
    }
    default: {
      const [operator, a, b] = expression;
      const range = rangeOf(expression);
      if (range) return `${range.low} <= ${valueText(range.value, name)} <= ${range.high}`;
      const mask = operator === 'and' && typeof a === 'object' && a[0] === 'load' ? singleBit(b) : undefined;
      const place = mask === undefined ? undefined : memoryPlaceOf(a);
      if (place) return name(place, mask);
      const isEqual = operator === 'eq' || operator === 'ne';
      const other = isEqual && isAddress(a, b) ? '(an address)' : valueText(b, name);
      const text = `${valueText(a, name)} ${operators[operator] ?? operator} ${other}`;
      return comparisons.has(operator) ? text : `(${text})`;
    }
  }
}

/** `a < b ? a : b`. */
function minimum([, condition, then, otherwise]: Extract<Expression, readonly ['if', ...unknown[]]>):
  | readonly [Expression, Expression]
  | undefined {
  if (typeof condition !== 'object' || !/^l[te][us]$/.test(condition[0])) return undefined;
  const [, a, b] = condition;
  const same = (x: unknown, y: unknown) => JSON.stringify(x) === JSON.stringify(y);
  return same(a, then) && same(b, otherwise) ? [then, otherwise] : undefined;
}

/** How a compiler asks for `low <= value <= high`: one comparison without sign, of what is left above `low`. */
function rangeOf(
  expression: Expression,
): { readonly value: Expression; readonly low: number; readonly high: number } | undefined {
  if (typeof expression !== 'object' || expression[0] !== 'ltu') return undefined;
  let [, above, limit] = expression;
  while (typeof above === 'object' && above[0] === 'trunc') above = above[1];
  if (typeof limit !== 'number' || typeof above !== 'object' || above[0] !== 'add') return undefined;
  const [, value, negative] = above;
  if (typeof negative !== 'string' || !negative.startsWith('0x')) return undefined;
  const low = Number(-BigInt.asIntN(64, BigInt(negative)));
  return low > 0 && low < 0x1_0000 ? { value, low, high: low + limit - 1 } : undefined;
}

function singleBit(expression: Expression): bigint | undefined {
  if (!isConstant(expression)) return undefined;
  const value = constantValue(expression);
  return value !== 0n && (value & (value - 1n)) === 0n ? value : undefined;
}
