import { compute, narrow } from './arithmetic.ts';
import { arithmeticOperators, type BinaryOperator, comparisons, type UnknownReason } from './expression.ts';
import { ALL_ONES, bitLength, maskOf, type SymbolName, signed, type Term, wrap } from './term.ts';

const SYMBOL_SIGNED_BITS: Partial<Record<SymbolName, number>> = { version: 32 };

/** Nodes of a term that is searched for repetitions of a condition: the work is that for each condition above it. */
const MAX_RESTRICTED = 60;

/**
 * Makes terms, each only once, and in one form for many ways of writing the same thing: constants folded and to the
 * right, range checks and bit tests as compilers mangle them turned back, conditions as comparisons.
 */
export class Terms {
  readonly #known = new Map<string | number, Term>();
  readonly #constants = new Map<bigint, Term>();
  readonly #negations = new Map<number, Term>();
  readonly #maxNodes: number;
  #count = 0;

  /** A term that would have more than `maxNodes` nodes becomes unknown. */
  constructor(maxNodes: number) {
    this.#maxNodes = maxNodes;
  }

  constant(value: bigint): Term {
    const wrapped = wrap(value);
    const known = this.#constants.get(wrapped);
    if (known) return known;
    const number = signed(wrapped);
    const constant: Term = {
      id: this.#count++,
      operator: 'constant',
      parts: [],
      value: wrapped,
      size: 0,
      name: '',
      ones: wrapped,
      signedBits: bitLength(number < 0n ? -number - 1n : number) + 1,
      isBoolean: wrapped <= 1n,
      nodes: 1,
    };
    this.#constants.set(wrapped, constant);
    return constant;
  }

  symbol(name: SymbolName | `import ${string}`): Term {
    const signedBits = SYMBOL_SIGNED_BITS[name as SymbolName] ?? 64;
    return this.#intern({
      operator: 'symbol',
      parts: [],
      value: 0n,
      size: 0,
      name,
      ones: ALL_ONES,
      signedBits,
    });
  }

  /** A new value that nobody knows. */
  unknown(reason: UnknownReason): Term {
    return {
      id: this.#count++,
      operator: 'unknown',
      parts: [],
      value: 0n,
      size: 0,
      name: reason,
      ones: ALL_ONES,
      signedBits: 64,
      isBoolean: false,
      nodes: 1,
    };
  }

  /** `size` bytes at base + offset. */
  load(base: Term, offset: bigint, size: number): Term {
    return this.#intern({
      operator: 'load',
      parts: [base],
      value: signed(offset),
      size,
      name: '',
      ones: maskOf(size * 8),
      signedBits: Math.min(64, size * 8 + 1),
    });
  }

  /** An address as what it is relative to, and how far from there; base undefined for a constant. */
  split(address: Term): { base: Term | undefined; offset: bigint } {
    if (address.operator === 'constant') return { base: undefined, offset: address.value };
    const [base, offset] = address.parts;
    if (address.operator === 'add' && offset?.operator === 'constant')
      return { base, offset: signed(offset.value) };
    return { base: address, offset: 0n };
  }

  trunc(term: Term, bits: number): Term {
    const mask = maskOf(bits);
    if ((term.ones & ~mask) === 0n) return term;
    const [a, b] = term.parts;
    switch (term.operator) {
      case 'constant':
        return this.constant(term.value & mask);
      case 'trunc':
      case 'sext':
        if (bits <= Number(term.value)) return this.trunc(a!, bits);
        break;
      case 'and':
        if (b!.operator === 'constant') return this.binary('and', a!, this.constant(b!.value & mask));
        return this.binary('and', this.trunc(a!, bits), this.trunc(b!, bits));
      case 'or':
      case 'xor':
        return this.binary(term.operator, this.trunc(a!, bits), this.trunc(b!, bits));
      case 'if':
        return this.if(a!, this.trunc(b!, bits), this.trunc(term.parts[2]!, bits));
      case 'add':
      case 'sub':
      case 'mul': {
        const inner = this.binary(term.operator, this.#low(a!, bits), this.#low(b!, bits));
        if (inner.id !== term.id) return this.trunc(inner, bits);
        break;
      }
      case 'shl':
        if (b!.operator === 'constant') {
          const inner = this.binary('shl', this.#low(a!, bits), b!);
          if (inner.id !== term.id) return this.trunc(inner, bits);
        }
        break;
    }
    return this.#intern({
      operator: 'trunc',
      parts: [term],
      value: BigInt(bits),
      size: 0,
      name: '',
      ones: term.ones & mask,
      signedBits: Math.min(64, bits + 1),
    });
  }

  sext(term: Term, bits: number): Term {
    if (term.signedBits <= bits) return term;
    const [a, b] = term.parts;
    switch (term.operator) {
      case 'constant':
        return this.constant(narrow('sext', term.value, bits));
      case 'trunc':
      case 'sext':
        if (bits <= Number(term.value)) return this.sext(a!, bits);
        break;
      case 'if':
        return this.if(a!, this.sext(b!, bits), this.sext(term.parts[2]!, bits));
      case 'add':
      case 'sub':
      case 'mul': {
        const inner = this.binary(term.operator, this.#low(a!, bits), this.#low(b!, bits));
        if (inner.id !== term.id) return this.sext(inner, bits);
        break;
      }
    }
    return this.#intern({
      operator: 'sext',
      parts: [term],
      value: BigInt(bits),
      size: 0,
      name: '',
      ones: ALL_ONES,
      signedBits: bits,
    });
  }

  /** A term with the same low bits. */
  #low(term: Term, bits: number): Term {
    if (term.operator === 'constant') return this.constant(signed(term.value, bits));
    if ((term.operator === 'trunc' || term.operator === 'sext') && Number(term.value) >= bits)
      return term.parts[0]!;
    return term;
  }

  /** 1 where the term is not 0. */
  truth(term: Term): Term {
    return term.isBoolean ? term : this.not(this.binary('eq', term, this.constant(0n)));
  }

  /** 1 where the boolean term is 0. */
  not(term: Term): Term {
    const known = this.#negations.get(term.id);
    if (known) return known;
    const negation = this.#negate(term);
    this.#negations.set(term.id, negation);
    if (term.isBoolean) this.#negations.set(negation.id, term);
    return negation;
  }

  #negate(term: Term): Term {
    const [a, b, c] = term.parts;
    switch (term.operator) {
      case 'constant':
        return this.constant(term.value === 0n ? 1n : 0n);
      case 'eq':
        return this.#comparison('ne', a!, b!);
      case 'ne':
        return this.#comparison('eq', a!, b!);
      case 'ltu':
        return this.binary('leu', b!, a!);
      case 'leu':
        return this.binary('ltu', b!, a!);
      case 'lts':
        return this.binary('les', b!, a!);
      case 'les':
        return this.binary('lts', b!, a!);
      case 'and':
        if (term.isBoolean) return this.binary('or', this.not(a!), this.not(b!));
        break;
      case 'or':
        if (term.isBoolean) return this.binary('and', this.not(a!), this.not(b!));
        break;
      case 'if':
        if (term.isBoolean) return this.if(a!, this.not(b!), this.not(c!));
        break;
    }
    return this.binary('eq', term, this.constant(0n));
  }

  /** `then` where the boolean condition is 1. */
  if(condition: Term, then: Term, otherwise: Term): Term {
    if (condition.operator === 'constant') return condition.value !== 0n ? then : otherwise;
    if (then.id === otherwise.id) return then;
    if (condition.operator === 'ne') return this.if(this.not(condition), otherwise, then);
    if (this.#isMirrored(condition, then, otherwise)) {
      const [x, y] = condition.parts;
      return this.if(this.binary(condition.operator as BinaryOperator, y!, x!), otherwise, then);
    }
    const sure = this.#restrict(then, condition, true);
    const rest = this.#restrict(otherwise, condition, false);
    if (sure.id !== then.id || rest.id !== otherwise.id) return this.if(condition, sure, rest);
    if (then.operator === 'if' && then.parts[0]!.id === condition.id)
      return this.if(condition, then.parts[1]!, otherwise);
    if (otherwise.operator === 'if' && otherwise.parts[0]!.id === condition.id)
      return this.if(condition, then, otherwise.parts[2]!);
    if (then.isBoolean && otherwise.isBoolean) {
      if (then.operator === 'constant')
        return then.value !== 0n
          ? this.binary('or', condition, otherwise)
          : this.binary('and', this.not(condition), otherwise);
      if (otherwise.operator === 'constant')
        return otherwise.value !== 0n
          ? this.binary('or', this.not(condition), then)
          : this.binary('and', condition, then);
    }
    if (otherwise.operator === 'if') {
      const [inner, x, y] = otherwise.parts;
      if (x!.id === then.id) return this.if(this.binary('or', condition, inner!), then, y!);
      if (y!.id === then.id) return this.if(this.binary('or', condition, this.not(inner!)), then, x!);
    }
    if (then.operator === 'if') {
      const [inner, x, y] = then.parts;
      if (y!.id === otherwise.id) return this.if(this.binary('and', condition, inner!), x!, otherwise);
      if (x!.id === otherwise.id)
        return this.if(this.binary('and', condition, this.not(inner!)), y!, otherwise);
    }
    return this.#intern({
      operator: 'if',
      parts: [condition, then, otherwise],
      value: 0n,
      size: 0,
      name: '',
      ones: then.ones | otherwise.ones,
      signedBits: Math.max(then.signedBits, otherwise.signedBits),
    });
  }

  /**
   * Is it the larger or smaller of two values, or what is made of it, asked for the other way round than such are written
   * here? Compilers do either, as it does not matter which of equal values is taken.
   */
  #isMirrored(condition: Term, then: Term, otherwise: Term): boolean {
    const [a, b] = condition.parts;
    if (condition.operator !== 'ltu' && condition.operator !== 'lts') return false;
    if (a!.operator === 'constant' || b!.operator === 'constant' || isInOrder(a!, b!)) return false;
    if (then.nodes + otherwise.nodes > MAX_RESTRICTED) return false;
    const isSameOf = (x: Term, y: Term) =>
      this.substitute(then, x, y).id === this.substitute(otherwise, x, y).id;
    return isSameOf(a!, b!) || isSameOf(b!, a!);
  }

  /** A term with one of its parts replaced. */
  substitute(term: Term, part: Term, by: Term): Term {
    return this.#replace(term, new Map([[part.id, by]]));
  }

  #restrict(term: Term, condition: Term, holds: boolean): Term {
    return term.nodes > MAX_RESTRICTED ? term : this.given(term, condition, holds);
  }

  /** A term where a condition holds, or does not: what only repeats the condition falls away. */
  given(term: Term, condition: Term, holds: boolean): Term {
    if (term.parts.length === 0) return term;
    const facts = new Map<number, Term>();
    const learn = (fact: Term, isTrue: boolean): void => {
      if (fact.operator === 'constant') return;
      facts.set(fact.id, this.constant(isTrue ? 1n : 0n));
      facts.set(this.not(fact).id, this.constant(isTrue ? 0n : 1n));
      const [a, b] = fact.parts;
      if (fact.operator === (isTrue ? 'eq' : 'ne') && b!.operator === 'constant') facts.set(a!.id, b!);
      if (fact.operator === (isTrue ? 'and' : 'or') && fact.isBoolean) {
        learn(a!, isTrue);
        learn(b!, isTrue);
      }
    };
    learn(condition, holds);
    return this.#replace(term, facts);
  }

  #replace(term: Term, facts: Map<number, Term>): Term {
    const known = facts.get(term.id);
    if (known) return known;
    const parts = term.parts.map((part) => this.#replace(part, facts));
    const replaced = parts.every((part, i) => part.id === term.parts[i]!.id)
      ? term
      : this.#rebuild(term, parts);
    facts.set(term.id, replaced);
    return replaced;
  }

  /** The same term of other parts. */
  #rebuild(term: Term, parts: readonly Term[]): Term {
    const [a, b, c] = parts;
    switch (term.operator) {
      case 'constant':
      case 'symbol':
      case 'unknown':
        return term;
      case 'load': {
        // A pointer that is known is NULL, or nobody follows it.
        const { base, offset } = this.split(a!);
        return base ? this.load(base, offset + term.value, term.size) : this.unknown('memory');
      }
      case 'trunc':
        return this.trunc(a!, Number(term.value));
      case 'sext':
        return this.sext(a!, Number(term.value));
      case 'if':
        return this.if(a!, b!, c!);
      default:
        return this.binary(term.operator, a!, b!);
    }
  }

  binary(operator: BinaryOperator, a: Term, b: Term): Term {
    if (a.operator === 'constant' && b.operator === 'constant')
      return this.constant(compute(operator, a.value, b.value));
    const spread = this.#overArms(operator, a, b);
    if (spread) return spread;
    switch (operator) {
      case 'add':
        return this.#add(a, b);
      case 'sub':
        return this.#sub(a, b);
      case 'mul':
        return this.#mul(a, b);
      case 'and':
        return this.#and(a, b);
      case 'or':
        return this.#or(a, b);
      case 'xor':
        return this.#xor(a, b);
      case 'shl':
        return this.#shl(a, b);
      case 'shr':
        return this.#shr(a, b);
      case 'sar':
        return this.#sar(a, b);
      case 'div':
      case 'mod':
        return this.#divide(operator, a, b);
      case 'eq':
        return this.#eq(a, b);
      case 'ne':
        return this.not(this.#eq(a, b));
      case 'ltu':
        return this.#ltu(a, b);
      case 'leu':
        return this.#leu(a, b);
      case 'lts':
        return this.#lts(a, b);
      case 'les':
        return this.#les(a, b);
    }
  }

  /** An operator on a choice between two constants is a choice between two constants. */
  #overArms(operator: BinaryOperator, a: Term, b: Term): Term | undefined {
    const arms = (term: Term) =>
      term.operator === 'if' &&
      term.parts[1]!.operator === 'constant' &&
      term.parts[2]!.operator === 'constant';
    if (b.operator === 'constant' && arms(a)) {
      const [condition, x, y] = a.parts;
      return this.if(condition!, this.binary(operator, x!, b), this.binary(operator, y!, b));
    }
    if (a.operator === 'constant' && arms(b)) {
      const [condition, x, y] = b.parts;
      return this.if(condition!, this.binary(operator, a, x!), this.binary(operator, a, y!));
    }
    return undefined;
  }

  #add(a: Term, b: Term): Term {
    if (a.operator === 'constant') return this.#add(b, a);
    const [x, y] = a.parts;
    if (b.operator === 'constant') {
      if (b.value === 0n) return a;
      if (a.operator === 'add' && y!.operator === 'constant')
        return this.binary('add', x!, this.constant(y!.value + b.value));
      return this.#arithmetic('add', a, b, this.#sumOnes(a, b));
    }
    if (a.operator === 'add' && y!.operator === 'constant')
      return this.binary('add', this.binary('add', x!, b), y!);
    if (b.operator === 'add' && b.parts[1]!.operator === 'constant')
      return this.binary('add', this.binary('add', a, b.parts[0]!), b.parts[1]!);
    if (a.id === b.id) return this.binary('shl', a, this.constant(1n));
    if (a.operator === 'sub' && y!.id === b.id) return x!;
    if (b.operator === 'sub' && b.parts[1]!.id === a.id) return b.parts[0]!;
    const [first, second] = a.id < b.id ? [a, b] : [b, a];
    return this.#arithmetic('add', first, second, this.#sumOnes(a, b));
  }

  #sumOnes(a: Term, b: Term): bigint {
    const sum = a.ones + b.ones;
    return sum > ALL_ONES ? ALL_ONES : maskOf(bitLength(sum));
  }

  #sub(a: Term, b: Term): Term {
    if (b.operator === 'constant') return this.binary('add', a, this.constant(-b.value));
    const left = this.split(a);
    const right = this.split(b);
    if (left.base && left.base.id === right.base?.id) return this.constant(left.offset - right.offset);
    if (left.offset !== 0n && left.base && right.base)
      return this.binary('add', this.binary('sub', left.base, b), this.constant(left.offset));
    if (right.offset !== 0n && right.base)
      return this.binary('add', this.binary('sub', a, right.base), this.constant(-right.offset));
    return this.#arithmetic('sub', a, b, ALL_ONES);
  }

  #mul(a: Term, b: Term): Term {
    if (a.operator === 'constant') return this.#mul(b, a);
    if (b.operator === 'constant') {
      if (b.value === 0n) return b;
      if (b.value === 1n) return a;
      const shift = bitLength(b.value) - 1;
      if (b.value === 1n << BigInt(shift)) return this.binary('shl', a, this.constant(BigInt(shift)));
      const [x, y] = a.parts;
      if (a.operator === 'add' && y!.operator === 'constant')
        return this.binary('add', this.binary('mul', x!, b), this.constant(y!.value * b.value));
    }
    const product = a.ones * b.ones;
    const [first, second] = b.operator === 'constant' || a.id < b.id ? [a, b] : [b, a];
    return this.#arithmetic('mul', first, second, product > ALL_ONES ? ALL_ONES : maskOf(bitLength(product)));
  }

  #divide(operator: 'div' | 'mod', a: Term, b: Term): Term {
    if (b.operator === 'constant' && b.value === 1n) return operator === 'div' ? a : this.constant(0n);
    const most = operator === 'div' || b.operator !== 'constant' || b.value === 0n ? a.ones : b.value;
    return this.#arithmetic(operator, a, b, maskOf(bitLength(most)));
  }

  #and(a: Term, b: Term): Term {
    if (a.operator === 'constant') return this.#and(b, a);
    if (a.id === b.id) return a;
    const [x, y] = a.parts;
    if (b.operator === 'constant') {
      const mask = b.value & a.ones;
      if (mask === 0n) return this.constant(0n);
      if (mask === a.ones) return a;
      if (a.operator === 'and' && y!.operator === 'constant')
        return this.binary('and', x!, this.constant(y!.value & mask));
      if ((a.operator === 'trunc' || a.operator === 'sext') && (mask & ~maskOf(Number(a.value))) === 0n)
        return this.binary('and', x!, this.constant(mask));
      if (
        (a.operator === 'or' || a.operator === 'xor') &&
        y!.operator === 'constant' &&
        (y!.value & mask) === 0n
      )
        return this.binary('and', x!, this.constant(mask));
      if (a.operator === 'or' || a.operator === 'xor') {
        if (a.operator === 'xor' && y!.operator === 'constant' && mask !== ALL_ONES)
          return this.binary(
            'xor',
            this.binary('and', x!, this.constant(mask)),
            this.constant(y!.value & mask),
          );
        // A part that cannot reach the mask falls away: what is left of a register after a write to its low byte.
        if ((x!.ones & mask) === 0n) return this.binary('and', y!, this.constant(mask));
        if ((y!.ones & mask) === 0n) return this.binary('and', x!, this.constant(mask));
      }
      return this.#arithmetic('and', a, mask === b.value ? b : this.constant(mask), mask);
    }
    if (a.isBoolean && b.isBoolean && a.nodes + b.nodes <= MAX_RESTRICTED) {
      const joined = this.#bothOf(a, b);
      if (joined) return joined;
    }
    const ones = a.ones & b.ones;
    if (ones === 0n) return this.constant(0n);
    const [first, second] = a.isBoolean || a.id < b.id ? [a, b] : [b, a];
    return this.#arithmetic('and', first, second, ones);
  }

  /** The conjunction of two conditions where one says all, or they contradict. */
  #bothOf(a: Term, b: Term): Term | undefined {
    if (this.not(a).id === b.id) return this.constant(0n);
    if (b.operator === 'and' && (b.parts[0]!.id === a.id || b.parts[1]!.id === a.id)) return b;
    if (a.operator === 'and' && (a.parts[0]!.id === b.id || a.parts[1]!.id === b.id)) return a;
    if (a.operator === b.operator && (a.operator === 'ltu' || a.operator === 'lts')) {
      // Of two limits of one value the narrower one says all.
      const number = ({ value }: Term) => (a.operator === 'lts' ? signed(value) : value);
      const [x, most] = a.parts;
      const [y, other] = b.parts;
      if (x!.id === y!.id && most!.operator === 'constant' && other!.operator === 'constant')
        return number(most!) < number(other!) ? a : b;
      if (most!.id === other!.id && x!.operator === 'constant' && y!.operator === 'constant')
        return number(x!) > number(y!) ? a : b;
    }
    for (const [p, q] of [
      [a, b],
      [b, a],
    ] as const) {
      if (p.operator !== 'eq' || p.parts[1]!.operator !== 'constant') continue;
      // q tells of the same value: with x known, it is known.
      const said = this.#given(q, p.parts[0]!, p.parts[1]!);
      if (said?.operator === 'constant') return said.value === 0n ? said : p;
    }
    return undefined;
  }

  /** A comparison of `x` with a constant, for an `x` that is known. */
  #given(q: Term, x: Term, value: Term): Term | undefined {
    const [left, right] = q.parts;
    if (q.parts.length !== 2 || !q.isBoolean) return undefined;
    if (left!.id === x.id && right!.operator === 'constant')
      return this.binary(q.operator as BinaryOperator, value, right!);
    if (right!.id === x.id && left!.operator === 'constant')
      return this.binary(q.operator as BinaryOperator, left!, value);
    return undefined;
  }

  #or(a: Term, b: Term): Term {
    if (a.operator === 'constant') return this.#or(b, a);
    if (a.id === b.id) return a;
    if (b.operator === 'constant') {
      if (b.value === 0n) return a;
      if (b.value === ALL_ONES || (a.isBoolean && b.value === 1n)) return b;
      const [x, y] = a.parts;
      if (a.operator === 'or' && y!.operator === 'constant')
        return this.binary('or', x!, this.constant(y!.value | b.value));
    }
    if (a.isBoolean && b.isBoolean) {
      const joined = a.nodes + b.nodes > MAX_RESTRICTED ? undefined : this.#bothOf(this.not(a), this.not(b));
      if (joined) return this.not(joined);
      for (const [p, q] of [
        [a, b],
        [b, a],
      ] as const) {
        const same = p.parts[0]!.id === q.parts[0]!.id && p.parts[1]?.id === q.parts[1]?.id;
        if (q.operator === 'eq' && same && p.operator === 'ltu')
          return this.binary('leu', p.parts[0]!, p.parts[1]!);
        if (q.operator === 'eq' && same && p.operator === 'lts')
          return this.binary('les', p.parts[0]!, p.parts[1]!);
      }
      const [first, second] = [a, b];
      return this.#arithmetic('or', first, second, 1n);
    }
    const [first, second] = b.operator === 'constant' || a.id < b.id ? [a, b] : [b, a];
    return this.#arithmetic('or', first, second, a.ones | b.ones);
  }

  #xor(a: Term, b: Term): Term {
    if (a.operator === 'constant') return this.#xor(b, a);
    if (a.id === b.id) return this.constant(0n);
    if (b.operator === 'constant') {
      if (b.value === 0n) return a;
      if (b.value === 1n && a.isBoolean) return this.not(a);
      const [x, y] = a.parts;
      if (a.operator === 'xor' && y!.operator === 'constant')
        return this.binary('xor', x!, this.constant(y!.value ^ b.value));
    }
    const [first, second] = b.operator === 'constant' || a.id < b.id ? [a, b] : [b, a];
    return this.#arithmetic('xor', first, second, a.ones | b.ones);
  }

  #shl(a: Term, b: Term): Term {
    if (b.operator !== 'constant') return this.#arithmetic('shl', a, b, ALL_ONES);
    if (b.value === 0n) return a;
    if (b.value > 63n) return this.constant(0n);
    const [x, y] = a.parts;
    if (a.operator === 'shl' && y!.operator === 'constant')
      return this.binary('shl', x!, this.constant(y!.value + b.value));
    if (a.operator === 'add' && y!.operator === 'constant')
      return this.binary('add', this.binary('shl', x!, b), this.constant(y!.value << b.value));
    return this.#arithmetic('shl', a, b, wrap(a.ones << b.value));
  }

  #shr(a: Term, b: Term): Term {
    if (b.operator !== 'constant') return this.#arithmetic('shr', a, b, maskOf(bitLength(a.ones)));
    if (b.value === 0n) return a;
    if (b.value > 63n || a.ones >> b.value === 0n) return this.constant(0n);
    const [x, y] = a.parts;
    if (y?.operator === 'constant') {
      if (a.operator === 'shr') return this.binary('shr', x!, this.constant(y.value + b.value));
      if (a.operator === 'and')
        return this.binary('and', this.binary('shr', x!, b), this.constant(y.value >> b.value));
      if (a.operator === 'shl' && y.value === b.value && wrap(x!.ones << b.value) >> b.value === x!.ones)
        return x!;
    }
    if (a.operator === 'trunc') {
      const bits = Number(a.value);
      const shifted = this.binary('shr', x!, b);
      return this.binary('and', shifted, this.constant(maskOf(bits - Number(b.value))));
    }
    return this.#arithmetic('shr', a, b, a.ones >> b.value);
  }

  #sar(a: Term, b: Term): Term {
    if (a.ones >> 63n === 0n) return this.binary('shr', a, b);
    if (b.operator === 'constant' && b.value === 0n) return a;
    return this.#arithmetic('sar', a, b, ALL_ONES);
  }

  #eq(a: Term, b: Term): Term {
    if (a.operator === 'constant') return this.#eq(b, a);
    if (a.id === b.id) return this.constant(1n);
    if (b.operator === 'constant') return this.#eqConstant(a, b);
    const left = this.split(a);
    const right = this.split(b);
    if (left.base && left.base.id === right.base?.id)
      return this.constant(left.offset === right.offset ? 1n : 0n);
    if (a.operator === 'sext' && b.operator === 'sext' && a.value === b.value)
      return this.#eq(this.trunc(a.parts[0]!, Number(a.value)), this.trunc(b.parts[0]!, Number(b.value)));
    if (a.isBoolean && b.isBoolean) return this.if(a, b, this.not(b));
    const [first, second] = a.id < b.id ? [a, b] : [b, a];
    return this.#comparison('eq', first, second);
  }

  #eqConstant(a: Term, b: Term): Term {
    const { value } = b;
    if ((value & ~a.ones) !== 0n) return this.constant(0n);
    if (a.isBoolean) return value === 1n ? a : this.not(a);
    const [x, y] = a.parts;
    switch (a.operator) {
      case 'add':
        if (y!.operator === 'constant') return this.binary('eq', x!, this.constant(value - y!.value));
        break;
      case 'sub':
        if (value === 0n) return this.binary('eq', x!, y!);
        break;
      case 'xor':
        if (y!.operator === 'constant') return this.binary('eq', x!, this.constant(value ^ y!.value));
        if (value === 0n) return this.binary('eq', x!, y!);
        break;
      case 'or':
        if (value === 0n) return this.binary('and', this.binary('eq', x!, b), this.binary('eq', y!, b));
        break;
      case 'sext': {
        const bits = Number(a.value);
        if (narrow('sext', value, bits) !== value) return this.constant(0n);
        return this.binary('eq', this.trunc(x!, bits), this.constant(value & maskOf(bits)));
      }
      case 'trunc': {
        const bits = Number(a.value);
        if (x!.signedBits <= bits) return this.binary('eq', x!, this.constant(signed(value, bits)));
        const [p, q] = x!.parts;
        if (x!.operator === 'add' && q!.operator === 'constant')
          return this.binary('eq', this.trunc(p!, bits), this.constant((value - q!.value) & maskOf(bits)));
        if (x!.operator === 'sub' && value === 0n)
          return this.binary('eq', this.trunc(p!, bits), this.trunc(q!, bits));
        break;
      }
      case 'and':
        if (y!.operator === 'constant') {
          if (x!.operator === 'shr' && x!.parts[1]!.operator === 'constant') {
            const count = x!.parts[1]!.value;
            const mask = this.constant(wrap(y!.value << count));
            return this.binary('eq', this.binary('and', x!.parts[0]!, mask), this.constant(value << count));
          }
          if (value !== 0n && (y!.value & (y!.value - 1n)) === 0n)
            return this.#comparison('ne', a, this.constant(0n));
        }
        break;
      case 'shr':
        if (y!.operator === 'constant') {
          const mask = this.constant(wrap(ALL_ONES << y!.value) & x!.ones);
          const shifted = this.binary('and', x!, mask);
          return this.binary('eq', shifted, this.constant(value << y!.value));
        }
        break;
      case 'shl':
        if (y!.operator === 'constant' && x!.ones << y!.value <= ALL_ONES)
          return (value & maskOf(Number(y!.value))) !== 0n
            ? this.constant(0n)
            : this.binary('eq', x!, this.constant(value >> y!.value));
        break;
      case 'if':
        return this.if(x!, this.binary('eq', y!, b), this.binary('eq', a.parts[2]!, b));
    }
    if (a.ones === 1n && value === 1n) return this.#comparison('ne', a, this.constant(0n));
    return this.#comparison('eq', a, b);
  }

  #ltu(a: Term, b: Term): Term {
    if (a.id === b.id) return this.constant(0n);
    if (b.operator === 'constant') {
      if (b.value === 0n) return b;
      if (b.value === 1n) return this.binary('eq', a, this.constant(0n));
      if (a.ones < b.value) return this.constant(1n);
      if (a.operator === 'if') return this.#compareArms('ltu', a, b);
    }
    if (a.operator === 'constant') {
      if (a.value >= b.ones) return this.constant(0n);
      if (a.value === 0n) return this.binary('ne', b, a);
    }
    return this.#comparison('ltu', a, b);
  }

  #leu(a: Term, b: Term): Term {
    if (a.id === b.id) return this.constant(1n);
    if (b.operator === 'constant')
      return b.value === ALL_ONES ? this.constant(1n) : this.binary('ltu', a, this.constant(b.value + 1n));
    if (a.operator === 'constant')
      return a.value === 0n ? this.constant(1n) : this.binary('ltu', this.constant(a.value - 1n), b);
    return this.#comparison('leu', a, b);
  }

  #lts(a: Term, b: Term): Term {
    if (a.id === b.id) return this.constant(0n);
    if (a.ones >> 63n === 0n && b.ones >> 63n === 0n) return this.binary('ltu', a, b);
    if (b.operator === 'constant') {
      const limit = signed(b.value);
      const most = a.ones >> 63n === 0n ? a.ones : maskOf(a.signedBits - 1);
      const least = a.ones >> 63n === 0n ? 0n : -maskOf(a.signedBits - 1) - 1n;
      if (limit > most) return this.constant(1n);
      if (limit <= least) return this.constant(0n);
      if (a.operator === 'if') return this.#compareArms('lts', a, b);
    }
    if (a.operator === 'constant') {
      const limit = signed(a.value);
      const most = b.ones >> 63n === 0n ? b.ones : maskOf(b.signedBits - 1);
      const least = b.ones >> 63n === 0n ? 0n : -maskOf(b.signedBits - 1) - 1n;
      if (limit >= most) return this.constant(0n);
      if (limit < least) return this.constant(1n);
    }
    return this.#comparison('lts', a, b);
  }

  #les(a: Term, b: Term): Term {
    if (a.id === b.id) return this.constant(1n);
    if (b.operator === 'constant')
      return b.value === ALL_ONES >> 1n
        ? this.constant(1n)
        : this.binary('lts', a, this.constant(b.value + 1n));
    if (a.operator === 'constant')
      return a.value === 1n << 63n ? this.constant(1n) : this.binary('lts', this.constant(a.value - 1n), b);
    return this.#comparison('les', a, b);
  }

  #compareArms(operator: 'ltu' | 'lts', a: Term, b: Term): Term {
    const [condition, x, y] = a.parts;
    return this.if(condition!, this.binary(operator, x!, b), this.binary(operator, y!, b));
  }

  #arithmetic(operator: BinaryOperator, a: Term, b: Term, ones: bigint): Term {
    return this.#intern({
      operator,
      parts: [a, b],
      value: 0n,
      size: 0,
      name: '',
      ones,
      signedBits: Math.min(64, bitLength(ones) + 1),
    });
  }

  #comparison(operator: BinaryOperator, a: Term, b: Term): Term {
    return this.#arithmetic(operator, a, b, 1n);
  }

  /** A term of the pool: the one that is there, or this one. Written out, as a spread would take most of the time. */
  #intern(term: Unnumbered): Term {
    const key = keyOf(term);
    const known = this.#known.get(key);
    if (known) return known;
    let nodes = 1;
    for (const part of term.parts) nodes += part.nodes;
    const made: Term =
      nodes > this.#maxNodes
        ? this.unknown('size')
        : {
            id: this.#count++,
            operator: term.operator,
            parts: term.parts,
            value: term.value,
            size: term.size,
            name: term.name,
            ones: term.ones,
            signedBits: term.signedBits,
            isBoolean: givesBoolean(term.operator, term.parts),
            nodes,
          };
    this.#known.set(key, made);
    return made;
  }
}

type Unnumbered = Omit<Term, 'id' | 'nodes' | 'isBoolean'>;

/** Above any number of terms that the limits of an analysis allow. */
const MAX_TERMS = 2 ** 22;
const operatorNumbers: ReadonlyMap<string, number> = new Map(
  [...arithmeticOperators, ...comparisons].map((operator, i) => [operator, i]),
);

/** Equal for equal terms. A number for the many terms of two parts, as text takes longer to make and to find. */
function keyOf({ operator, parts, value, size, name }: Unnumbered): string | number {
  const number = operatorNumbers.get(operator);
  if (number !== undefined && parts[0]!.id < MAX_TERMS && parts[1]!.id < MAX_TERMS)
    return (number * MAX_TERMS + parts[0]!.id) * MAX_TERMS + parts[1]!.id;
  let key = value === 0n ? `${operator} ${name}` : `${operator} ${name} ${value}`;
  if (size !== 0) key += ` ${size}`;
  for (const part of parts) key += `,${part.id}`;
  return key;
}

/** An order of terms that hangs on nothing but what they are: symbols before loads, loads by offset, and so on. */
function isInOrder(a: Term, b: Term): boolean {
  return compareTerms(a, b) <= 0;
}

function compareTerms(a: Term, b: Term): number {
  if (a.id === b.id) return 0;
  if (a.operator !== b.operator)
    return a.operator === 'symbol' || (b.operator !== 'symbol' && a.operator < b.operator) ? -1 : 1;
  if (a.nodes !== b.nodes) return a.nodes - b.nodes;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.value !== b.value) return a.value < b.value ? -1 : 1;
  if (a.size !== b.size) return a.size - b.size;
  for (const [i, part] of a.parts.entries()) {
    const order = compareTerms(part, b.parts[i]!);
    if (order !== 0) return order;
  }
  // Values that nobody knows are each another one.
  return a.id - b.id;
}

function givesBoolean(operator: Term['operator'], parts: readonly Term[]): boolean {
  switch (operator) {
    case 'eq':
    case 'ne':
    case 'ltu':
    case 'leu':
    case 'lts':
    case 'les':
      return true;
    case 'and':
    case 'or':
      return parts[0]!.isBoolean && parts[1]!.isBoolean;
    case 'if':
      return parts[1]!.isBoolean && parts[2]!.isBoolean;
    default:
      return false;
  }
}
