import type { PathComponent } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import type { LayoutNode, LeafNode, LeafValue, NodePlace, StructNode } from '../layout/node.ts';
import type { SectionBytes } from '../layout/section-bytes.ts';
import { type BitField, bitsMeaning } from './bits.ts';

/** What a value says to a person: by its bits, or by a function. */
export type Meaning<T> = readonly BitField[] | ((value: T) => string | undefined);

type FieldPlace = Omit<NodePlace, 'type'>;

/** A field of more nodes than this is not opened up, as they are all held. Real ones have some ten thousand at most. */
const MAX_NODES = 1 << 20;

/**
 * Takes nodes off the bytes of a custom info one after another. Past the end it takes nothing and remembers, so that a
 * codec reads on without checks and asks at the end: `finish` gives a node only if the bytes came out exactly.
 * A loop over a count that comes from the bytes must ask `ok`.
 */
export class FieldReader {
  readonly #section: SectionBytes;
  readonly #end: number;
  #offset: number;
  #children: LayoutNode[] = [];
  #nodes = 0;
  #ok = true;

  constructor(section: SectionBytes, range: Range) {
    this.#section = section;
    this.#offset = range.start;
    this.#end = range.end;
  }

  /** False once something was read past the end, or too much was read. */
  get ok(): boolean {
    return this.#ok;
  }

  /** Bytes left. */
  get left(): number {
    return this.#end - this.#offset;
  }

  uint8(name: PathComponent, meaning?: Meaning<number>): number {
    return this.#number(name, 'uint8', 1, meaning, (view, pos) => view.getUint8(pos));
  }

  uint16(name: PathComponent, meaning?: Meaning<number>): number {
    return this.#number(name, 'uint16', 2, meaning, (view, pos) => view.getUint16(pos));
  }

  uint32(name: PathComponent, meaning?: Meaning<number>): number {
    return this.#number(name, 'uint32', 4, meaning, (view, pos) => view.getUint32(pos));
  }

  int32(name: PathComponent, meaning?: Meaning<number>): number {
    return this.#number(name, 'int32', 4, meaning, (view, pos) => view.getInt32(pos));
  }

  uint64(name: PathComponent, meaning?: Meaning<bigint>): bigint {
    return this.#leaf(name, 'uint64', 8, meaning, (view, pos) => view.getBigUint64(pos)) ?? 0n;
  }

  le16(name: PathComponent, meaning?: Meaning<number>): number {
    return this.#number(name, 'le16', 2, meaning, (view, pos) => view.getUint16(pos, true));
  }

  le32(name: PathComponent, meaning?: Meaning<number>): number {
    return this.#number(name, 'le32', 4, meaning, (view, pos) => view.getUint32(pos, true));
  }

  le64(name: PathComponent, meaning?: Meaning<bigint>): bigint {
    return this.#leaf(name, 'le64', 8, meaning, (view, pos) => view.getBigUint64(pos, true)) ?? 0n;
  }

  /** `length` bytes as they are. */
  buffer(name: PathComponent, length: number, meaning?: (value: Uint8Array) => string | undefined): void {
    const { bytes } = this.#section;
    this.#leaf(name, 'buffer', length, meaning, (_, pos) => bytes.subarray(pos, pos + length));
  }

  /** What `read` takes becomes the children of a struct. */
  struct(name: PathComponent, read: () => void): void {
    const { start, children } = this.#nested(read);
    this.#children.push(structNode({ name, start, end: this.#offset }, 'struct', children));
  }

  /** `length` elements, each taken by `read` under its index. */
  array(name: PathComponent, length: number, read: (index: number) => void): void {
    const { start, children } = this.#nested(() => {
      for (let i = 0; i < length && this.#ok; i++) read(i);
    });
    const type = children[0]?.type ?? 'struct';
    this.#children.push({ kind: 'array', name, type, start, end: this.#offset, length, elements: children });
  }

  /** The field as a node with all that was taken below it; undefined unless that is exactly the field. */
  finish({ name, type, start, end }: NodePlace): StructNode | undefined {
    if (!this.#ok || this.left !== 0) return undefined;
    const { bytes, base } = this.#section;
    return {
      ...structNode({ name, start, end }, type, this.#children),
      value: bytes.subarray(start - base, end - base),
    };
  }

  #nested(read: () => void): { start: number; children: LayoutNode[] } {
    const outer = this.#children;
    const start = this.#offset;
    const children: LayoutNode[] = [];
    this.#children = children;
    read();
    this.#children = outer;
    return { start, children };
  }

  #number(
    name: PathComponent,
    type: string,
    length: number,
    meaning: Meaning<number> | undefined,
    read: (view: DataView, pos: number) => number,
  ): number {
    return this.#leaf(name, type, length, meaning, read) ?? 0;
  }

  #leaf<T extends number | bigint | Uint8Array>(
    name: PathComponent,
    type: string,
    length: number,
    meaning: Meaning<T> | undefined,
    read: (view: DataView, pos: number) => T,
  ): T | undefined {
    if (length > this.left || ++this.#nodes > MAX_NODES) this.#ok = false;
    if (!this.#ok) return undefined;
    const start = this.#offset;
    const value = read(this.#section.view, start - this.#section.base);
    this.#offset += length;
    this.#children.push(leafNode({ name, start, end: this.#offset }, type, value, meaningOf(value, meaning)));
    return value;
  }
}

export function meaningOf<T extends number | bigint | Uint8Array>(
  value: T,
  meaning: Meaning<T> | undefined,
): string | undefined {
  if (typeof meaning === 'function') return meaning(value);
  return meaning === undefined || value instanceof Uint8Array ? undefined : bitsMeaning(value, meaning);
}

export function leafNode(
  { name, start, end }: FieldPlace,
  type: string,
  value: LeafValue,
  meaning: string | undefined,
): LeafNode {
  return { kind: 'leaf', name, type, start, end, value, ...(meaning === undefined ? {} : { meaning }) };
}

export function structNode(
  { name, start, end }: FieldPlace,
  type: string,
  children: readonly LayoutNode[],
): StructNode {
  return { kind: 'struct', name, type, start, end, vmsdName: undefined, versionId: undefined, children };
}
