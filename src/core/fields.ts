import type { PathComponent } from '../bytes/diagnostic.ts';
import { childNamed, childrenOf, firstOfType, integerOf } from '../layout/children.ts';
import type { Layout, LayoutNode } from '../layout/node.ts';

/** The fields of one section, by name. Values are undefined where a field is missing or of another kind. */
export class Fields {
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  get section(): string {
    return this.#layout.section;
  }

  get instanceId(): number {
    return this.#layout.instanceId;
  }

  /** An integer, unsigned, of as many bits as the field has. */
  integer(...path: readonly PathComponent[]): bigint | undefined {
    return toInteger(this.#find(path));
  }

  /** The integers of an array; one that is missing makes all of them undefined. */
  integers(...path: readonly PathComponent[]): readonly bigint[] | undefined {
    const node = this.#find(path);
    if (node?.kind !== 'array') return undefined;
    const values: bigint[] = [];
    for (const child of childrenOf(node)) {
      const value = toInteger(child);
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  }

  /** The same where each is a custom info of more than 8 bytes, big endian. */
  wideIntegers(...path: readonly PathComponent[]): readonly bigint[] | undefined {
    const node = this.#find(path);
    if (node?.kind !== 'array') return undefined;
    const values: bigint[] = [];
    for (const child of childrenOf(node)) {
      const bytes = toBytes(child);
      if (!bytes) return undefined;
      values.push(bigEndian(bytes));
    }
    return values;
  }

  /** The bytes of a buffer, or of a custom info. */
  bytes(...path: readonly PathComponent[]): Uint8Array | undefined {
    return toBytes(this.#find(path));
  }

  /** The bytes of the first field with this type, wherever it is: a base class has its own place in each device. */
  bytesOfType(type: string): Uint8Array | undefined {
    return toBytes(firstOfType(this.#layout.root, type));
  }

  has(...path: readonly PathComponent[]): boolean {
    return this.#find(path) !== undefined;
  }

  #find(path: readonly PathComponent[]): LayoutNode | undefined {
    let node: LayoutNode | undefined = this.#layout.root;
    for (const name of path) node = childNamed(node, name);
    return node;
  }
}

function toInteger(node: LayoutNode | undefined): bigint | undefined {
  if (node?.kind !== 'leaf') return undefined;
  const { value } = node;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  // A custom info with nothing but an integer.
  if (value instanceof Uint8Array) return value.length <= 8 ? bigEndian(value) : undefined;
  return integerOf(node);
}

function bigEndian(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function toBytes(node: LayoutNode | undefined): Uint8Array | undefined {
  if (node?.kind === 'array' || node === undefined) return undefined;
  return node.value instanceof Uint8Array ? node.value : undefined;
}
