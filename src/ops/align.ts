import { appendTo } from '../bytes/append-to.ts';
import type { PathComponent } from '../bytes/diagnostic.ts';
import { childrenOf } from '../layout/children.ts';
import type { LayoutNode, StructNode } from '../layout/node.ts';
import { alignSequences } from './align-sequences.ts';
import { hashNode } from './hash-node.ts';

/** Leaves that are looked at to see whether fields have the same form. */
const MAX_FORM = 1 << 12;

/**
 * What became of the children of a node. Fields belong together by name, elements of arrays and lists by place, or,
 * where their number changed, by what they hold.
 * - `both`: `moved` says that its place among its siblings is another.
 * - `renamed`: another name in the same place, for what has the same form.
 * - `regrouped`: the same bytes in the same place, cut into fields in another way: into a struct of their own, or gaps
 *   and padding on one side.
 */
export type AlignedChild =
  | { readonly kind: 'both'; readonly a: LayoutNode; readonly b: LayoutNode; readonly moved: boolean }
  | { readonly kind: 'renamed'; readonly a: LayoutNode; readonly b: LayoutNode }
  | { readonly kind: 'regrouped'; readonly a: readonly LayoutNode[]; readonly b: readonly LayoutNode[] }
  | { readonly kind: 'removed'; readonly a: LayoutNode }
  | { readonly kind: 'added'; readonly b: LayoutNode };

/**
 * The children of two nodes side by side, in the order of `a`; none where the nodes are not both structs or both arrays.
 * `inTurn`: elements belong together by place, also where their number differs.
 */
export function alignChildren(a: LayoutNode, b: LayoutNode, inTurn = false): Iterable<AlignedChild> {
  if (a.kind === 'array' && b.kind === 'array')
    return inTurn || a.length === b.length
      ? alignInTurn(childrenOf(a), childrenOf(b))
      : alignByContent(childrenOf(a), childrenOf(b));
  if (a.kind !== 'struct' || b.kind !== 'struct') return [];
  return isList(a) || isList(b) ? alignLists(a, b, inTurn) : alignFields(a, b);
}

/** A list (QTAILQ …): its elements have numbers as an array's have, but no fixed place. */
function isList({ children }: StructNode): boolean {
  return typeof children[0]?.name === 'number';
}

/** What is at the same place belongs together. */
function* alignInTurn(a: Iterable<LayoutNode>, b: Iterable<LayoutNode>): Generator<AlignedChild> {
  const others = b[Symbol.iterator]();
  for (const node of a) {
    const other = others.next();
    if (other.done) yield { kind: 'removed', a: node };
    else yield { kind: 'both', a: node, b: other.value, moved: false };
  }
  for (let other = others.next(); !other.done; other = others.next()) yield { kind: 'added', b: other.value };
}

/** What holds the same belongs together; what is between is taken in turn. */
function* alignByContent(a: Iterable<LayoutNode>, b: Iterable<LayoutNode>): Generator<AlignedChild> {
  const runs = alignSequences(hashes(a), hashes(b));
  const nodesA = a[Symbol.iterator]();
  const nodesB = b[Symbol.iterator]();
  for (const { startA, endA, startB, endB } of runs) {
    const both = Math.min(endA - startA, endB - startB);
    for (let i = 0; i < both; i++) yield { kind: 'both', a: take(nodesA), b: take(nodesB), moved: false };
    for (let i = startA + both; i < endA; i++) yield { kind: 'removed', a: take(nodesA) };
    for (let i = startB + both; i < endB; i++) yield { kind: 'added', b: take(nodesB) };
  }
}

function hashes(nodes: Iterable<LayoutNode>): Uint32Array {
  let all = new Uint32Array(64);
  let length = 0;
  for (const node of nodes) {
    if (length === all.length) {
      const longer = new Uint32Array(2 * length);
      longer.set(all);
      all = longer;
    }
    all[length++] = hashNode(node);
  }
  return all.subarray(0, length);
}

function take(nodes: Iterator<LayoutNode>): LayoutNode {
  const { done, value } = nodes.next();
  if (done) throw new Error('the children of a node are not the same at each iteration');
  return value;
}

/** Elements by what they hold, and what else is in the struct by name. */
function* alignLists(a: StructNode, b: StructNode, inTurn: boolean): Generator<AlignedChild> {
  const isElement = ({ name }: LayoutNode) => typeof name === 'number';
  const isOther = (node: LayoutNode) => !isElement(node);
  const align = inTurn ? alignInTurn : alignByContent;
  yield* align(a.children.filter(isElement), b.children.filter(isElement));
  yield* alignNamed(a.children.filter(isOther), b.children.filter(isOther));
}

function alignFields(a: StructNode, b: StructNode): Iterable<AlignedChild> {
  const same =
    a.children.length === b.children.length &&
    a.children.every(({ name }, i) => name === b.children[i]!.name);
  return same ? alignInTurn(a.children, b.children) : alignNamed(a.children, b.children);
}

function alignNamed(a: readonly LayoutNode[], b: readonly LayoutNode[]): AlignedChild[] {
  const matches = matchNames(a, b);
  const inPlace = longestRise(matches);
  const matched = new Set(matches);
  const aligned: AlignedChild[] = [];
  let onlyA: LayoutNode[] = [];
  let nextB = 0;
  const flush = (endB: number) => {
    aligned.push(
      ...alignUnmatched(
        onlyA,
        b.slice(nextB, endB).filter((_, i) => !matched.has(nextB + i)),
      ),
    );
    onlyA = [];
    nextB = endB + 1;
  };
  for (const [i, node] of a.entries()) {
    const match = matches[i]!;
    if (match < 0) onlyA.push(node);
    else if (inPlace.has(i)) {
      flush(match);
      aligned.push({ kind: 'both', a: node, b: b[match]!, moved: false });
    } else {
      // What is removed on either side of a field that moved away may still be one group.
      aligned.push({ kind: 'both', a: node, b: b[match]!, moved: true });
    }
  }
  flush(b.length);
  return aligned;
}

/** For each of `a` the index of the one in `b` with the same name, the nth with the nth; -1 where there is none. */
function matchNames(a: readonly LayoutNode[], b: readonly LayoutNode[]): number[] {
  const indexes = new Map<PathComponent, number[]>();
  for (const [i, node] of b.entries()) {
    const name = matchedName(node);
    appendTo(indexes, name, i);
  }
  for (const list of indexes.values()) list.reverse();
  return a.map((node) => indexes.get(matchedName(node))?.pop() ?? -1);
}

/** All padding is called `unused`: what belongs together has the same size, too. */
function matchedName(node: LayoutNode): PathComponent {
  return isPadding(node) ? `${node.name} ${node.end - node.start}` : node.name;
}

/** Indexes of a longest rising subsequence; values below 0 are left out. */
export function longestRise(values: readonly number[]): ReadonlySet<number> {
  /** For each length the index of the smallest last value of a rise so long. */
  const last: number[] = [];
  const before: number[] = [];
  for (const [i, value] of values.entries()) {
    if (value < 0) continue;
    let low = 0;
    let high = last.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[last[middle]!]! < value) low = middle + 1;
      else high = middle;
    }
    before[i] = last[low - 1] ?? -1;
    last[low] = i;
  }
  const rise = new Set<number>();
  for (let i = last.at(-1) ?? -1; i >= 0; i = before[i]!) rise.add(i);
  return rise;
}

/** What is between the same two fields, without one of the same name on the other side. */
function alignUnmatched(a: readonly LayoutNode[], b: readonly LayoutNode[]): AlignedChild[] {
  const isSubsection = ({ type }: LayoutNode) => type === 'subsection';
  const isField = (node: LayoutNode) => !isSubsection(node);
  if (isGap(a) || isGap(b)) return alignUnread(a, b);
  return [
    ...alignUnmatchedFields(a.filter(isField), b.filter(isField)),
    ...oneSided(a.filter(isSubsection), b.filter(isSubsection)),
  ];
}

/** What one side knows and the other does not is the same bytes. */
function alignUnread(a: readonly LayoutNode[], b: readonly LayoutNode[]): AlignedChild[] {
  return a.length > 0 && b.length > 0 ? [{ kind: 'regrouped', a, b }] : oneSided(a, b);
}

function alignUnmatchedFields(a: readonly LayoutNode[], b: readonly LayoutNode[]): AlignedChild[] {
  if (a.length === 0 || b.length === 0) return oneSided(a, b);
  if (a.length === b.length && a.every((node, i) => node.kind === b[i]!.kind && sameForm([node], [b[i]!])))
    return a.map((node, i) => ({ kind: 'renamed', a: node, b: b[i]! }));
  const isRecut = isFiller(a) || isFiller(b) ? lengthOf(a) === lengthOf(b) : sameForm(a, b);
  return isRecut ? [{ kind: 'regrouped', a, b }] : oneSided(a, b);
}

function oneSided(a: readonly LayoutNode[], b: readonly LayoutNode[]): AlignedChild[] {
  return [
    ...a.map((node): AlignedChild => ({ kind: 'removed', a: node })),
    ...b.map((node): AlignedChild => ({ kind: 'added', b: node })),
  ];
}

function lengthOf(nodes: readonly LayoutNode[]): number {
  return nodes.reduce((sum, { start, end }) => sum + end - start, 0);
}

function isGap(nodes: readonly LayoutNode[]): boolean {
  return nodes.length > 0 && nodes.every(({ kind }) => kind === 'gap');
}

/** Bytes without meaning: padding that QEMU keeps in place of a field (VMSTATE_UNUSED). */
export function isPadding({ kind, type }: LayoutNode): boolean {
  return kind === 'leaf' && type === 'unused_buffer';
}

function isFiller(nodes: readonly LayoutNode[]): boolean {
  return nodes.every(isPadding);
}

/** Do these have the same types of the same sizes one after another, whatever structs and arrays they are in? */
function sameForm(a: readonly LayoutNode[], b: readonly LayoutNode[]): boolean {
  if (lengthOf(a) !== lengthOf(b)) return false;
  const leavesB = leaves(b);
  let count = 0;
  for (const leaf of leaves(a)) {
    const other = leavesB.next();
    if (other.done || ++count > MAX_FORM) return false;
    if (leaf.type !== other.value.type || leaf.end - leaf.start !== other.value.end - other.value.start)
      return false;
  }
  return leavesB.next().done ?? false;
}

/** Leaves and gaps of some nodes, in stream order. */
export function* leaves(nodes: Iterable<LayoutNode>): Generator<LayoutNode> {
  for (const node of nodes) {
    if (node.kind === 'struct' || node.kind === 'array') yield* leaves(childrenOf(node));
    else yield node;
  }
}
