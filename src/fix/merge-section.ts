import { appendTo } from '../bytes/append-to.ts';
import type { PathComponent } from '../bytes/diagnostic.ts';
import { viewOf } from '../bytes/view.ts';
import { counterOf } from '../edit/counter.ts';
import { descriptionOf, type EditedNode, nameOf, renamed } from '../edit/edited-node.ts';
import { leafBytes } from '../edit/leaf-value.ts';
import { formDifference } from '../edit/same-form.ts';
import { childrenOf, walk } from '../layout/children.ts';
import type { ArrayNode, LayoutNode, StructNode } from '../layout/node.ts';
import type { SchemaTables } from '../layout/tables.ts';
import { COLLECTIONS } from '../schema/known-infos.ts';
import { scalarTypes } from '../vmsd/scalars.ts';
import type { LostField, RenamedField } from './change.ts';
import { hasOtherRegisters, mergeRegisters } from './merge-registers.ts';

/** Nodes that are looked at one by one, and elements of an array. */
const MAX_NODES = 1 << 19;
const MAX_ELEMENTS = 1 << 16;
/** Name and version of a subsection, the last of them as a u32, big endian. */
const HEADER = 'subsection header';
/** Infos without which a device is one that was just switched on: base addresses, features, queues. */
const LIVE_INFOS: ReadonlySet<string> = new Set(['pci config', 'virtio']);
/** A field in which a device tells which version of its others is sent (hw/scsi/esp.c). */
const VERSION_FIELD = /(^|\.)mig_version_id$/;
/** What nobody loads. */
const UNUSED = /^unused/;

/** A section of the source in the form that the destination has for it. */
export interface MergedSection {
  /** Nodes of the destination hold their bytes. */
  readonly root: EditedNode;
  readonly lost: readonly LostField[];
  /** What the source does not have: it is as the destination has it before a load. */
  readonly taken: readonly (readonly PathComponent[])[];
  /** Fields that are taken for others by a part of their names. */
  readonly renamed: readonly RenamedField[];
  /** Subsections that the destination does not send itself. */
  readonly added: readonly (readonly PathComponent[])[];
}

/** The destination's own section. */
interface OwnForm {
  readonly root: StructNode;
  /** Its bytes, from the beginning of `root` on. */
  readonly body: Uint8Array;
}

export interface MergeOptions {
  /** Tables of the destination. */
  readonly tables: SchemaTables;
  /** Subsections that the destination does not load, by `pathKey`. */
  readonly without: ReadonlySet<string>;
  /** Subsections that get another version, by `pathKey`. */
  readonly versions: ReadonlyMap<string, number>;
  /** Whose bytes a custom info has where both sides have it in other forms. */
  readonly infos: 'source' | 'destination';
}

export function pathKey(path: readonly PathComponent[]): string {
  return JSON.stringify(path);
}

/**
 * Writes a section in the form of another one of the same device: its fields are those of `own`, their values those that
 * `root` has under the same names. Subsections of the source stay, as the destination may know them. Undefined where there
 * is too much to be gone through.
 */
export function mergeSection(
  root: StructNode,
  own: OwnForm,
  options: MergeOptions,
): MergedSection | undefined {
  const merger = new Merger(root, own, options);
  try {
    const merged = merger.merge(root, own.root, [], undefined);
    return {
      root: merged,
      lost: merger.lost.filter(({ node }) => !merger.moved.has(node)),
      taken: merger.taken,
      renamed: merger.renamed,
      added: merger.added,
    };
  } catch (error) {
    if (error instanceof TooLong) return undefined;
    throw error;
  }
}

/** The section as it is, but for some subsections. */
export function withoutSubsections(root: StructNode, without: ReadonlySet<string>): MergedSection {
  const lost: LostField[] = [];
  const part = (node: LayoutNode, path: readonly PathComponent[]): EditedNode => {
    const holdsOne = [...without].some((key) => key.startsWith(pathKey(path).slice(0, -1)));
    if (!holdsOne || node.kind === 'leaf' || node.kind === 'gap') return { kind: 'kept', node };
    const children = [...childrenOf(node)].flatMap((child): EditedNode[] => {
      const below = [...path, child.name];
      if (!isSubsection(child) || !without.has(pathKey(below))) return [part(child, below)];
      lost.push(...valuesOf(child, below));
      return [];
    });
    return made(node, children);
  };
  return { root: part(root, []), lost, taken: [], renamed: [], added: [] };
}

class TooLong extends Error {}

class Merger {
  readonly lost: LostField[] = [];
  readonly taken: (readonly PathComponent[])[] = [];
  readonly renamed: RenamedField[] = [];
  readonly added: (readonly PathComponent[])[] = [];
  /** Values that the destination has elsewhere in the section. */
  readonly moved = new Set<LayoutNode>();
  readonly #own: OwnForm;
  readonly #options: MergeOptions;
  #count = 0;
  /** Fields of the source by their names, of which there is but one, and which the destination does not have there. */
  readonly #elsewhere = new Map<
    PathComponent,
    { readonly node: LayoutNode; readonly path: readonly PathComponent[] } | undefined
  >();

  constructor(root: StructNode, own: OwnForm, options: MergeOptions) {
    this.#own = own;
    this.#options = options;
    const there = new Set<string>();
    for (const { path } of walk(own.root, isStruct)) there.add(pathKey(path));
    for (const { node, path } of walk(root, isStruct))
      if (node.kind === 'leaf' && typeof node.name === 'string')
        this.#elsewhere.set(
          node.name,
          this.#elsewhere.has(node.name) || there.has(pathKey(path)) ? undefined : { node, path: [...path] },
        );
  }

  merge(
    node: LayoutNode,
    own: LayoutNode,
    path: readonly PathComponent[],
    parent: StructNode | undefined,
  ): EditedNode {
    if (++this.#count > MAX_NODES) throw new TooLong();
    if (node.kind === 'leaf' && own.kind === 'leaf' && VERSION_FIELD.test(String(own.name)))
      return this.#mergeLeaf(node, own, path);
    const holdsRegisters = node.kind === 'struct' && own.kind === 'struct' && hasOtherRegisters(node, own);
    if (!holdsRegisters && !formDifference(node, { ...own, name: node.name }) && !this.#dropsIn(path))
      return { kind: 'kept', node };
    if (node.kind === 'array' || own.kind === 'array') return this.#mergeArray(node, own, path, parent);
    if (isOpen(node) && isOpen(own)) return this.#mergeStruct(node, own, path);
    const isInfo = node.kind === 'struct' && own.kind === 'struct' && node.type === own.type;
    if (isInfo && (this.#options.infos === 'source' || LIVE_INFOS.has(node.type)))
      return { kind: 'kept', node };
    return this.#mergeLeaf(node, own, path);
  }

  #mergeStruct(node: StructNode, own: StructNode, path: readonly PathComponent[]): EditedNode {
    const registers = hasOtherRegisters(node, own) ? mergeRegisters(node, own) : undefined;
    const left = [...node.children];
    const others = otherNames(node, own);
    const children: EditedNode[] = [];
    for (const ownChild of own.children) {
      if (isSubsection(ownChild)) continue;
      const at = left.findIndex((child) => child.name === ownChild.name && !isSubsection(child));
      const below = [...path, ownChild.name];
      const renamedChild = others.get(ownChild);
      if (renamedChild) {
        left.splice(left.indexOf(renamedChild), 1);
        this.renamed.push({ from: [...path, renamedChild.name], to: below });
        children.push({ kind: 'kept', node: { ...renamedChild, name: ownChild.name } });
        continue;
      }
      const [child] = at < 0 ? [] : left.splice(at, 1);
      if (registers?.names.has(ownChild.name)) {
        const bytes = registers.bytes.get(ownChild.name);
        children.push({ kind: 'kept', node: ownChild, bytes: bytes ?? this.#bytesOf(ownChild) });
      } else if (child) children.push(this.merge(child, ownChild, below, own));
      else children.push(this.#take(ownChild, below));
    }
    if (registers) {
      this.lost.push(...registers.lost.map((each) => ({ ...each, path: [...path, ...each.path] })));
      this.taken.push(...registers.taken.map((name) => [...path, name]));
    }
    for (const child of left) {
      const below = [...path, child.name];
      if (!isSubsection(child)) this.#lose(child, below);
      else if (this.#options.without.has(pathKey(below))) this.#lose(child, below);
      else {
        const ownChild = own.children.find((each) => isSubsection(each) && each.name === child.name);
        children.push(ownChild ? this.merge(child, ownChild, below, own) : this.#keep(child, below));
      }
    }
    return made(own, children);
  }

  /** A subsection that the destination does not send, which is no reason that it does not know it. */
  #keep(node: LayoutNode, path: readonly PathComponent[]): EditedNode {
    this.added.push(path);
    const version = this.#options.versions.get(pathKey(path));
    if (version === undefined || node.kind !== 'struct') return { kind: 'kept', node };
    const children = node.children.map((child): EditedNode => {
      if (child.type !== HEADER || child.kind !== 'leaf' || !(child.value instanceof Uint8Array))
        return { kind: 'kept', node: child };
      const bytes = child.value.slice();
      viewOf(bytes).setUint32(bytes.byteLength - 4, version);
      return { kind: 'kept', node: child, bytes };
    });
    return { ...made(node, children), versionId: version } as EditedNode;
  }

  #mergeArray(
    node: LayoutNode,
    own: LayoutNode,
    path: readonly PathComponent[],
    parent: StructNode | undefined,
  ): EditedNode {
    const theirs = elementsOf(node);
    const ours = elementsOf(own);
    // How many there are goes with the number in the stream; or it is the destination's.
    const isCounted = parent !== undefined && this.#isCounted(parent, own.name);
    const count = isCounted ? theirs.length : ours.length;
    const children: EditedNode[] = [];
    for (let i = 0; i < Math.max(count, theirs.length); i++) {
      const group = theirs[i];
      const below = [...path, i];
      if (i >= count) {
        for (const each of group ?? []) this.#lose(each, below);
        continue;
      }
      const pattern = ours[i] ?? ours[0];
      if (!group) children.push(...(pattern ?? []).map((each) => renamed(this.#take(each, below), i)));
      else if (pattern?.length === group.length)
        children.push(...group.map((each, k) => renamed(this.merge(each, pattern[k]!, below, undefined), i)));
      else children.push(...group.map((each): EditedNode => ({ kind: 'kept', node: each })));
    }
    const { name } = own;
    if (count === 1 && children.length === 1) return renamed(children[0]!, name);
    const described = descriptionFor(children, own.kind === 'array' ? own.described : undefined);
    return { kind: 'array', name, type: own.type, described, length: count, children };
  }

  #mergeLeaf(node: LayoutNode, own: LayoutNode, path: readonly PathComponent[]): EditedNode {
    const { name, type } = own;
    // Which fields follow is told by it: they are the destination's.
    if (VERSION_FIELD.test(String(name))) return { kind: 'kept', node: own, bytes: this.#bytesOf(own) };
    if (type === HEADER) return { kind: 'kept', node: own, bytes: this.#bytesOf(own) };
    if (node.kind === 'leaf' && own.kind === 'leaf') {
      const bytes = asOtherInteger(node, type);
      if (bytes) return { kind: 'leaf', name, type, bytes };
      if (node.end - node.start === own.end - own.start) return { kind: 'kept', node: { ...node, type } };
    }
    this.#lose(node, path);
    return this.#take(own, path);
  }

  #isCounted({ vmsdName, versionId, children }: StructNode, name: PathComponent): boolean {
    if (vmsdName === undefined) return false;
    const counter = counterOf([this.#options.tables], vmsdName, versionId, name);
    return typeof counter !== 'string' && children.some((child) => child.name === counter.name);
  }

  /** Is a subsection below this to go? */
  #dropsIn(path: readonly PathComponent[]): boolean {
    const start = pathKey(path).slice(0, -1);
    return [...this.#options.without].some((key) => key.startsWith(start));
  }

  #lose(node: LayoutNode, path: readonly PathComponent[]): void {
    this.lost.push(...valuesOf(node, path));
  }

  #take(node: LayoutNode, path: readonly PathComponent[]): EditedNode {
    const found = typeof node.name === 'string' ? this.#elsewhere.get(node.name) : undefined;
    if (found && node.kind === 'leaf' && node.type !== HEADER && !formDifference(found.node, node)) {
      this.#elsewhere.delete(node.name);
      this.moved.add(found.node);
      this.renamed.push({ from: found.path, to: path });
      return { kind: 'kept', node: found.node };
    }
    if (!UNUSED.test(node.type)) this.taken.push(path);
    return { kind: 'kept', node, bytes: this.#bytesOf(node) };
  }

  #bytesOf({ start, end }: LayoutNode): Uint8Array {
    const { root, body } = this.#own;
    return body.subarray(start - root.start, end - root.start);
  }
}

/**
 * Fields of the source that the destination calls otherwise: those of both sides that the other does not have, where as many
 * have the same name but for an index and what it is in (`gt_timer[0]`, `gt_timer[GTIMER_PHYS]`), in the same forms.
 */
function otherNames(node: StructNode, own: StructNode): Map<LayoutNode, LayoutNode> {
  const only = ({ children }: StructNode, other: StructNode) => {
    const names = new Set(other.children.map(({ name }) => name));
    const fields = new Map<string, LayoutNode[]>();
    for (const child of children)
      if (!isSubsection(child) && !names.has(child.name) && !UNUSED.test(child.type))
        appendTo(fields, plainName(child.name), child);
    return fields;
  };
  const theirs = only(node, own);
  const pairs = new Map<LayoutNode, LayoutNode>();
  for (const [name, fields] of only(own, node)) {
    const found = theirs.get(name) ?? [];
    const isAlike = fields.every(
      (field, i) => found[i] && !formDifference(found[i], { ...field, name: found[i].name }),
    );
    if (found.length === fields.length && isAlike)
      for (const [i, field] of fields.entries()) pairs.set(field, found[i]!);
  }
  return pairs;
}

/** `CSR_X` of `env.sys_states[0].CSR_X`. */
function plainName(name: PathComponent): string {
  return String(name)
    .replace(/\[[^\]]*\]/g, '')
    .replace(/^.*\./, '');
}

/** Values below a node; an array of plain ones is one. */
export function valuesOf(node: LayoutNode, path: readonly PathComponent[]): LostField[] {
  const values: LostField[] = [];
  const isPlain = (each: LayoutNode) => {
    if (each.kind !== 'array') return each.kind !== 'struct' || !isOpen(each);
    const [first] = childrenOf(each);
    return first === undefined || first.kind === 'leaf';
  };
  for (const { node: each, path: below } of walk(node, (step) => !isPlain(step))) {
    if (!isPlain(each) || UNUSED.test(each.type) || each.type === HEADER) continue;
    values.push({ path: [...path, ...below], node: each });
  }
  return values;
}

/** Elements, each with its marker; what is no array is one element. */
function elementsOf(node: LayoutNode): LayoutNode[][] {
  if (node.kind !== 'array') return [[{ ...node, name: 0 }]];
  if (node.length > MAX_ELEMENTS) throw new TooLong();
  const groups: LayoutNode[][] = [];
  for (const child of childrenOf(node)) {
    const index = typeof child.name === 'number' ? child.name : groups.length;
    const group = groups[index];
    if (group) group.push(child);
    else groups[index] = [child];
  }
  return groups;
}

/** An integer in another width, or as one that is true or false; undefined where it does not fit. */
function asOtherInteger(node: LayoutNode, type: string): Uint8Array | undefined {
  const scalar = scalarTypes.get(type);
  if (node.kind !== 'leaf' || !scalar) return undefined;
  const value = typeof node.value === 'boolean' ? Number(node.value) : node.value;
  if (typeof value !== 'number' && typeof value !== 'bigint') return undefined;
  if (BigInt(value) < scalar.minimum || BigInt(value) > scalar.maximum) return undefined;
  return type === 'bool' ? Uint8Array.of(Number(value)) : leafBytes(type, String(value));
}

/** A struct whose fields are those of a VMSD, or elements of a list. */
function isOpen(node: LayoutNode): node is StructNode {
  return node.kind === 'struct' && (node.value === undefined || COLLECTIONS.has(node.type));
}

function isStruct(node: LayoutNode): boolean {
  return node.kind === 'struct';
}

function isSubsection(node: LayoutNode): boolean {
  return node.type === 'subsection';
}

/** Elements that are not as a description of the first one says are described each for itself. */
function descriptionFor(
  children: readonly EditedNode[],
  known: ArrayNode['described'],
): ArrayNode['described'] {
  const hasMarkers = children.some((child, i) => i > 0 && nameOf(child) === nameOf(children[i - 1]!));
  if (hasMarkers) return 'markers';
  return known === 'first' || known === undefined ? descriptionOf(children) : known;
}

function made(node: LayoutNode & { kind: 'struct' | 'array' }, children: readonly EditedNode[]): EditedNode {
  const { name, type } = node;
  if (node.kind === 'struct') {
    const { vmsdName, versionId } = node;
    return { kind: 'struct', name, type, vmsdName, versionId, children };
  }
  const length = new Set(children.map(nameOf)).size;
  return { kind: 'array', name, type, described: descriptionFor(children, node.described), length, children };
}
