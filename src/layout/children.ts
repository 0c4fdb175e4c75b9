import type { PathComponent } from '../bytes/diagnostic.ts';
import { viewOf } from '../bytes/view.ts';
import { scalarTypes } from '../vmsd/scalars.ts';
import type { ArrayNode, Choice, LayoutNode, Shape, StructNode, UniformElements } from './node.ts';

/** What a node consists of. Uniform elements of an array are made on demand, and anew at each iteration. */
export function childrenOf(node: LayoutNode | undefined): Iterable<LayoutNode> {
  if (node?.kind === 'struct') return node.children;
  if (node?.kind !== 'array') return [];
  const { elements, rest } = node;
  if (!isUniform(elements)) return elements;
  return { [Symbol.iterator]: () => uniformElements(elements, rest) };
}

/** The element of an array that has an index; undefined where there is none. */
export function elementAt({ elements }: ArrayNode, index: number): LayoutNode | undefined {
  return isUniform(elements) ? uniformElement(elements, index) : elements.find(({ name }) => name === index);
}

/** Are the elements of an array made when they are asked for? */
export function isUniform(elements: ArrayNode['elements']): elements is UniformElements {
  return !Array.isArray(elements);
}

/** The first child of that name. */
export function childNamed(node: LayoutNode | undefined, name: PathComponent): LayoutNode | undefined {
  for (const child of childrenOf(node)) if (child.name === name) return child;
  return undefined;
}

/** The value of an integer, unsigned, of as many bits as it has; undefined for all that is no integer. */
export function integerOf(node: LayoutNode | undefined): bigint | undefined {
  if (node?.kind !== 'leaf' || (typeof node.value !== 'bigint' && typeof node.value !== 'number'))
    return undefined;
  return BigInt.asUintN(8 * (node.end - node.start), BigInt(node.value));
}

/** The value of an integer of up to 32 bits, as it is. */
export function numberOf(node: LayoutNode | undefined): number | undefined {
  return node?.kind === 'leaf' && typeof node.value === 'number' ? node.value : undefined;
}

/** The first node with this type, in stream order; elements of arrays of plain values are not looked at. */
export function firstOfType(root: LayoutNode | undefined, type: string): LayoutNode | undefined {
  if (!root) return undefined;
  const enter = (node: LayoutNode) =>
    node.kind !== 'array' || !isUniform(node.elements) || node.elements.shape.kind === 'struct';
  for (const { node } of walk(root, enter)) if (node.type === type) return node;
  return undefined;
}

/** A node and where it is in its section. */
export interface WalkStep {
  readonly node: LayoutNode;
  /** Components from the section's root; empty for the root itself. The array is reused: copy it to keep it. */
  readonly path: readonly PathComponent[];
}

/**
 * All nodes of a layout in stream order, a parent before its children. `enter` decides whether the children of a
 * node are visited.
 */
export function* walk(
  root: LayoutNode,
  enter: (node: LayoutNode, path: readonly PathComponent[]) => boolean = () => true,
): Generator<WalkStep> {
  const path: PathComponent[] = [];
  const stack: Iterator<LayoutNode>[] = [];
  yield { node: root, path };
  if (enter(root, path)) stack.push(childrenOf(root)[Symbol.iterator]());
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const next = top.next();
    if (next.done) {
      stack.pop();
      path.length = stack.length;
      continue;
    }
    path[stack.length - 1] = next.value.name;
    yield { node: next.value, path };
    if (enter(next.value, path)) stack.push(childrenOf(next.value)[Symbol.iterator]());
  }
}

/** The type that an array of such elements has. */
export function shapeType(shape: Shape): string {
  return shape.kind === 'array' ? shapeType(shape.element) : shape.type;
}

/** One of the elements; undefined where there is none of that index. */
function uniformElement(elements: UniformElements, index: number): LayoutNode | undefined {
  if (!Number.isInteger(index) || index < 0 || index >= elements.count) return undefined;
  return new ShapeNodes(elements).node(elements.shape, index, elements.start + index * elements.shape.size);
}

/** The elements in turn, and what is behind them. */
function* uniformElements(
  elements: UniformElements,
  rest: readonly LayoutNode[] = [],
): Generator<LayoutNode, void> {
  const { shape, count, start } = elements;
  const nodes = new ShapeNodes(elements);
  for (let i = 0; i < count; i++) yield nodes.node(shape, i, start + i * shape.size);
  yield* rest;
}

/** Makes nodes of shapes. */
class ShapeNodes {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** What is to be taken from an offset in the stream for one in the bytes. */
  readonly #base: number;
  readonly #chosen: { readonly chosen?: Choice };

  constructor({ bytes, start, pos, chosen }: UniformElements) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#base = start - pos;
    this.#chosen = chosen ? { chosen } : {};
  }

  node(shape: Shape, name: PathComponent, start: number): LayoutNode {
    const end = start + shape.size;
    const pos = start - this.#base;
    switch (shape.kind) {
      case 'scalar': {
        const value = scalarTypes.get(shape.type)!.read(this.#view, pos);
        return { kind: 'leaf', name, type: shape.type, start, end, value, ...this.#chosen };
      }
      case 'bytes': {
        const value = this.#bytes.subarray(pos, pos + shape.size);
        return { kind: 'leaf', name, type: shape.type, start, end, value, ...this.#chosen };
      }
      case 'struct':
        return this.#struct(shape, name, start, end);
      case 'array': {
        const { length, described, element } = shape;
        const elements: UniformElements = {
          shape: element,
          count: length,
          start,
          bytes: this.#bytes,
          pos,
          ...this.#chosen,
        };
        const type = shapeType(element);
        const array: ArrayNode = { kind: 'array', name, type, start, end, length, elements, ...this.#chosen };
        return described ? { ...array, described } : array;
      }
    }
  }

  #struct(
    { type, vmsdName, versionId, members }: Shape & { kind: 'struct' },
    name: PathComponent,
    start: number,
    end: number,
  ): StructNode {
    const children = members.map((member) => this.node(member.shape, member.name, start + member.pos));
    return { kind: 'struct', name, type, start, end, vmsdName, versionId, children, ...this.#chosen };
  }
}
