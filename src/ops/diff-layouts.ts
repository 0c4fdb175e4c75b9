import type { PathComponent } from '../bytes/diagnostic.ts';
import { childrenOf, isUniform } from '../layout/children.ts';
import type { Layout, LayoutNode, LeafValue } from '../layout/node.ts';
import { NULL_POINTER_TYPES } from '../schema/known-infos.ts';
import { type AlignedChild, alignChildren, isPadding, leaves } from './align.ts';
import type { DiffFilter } from './diff-filter.ts';
import { type ChangedRange, RangeList } from './range-list.ts';

/**
 * What became of a field:
 * - `value`: another value; `ranges` tell which bytes or elements of many.
 * - `type`: another type, or a struct of another VMSD. `size`: more or fewer bytes of the same type.
 * - `length`: an array or list has another number of elements.
 * - `version`: another version of a section, subsection or struct.
 * - `added`, `removed`: only one side has it. `moved`: it is at another place among its siblings.
 * - `renamed`, `regrouped`: the same bytes under another name, or cut into fields in another way.
 */
export type ChangeKind =
  | 'value'
  | 'type'
  | 'size'
  | 'length'
  | 'version'
  | 'added'
  | 'removed'
  | 'moved'
  | 'renamed'
  | 'regrouped';

export interface Change {
  readonly kind: ChangeKind;
  /** From the section's root, in A; in B where A does not have it. */
  readonly path: readonly PathComponent[];
  /** In B, where it is another. */
  readonly pathB?: readonly PathComponent[];
  /** The nodes that it is about: one on each side that has it, several only where they were regrouped. */
  readonly a: readonly LayoutNode[];
  readonly b: readonly LayoutNode[];
  /** What of a buffer or array it is about: the first ranges, as many as RangeList keeps. */
  readonly ranges?: readonly ChangedRange[];
  readonly unit?: 'bytes' | 'elements';
  /** How many bytes or elements differ. */
  readonly differing?: number;
  /** With `structure`: how many elements of arrays it is the same for; the path then has `*` for their indexes. */
  readonly times?: number;
}

export interface LayoutDiff {
  readonly changes: readonly Change[];
  /** Changes beyond MAX_CHANGES, which are not listed. */
  readonly omitted: number;
  /** Leaves that both have, with the same value. */
  readonly same: number;
  /** Nodes where one side knows fields and the other only bytes, or neither: to be compared as bytes. */
  readonly opaque: readonly OpaquePair[];
}

/** Bytes that follow each other on either side. */
export interface OpaquePair {
  readonly path: readonly PathComponent[];
  readonly a: readonly LayoutNode[];
  readonly b: readonly LayoutNode[];
  /** Place in `changes` where the difference belongs, if there is one. */
  readonly index: number;
}

export interface LayoutDiffOptions {
  /** Compare what is sent, not the values: versions, fields, types, sizes, lengths. */
  readonly structure?: boolean | undefined;
  readonly filter?: DiffFilter | undefined;
}

/** Elements of an array that are listed one by one; more are ranges. */
const MAX_SINGLE = 16;
const MAX_CHANGES = 10_000;

/** All differences between two layouts, in the order of A. */
export function diffLayouts(a: Layout, b: Layout, options: LayoutDiffOptions = {}): LayoutDiff {
  const diff = new LayoutComparison(a, b, options);
  if (a.versionId !== b.versionId) diff.add('version', [a.root], [b.root]);
  diff.compareChildren(a.root, b.root);
  return diff;
}

class LayoutComparison implements LayoutDiff {
  readonly changes: Change[] = [];
  readonly opaque: OpaquePair[] = [];
  omitted = 0;
  same = 0;
  readonly #a: Layout;
  readonly #b: Layout;
  readonly #structure: boolean;
  readonly #filter: DiffFilter | undefined;
  readonly #pathA: PathComponent[] = [];
  readonly #pathB: PathComponent[] = [];

  constructor(a: Layout, b: Layout, { structure = false, filter }: LayoutDiffOptions) {
    this.#a = a;
    this.#b = b;
    this.#structure = structure;
    this.#filter = filter;
  }

  add(
    kind: ChangeKind,
    a: readonly LayoutNode[],
    b: readonly LayoutNode[],
    more: Pick<Change, 'ranges' | 'unit' | 'differing'> = {},
  ): void {
    if (!this.#accepts(a, b)) return;
    if (this.changes.length === MAX_CHANGES) {
      this.omitted++;
      return;
    }
    const path = [...(a.length > 0 ? this.#pathA : this.#pathB)];
    const pathB = [...this.#pathB];
    const same = a.length === 0 || b.length === 0 || samePath(path, pathB);
    this.changes.push({ kind, path, ...(same ? {} : { pathB }), a, b, ...more });
  }

  /** Is a difference at the present place asked for? */
  #accepts(a: readonly LayoutNode[], b: readonly LayoutNode[]): boolean {
    if (!this.#filter) return true;
    return a.length > 0
      ? this.#filter.accepts(this.#a, this.#pathA, a[0])
      : this.#filter.accepts(this.#b, this.#pathB, b[0]);
  }

  compareChildren(a: LayoutNode, b: LayoutNode): void {
    for (const child of alignChildren(a, b, this.#structure)) this.#compareChild(child);
  }

  #compareChild(child: AlignedChild): void {
    switch (child.kind) {
      case 'both':
      case 'renamed': {
        const { a, b } = child;
        this.#pathA.push(a.name);
        this.#pathB.push(b.name);
        // Padding is numbered anew wherever there is more of it.
        if (child.kind === 'renamed' && !isPadding(a)) this.add('renamed', [a], [b]);
        else if (child.kind === 'both' && child.moved) this.add('moved', [a], [b]);
        this.#comparePair(a, b);
        this.#pathA.pop();
        this.#pathB.pop();
        return;
      }
      case 'removed':
        this.#pathA.push(child.a.name);
        this.add('removed', [child.a], []);
        this.#pathA.pop();
        return;
      case 'added':
        this.#pathB.push(child.b.name);
        this.add('added', [], [child.b]);
        this.#pathB.pop();
        return;
      case 'regrouped':
        this.#compareRegrouped(child.a, child.b);
    }
  }

  #compareRegrouped(a: readonly LayoutNode[], b: readonly LayoutNode[]): void {
    const isUnread = [...a, ...b].some(({ kind }) => kind === 'gap');
    if (isUnread) this.#compareBytes(a, b);
    else {
      this.#at(a[0]!.name, b[0]!.name, () => this.add('regrouped', a, b));
      if (a.some(isPadding) || b.some(isPadding) || this.#structure) return;
      const leavesB = leaves(b);
      for (const leaf of leaves(a)) {
        const other = leavesB.next().value as LayoutNode;
        this.#at(leaf.name, other.name, () => this.#compareValues(leaf, other));
      }
    }
  }

  #at(nameA: PathComponent, nameB: PathComponent, compare: () => void): void {
    this.#pathA.push(nameA);
    this.#pathB.push(nameB);
    compare();
    this.#pathA.pop();
    this.#pathB.pop();
  }

  #comparePair(a: LayoutNode, b: LayoutNode): void {
    if (a.kind === 'gap' || b.kind === 'gap') this.#compareBytes([a], [b]);
    else if (a.kind === 'array' && b.kind === 'array') this.#compareArrays(a, b);
    else if (a.kind === 'struct' && b.kind === 'struct') {
      if (a.type === 'subsection header') return;
      if (!sameType(a, b)) this.add('type', [a], [b]);
      if (a.versionId !== undefined && b.versionId !== undefined && a.versionId !== b.versionId)
        this.add('version', [a], [b]);
      this.compareChildren(a, b);
    } else if (a.kind === 'leaf' && b.kind === 'leaf') this.#compareLeaves(a, b);
    else this.#compareOpened(a, b);
  }

  /** A custom info that was opened up on one side only, or things that have nothing in common. */
  #compareOpened(a: LayoutNode, b: LayoutNode): void {
    const valueA = leafValue(a);
    const valueB = leafValue(b);
    if (a.type !== b.type || !(valueA instanceof Uint8Array) || !(valueB instanceof Uint8Array))
      this.add('type', [a], [b]);
    else if (valueA.length !== valueB.length) this.add('size', [a], [b]);
    else this.#compareBuffers(a, b, valueA, valueB);
  }

  #compareLeaves(a: LayoutNode, b: LayoutNode): void {
    if (a.type === 'subsection header') return;
    if (a.type !== b.type) this.add('type', [a], [b]);
    else if (this.#structure && a.type !== 'capability') {
      if (a.end - a.start !== b.end - b.start) this.#compareSizes(a, b);
      else this.same++;
    } else this.#compareValues(a, b);
  }

  #compareSizes(a: LayoutNode, b: LayoutNode): void {
    // The name of the machine type is a value.
    if (this.#a.versionId !== undefined) this.add('size', [a], [b]);
  }

  #compareValues(a: LayoutNode, b: LayoutNode): void {
    const valueA = leafValue(a);
    const valueB = leafValue(b);
    if (valueA instanceof Uint8Array && valueB instanceof Uint8Array) {
      if (valueA.length !== valueB.length) this.add('size', [a], [b]);
      else this.#compareBuffers(a, b, valueA, valueB);
    } else if (valueA === valueB) this.same++;
    else this.add('value', [a], [b]);
  }

  #compareBuffers(a: LayoutNode, b: LayoutNode, bytesA: Uint8Array, bytesB: Uint8Array): void {
    const ranges = new RangeList();
    if (!this.#structure) {
      const ignored = this.#filter?.ignoredBytes(this.#a, this.#pathA) ?? [];
      const isIgnored = (i: number) => ignored.some(({ start, end }) => start <= i && i < end);
      for (let i = 0; i < bytesA.length; i++)
        if (bytesA[i] !== bytesB[i] && !isIgnored(i)) ranges.addAt(i, i);
    }
    if (ranges.found.differing === 0) this.same++;
    else this.add('value', [a], [b], { ...ranges.found, unit: 'bytes' });
  }

  #compareBytes(a: readonly LayoutNode[], b: readonly LayoutNode[]): void {
    if (!this.#accepts(a, b)) return;
    const path = [...this.#pathA];
    // The pair itself is at the path, what was regrouped is below it.
    if (a.length === 1 && path.at(-1) !== a[0]!.name) path.push(a[0]!.name);
    this.opaque.push({ path, a, b, index: this.changes.length });
  }

  #compareArrays(a: LayoutNode & { kind: 'array' }, b: LayoutNode & { kind: 'array' }): void {
    if (a.length !== b.length) this.add('length', [a], [b]);
    const typesDiffer =
      a.type !== b.type && !NULL_POINTER_TYPES.has(a.type) && !NULL_POINTER_TYPES.has(b.type);
    if (typesDiffer && a.length > 0 && b.length > 0) {
      this.add('type', [a], [b]);
      if (!sameLayers(a, b)) return;
    }
    if (this.#structure && !hasStructs(a) && !hasStructs(b)) {
      const sizesDiffer = elementSize(a) !== elementSize(b) && a.length > 0 && b.length > 0;
      if (sizesDiffer && !typesDiffer && a.type === b.type) this.add('size', [a], [b]);
      else this.same += Math.min(a.length, b.length);
      if (a.type !== 'capability') return;
    }
    const elements = new ElementChanges();
    let indexA = 0;
    let indexB = 0;
    for (const child of alignChildren(a, b, this.#structure && a.type !== 'capability')) {
      const kind = this.#elementChange(child);
      if (kind === 'same') this.same++;
      else if (kind) elements.add(kind, indexA, indexB, child);
      else if (!this.#structure || child.kind === 'both') this.#compareChild(child);
      if (child.kind !== 'added') indexA++;
      if (child.kind !== 'removed') indexB++;
    }
    for (const { kind, ranges, single } of elements.groups) {
      if (single) for (const child of single) this.#addElement(kind, child);
      else {
        const found = { ...ranges.found, unit: 'elements' as const };
        this.add(kind, kind === 'added' ? [] : [a], kind === 'removed' ? [] : [b], found);
      }
    }
  }

  /** What became of an element that is a number or the like; undefined for others, and what was not asked for. */
  #elementChange(child: AlignedChild): 'value' | 'added' | 'removed' | 'same' | undefined {
    if (child.kind === 'both') {
      const { a, b } = child;
      if (a.kind !== 'leaf' || b.kind !== 'leaf' || a.type !== b.type) return undefined;
      if (a.value instanceof Uint8Array || b.value instanceof Uint8Array) return undefined;
      if (a.value === b.value || !this.#acceptsElement(child)) return 'same';
      return 'value';
    }
    if (child.kind === 'removed' && child.a.kind === 'leaf' && this.#acceptsElement(child)) return 'removed';
    if (child.kind === 'added' && child.b.kind === 'leaf' && this.#acceptsElement(child)) return 'added';
    return undefined;
  }

  #acceptsElement(child: AlignedChild): boolean {
    if (!this.#filter) return true;
    if (child.kind === 'added') return this.#filter.accepts(this.#b, [...this.#pathB, child.b.name], child.b);
    if (child.kind !== 'both' && child.kind !== 'removed') return true;
    return this.#filter.accepts(this.#a, [...this.#pathA, child.a.name], child.a);
  }

  #addElement(kind: ChangeKind, child: AlignedChild): void {
    if (child.kind === 'both')
      this.#at(child.a.name, child.b.name, () => this.add(kind, [child.a], [child.b]));
    else this.#compareChild(child);
  }
}

type ElementChange = 'value' | 'added' | 'removed';

/** Changes of the elements of an array: each for itself while they are few, or else as ranges. */
class ElementChanges {
  readonly #found = new Map<ElementChange, { ranges: RangeList; single: AlignedChild[] | undefined }>();

  add(kind: ElementChange, indexA: number, indexB: number, child: AlignedChild): void {
    let group = this.#found.get(kind);
    if (!group) {
      group = { ranges: new RangeList(), single: [] };
      this.#found.set(kind, group);
    }
    group.ranges.addAt(indexA, indexB, kind === 'added' ? 0 : 1, kind === 'removed' ? 0 : 1);
    if (group.single?.length === MAX_SINGLE) group.single = undefined;
    group.single?.push(child);
  }

  get groups() {
    return [...this.#found].map(([kind, group]) => ({ kind, ...group }));
  }
}

function samePath(a: readonly PathComponent[], b: readonly PathComponent[]): boolean {
  return a.length === b.length && a.every((component, i) => component === b[i]);
}

/** The value of a leaf, or the bytes of a custom info that was opened up. */
export function leafValue(node: LayoutNode): LeafValue | undefined {
  return node.kind === 'array' ? undefined : node.value;
}

function sameType(a: LayoutNode & { kind: 'struct' }, b: LayoutNode & { kind: 'struct' }): boolean {
  const isStruct = (type: string) => type === 'struct' || type === 'vstruct';
  if (a.type !== b.type && !(isStruct(a.type) && isStruct(b.type))) return false;
  return a.vmsdName === undefined || b.vmsdName === undefined || a.vmsdName === b.vmsdName;
}

function sameLayers(a: LayoutNode, b: LayoutNode): boolean {
  return hasStructs(a) && hasStructs(b);
}

/** Are there structs or arrays among the elements? */
function hasStructs(node: LayoutNode): boolean {
  if (node.kind !== 'array') return false;
  const { elements } = node;
  if (isUniform(elements)) {
    const { kind } = elements.shape;
    return elements.count > 0 && (kind === 'struct' || kind === 'array' || node.type === 'nullptr');
  }
  for (const child of childrenOf(node)) if (child.kind !== 'leaf') return true;
  return false;
}

function elementSize({ start, end, length }: LayoutNode & { kind: 'array' }): number {
  return length === 0 ? 0 : (end - start) / length;
}
