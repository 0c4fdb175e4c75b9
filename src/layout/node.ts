import type { Diagnostic, PathComponent } from '../bytes/diagnostic.ts';

/**
 * What a leaf holds. Integers of up to 32 bits are numbers, 64-bit ones bigint; `bool` is a boolean, a capability
 * a string; everything else is the bytes as they are in the stream. Null stands for the content of a record of an
 * iterative section, which is scanned and not held.
 */
export type LeafValue = number | bigint | boolean | string | Uint8Array | null;

/** Why a node is as it is and not another way, where bytes and tables leave several readings of its section. */
export interface Choice {
  /** Readings that were found, this one included. */
  readonly readings: number;
  /** There are no others. */
  readonly allTried: boolean;
  /** What was guessed for this reading, and for the next one. */
  readonly taken: string;
  readonly runnerUp: string | undefined;
}

/**
 * Where the knowledge of a node comes from: `exact`, forced by the bytes and what describes them; `chosen`, as in the
 * likeliest of several readings; `gap`, nowhere.
 */
type Knowledge = 'exact' | 'chosen' | 'gap';

export function knowledgeOf(node: LayoutNode): Knowledge {
  if (node.kind === 'gap') return 'gap';
  return node.chosen ? 'chosen' : 'exact';
}

/** Name, type and place of a node. */
export interface NodePlace {
  /** Field name, index in an array, or full name of a subsection; `''` for the root of a section. */
  readonly name: PathComponent;
  /** Name of the VMStateInfo, as the schema has it; see each kind for more. */
  readonly type: string;
  /** Absolute offsets in the stream, half open. */
  readonly start: number;
  readonly end: number;
}

export interface NodeBase extends NodePlace {
  /** Another reading of the section does not have this node, or may not have it. */
  readonly chosen?: Choice;
}

/** A value. */
export interface LeafNode extends NodeBase {
  readonly kind: 'leaf';
  readonly value: LeafValue;
  /** What the value says to a person: names of set bits, a class, an address. Shown behind the value. */
  readonly meaning?: string;
}

/** A VMSD and what else has parts with names: `struct`, `vstruct`, `subsection`, or a custom info opened up. */
export interface StructNode extends NodeBase {
  readonly kind: 'struct';
  readonly vmsdName: string | undefined;
  readonly versionId: number | undefined;
  /** The bytes of a custom info, as it is also a field with a value. */
  readonly value?: Uint8Array;
  readonly children: readonly LayoutNode[];
}

/** Elements with names 0, 1, 2 …; `type` is that of the first element. */
export interface ArrayNode extends NodeBase {
  readonly kind: 'array';
  readonly length: number;
  /**
   * How QEMU describes it in a vmdesc: by its first element, each element for itself, as an array of pointers, or as
   * one with a marker for each element (or, read by a vmdesc, one field after another, without more). Not known
   * where a vmdesc describes one by its first element.
   */
  readonly described?: 'first' | 'each' | 'pointers' | 'markers';
  /** The elements, or what they are made from when they are asked for: see `childrenOf` and `elementAt`. */
  readonly elements: readonly LayoutNode[] | UniformElements;
  /** What is left of an array of uniform elements whose end the walk did not reach. */
  readonly rest?: readonly LayoutNode[];
}

/** Bytes that nobody can name. `type` says why, in a word or two. */
export interface GapNode extends NodeBase {
  readonly kind: 'gap';
  /** The bytes, where they were read; undefined where the gap is too long to hold. */
  readonly value: Uint8Array | undefined;
}

export type LayoutNode = LeafNode | StructNode | ArrayNode | GapNode;

/**
 * A section's bytes resolved. Its leaves and gaps tile `[root.start, root.end)` exactly; in an iterative section they
 * tile the bodies of its records, between which those of other sections may lie.
 */
export interface Layout {
  readonly section: string;
  readonly instanceId: number;
  /** Version in the section header; undefined for the configuration. */
  readonly versionId: number | undefined;
  readonly root: StructNode;
  readonly diagnostics: readonly Diagnostic[];
}

/** What bytes are, where neither their length nor what is in them hangs on a value: inert data. */
export type Shape =
  /** A value of a base type; see `scalarTypes`. */
  | { readonly kind: 'scalar'; readonly type: string; readonly size: number }
  /** Bytes as they are. */
  | { readonly kind: 'bytes'; readonly type: string; readonly size: number }
  | {
      readonly kind: 'struct';
      readonly type: string;
      readonly size: number;
      readonly vmsdName: string | undefined;
      readonly versionId: number | undefined;
      readonly members: readonly ShapeMember[];
    }
  | {
      readonly kind: 'array';
      readonly size: number;
      readonly length: number;
      readonly described: ArrayNode['described'];
      readonly element: Shape;
    };

export interface ShapeMember {
  readonly name: string;
  /** Bytes from the beginning of the struct. */
  readonly pos: number;
  readonly shape: Shape;
}

/** Elements that are all of one shape, as where they are. */
export interface UniformElements {
  readonly shape: Shape;
  readonly count: number;
  /** Offset of the first one, absolute in the stream. */
  readonly start: number;
  /** `bytes[pos]` is the first byte of the first one. */
  readonly bytes: Uint8Array;
  readonly pos: number;
  /** Another reading of the section does not have them, or may not have them. */
  readonly chosen?: Choice;
}
