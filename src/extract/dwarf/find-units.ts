import { appendTo } from '../../bytes/append-to.ts';
import { viewOf } from '../../bytes/view.ts';
import { DW_OP_addr } from './constants.ts';
import type { DebugData } from './debug-data.ts';
import type { CodeRange } from './ranges.ts';
import type { Unit } from './units.ts';

/** Ranges of a unit, and of all together; real binaries have some ten thousand. */
const MAX_RANGES = 65_536;
const MAX_TOTAL_RANGES = 4_000_000;
/** Bytes of an address: all hosts have 64 bits. */
const WORD = 8;

/** Addresses, as they were linked. */
export interface WantedAddresses {
  readonly functions: ReadonlySet<number>;
  readonly variables: ReadonlySet<number>;
}

/**
 * The units that may have the functions and variables at some addresses, in order. A unit says where its code is; the
 * address of a variable stands in its entries, or in its part of .debug_addr. Most units have neither, and are not read.
 */
export function findUnits(data: DebugData, { functions, variables }: WantedAddresses): readonly Unit[] {
  const finder = new UnitFinder(data, functions);
  for (const unit of data.units) finder.addCode(unit);
  finder.addUnknown();
  finder.addInPlace(variables);
  finder.addIndexed(variables);
  return data.units.filter((unit) => finder.found.has(unit));
}

class UnitFinder {
  readonly found = new Set<Unit>();
  readonly #data: DebugData;
  /** Sorted. */
  readonly #functions: Float64Array;
  /** By index in those: some unit says that it has it. */
  readonly #isCovered: Uint8Array;
  /** Units that do not say where their code is. */
  readonly #unknown: Unit[] = [];
  readonly #byAddressBase = new Map<number, Unit[]>();
  #ranges = 0;

  constructor(data: DebugData, functions: ReadonlySet<number>) {
    this.#data = data;
    this.#functions = Float64Array.from(functions).sort();
    this.#isCovered = new Uint8Array(functions.size);
  }

  /** Adds a unit if it has one of the functions. */
  addCode(unit: Unit): void {
    const data = this.#data;
    try {
      const root = data.root(unit);
      if (root.splitName !== undefined) data.leftOut.addSplit(root.splitName);
      if (data.sections.addr) appendTo(this.#byAddressBase, data.addressBaseOf(unit), unit);
      const isKnown = root.ranges !== undefined || root.end !== undefined;
      const ranges = isKnown && this.#ranges <= MAX_TOTAL_RANGES ? data.rangesOf(root, MAX_RANGES) : [];
      this.#ranges += ranges.length;
      if (ranges.length === 0) this.#unknown.push(unit);
      else if (this.#cover(ranges)) this.found.add(unit);
    } catch (error) {
      data.leftOut.add(error);
      this.#unknown.push(unit);
    }
  }

  /** Is one of the functions in them? */
  #cover(ranges: readonly CodeRange[]): boolean {
    let isOne = false;
    for (const { start, end } of ranges) {
      const first = this.#firstFrom(start);
      const isThere = (i: number) => i < this.#functions.length && this.#functions[i]! < end;
      isOne ||= isThere(first);
      // Ranges of a file that lies may all overlap: each function is marked once.
      for (let i = first; isThere(i) && this.#isCovered[i] === 0; i++) this.#isCovered[i] = 1;
    }
    return isOne;
  }

  /** Index of the first function that is not below an address. */
  #firstFrom(address: number): number {
    let low = 0;
    let high = this.#functions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#functions[middle]! < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Adds those that do not say where their code is, if a function is in no other one. */
  addUnknown(): void {
    if (this.#isCovered.includes(0)) for (const unit of this.#unknown) this.found.add(unit);
  }

  /** Adds the units in which one of the addresses stands as locations of variables are written. */
  addInPlace(addresses: ReadonlySet<number>): void {
    const { info, littleEndian } = this.#data.sections;
    const view = viewOf(info);
    const least = smallest(addresses);
    // The length of the operation with its address; both are rare, and the first is found by code of the engine.
    const length = WORD + 1;
    for (let at = info.indexOf(length); at >= 0; at = info.indexOf(length, at + 1)) {
      if (info[at + 1] !== DW_OP_addr || at + 2 + WORD > info.byteLength) continue;
      const address = wordAt(view, at + 2, littleEndian);
      if (address < least || !addresses.has(address)) continue;
      try {
        this.found.add(this.#data.unitOf(at));
      } catch (error) {
        this.#data.leftOut.add(error);
      }
    }
  }

  /** Adds the units whose part of .debug_addr has one of the addresses. */
  addIndexed(addresses: ReadonlySet<number>): void {
    const { addr, littleEndian } = this.#data.sections;
    if (!addr) return;
    const view = viewOf(addr);
    const bases = [...this.#byAddressBase].sort(([a], [b]) => a - b);
    for (const [i, [base, units]] of bases.entries()) {
      const end = Math.min(bases[i + 1]?.[0] ?? addr.byteLength, addr.byteLength) - WORD;
      for (let at = base; at <= end; at += WORD) {
        if (!addresses.has(wordAt(view, at, littleEndian))) continue;
        for (const unit of units) this.found.add(unit);
        break;
      }
    }
  }
}

function smallest(addresses: ReadonlySet<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const address of addresses) least = Math.min(least, address);
  return least;
}

/** One above 2^53 comes out rounded: no address is there. */
function wordAt(view: DataView, at: number, littleEndian: boolean): number {
  const high = view.getUint32(littleEndian ? at + 4 : at, littleEndian);
  return high * 0x1_0000_0000 + view.getUint32(littleEndian ? at : at + 4, littleEndian);
}
