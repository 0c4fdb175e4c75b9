import { ALL_ONES, type Term } from '../../expressions/term.ts';
import type { Terms } from '../../expressions/terms.ts';
import { isObjectAddress } from './memory.ts';
import type { MachineState } from './state.ts';

/** Entries of a table that are looked at: those of a `switch`, or of a small array of constants. */
const MAX_ENTRIES = 64n;

/** What memory holds at an address; of a table, with an index that is not known but bounded, a choice of its entries. */
export function loadMemory(state: MachineState, terms: Terms, address: Term, size: number): Term {
  return lookUp(state, terms, address, size) ?? state.memory.load(address, size);
}

function lookUp(state: MachineState, terms: Terms, address: Term, size: number): Term | undefined {
  const { base, offset } = terms.split(address);
  if (!base || offset <= 0n || base.parts.length === 0 || isObjectAddress(base)) return undefined;
  const index = findIndex(state, base);
  if (!index) return undefined;
  const values: Term[] = [];
  for (let i = 0n; i < index.bound; i++) {
    const entry = terms.substitute(address, index.term, terms.constant(i));
    if (entry.operator !== 'constant') return undefined;
    const value = state.memory.load(entry, size);
    if (value.operator !== 'constant') return undefined;
    values.push(value);
  }
  return choose(terms, index.term, values);
}

/** The innermost part of an address that has a bound on this path: the index, which may be scaled. */
function findIndex(state: MachineState, term: Term): { term: Term; bound: bigint } | undefined {
  const known = state.bounds.get(term.id) ?? (term.ones === ALL_ONES ? undefined : term.ones + 1n);
  if (known !== undefined && known <= MAX_ENTRIES) return { term, bound: known };
  for (const part of term.parts) {
    const found = findIndex(state, part);
    if (found) return found;
  }
  return undefined;
}

function choose(terms: Terms, index: Term, values: readonly Term[]): Term {
  if (values.every(({ value }) => value <= 1n)) {
    // An array of bool: one bit of a number.
    const bits = values.reduce((mask, { value }, i) => mask | (value << BigInt(i)), 0n);
    return terms.binary('and', terms.binary('shr', terms.constant(bits), index), terms.constant(1n));
  }
  let result = values.at(-1)!;
  for (let i = values.length - 2; i >= 0; i--)
    result = terms.if(terms.binary('eq', index, terms.constant(BigInt(i))), values[i]!, result);
  return result;
}
