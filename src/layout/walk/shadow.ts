/** An object of the source QEMU: the device, or what a pointer in another object points to. */
export type ObjectId = number;

/** Where a value is kept: a member of an object, a bit of one, or the answer to a question that is about no member. */
export type ShadowKey =
  | { readonly kind: 'member'; readonly object: ObjectId; readonly offset: number; readonly size: number }
  | { readonly kind: 'bit'; readonly object: ObjectId; readonly offset: number; readonly bit: number }
  | { readonly kind: 'answer'; readonly to: string };

/** Two keys of one text are the same key. */
export function keyText(key: ShadowKey): string {
  switch (key.kind) {
    case 'member':
      return `member ${key.object} ${key.offset} ${key.size}`;
    case 'bit':
      return `bit ${key.object} ${key.offset} ${key.bit}`;
    case 'answer':
      return key.to;
  }
}

/** Equal integers at equal distances, kept as where they are in the stream. */
export interface ShadowRange {
  readonly object: ObjectId;
  /** Of the first one. */
  readonly offset: number;
  /** Bytes from one to the next. */
  readonly stride: number;
  /** Bytes of one in memory. */
  readonly size: number;
  readonly count: number;
  /** The unsigned value of one. */
  read(index: number): bigint;
}

interface Guessed {
  readonly object: ObjectId;
  readonly offset: number;
  readonly size: number;
  readonly value: bigint;
  readonly before: Guessed | undefined;
}

/** What is known of one object. */
interface Members {
  /** By place and size; `undefined` for one that was made unknown. */
  readonly values: Map<number, number | bigint | undefined>;
  /** By eight bytes of the object: which sizes there are values of, a bit for each. */
  readonly sizes: Map<number, number>;
  readonly ranges: ShadowRange[];
}

/** Bytes that members have. */
const SIZES = [1, 2, 4, 8] as const;
/** Bytes for which it is kept together which sizes there are. */
const WORD = 8;

/**
 * The memory that QEMU would have filled by loading: values that were in the stream so far, and guesses made for
 * values that are never sent, by the object they are in and their byte offset there.
 *
 * A shadow is never changed after a child was made of it: branches of a search share what was loaded before they
 * parted. The chain of parents is as long as the number of choices made, not of fields loaded.
 */
export class Shadow {
  readonly #parent: Shadow | undefined;
  readonly #members = new Map<ObjectId, Members>();
  readonly #bits = new Map<ObjectId, Map<number, bigint>>();
  readonly #answers = new Map<string, bigint>();
  readonly #bytes = new Map<ObjectId, Uint8Array>();
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
    this.#put(object, offset, size, value);
  }

  /** Makes a value unknown again. */
  forget(object: ObjectId, offset: number, size: number): void {
    this.#put(object, offset, size, undefined);
  }

  /**
   * Stores an unsigned value over what was there before, in members of this size and others (little endian, as hosts
   * are).
   */
  overwrite(object: ObjectId, offset: number, size: number, value: number | bigint): void {
    const there = this.#sizesIn(object, offset, offset + size);
    for (const other of SIZES) {
      if (other === size || (there & (1 << other)) === 0) continue;
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

  /** Stores a value that was guessed, and not loaded. */
  guess(key: ShadowKey, value: bigint): void {
    if (key.kind === 'answer') this.answer(key.to, value);
    else if (key.kind === 'bit') this.#putBit(key.object, key.offset, key.bit, value);
    else {
      const { object, offset, size } = key;
      this.store(object, offset, size, value);
      this.#guess = { object, offset, size, value, before: this.#guess };
    }
  }

  /** What was guessed for a member; undefined where nothing was. */
  guessed(object: ObjectId, offset: number, size: number): bigint | undefined {
    for (let guess: Guessed | undefined = this.#guess; guess; guess = guess.before)
      if (guess.object === object && guess.offset === offset && guess.size === size) return guess.value;
    return undefined;
  }

  /** Stores equal integers by a function that reads one of them. */
  storeRange(range: ShadowRange): void {
    this.#open(range.object).ranges.push(range);
  }

  /** Was something in `[start, end)` of an object guessed? */
  isGuessed(object: ObjectId, start: number, end: number): boolean {
    for (let guess: Guessed | undefined = this.#guess; guess; guess = guess.before)
      if (guess.object === object && guess.offset < end && guess.offset + guess.size > start) return true;
    return false;
  }

  /** Does this shadow itself know values in `[start, end)` of an object, which would go before a range there? */
  hasOwn(object: ObjectId, start: number, end: number): boolean {
    const own = this.#members.get(object);
    return own !== undefined && isTouched(own, start, end, []);
  }

  /**
   * Would ranges that are stored over `[start, end)` of an object hide all that is known there? Not values of other
   * sizes, which hold some of their bytes.
   */
  hides(object: ObjectId, start: number, end: number, ranges: readonly Omit<ShadowRange, 'read'>[]): boolean {
    for (let shadow = this.#parent; shadow; shadow = shadow.#parent) {
      const members = shadow.#members.get(object);
      if (members && isTouched(members, start, end, ranges)) return false;
    }
    return true;
  }

  /** The unsigned value of `size` bytes at an offset of an object; undefined when nothing stored it so. */
  load(object: ObjectId, offset: number, size: number): bigint | undefined {
    const name = memberKey(offset, size);
    for (let shadow: Shadow | undefined = this; shadow; shadow = shadow.#parent) {
      const members = shadow.#members.get(object);
      if (!members) continue;
      const value = members.values.get(name);
      if (value !== undefined) return BigInt(value);
      if (members.values.has(name)) return undefined;
      for (const range of members.ranges) {
        const at = offset - range.offset;
        if (range.size !== size || at < 0 || at % range.stride !== 0) continue;
        if (at / range.stride < range.count) return range.read(at / range.stride);
      }
    }
    return undefined;
  }

  /** A bit of a member that was guessed; undefined where it was not. */
  bit(object: ObjectId, offset: number, bit: number): bigint | undefined {
    for (let shadow: Shadow | undefined = this; shadow; shadow = shadow.#parent) {
      const value = shadow.#bits.get(object)?.get(bitKey(offset, bit));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Notes what a question that is about no member was answered with. */
  answer(to: string, value: bigint): void {
    this.#requireOpen();
    this.#answers.set(to, value);
  }

  /** What was answered to a question; undefined where nothing was. */
  answered(to: string): bigint | undefined {
    for (let shadow: Shadow | undefined = this; shadow; shadow = shadow.#parent) {
      const value = shadow.#answers.get(to);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Keeps bytes that an object has; what this shadow keeps for it already stays. */
  keepBytes(object: ObjectId, bytes: Uint8Array): void {
    this.#requireOpen();
    if (!this.#bytes.has(object)) this.#bytes.set(object, bytes);
  }

  /** The bytes that were kept for an object. */
  bytesOf(object: ObjectId): Uint8Array | undefined {
    for (let shadow: Shadow | undefined = this; shadow; shadow = shadow.#parent) {
      const bytes = shadow.#bytes.get(object);
      if (bytes) return bytes;
    }
    return undefined;
  }

  #put(object: ObjectId, offset: number, size: number, value: number | bigint | undefined): void {
    const { values, sizes } = this.#open(object);
    const name = memberKey(offset, size);
    if (!values.has(name)) {
      for (let word = Math.floor(offset / WORD); word * WORD < offset + size; word++)
        sizes.set(word, (sizes.get(word) ?? 0) | (1 << size));
    }
    values.set(name, value);
  }

  #putBit(object: ObjectId, offset: number, bit: number, value: bigint): void {
    this.#requireOpen();
    let bits = this.#bits.get(object);
    if (!bits) {
      bits = new Map();
      this.#bits.set(object, bits);
    }
    bits.set(bitKey(offset, bit), value);
  }

  /** Sizes of the members that are in `[start, end)` of an object, or near: a bit for each. */
  #sizesIn(object: ObjectId, start: number, end: number): number {
    let found = 0;
    for (let shadow: Shadow | undefined = this; shadow; shadow = shadow.#parent) {
      const members = shadow.#members.get(object);
      if (!members) continue;
      for (let word = Math.floor(start / WORD); word * WORD < end; word++)
        found |= members.sizes.get(word) ?? 0;
      for (const { offset, stride, size, count } of members.ranges)
        if (offset < end && offset + stride * count > start) found |= 1 << size;
    }
    return found;
  }

  #open(object: ObjectId): Members {
    this.#requireOpen();
    let members = this.#members.get(object);
    if (!members) {
      members = { values: new Map(), sizes: new Map(), ranges: [] };
      this.#members.set(object, members);
    }
    return members;
  }

  #requireOpen(): void {
    if (this.#sealed) throw new Error('a shadow that was branched cannot be written');
  }
}

/** Are there values in `[start, end)`, but for `ranges`? */
function isTouched(
  members: Members,
  start: number,
  end: number,
  ranges: readonly Omit<ShadowRange, 'read'>[],
): boolean {
  for (const word of members.sizes.keys()) if (word * WORD < end && (word + 1) * WORD > start) return true;
  return members.ranges.some((range) => {
    if (range.offset >= end || range.offset + range.stride * range.count <= start) return false;
    return !ranges.some(
      ({ offset, stride, size }) => offset === range.offset && stride === range.stride && size === range.size,
    );
  });
}

/** Sizes are 1 to 8. */
function memberKey(offset: number, size: number): number {
  return offset * 16 + size;
}

function bitKey(offset: number, bit: number): number {
  return offset * 64 + bit;
}

/** Gives objects their ids: the same pointer of the same object is the same object in every branch of a search. */
export class Objects {
  readonly #ids = new Map<string, ObjectId>();

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
}
