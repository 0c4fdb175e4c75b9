import { constantValue, type Expression, hasUnknown } from '../expressions/expression.ts';

/** No object of QEMU's is below. */
const LOWEST_ADDRESS = 0x1_0000n;

export const comparisons: ReadonlySet<string> = new Set(['eq', 'ne', 'ltu', 'leu', 'lts', 'les']);

/**
 * The form of a test without what differs between builds of the same source: where members and variables are, in which
 * width the compiler works, in which order and by which negation it asks. Undefined where a part is not known.
 */
export function expressionShape(expression: Expression): string | undefined {
  return hasUnknown(expression) ? undefined : textOf(truth(expression, false));
}

/** What is true if all of its parts are, or any is; `one` has one part. */
interface Truth {
  readonly kind: 'all' | 'any' | 'one';
  readonly parts: readonly string[];
}

function textOf({ kind, parts }: Truth): string {
  return kind === 'one' ? parts[0]! : `${kind}(${parts.join(', ')})`;
}

function one(text: string, negated: boolean): Truth {
  return { kind: 'one', parts: [negated ? `!${text}` : text] };
}

function combined(kind: 'all' | 'any', truths: readonly Truth[]): Truth {
  const parts = truths.flatMap((each) =>
    each.kind === kind || each.kind === 'one' ? each.parts : [textOf(each)],
  );
  const merged = mergedBytes(kind, parts).sort();
  return { kind: merged.length === 1 ? 'one' : kind, parts: merged };
}

/** Are any of several bytes set, or none? Bytes beside each other may be asked at once, or each for itself. */
function mergedBytes(kind: 'all' | 'any', parts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  const others: string[] = [];
  for (const part of parts) {
    const [, not, bytes, base = ''] = /^(!?)bytes(\d+)(\(.*\))$/.exec(part) ?? [];
    if (bytes === undefined || (not === '!') !== (kind === 'all')) others.push(part);
    else counts.set(base, (counts.get(base) ?? 0) + Number(bytes));
  }
  const not = kind === 'all' ? '!' : '';
  return [...others, ...[...counts].map(([base, bytes]) => `${not}bytes${bytes}${base}`)];
}

/** The form of what is true or not, or of its opposite. */
function truth(expression: Expression, negated: boolean): Truth {
  if (typeof expression !== 'object') return one(value(expression), negated);
  const [operator, a, b] = expression;
  switch (operator) {
    case 'trunc':
    case 'sext':
      return truth(a, negated);
    case 'if': {
      const [, condition, then, otherwise] = expression;
      return one(choice(condition, textOf(truth(then, negated)), textOf(truth(otherwise, negated))), false);
    }
    case 'eq':
    case 'ne': {
      const differs = negated !== (operator === 'ne');
      if (b === 0) return truth(a, !differs);
      if (b === 1 && isTruth(a)) return truth(a, differs);
      const bits = allBits(a, b);
      if (bits) {
        const asked = bits.map((bit) => one(bit, differs));
        return combined(differs ? 'any' : 'all', asked);
      }
      const sides = [value(a), isAddress(a, b) ? 'address' : value(b)].sort();
      return one(`equal(${sides.join(', ')})`, differs);
    }
    case 'load':
      return one(`bytes${expression[3]}(${a === 'global' ? a : value(a)})`, negated);
    case 'and':
    case 'or': {
      if (operator === 'and' && isConstant(b)) return one(masked(a, constantValue(b)), negated);
      if (!isTruth(a) || !isTruth(b)) break;
      const kind = negated === (operator === 'and') ? 'any' : 'all';
      return combined(kind, [truth(a, negated), truth(b, negated)]);
    }
    case 'ltu':
    case 'lts':
      return one(`${operator}(${value(a)}, ${value(b)})`, negated);
    case 'leu':
    case 'les':
      return one(`${operator === 'leu' ? 'ltu' : 'lts'}(${value(b)}, ${value(a)})`, !negated);
  }
  return one(value(expression), negated);
}

/** One of two, whichever way round the condition is asked. */
function choice(condition: Expression, then: string, otherwise: string): string {
  const asked = truth(condition, false);
  const text = textOf(asked);
  return asked.kind === 'one' && text.startsWith('!')
    ? `if(${text.slice(1)}, ${otherwise}, ${then})`
    : `if(${text}, ${then}, ${otherwise})`;
}

const COMMUTATIVE: ReadonlySet<string> = new Set(['add', 'mul', 'and', 'or', 'xor']);

function value(expression: Expression): string {
  if (typeof expression !== 'object') return String(expression);
  const [operator, a, b] = expression;
  switch (operator) {
    case 'unknown':
      return operator;
    case 'load':
      return `load(${a === 'global' ? a : value(a)})`;
    case 'trunc':
    case 'sext':
      return value(a);
    case 'if':
      return choice(a, value(b), value(expression[3]));
    default: {
      if (comparisons.has(operator)) return textOf(truth(expression, false));
      if (operator === 'and' && isConstant(b)) return masked(a, constantValue(b));
      const parts = [value(a), value(b)];
      return `${operator}(${(COMMUTATIVE.has(operator) ? parts.sort() : parts).join(', ')})`;
    }
  }
}

/** Bits of something, as of the first byte that has one: which byte that is hangs on the width that is loaded. */
function masked(expression: Expression, mask: bigint): string {
  let bits = BigInt.asUintN(64, mask);
  while (bits !== 0n && (bits & 0xffn) === 0n) bits >>= 8n;
  const length = bits.toString(2).length;
  const isWholeBytes = (bits & (bits + 1n)) === 0n && length % 8 === 0;
  if (isWholeBytes && typeof expression === 'object' && expression[0] === 'load')
    return `bytes${length / 8}(${expression[1] === 'global' ? expression[1] : value(expression[1])})`;
  return `bits(${value(expression)}, ${bits.toString(16)})`;
}

/** Each bit of a value for itself, where all are asked for at once. */
function allBits(expression: Expression, wanted: Expression): string[] | undefined {
  if (typeof expression !== 'object' || expression[0] !== 'and' || !isConstant(wanted)) return undefined;
  const [, of, mask] = expression;
  if (mask !== wanted) return undefined;
  const all = constantValue(wanted);
  const bits: string[] = [];
  for (let bit = 1n; bit <= all; bit <<= 1n) if (all & bit) bits.push(masked(of, bit));
  return bits;
}

/** Is a pointer compared with where something of QEMU's own is? That is another place in each build. */
export function isAddress(pointer: Expression, constant: Expression): constant is number | `0x${string}` {
  return (
    typeof pointer === 'object' &&
    pointer[0] === 'load' &&
    pointer[3] === 8 &&
    isConstant(constant) &&
    constantValue(constant) >= LOWEST_ADDRESS
  );
}

export function isConstant(expression: Expression): expression is number | `0x${string}` {
  return typeof expression === 'number' || (typeof expression === 'string' && expression.startsWith('0x'));
}

/** Is it 0 or 1, or used as such? */
export function isTruth(expression: Expression): boolean {
  if (typeof expression !== 'object') return false;
  const [operator, a, b] = expression;
  if (comparisons.has(operator)) return true;
  if (operator === 'load') return expression[3] === 1;
  return (operator === 'and' || operator === 'or') && isTruth(a) && isTruth(b);
}
