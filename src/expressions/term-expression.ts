import { type Expression, type Load, toConstant } from './expression.ts';
import { maskOf, signed, type Term } from './term.ts';
import { Terms } from './terms.ts';

/** A term as data. What stays inside the analysis (stack addresses and the like) becomes unknown. */
export function toExpression(term: Term): Expression {
  switch (term.operator) {
    case 'constant':
      return toConstant(term.value);
    case 'unknown':
      return ['unknown', reasonOf(term)];
    case 'symbol':
      switch (term.name) {
        case 'version':
        case 'opaque':
        case 'field':
        case 'size':
          return term.name;
        default:
          return ['unknown', 'memory'];
      }
    case 'load':
      return loadExpression(term);
    case 'trunc':
    case 'sext': {
      const part = toExpression(term.parts[0]!);
      return isUnknown(part) ? part : [term.operator, part, Number(term.value)];
    }
    case 'if': {
      const [condition, then, otherwise] = term.parts.map(toExpression) as [
        Expression,
        Expression,
        Expression,
      ];
      return ['if', condition, then, otherwise];
    }
    default: {
      const range = asRange(term);
      if (range) return range;
      const a = toExpression(term.parts[0]!);
      const b = toExpression(term.parts[1]!);
      // `and` and `or` of conditions may be decided by one side alone, whichever condition the other one is.
      if ((term.operator === 'and' || term.operator === 'or') && term.isBoolean) {
        if (isUnknown(a) && isUnknown(b)) return a;
        return [term.operator, isUnknown(a) ? ['ne', a, 0] : a, isUnknown(b) ? ['ne', b, 0] : b];
      }
      if (isUnknown(a)) return a;
      if (isUnknown(b)) return b;
      return [term.operator, a, b];
    }
  }
}

/** Nodes of what a range check is about, which is written twice when it is split. */
const MAX_REPEATED = 3;

/** A range check as two comparisons, where a compiler made one of it: x - 3 < 30 without sign is 3 <= x < 33. */
function asRange(term: Term): Expression | undefined {
  const [shifted, width] = term.parts;
  if (term.operator !== 'ltu' || width!.operator !== 'constant') return undefined;
  const isNarrow = shifted!.operator === 'trunc';
  const bits = isNarrow ? Number(shifted!.value) : 64;
  const sum = isNarrow ? shifted!.parts[0]! : shifted!;
  const [x, distance] = sum.parts;
  if (sum.operator !== 'add' || distance!.operator !== 'constant') return undefined;
  const from = -signed(distance!.value, bits);
  const to = from + width!.value;
  const fits = (x!.ones & ~maskOf(bits)) === 0n;
  const fitsSigned = x!.signedBits <= bits;
  if (x!.nodes > MAX_REPEATED || from <= 0n || to > maskOf(bits - 1) || (!fits && !fitsSigned))
    return undefined;
  const value = toExpression(x!);
  if (isUnknown(value)) return value;
  const less = fits ? 'ltu' : 'lts';
  return ['and', [less, toConstant(from - 1n), value], [less, value, toConstant(to)]];
}

function reasonOf(term: Term): 'call' {
  return term.name as 'call';
}

function isUnknown(expression: Expression): boolean {
  return typeof expression === 'object' && expression[0] === 'unknown';
}

function loadExpression(term: Term): Expression {
  const [base] = term.parts;
  const offset = Number(signed(term.value));
  if (base!.operator === 'symbol' && base!.name === 'global') return ['load', 'global', offset, term.size];
  const address = toExpression(base!);
  if (!Number.isSafeInteger(offset)) return ['unknown', 'memory'];
  return isUnknown(address) ? address : ['load', address, offset, term.size];
}

/** The term of an expression that was checked. */
function toTerm(terms: Terms, expression: Expression): Term {
  if (typeof expression === 'number') return terms.constant(BigInt(expression));
  if (typeof expression === 'string') {
    switch (expression) {
      case 'version':
      case 'opaque':
      case 'field':
      case 'size':
        return terms.symbol(expression);
      default:
        return terms.constant(BigInt(expression));
    }
  }
  switch (expression[0]) {
    case 'unknown':
      return terms.unknown(expression[1]);
    case 'load':
      return toLoad(terms, expression);
    case 'trunc':
      return terms.trunc(toTerm(terms, expression[1]), expression[2]);
    case 'sext':
      return terms.sext(toTerm(terms, expression[1]), expression[2]);
    case 'if':
      return terms.if(
        terms.truth(toTerm(terms, expression[1])),
        toTerm(terms, expression[2]),
        toTerm(terms, expression[3]),
      );
    default:
      return terms.binary(expression[0], toTerm(terms, expression[1]), toTerm(terms, expression[2]));
  }
}

function toLoad(terms: Terms, [, base, offset, size]: Load): Term {
  if (base === 'global') return terms.load(terms.symbol('global'), BigInt(offset), size);
  const { base: inner, offset: more } = terms.split(toTerm(terms, base));
  const address = BigInt(offset) + more;
  return inner ? terms.load(inner, address, size) : terms.load(terms.symbol('global'), address, size);
}

/** An equal expression, folded and in the form in which the analysis gives expressions. */
export function simplify(expression: Expression, maxNodes = 10_000): Expression {
  return toExpression(toTerm(new Terms(maxNodes), expression));
}
