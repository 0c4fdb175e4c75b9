/**
 * The memory that QEMU would have filled by loading: values that were in the stream so far, and guesses made for
 * values that are never sent, by the object they are in and their byte offset there.
 *
 * A shadow is never changed after a child was made of it: branches of a search share what was loaded before they
 * parted. The chain of parents is as long as the number of choices made, not of fields loaded.
 */
export class Shadow {
  readonly #parent: Shadow | undefined;
  readonly #values = new Map<ObjectId, Map<number, number | bigint | undefined>>();
  /** Arrays of integers, kept as where they are in the stream. */
  readonly #ranges = new Map<ObjectId, ShadowRange[]>();
  /** The guess that this shadow was branched for, and what its parents were. */
  #guess: Guessed | undefined;
  #sealed = false;

  private constructor(parent: Shadow | undefined) {
    this.#parent = parent;
    this.#guess = parent ? parent.#guess : undefined;
  }

  static empty(): Shadow {
    return new Shadow(undefined);
  }

  /** A shadow that begins with all that is in this one, which can then no longer be written. */
  branch(): Shadow {
    this.#sealed = true;
    return new Shadow(this);
  }

  /** Stores an unsigned value. */
  store(object: ObjectId, offset: number, size: number, value: number | bigint): void {
    this.#valuesOf(object).set(key(offset, size), value);
  }

  #valuesOf(object: ObjectId): Map<number, number | bigint | undefined> {
    if (this.#sealed) throw new Error('a shadow that was branched cannot be written');
    let values = this.#values.get(object);
    if (!values) {
      values = new Map();
      this.#values.set(object, values);
    }
    return values;
  }

  /**
   * Stores an unsigned value over what was there before, in members of this size and others (little endian, as hosts
   * are).
   */
  overwrite(object: ObjectId, offset: number, size: number, value: number | bigint): void {
    for (const other of SIZES) {
      if (other === size) continue;
      for (let at = Math.floor(offset / other) * other; at < offset + size; at += other) {
        const before = this.load(object, at, other);
        if (before === undefined) continue;
        const shift = BigInt((offset - at) * 8);
        const bits = BigInt(value);
        const moved = shift < 0n ? bits >> -shift : bits << shift;
        const ones = (1n << BigInt(size * 8)) - 1n;
        const mask = shift < 0n ? ones >> -shift : ones << shift;
        this.store(object, at, other, BigInt.asUintN(other * 8, (before & ~mask) | (moved & mask)));
      }
    }
    this.store(object, offset, size, value);
  }

  /** Makes a value unknown again. */
  forget(object: ObjectId, offset: number, size: number): void {
    this.#valuesOf(object).set(key(offset, size), undefined);
  }

  /** Stores a value that was guessed, and not loaded. */
  guess(object: ObjectId, offset: number, size: number, value: bigint): void {
    this.store(object, offset, size, value);
    this.#guess = { object, key: key(offset, size), value, before: this.#guess };
  }

  /** What was guessed for a place; undefined where nothing was. */
  guessed(object: ObjectId, offset: number, size: number): bigint | undefined {
    if (!this.#guess) return undefined;
    const name = key(offset, size);
    for (let guess: Guessed | undefined = this.#guess; guess; guess = guess.before)
      if (guess.object === object && guess.key === name) return guess.value;
    return undefined;
  }

  /** Stores an array of equal integers by a function that reads one of them. */
  storeArray(range: ShadowRange): void {
    if (this.#sealed) throw new Error('a shadow that was branched cannot be written');
    const ranges = this.#ranges.get(range.object);
    if (ranges) ranges.push(range);
    else this.#ranges.set(range.object, [range]);
  }

  /** The unsigned value of `size` bytes at an offset of an object; undefined when nothing stored it so. */
  load(object: ObjectId, offset: number, size: number): bigint | undefined {
    const name = key(offset, size);
    for (let shadow: Shadow | undefined = this; shadow; shadow = shadow.#parent) {
      const values = shadow.#values.get(object);
      const value = values?.get(name);
      if (value !== undefined) return BigInt(value);
      if (values?.has(name)) return undefined;
      for (const range of shadow.#ranges.get(object) ?? NO_RANGES) {
        const at = offset - range.offset;
        if (range.size !== size || at < 0) continue;
        if (at % size === 0 && at / size < range.count) return range.read(at / size);
      }
    }
    return undefined;
  }
}

/** Bytes that members have. */
const SIZES = [1, 2, 4, 8] as const;

const NO_RANGES: readonly ShadowRange[] = [];

interface Guessed {
  readonly object: ObjectId;
  readonly key: number;
  readonly value: bigint;
  readonly before: Guessed | undefined;
}

export interface ShadowRange {
  readonly object: ObjectId;
  readonly offset: number;
  /** Bytes of one element in memory. */
  readonly size: number;
  readonly count: number;
  read(index: number): bigint;
}

/** An object of the source QEMU: the device, or what a pointer in another object points to. */
export type ObjectId = number;

/** Sizes are 1 to 8. */
function key(offset: number, size: number): number {
  return offset * 16 + size;
}

/** Gives objects their ids: the same pointer of the same object is the same object in every branch of a search. */
export class Objects {
  readonly #ids = new Map<string, ObjectId>();
  readonly #names = new Map<string, number>();

  /** The object that a section belongs to. */
  readonly root: ObjectId = 0;

  /** What the pointer at `offset` of `object` points to; `index` for the element of an array of pointers. */
  behind(object: ObjectId, offset: number, index = -1): ObjectId {
    const name = `${object}:${offset}:${index}`;
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.#ids.size + 1;
      this.#ids.set(name, id);
    }
    return id;
  }

  /** A number for a name: the same for the same name. */
  nameId(name: string): number {
    let id = this.#names.get(name);
    if (id === undefined) {
      id = this.#names.size;
      this.#names.set(name, id);
    }
    return id;
  }
}
