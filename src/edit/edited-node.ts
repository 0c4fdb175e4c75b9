import type { PathComponent } from '../bytes/diagnostic.ts';
import type { Piece } from '../bytes/splice.ts';
import { pieceLength } from '../bytes/splice.ts';
import { childrenOf } from '../layout/children.ts';
import type { ArrayNode, LayoutNode, StructNode } from '../layout/node.ts';
import { isSameShape } from '../layout/same-shape.ts';

/**
 * A node of a section that is to be written: one that was read and stays as it is, or one that was made. What was read is
 * never opened further than a change asks for.
 */
export type EditedNode = KeptNode | MadeLeaf | MadeStruct | MadeArray;

/** A node with all below it as it was read. */
export interface KeptNode {
  readonly kind: 'kept';
  /** With the name that it has now. */
  readonly node: LayoutNode;
  /** Its bytes, where it is of another stream than the one that is changed. */
  readonly bytes?: Uint8Array;
}

export interface MadeLeaf {
  readonly kind: 'leaf' | 'gap';
  readonly name: PathComponent;
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface MadeStruct extends Pick<StructNode, 'kind' | 'name' | 'type' | 'vmsdName' | 'versionId'> {
  readonly children: readonly EditedNode[];
}

export interface MadeArray extends Pick<ArrayNode, 'kind' | 'name' | 'type'> {
  readonly described: ArrayNode['described'] | undefined;
  readonly children: readonly EditedNode[];
  /** Elements; those with a marker are two children. */
  readonly length: number;
}

export function kept(node: LayoutNode): EditedNode {
  return { kind: 'kept', node };
}

/** A node with its children to be changed; undefined for one that has none. */
export function opened(edited: EditedNode): MadeStruct | MadeArray | undefined {
  if (edited.kind === 'struct' || edited.kind === 'array') return edited;
  if (edited.kind !== 'kept') return undefined;
  const { node, bytes } = edited;
  if (node.kind !== 'struct' && node.kind !== 'array') return undefined;
  const children = Array.from(childrenOf(node), (child): EditedNode => {
    if (!bytes) return { kind: 'kept', node: child };
    return {
      kind: 'kept',
      node: child,
      bytes: bytes.subarray(child.start - node.start, child.end - node.start),
    };
  });
  if (node.kind === 'array') {
    const { name, type, length, described } = node;
    return { kind: 'array', name, type, length, children, described: described ?? descriptionOf(children) };
  }
  const { name, type, vmsdName, versionId } = node;
  return { kind: 'struct', name, type, vmsdName, versionId, children };
}

/** Of an array of which a vmdesc was read: elements that are not all alike are described each for itself. */
export function descriptionOf(elements: readonly EditedNode[]): ArrayNode['described'] {
  const [first, ...others] = elements.map((element) => unnamed(shapeOf(element)));
  return first && others.every((other) => isSameShape(first, other)) ? 'first' : 'each';
}

function unnamed(node: LayoutNode): LayoutNode {
  return { ...node, name: '' };
}

export function nameOf(edited: EditedNode): PathComponent {
  return edited.kind === 'kept' ? edited.node.name : edited.name;
}

/** The same node under another name. */
export function renamed(edited: EditedNode, name: PathComponent): EditedNode {
  if (nameOf(edited) === name) return edited;
  return edited.kind === 'kept' ? { ...edited, node: { ...edited.node, name } } : { ...edited, name };
}

/** What is written for a node: its own bytes, and ranges of the stream that is changed. */
export function nodePieces(edited: EditedNode): Piece[] {
  const pieces: Piece[] = [];
  addPieces(edited, pieces);
  return pieces;
}

function addPieces(edited: EditedNode, pieces: Piece[]): void {
  if (edited.kind === 'kept') {
    const { node, bytes } = edited;
    const last = pieces.at(-1);
    if (bytes) pieces.push(bytes);
    else if (last && !(last instanceof Uint8Array) && last.end === node.start)
      pieces[pieces.length - 1] = { start: last.start, end: node.end };
    else pieces.push({ start: node.start, end: node.end });
  } else if ('children' in edited) for (const child of edited.children) addPieces(child, pieces);
  else pieces.push(edited.bytes);
}

/** Bytes that are written for a node. */
export function nodeLength(edited: EditedNode): number {
  return nodePieces(edited).reduce((sum, piece) => sum + pieceLength(piece), 0);
}

/** The node as one that was read, but for values, and for where it is: it begins at 0. */
export function shapeOf(edited: EditedNode): LayoutNode {
  switch (edited.kind) {
    case 'kept':
      return edited.node;
    case 'leaf':
    case 'gap': {
      const { kind, name, type, bytes } = edited;
      return { kind, name, type, start: 0, end: bytes.byteLength, value: bytes };
    }
    case 'struct': {
      const { children, ...rest } = edited;
      return { ...rest, start: 0, end: nodeLength(edited), children: children.map(shapeOf) };
    }
    case 'array': {
      const { children, described, ...rest } = edited;
      const elements = children.map(shapeOf);
      const type = elements[0]?.type ?? rest.type;
      return {
        ...rest,
        ...(described ? { described } : {}),
        type,
        start: 0,
        end: nodeLength(edited),
        elements,
      };
    }
  }
}
