import type { MemoryPlace } from '../expressions/evaluate.ts';
import { constantValue, type Expression, hasUnknown, toConstant } from '../expressions/expression.ts';
import { simplify } from '../expressions/term-expression.ts';

/** Characters of a condition; what is longer nobody reads. */
const MAX_TEXT = 120;
/** No object of QEMU's is below. */
const LOWEST_ADDRESS = 0x1_0000n;

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

/**
 * The form of a test without what differs between builds: where members and variables are, in which width the compiler
 * works, in which order it asks. Undefined where a part is not known.
 */
export function expressionShape(expression: Expression): string | undefined {
  if (hasUnknown(expression)) return undefined;
  return conjuncts(expression).sort().join(' ');
}

/** The forms of what has to be true, each for itself. */
function conjuncts(expression: Expression): string[] {
  if (typeof expression === 'object') {
    const [operator, a, b] = expression;
    if (operator === 'ne' && b === 0) return conjuncts(a);
    if (operator === 'and' && isTruth(a) && isTruth(b)) return [...conjuncts(a), ...conjuncts(b)];
    if (operator === 'eq' && typeof a === 'object' && a[0] === 'and' && isConstant(b) && a[2] === b) {
      const bits = singleBits(constantValue(b));
      return bits.map((bit) => JSON.stringify(masked(shape(a[1]), bit)));
    }
  }
  return [JSON.stringify(shape(expression))];
}

function shape(expression: Expression): unknown {
  if (typeof expression !== 'object') return expression;
  switch (expression[0]) {
    case 'unknown':
      return 'unknown';
    case 'load':
      return ['load', expression[1] === 'global' ? 'global' : shape(expression[1])];
    case 'trunc':
    case 'sext':
      return shape(expression[1]);
    case 'if':
      return ['if', shape(expression[1]), shape(expression[2]), shape(expression[3])];
    default: {
      const [operator, a, b] = expression;
      if (operator === 'and' && isConstant(b)) return masked(shape(a), constantValue(b));
      if ((operator === 'eq' || operator === 'ne') && isConstant(b) && isPointer(a, constantValue(b)))
        return [operator, shape(a), 'address'];
      return [operator, shape(a), shape(b)];
    }
  }
}

/** Bits of something, as of the first byte that has one: which byte that is hangs on the width that is loaded. */
function masked(value: unknown, mask: bigint): unknown {
  let bits = BigInt.asUintN(64, mask);
  while (bits !== 0n && (bits & 0xffn) === 0n) bits >>= 8n;
  const isWholeBytes = (bits & (bits + 1n)) === 0n && bits.toString(2).length % 8 === 0;
  return isWholeBytes ? value : ['and', value, bits.toString(16)];
}

function singleBits(mask: bigint): bigint[] {
  const bits: bigint[] = [];
  for (let bit = 1n; bit <= mask; bit <<= 1n) if (mask & bit) bits.push(bit);
  return bits;
}

/** A pointer that is compared with where something of QEMU's own is: another place in each build. */
function isPointer(value: Expression, constant: bigint): boolean {
  return typeof value === 'object' && value[0] === 'load' && value[3] === 8 && constant >= LOWEST_ADDRESS;
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
const comparisons: ReadonlySet<string> = new Set(['eq', 'ne', 'ltu', 'leu', 'lts', 'les']);

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

/** Is it 0 or 1, or used as such? */
function isTruth(expression: Expression): boolean {
  if (typeof expression !== 'object') return false;
  const [operator, a, b] = expression;
  if (comparisons.has(operator)) return true;
  if (operator === 'load') return expression[3] === 1;
  return (operator === 'and' || operator === 'or') && isTruth(a) && isTruth(b);
}

function valueText(expression: Expression, name: PlaceNamer): string {
  if (typeof expression === 'number') return String(expression);
  if (typeof expression === 'string') return expression === 'opaque' ? 'the device' : expression;
  switch (expression[0]) {
    case 'unknown':
      return '(something unknown)';
    case 'load': {
      const place = placeOf(expression);
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
      const place = mask === undefined ? undefined : placeOf(a);
      if (place) return name(place, mask);
      const isEqual = operator === 'eq' || operator === 'ne';
      const other =
        isEqual && isConstant(b) && isPointer(a, constantValue(b)) ? '(an address)' : valueText(b, name);
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

function isConstant(expression: Expression): expression is number | `0x${string}` {
  return typeof expression === 'number' || (typeof expression === 'string' && expression.startsWith('0x'));
}

function singleBit(expression: Expression): bigint | undefined {
  if (!isConstant(expression)) return undefined;
  const value = constantValue(expression);
  return value !== 0n && (value & (value - 1n)) === 0n ? value : undefined;
}

/** Where a load reads, if it is a way of pointers from the object or from a variable. */
function placeOf(expression: Expression): MemoryPlace | undefined {
  if (typeof expression !== 'object' || expression[0] !== 'load') return undefined;
  const [, base, offset, size] = expression;
  if (base === 'opaque' || base === 'field' || base === 'global') return { root: base, path: [offset], size };
  const before = placeOf(base);
  return before && { root: before.root, path: [...before.path, offset], size };
}
