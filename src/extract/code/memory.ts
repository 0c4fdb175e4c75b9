import type { UnknownReason } from '../../expressions/expression.ts';
import type { Term } from '../../expressions/term.ts';
import type { Terms } from '../../expressions/terms.ts';
import type { MachineImage } from './image.ts';

interface Slot {
  readonly size: number;
  readonly term: Term;
  /** A return address or a register that the function saved: no pointer to a local variable leads to it. */
  readonly saved: boolean;
}

/** A store to a variable of the program. */
interface GlobalStore {
  readonly address: bigint;
  readonly size: number;
  readonly term: Term;
}

/** Places of one object or of the stack that are followed. */
const MAX_SLOTS = 1024;

/** Memory as a function sees it: what it wrote, over what was there before. Cheap to copy. */
export class Memory {
  readonly #terms: Terms;
  readonly #image: MachineImage;
  /** By offset from the stack pointer at the start. */
  readonly #stack = new Map<bigint, Slot>();
  /** What was written to objects: by address term, then offset. */
  readonly #objects = new Map<number, Map<bigint, Slot>>();
  /** Something wrote to a place that is not known. */
  #lost = false;
  #globalStore: GlobalStore | undefined;

  constructor(terms: Terms, image: MachineImage) {
    this.#terms = terms;
    this.#image = image;
  }

  copy(): Memory {
    const copy = new Memory(this.#terms, this.#image);
    for (const [at, slot] of this.#stack) copy.#stack.set(at, slot);
    for (const [id, slots] of this.#objects) copy.#objects.set(id, new Map(slots));
    copy.#lost = this.#lost;
    return copy;
  }

  /** From here on nothing outside the stack is known, because a function ran that was not followed. */
  lose(): void {
    this.#lost = true;
    this.#objects.clear();
  }

  load(address: Term, size: number): Term {
    const { base, offset } = this.#terms.split(address);
    if (!base) return this.#loadGlobal(Number(offset), size);
    if (base.operator === 'unknown') return this.#terms.unknown(base.name as UnknownReason);
    if (base.operator === 'symbol' && base.name === 'stack')
      return this.#find(this.#stack, offset, size) ?? this.#terms.unknown('register');
    if (!isObjectAddress(base) || offset >= FAR || offset < -FAR) return this.#terms.unknown('memory');
    return this.#loadObject(base.id, offset, size, () => this.#terms.load(base, offset, size));
  }

  /** What the program wrote there, or else what was there before. */
  #loadObject(id: number, offset: bigint, size: number, before: () => Term): Term {
    if (this.#lost) return this.#terms.unknown('memory');
    if (this.#objects.size === 0) return before();
    // An address that is relative to something else may be the same place.
    const slots = this.#objects.get(id);
    if (!slots || this.#objects.size > 1) return this.#terms.unknown('memory');
    const written = this.#find(slots, offset, size);
    if (written) return written;
    return overlaps(slots, offset, size) ? this.#terms.unknown('memory') : before();
  }

  store(address: Term, size: number, term: Term, saved = false): void {
    const { base, offset } = this.#terms.split(address);
    if (base?.operator === 'symbol' && base.name === 'stack') {
      clear(this.#stack, offset, size);
      if (this.#stack.size < MAX_SLOTS) this.#stack.set(offset, { size, term, saved });
      return;
    }
    if (base && !isObjectAddress(base)) {
      this.lose();
      return;
    }
    const id = base?.id ?? GLOBAL;
    if (!base) this.#globalStore = { address: offset, size, term };
    const slots = this.#objects.get(id) ?? new Map<bigint, Slot>();
    clear(slots, offset, size);
    slots.set(offset, { size, term, saved });
    this.#objects.set(id, slots);
    if (slots.size > MAX_SLOTS) this.lose();
  }

  /** The last store to a variable of the program since this was asked. */
  takeGlobalStore(): GlobalStore | undefined {
    const store = this.#globalStore;
    this.#globalStore = undefined;
    return store;
  }

  /** Puts a return address or a register to preserve on the stack. */
  save(address: Term, size: number, term: Term): void {
    this.store(address, size, term, true);
  }

  /** A function that is not followed got these values: local variables that one points to may hold anything. */
  loseReachable(values: readonly Term[]): void {
    let from: bigint | undefined;
    for (const value of values) {
      const { base, offset } = this.#terms.split(value);
      if (base?.operator !== 'symbol' || base.name !== 'stack') continue;
      if (from === undefined || offset < from) from = offset;
    }
    if (from !== undefined) this.#loseLocals(from);
  }

  /** From here on no local variable is known either. */
  loseAll(): void {
    this.lose();
    this.#loseLocals(undefined);
  }

  #loseLocals(from: bigint | undefined): void {
    for (const [at, slot] of this.#stack) {
      const canary = slot.term.operator === 'symbol' && slot.term.name === 'canary';
      if ((from === undefined || at >= from) && !slot.saved && !canary) this.#stack.delete(at);
    }
  }

  /** Memory where two paths meet: this one's where the condition is 1. */
  merge(condition: Term, other: Memory): Memory {
    const merged = new Memory(this.#terms, this.#image);
    for (const [at, slot] of this.#stack) {
      const its = other.#stack.get(at);
      if (its?.size !== slot.size) continue;
      const term = this.#terms.if(condition, slot.term, its.term);
      merged.#stack.set(at, { size: slot.size, term, saved: slot.saved });
    }
    if (this.#lost || other.#lost || !sameObjects(this.#objects, other.#objects)) merged.lose();
    else for (const [id, slots] of this.#objects) merged.#objects.set(id, new Map(slots));
    return merged;
  }

  /** A variable of the program: what it holds, where it cannot change. */
  #loadGlobal(address: number, size: number): Term {
    const image = this.#image;
    if (!Number.isSafeInteger(address)) return this.#terms.unknown('memory');
    const name = image.importAt(address - (address % 8));
    if (name !== undefined)
      return size === 8 && address % 8 === 0
        ? this.#terms.symbol(`import ${name}`)
        : this.#terms.unknown('memory');
    if (!image.isReadOnly(address) || !image.isReadOnly(address + size - 1)) {
      if ((image.read(address, size)?.length ?? 0) < size) return this.#terms.unknown('memory');
      const before = () => this.#terms.load(this.#terms.symbol('global'), BigInt(address), size);
      return this.#loadObject(GLOBAL, BigInt(address), size, before);
    }
    const pointer = size === 8 ? image.pointerAt(address) : undefined;
    if (pointer !== undefined) return this.#terms.constant(BigInt(pointer));
    const bytes = image.read(address, size);
    if (!bytes || bytes.length < size) return this.#terms.unknown('memory');
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    return this.#terms.constant(value);
  }

  /** The value of a place that was written whole, alone or as part of something larger. */
  #find(slots: ReadonlyMap<bigint, Slot>, offset: bigint, size: number): Term | undefined {
    const slot = slots.get(offset);
    if (slot?.size === size) return slot.term;
    for (let back = 0n; back < 8n; back++) {
      const larger = slots.get(offset - back);
      if (!larger || BigInt(larger.size) < back + BigInt(size)) continue;
      const shifted = this.#terms.binary('shr', larger.term, this.#terms.constant(back * 8n));
      return this.#terms.trunc(shifted, size * 8);
    }
    return undefined;
  }
}

const GLOBAL = -1;
/** No struct is as large; what is farther away is a table of the program with an index that is not known. */
const FAR = 1n << 20n;

/** Whether a value can be the address of an object: the argument, a pointer from memory, or a place relative to one. */
export function isObjectAddress(base: Term): boolean {
  switch (base.operator) {
    case 'symbol':
      return base.name === 'opaque';
    case 'load':
      return base.size === 8;
    case 'add':
      return isObjectAddress(base.parts[0]!) || isObjectAddress(base.parts[1]!);
    case 'sub':
      return isObjectAddress(base.parts[0]!);
    case 'if':
      return isObjectAddress(base.parts[1]!) && isObjectAddress(base.parts[2]!);
    default:
      return false;
  }
}

function overlaps(slots: ReadonlyMap<bigint, Slot>, offset: bigint, size: number): boolean {
  for (const [at, slot] of slots)
    if (at < offset + BigInt(size) && offset < at + BigInt(slot.size)) return true;
  return false;
}

function clear(slots: Map<bigint, Slot>, offset: bigint, size: number): void {
  if (slots.get(offset)?.size === size) return;
  for (const [at, old] of slots)
    if (at < offset + BigInt(size) && offset < at + BigInt(old.size)) slots.delete(at);
}

function sameObjects(
  a: ReadonlyMap<number, Map<bigint, Slot>>,
  b: ReadonlyMap<number, Map<bigint, Slot>>,
): boolean {
  if (a.size !== b.size) return false;
  for (const [id, slots] of a) {
    const others = b.get(id);
    if (others?.size !== slots.size) return false;
    for (const [at, slot] of slots) {
      const other = others.get(at);
      if (other?.size !== slot.size || other.term.id !== slot.term.id) return false;
    }
  }
  return true;
}
