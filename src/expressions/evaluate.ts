import type { Expression, Load } from './expression.ts';
import {
  computeBits,
  either,
  isKnown,
  isTrue,
  type KnownBits,
  knownValue,
  narrowBits,
  UNKNOWN_BITS,
} from './known-bits.ts';
import { ALL_ONES, bitLength, maskOf, signed, wrap } from './term.ts';

/**
 * A place in the memory of QEMU: `path[0]` bytes after the root (for `global`, an address), or, where the path is
 * longer, at each step on to what the pointer there points to.
 */
export interface MemoryPlace {
  readonly root: 'opaque' | 'field' | 'global';
  readonly path: readonly number[];
  readonly size: number;
}

/** What an expression is evaluated for. */
interface Environment {
  readonly version: number;
  /** Value of the `size` argument. */
  readonly size?: number;
  /**
   * What is known of a place: its value (little endian, without sign), some bits of it, or nothing. It must answer the
   * same for the same bits, whatever the size of the place.
   */
  load(place: MemoryPlace): bigint | KnownBits | undefined;
}

/** Bits of a place whose values decide. */
export interface Dependency {
  readonly place: MemoryPlace;
  readonly mask: bigint;
}

type Evaluation =
  | { readonly known: true; readonly value: bigint }
  | {
      readonly known: false;
      /** What to find out, in the order in which the program would look at it. */
      readonly hangsOn: readonly Dependency[];
      /** It also hangs on something that no place holds. */
      readonly unknowable: boolean;
    };

/** The value of an expression as far as memory is known, or which bits of memory it hangs on. Never throws. */
export function evaluate(expression: Expression, environment: Environment): Evaluation {
  return new Evaluator(environment).evaluate(expression);
}

/** Where an address points: relative to a root, or unknown because of other parts. */
type Address = { readonly root: MemoryPlace['root']; readonly path: readonly number[] } | undefined;

class Evaluator {
  readonly #environment: Environment;
  readonly #known = new Map<Expression, KnownBits>();
  readonly #dependencies = new Map<string, { place: MemoryPlace; mask: bigint }>();
  #unknowable = false;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  evaluate(expression: Expression): Evaluation {
    const bits = this.#bits(expression);
    if (isKnown(bits)) return { known: true, value: bits.value };
    this.#demand(expression, ALL_ONES);
    return { known: false, hangsOn: [...this.#dependencies.values()], unknowable: this.#unknowable };
  }

  #bits(expression: Expression): KnownBits {
    if (typeof expression === 'number') return knownValue(BigInt(expression));
    if (typeof expression === 'string') return this.#name(expression);
    const seen = this.#known.get(expression);
    if (seen) return seen;
    const bits = this.#compute(expression);
    this.#known.set(expression, bits);
    return bits;
  }

  #name(name: string): KnownBits {
    const { version, size } = this.#environment;
    switch (name) {
      case 'version':
        return knownValue(wrap(BigInt(version)));
      case 'size':
        return size === undefined ? UNKNOWN_BITS : knownValue(BigInt(size));
      case 'opaque':
      case 'field':
        return UNKNOWN_BITS;
      default:
        return knownValue(BigInt(name));
    }
  }

  #compute(expression: Exclude<Expression, string | number>): KnownBits {
    switch (expression[0]) {
      case 'unknown':
        return UNKNOWN_BITS;
      case 'load':
        return this.#load(expression);
      case 'trunc':
      case 'sext':
        return narrowBits(expression[0], this.#bits(expression[1]), expression[2]);
      case 'if': {
        const condition = isTrue(this.#bits(expression[1]));
        if (condition === true) return this.#bits(expression[2]);
        if (condition === false) return this.#bits(expression[3]);
        return either(this.#bits(expression[2]), this.#bits(expression[3]));
      }
      default:
        return computeBits(expression[0], this.#bits(expression[1]), this.#bits(expression[2]));
    }
  }

  #load(load: Load): KnownBits {
    const mask = maskOf(load[3] * 8);
    const place = this.#place(load);
    const answer = place && this.#environment.load(place);
    if (typeof answer === 'bigint') return knownValue(answer & mask);
    const known = (answer?.known ?? 0n) & mask;
    return { value: (answer?.value ?? 0n) & known, known: known | (ALL_ONES ^ mask) };
  }

  #place([, base, offset, size]: Load): MemoryPlace | undefined {
    if (base === 'global') return { root: 'global', path: [offset], size };
    const address = this.#address(base);
    if (!address) return undefined;
    const path = moveBy(address.path, offset);
    return path && { root: address.root, path, size };
  }

  /** The address that an expression is, its last step still open. */
  #address(expression: Expression): Address {
    if (expression === 'opaque' || expression === 'field') return { root: expression, path: [0] };
    if (typeof expression !== 'object') return undefined;
    switch (expression[0]) {
      case 'load': {
        const place = expression[3] === 8 ? this.#place(expression) : undefined;
        return place && { root: place.root, path: [...place.path, 0] };
      }
      case 'add':
        return this.#moved(expression[1], expression[2]) ?? this.#moved(expression[2], expression[1]);
      case 'if': {
        const condition = isTrue(this.#bits(expression[1]));
        return condition === undefined ? undefined : this.#address(expression[condition ? 2 : 3]);
      }
      default:
        return undefined;
    }
  }

  #moved(base: Expression, by: Expression): Address {
    const distance = this.#bits(by);
    const address = isKnown(distance) ? this.#address(base) : undefined;
    if (!address) return undefined;
    const path = moveBy(address.path, Number(signed(distance.value)));
    return path && { root: address.root, path };
  }

  /** Notes what the unknown ones of these bits of an expression hang on. */
  #demand(expression: Expression, bits: bigint): void {
    const wanted = bits & ~this.#bits(expression).known & ALL_ONES;
    if (wanted === 0n) return;
    if (typeof expression !== 'object') {
      this.#unknowable = true;
      return;
    }
    switch (expression[0]) {
      case 'unknown':
        this.#unknowable = true;
        break;
      case 'load':
        this.#demandLoad(expression, wanted);
        break;
      case 'trunc':
        this.#demand(expression[1], wanted & maskOf(expression[2]));
        break;
      case 'sext': {
        const low = wanted & maskOf(expression[2]);
        const sign = 1n << BigInt(expression[2] - 1);
        this.#demand(expression[1], wanted === low ? low : low | sign);
        break;
      }
      case 'if': {
        const condition = isTrue(this.#bits(expression[1]));
        if (condition === undefined) this.#demand(expression[1], ALL_ONES);
        if (condition !== false) this.#demand(expression[2], wanted);
        if (condition !== true) this.#demand(expression[3], wanted);
        break;
      }
      default:
        this.#demandOperands(expression, wanted);
    }
  }

  #demandLoad(load: Load, wanted: bigint): void {
    const place = this.#place(load);
    if (place) {
      const key = `${place.root} ${place.path} ${place.size}`;
      const known = this.#dependencies.get(key);
      if (known) known.mask |= wanted;
      else this.#dependencies.set(key, { place, mask: wanted });
      return;
    }
    // The address itself hangs on something, as an index.
    if (load[1] !== 'global') this.#demandAddress(load[1]);
  }

  #demandAddress(expression: Expression): void {
    if (typeof expression !== 'object') return;
    switch (expression[0]) {
      case 'load':
        if (!this.#place(expression)) this.#demandLoad(expression, ALL_ONES);
        break;
      case 'add':
        for (const part of [expression[1], expression[2]]) {
          if (this.#address(part)) continue;
          this.#demand(part, ALL_ONES);
        }
        break;
      case 'if':
        this.#demand(expression[1], ALL_ONES);
        this.#demandAddress(expression[2]);
        this.#demandAddress(expression[3]);
        break;
      default:
        this.#demand(expression, ALL_ONES);
    }
  }

  #demandOperands([operator, a, b]: readonly [string, Expression, Expression], wanted: bigint): void {
    const left = this.#bits(a);
    const right = this.#bits(b);
    switch (operator) {
      case 'and':
        this.#demand(a, wanted & ~(right.known & ~right.value));
        this.#demand(b, wanted & ~(left.known & ~left.value));
        return;
      case 'or':
        this.#demand(a, wanted & ~right.value);
        this.#demand(b, wanted & ~left.value);
        return;
      case 'xor':
        this.#demand(a, wanted);
        this.#demand(b, wanted);
        return;
      case 'add':
      case 'sub':
      case 'mul': {
        const low = maskOf(bitLength(wanted));
        this.#demand(a, low);
        this.#demand(b, low);
        return;
      }
      case 'shl':
      case 'shr':
        if (isKnown(right)) {
          this.#demand(a, operator === 'shl' ? wanted >> right.value : wrap(wanted << right.value));
          return;
        }
        break;
      case 'lts':
        // Only the sign decides.
        if (isKnown(right) && right.value === 0n) {
          this.#demand(a, 1n << 63n);
          return;
        }
        break;
      case 'ltu':
        // Only the bits above a power of two decide.
        if (isKnown(right) && (right.value & (right.value - 1n)) === 0n) {
          this.#demand(a, wrap(-right.value));
          return;
        }
        break;
    }
    this.#demand(a, ALL_ONES);
    this.#demand(b, ALL_ONES);
  }
}

/** A path to a place so many bytes farther; undefined where that is no place. */
function moveBy(path: readonly number[], distance: number): readonly number[] | undefined {
  const moved = [...path];
  const at = (moved.pop() ?? 0) + distance;
  return Number.isSafeInteger(at) ? [...moved, at] : undefined;
}
