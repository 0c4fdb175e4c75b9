/**
 * The memory that QEMU would have filled by loading: values that were in the stream so far, and guesses made for
 * values that are never sent, by the object they are in and their byte offset there.
 *
 * A shadow is never changed after a child was made of it: branches of a search share what was loaded before they
 * parted. The chain of parents is as long as the number of choices made, not of fields loaded.
 */
export class Shadow {
  readonly #parent: Shadow | undefined;
  readonly #values = new Map<string, bigint>();
  /** Arrays of integers, kept as where they are in the stream. */
  readonly #ranges: ShadowRange[] = [];
  #sealed = false;

  private constructor(parent: Shadow | undefined) {
    this.#parent = parent;
  }

  static empty(): Shadow {
    return new Shadow(undefined);
  }

  /** A shadow that begins with all that is in this one, which can then no longer be written. */
  branch(): Shadow {
    this.#sealed = true;
    return new Shadow(this);
  }

  store(object: ObjectId, offset: number, size: number, value: bigint): void {
    if (this.#sealed) throw new Error('a shadow that was branched cannot be written');
    this.#values.set(key(object, offset, size), value);
  }

  /** Stores an array of equal integers by a function that reads one of them. */
  storeArray(range: ShadowRange): void {
    if (this.#sealed) throw new Error('a shadow that was branched cannot be written');
    this.#ranges.push(range);
  }

  /** The unsigned value of `size` bytes at an offset of an object; undefined when nothing stored it so. */
  load(object: ObjectId, offset: number, size: number): bigint | undefined {
    const name = key(object, offset, size);
    for (let shadow: Shadow | undefined = this; shadow; shadow = shadow.#parent) {
      const value = shadow.#values.get(name);
      if (value !== undefined) return value;
      for (const range of shadow.#ranges) {
        const at = offset - range.offset;
        if (range.object !== object || range.size !== size || at < 0) continue;
        if (at % size === 0 && at / size < range.count) return range.read(at / size);
      }
    }
    return undefined;
  }
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

function key(object: ObjectId, offset: number, size: number): string {
  return `${object}:${offset}:${size}`;
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
