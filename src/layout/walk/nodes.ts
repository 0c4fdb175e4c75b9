import { badArgument, type PathComponent, printable } from '../../bytes/diagnostic.ts';
import type { CompiledField, CompiledVmsd } from '../../vmsd/compiled.ts';
import { isUniform } from '../children.ts';
import { gap, type ResolveContext } from '../context.ts';
import type { Choice, LayoutNode, LeafNode, LeafValue, StructNode, UniformElements } from '../node.ts';
import type { WalkSink } from './outcome.ts';
import type { Doubt } from './readings.ts';

/** A node whose end is not known yet. */
interface OpenNode {
  readonly kind: 'struct' | 'array';
  readonly name: PathComponent;
  readonly type: string;
  readonly start: number;
  readonly vmsdName: string | undefined;
  readonly versionId: number | undefined;
  length: number;
  readonly described?: CompiledField['described'] | undefined;
  children: LayoutNode[];
  elements: UniformElements | undefined;
}

/** Types of structs that are VMSDs, not infos. */
const VMSD_TYPES: ReadonlySet<string> = new Set(['section', 'struct', 'vstruct', 'subsection']);

function chosenThroughout(node: LayoutNode, chosen: Choice): LayoutNode {
  if (node.kind === 'struct')
    return { ...node, chosen, children: node.children.map((child) => chosenThroughout(child, chosen)) };
  if (node.kind !== 'array') return { ...node, chosen };
  const { elements, rest } = node;
  const mark = (child: LayoutNode) => chosenThroughout(child, chosen);
  return {
    ...node,
    chosen,
    elements: isUniform(elements) ? { ...elements, chosen } : elements.map(mark),
    ...(rest ? { rest: rest.map(mark) } : {}),
  };
}

/** Makes the nodes of a section while it is walked. */
export class NodeBuilder implements WalkSink {
  readonly #context: ResolveContext;
  readonly #open: OpenNode[] = [];
  readonly #doubt: Doubt | undefined;
  /** Where readings differ, each node is judged for itself. */
  readonly wantsEach: boolean;

  /** With a doubt, nodes that not all readings have are marked as chosen. */
  constructor(context: ResolveContext, vmsd: CompiledVmsd, versionId: number, doubt?: Doubt) {
    this.#context = context;
    this.#doubt = doubt;
    this.wantsEach = doubt !== undefined;
    this.open('', 'section', context.section.base, vmsd, versionId);
  }

  /** Names of the nodes that are open, from the section's root. */
  get path(): readonly PathComponent[] {
    return this.#open.slice(1).map(({ name }) => name);
  }

  open(
    name: PathComponent,
    type: string,
    start: number,
    vmsd: CompiledVmsd | undefined,
    versionId: number,
  ): void {
    this.#open.push({
      kind: 'struct',
      name,
      type,
      start,
      vmsdName: vmsd?.applied ? vmsd.applied.vmsdName : vmsd?.name,
      // A subsection has its version in its header.
      versionId: vmsd?.applied && type !== 'subsection' ? vmsd.applied.versionId : vmsd && versionId,
      length: 0,
      children: [],
      elements: undefined,
    });
  }

  openArray(
    name: string,
    type: string,
    start: number,
    length: number,
    described?: CompiledField['described'],
  ): void {
    const nothing = { vmsdName: undefined, versionId: undefined, children: [], elements: undefined };
    this.#open.push({ kind: 'array', name, type, start, length, described, ...nothing });
  }

  leaf(
    name: PathComponent,
    type: string,
    start: number,
    end: number,
    value: LeafValue,
    meaning?: string,
  ): void {
    const opened = value instanceof Uint8Array ? this.#openInfo(name, type, start, end) : undefined;
    const leaf: LeafNode = { kind: 'leaf', name, type, start, end, value };
    const node = opened ?? (meaning === undefined ? leaf : { ...leaf, meaning });
    this.#open.at(-1)!.children.push(this.#judged(node, 'leaf', type, opened !== undefined));
  }

  /** A custom info whose bytes alone say what is in it. */
  #openInfo(name: PathComponent, type: string, start: number, end: number): LayoutNode | undefined {
    const info = this.#context.infos.get(type);
    if (!info?.open) return undefined;
    const path = [...this.#context.path, ...this.path, name];
    const node = info.open({ ...this.#context, path }, { name, type, start, end });
    if (node && !fills(node, start, end))
      throw badArgument(`what the info ${printable(type)} is opened up to is not what its bytes are`);
    return node;
  }

  gap(type: string, start: number, end: number, name?: PathComponent): void {
    const node = gap(this.#context, type, start, end);
    this.node(name === undefined ? node : { ...node, name });
  }

  node(node: LayoutNode): void {
    this.#open.at(-1)!.children.push(node);
  }

  setLength(length: number): void {
    this.#open.at(-1)!.length = length;
  }

  elements(elements: UniformElements): void {
    this.#open.at(-1)!.elements = elements;
  }

  close(end: number): void {
    const node = this.#open.pop()!;
    const { name, type, start, kind } = node;
    // Its reader has found where the info ends.
    const isInfo = kind === 'struct' && !VMSD_TYPES.has(type);
    const opened = isInfo ? this.#openInfo(name, type, start, end) : undefined;
    const closed = opened ?? this.#closed(node, end);
    this.#open.at(-1)!.children.push(this.#judged(closed, kind, type, opened !== undefined));
  }

  /**
   * A node, marked if not all readings have it; `kind` and `type` are those that it was announced with, `isOpened` that
   * a codec has made all that is in it.
   */
  #judged(node: LayoutNode, kind: 'leaf' | 'struct' | 'array', type: string, isOpened: boolean): LayoutNode {
    const doubt = this.#doubt;
    if (!doubt || doubt.isCertain(kind, node.name, type, node.start, node.end)) return node;
    // What a codec or a plain array makes of a value is as certain as the value.
    const isValue = kind === 'leaf' || isOpened || (node.kind === 'array' && isUniform(node.elements));
    return isValue ? chosenThroughout(node, doubt.choice) : { ...node, chosen: doubt.choice };
  }

  #closed(node: OpenNode, end: number): LayoutNode {
    const { kind, name, type, start, vmsdName, versionId, length, children, elements } = node;
    if (kind === 'array') {
      const { described } = node;
      // Of an array of pointers, the first element may be a marker.
      const first = elements ? type : (children[0]?.type ?? type);
      const array = { kind, name, type: first, start, end, length, elements: elements ?? children };
      const rest = elements && children.length > 0 ? { rest: children } : {};
      return { ...array, ...(described ? { described } : {}), ...rest };
    }
    const { bytes, base } = this.#context.section;
    if (VMSD_TYPES.has(type)) return { kind, name, type, start, end, vmsdName, versionId, children };
    const value = bytes.subarray(start - base, end - base);
    const [only, second] = children;
    if (!only) return { kind: 'leaf', name, type, start, end, value };
    // An empty list is its end marker and nothing else.
    if (!second && only.kind === 'leaf' && only.name === '(more)') return { ...only, name, type, value };
    const made: StructNode = { kind, name, type, start, end, vmsdName, versionId, value, children };
    return this.#context.infos.get(type)?.explain?.(made, this.#context.idstr) ?? made;
  }

  /** The section's root; from `reached` to `end` is a gap, when the walk did not get further. */
  finish(reached: number, end: number): StructNode {
    if (reached < end) this.#open.at(-1)!.children.push(gap(this.#context, 'undecoded', reached, end));
    while (this.#open.length > 1) this.close(end);
    const root = this.#closed(this.#open[0]!, end);
    if (root.kind !== 'struct') throw new Error('the root of a section is a struct');
    return root;
  }
}

const KINDS: ReadonlySet<string> = new Set(['leaf', 'struct', 'array', 'gap']);

/** Whether a node that somebody has made is one, and it and what is in it are bytes from `start` to `end`, without gaps. */
function fills(node: LayoutNode, start: number, end: number): boolean {
  if (!KINDS.has(node.kind) || node.start !== start || node.end !== end) return false;
  if (node.kind !== 'struct') return true;
  if (!Array.isArray(node.children)) return false;
  let at = start;
  for (const child of node.children) {
    if (child.end > end || !fills(child, at, child.end)) return false;
    at = child.end;
  }
  return at === end;
}
