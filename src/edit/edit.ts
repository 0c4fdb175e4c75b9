import { encodeText } from '../bytes/byte-writer.ts';
import { badArgument, editRefused, type PathComponent, printable } from '../bytes/diagnostic.ts';
import { readExactly } from '../bytes/source.ts';
import { isUniform, shapeType, walk } from '../layout/children.ts';
import type { Layout, LayoutNode } from '../layout/node.ts';
import { configurationLayout, layoutOf, type OpenedStream } from '../layout/open.ts';
import { CONFIGURATION_SECTION } from '../layout/section.ts';
import { compileSelectors, selectNodes } from '../ops/select.ts';
import { LISTS } from '../schema/known-infos.ts';
import {
  type CommandRecord,
  type ConfigurationRecord,
  MIGRATION_COMMANDS,
  type SectionRecord,
  type StreamRecord,
} from '../stream/records.ts';
import type { SectionIdentity } from '../stream/section-header.ts';
import type { Section, Stream } from '../stream/stream.ts';
import { type Counter, counterOf, whyFixed } from './counter.ts';
import { type EditedNode, kept, nameOf, nodeLength, opened as openedNode, renamed } from './edited-node.ts';
import { type InsertedSection, type Patch, type StreamEdits, withPatches } from './edited-stream.ts';
import { flagBytes } from './flag-names.ts';
import { checkLength, leafBytes, leafBytesOf } from './leaf-value.ts';
import { placeText, tablesOfSection } from './reading.ts';

/** One change that is asked for. Selectors are those of `compileSelectors`. */
export type Edit =
  /** Gives leaves a value: a text as `leafBytesOf` takes it, names of flags with commas between them, or bytes. */
  | { readonly edit: 'set'; readonly selector: string; readonly value: string | Uint8Array }
  /** Gives an array so many elements, or a buffer so many bytes; new ones are zeros. What counts them follows. */
  | { readonly edit: 'resize'; readonly selector: string; readonly count: number }
  /** Takes out sections, subsections, elements, or commands by their names, such as `SWITCHOVER_START`. */
  | { readonly edit: 'drop'; readonly selector: string }
  /** Takes sections, subsections or fields from another stream, in the place of those that are there. */
  | { readonly edit: 'copy'; readonly selector: string; readonly from: OpenedStream }
  /** Gives a section another idstr. */
  | { readonly edit: 'rename'; readonly from: string; readonly to: string }
  | { readonly edit: 'machine-type'; readonly name: string };

export interface EditOptions {
  /** Change also what is one of several readings, or of which nothing is known. */
  readonly force?: boolean | undefined;
}

/** What a plan of edits works on. */
interface Target {
  readonly record: SectionRecord | ConfigurationRecord;
  /** Undefined for the configuration. */
  readonly section: Section | undefined;
  readonly layout: Layout;
  root: EditedNode;
}

/** Edits made out, and the layouts of what they change as it was before. */
export interface EditPlan {
  readonly edits: StreamEdits;
  readonly layouts: ReadonlyMap<SectionRecord | ConfigurationRecord, Layout>;
  /** The stream with values set: its records are where they were. */
  readonly patched: OpenedStream;
  /** What follows from the changes and was changed with them, in words. */
  readonly followed: readonly string[];
}

/**
 * Makes out what is to be written for edits: first all values are set, then the others are made in their order. Throws
 * DecodeError `bad-argument` for what does not fit, and `edit-refused` for what cannot be placed for certain.
 */
export async function planEdits(
  opened: OpenedStream,
  edits: readonly Edit[],
  options: EditOptions = {},
): Promise<EditPlan> {
  const planner = new EditPlanner(opened, options);
  for (const edit of edits) if (edit.edit === 'set') await planner.set(edit.selector, edit.value);
  planner.takeValues();
  for (const [i, edit] of edits.entries()) {
    switch (edit.edit) {
      case 'set':
        break;
      case 'resize':
        await planner.resize(edit.selector, edit.count);
        break;
      case 'drop':
        if (edits[i - 1]?.edit !== 'drop') await planner.drop(selectorsOfDrops(edits, i));
        break;
      case 'copy':
        await planner.copy(edit.selector, edit.from);
        break;
      case 'rename':
        planner.rename(edit.from, edit.to);
        break;
      case 'machine-type':
        await planner.machineType(edit.name);
        break;
    }
  }
  return planner.plan();
}

/** Of the drops that follow each other from an edit on: they name what is there before any of them. */
function selectorsOfDrops(edits: readonly Edit[], from: number): string[] {
  const selectors: string[] = [];
  for (const edit of edits.slice(from)) {
    if (edit.edit !== 'drop') break;
    selectors.push(edit.selector);
  }
  return selectors;
}

const CAPABILITIES: Counter = {
  name: 'caps_count',
  type: 'uint32',
  factor: 1,
  counted: ['capabilities'],
};

interface Match {
  readonly target: Target;
  readonly node: LayoutNode;
  readonly path: readonly PathComponent[];
}

class EditPlanner {
  #opened: OpenedStream;
  readonly #force: boolean;
  readonly #patches: Patch[] = [];
  readonly #targets = new Map<SectionRecord | ConfigurationRecord, Target>();
  /** What was read already, be it changed or not. */
  readonly #read = new Map<SectionRecord | ConfigurationRecord, Target>();
  readonly #identities = new Map<number, SectionIdentity>();
  readonly #droppedSections = new Set<number>();
  readonly #droppedCommands = new Set<StreamRecord>();
  readonly #inserted: InsertedSection[] = [];
  readonly #followed: string[] = [];

  constructor(opened: OpenedStream, { force = false }: EditOptions) {
    this.#opened = opened;
    this.#force = force;
  }

  plan(): EditPlan {
    const changed = [...this.#targets].filter(([, { root, layout }]) => !isWhole(root, layout));
    return {
      edits: {
        patches: this.#patches,
        bodies: new Map(changed.map(([record, { root }]) => [record, root])),
        identities: this.#identities,
        droppedSections: this.#droppedSections,
        droppedCommands: this.#droppedCommands,
        inserted: this.#inserted,
      },
      layouts: new Map([...this.#targets].map(([record, { layout }]) => [record, layout])),
      patched: this.#opened,
      followed: this.#followed,
    };
  }

  async set(selector: string, value: string | Uint8Array): Promise<void> {
    for (const { target, node, path } of await this.#matches(selector)) {
      const place = placeText(target.layout, path);
      this.#checkKnown(node, place);
      const length = node.end - node.start;
      const isValue = node.kind === 'leaf' || node.kind === 'gap' || isBytes(node);
      if (!isValue) throw badArgument(`${place} is ${aKind(node)}: a value is set in one of its fields`);
      const type = isBytes(node) ? 'buffer' : node.type;
      const bytes = await this.#bytes(value, { target, node, path }, type, place);
      try {
        checkLength(bytes, length, type);
      } catch (error) {
        throw inPlace(place, error);
      }
      this.#patches.push({ start: node.start, bytes });
    }
  }

  async #bytes(
    value: string | Uint8Array,
    { target, node, path }: Match,
    type: string,
    place: string,
  ): Promise<Uint8Array> {
    if (typeof value !== 'string') return value;
    let bytes: Uint8Array | undefined;
    try {
      bytes = leafBytesOf(type, node.end - node.start, value);
    } catch (error) {
      throw inPlace(place, error);
    }
    const { section } = target;
    if (!bytes && section && node.kind === 'leaf')
      bytes = await flagBytes(this.#opened, section, path, node, value);
    if (!bytes)
      throw badArgument(`${place}: '${printable(value)}' is no value of type ${printable(node.type)}`);
    return bytes;
  }

  /** What was set is what the other changes find. */
  takeValues(): void {
    this.#opened = {
      ...this.#opened,
      source: withPatches(this.#opened.source, this.#patches),
      resolved: undefined,
    };
    // Of what is not changed nobody keeps anything.
    this.#read.clear();
    // Layouts of before are kept: values are looked up in none of them.
  }

  async resize(selector: string, count: number): Promise<void> {
    for (const { target, node, path } of await this.#matches(selector)) {
      const place = placeText(target.layout, path);
      this.#checkKnown(node, place);
      const name = path.at(-1);
      const parentPath = path.slice(0, -1);
      const parent = nodeAt(target.layout.root, parentPath);
      const { section } = target;
      if (name === undefined || parent?.kind !== 'struct' || parent.vmsdName === undefined || !section)
        throw badArgument(`${place} cannot be resized: ${whyFixed(nodesOn(target.layout.root, path))}`);
      const tables = await tablesOfSection(this.#opened, section, target.layout);
      if (!tables)
        throw badArgument(
          `${place}: no tables are known that read the section as it is (--qemu says where they are)`,
        );
      const counter = counterOf([tables], parent.vmsdName, parent.versionId, name);
      if (typeof counter === 'string') throw badArgument(`${place} cannot be resized: ${counter}`);
      if (count % counter.factor !== 0)
        throw badArgument(`${place}: ${counter.name} counts ${counter.factor} at a time`);
      const bytes = leafBytes(counter.type, String(count / counter.factor));
      const heldBy = new Map<PathComponent, Uint8Array>();
      for (const each of children(parent))
        if (each.type === 'buffer' && counter.counted.includes(String(each.name)))
          heldBy.set(each.name, await readExactly(this.#opened.source, each.start, each.end - each.start));
      target.root = changedAt(target.root, parentPath, (struct) =>
        struct.flatMap((child): EditedNode[] => {
          const childName = nameOf(child);
          if (childName === counter.name) {
            return [{ kind: 'leaf', name: counter.name, type: counter.type, bytes }];
          }
          if (!counter.counted.includes(String(childName))) return [child];
          if (childName !== name) this.#followed.push(placeText(target.layout, [...parentPath, childName]));
          const held = heldBy.get(childName);
          return resized(child, count, held, placeText(target.layout, [...parentPath, childName]));
        }),
      );
      this.#followed.push(placeText(target.layout, [...parentPath, counter.name]));
    }
  }

  async drop(selectors: readonly string[]): Promise<void> {
    const matches = new Map<string, Match>();
    for (const selector of selectors) {
      if ((MIGRATION_COMMANDS as readonly string[]).includes(selector)) this.#dropCommands(selector);
      else {
        for (const match of await this.#matches(selector)) {
          // A marker has the path of what it stands before.
          const key = JSON.stringify([match.target.record.range.start, ...match.path]);
          if (matches.get(key)?.node.kind !== 'struct') matches.set(key, match);
        }
      }
    }
    // From the end: those in front keep their places.
    const fromEnd = [...matches.values()].sort((a, b) => b.node.start - a.node.start);
    for (const { target, node, path } of fromEnd) {
      const place = placeText(target.layout, path);
      const { section } = target;
      if (path.length === 0) {
        if (!section) throw badArgument('the configuration cannot be dropped');
        if (section.unscanned) throw badArgument(`${place} was not read: --full-scan reads it`);
        this.#droppedSections.add(section.id);
        continue;
      }
      this.#checkKnown(node, place);
      const parentPath = path.slice(0, -1);
      const parent = nodeAt(target.layout.root, parentPath);
      if (node.kind === 'struct' && node.type === 'subsection') {
        target.root = changedAt(target.root, parentPath, (children) =>
          children.filter((child) => nameOf(child) !== node.name),
        );
      } else if (parent && (LISTS.has(parent.type) || parent.type === 'gtree') && node.kind === 'struct') {
        this.#dropOfList(target, parent, parentPath, node);
      } else if (parent?.kind === 'array') {
        await this.#dropElement(target, parentPath, node.name, place);
      } else {
        // An array of one element is the element.
        const counter = node.type === 'buffer' ? undefined : await this.#counterOf(target, path);
        if (counter === undefined || typeof counter === 'string')
          throw badArgument(
            `${place} is a field, which its VMSD always has: sections, subsections, elements and commands can be dropped`,
          );
        await this.#dropElement(target, path, 0, place);
      }
    }
  }

  #dropCommands(name: string): void {
    const commands = commandsOf(this.#opened.stream.records).filter((command) => command.name === name);
    if (commands.length === 0) throw badArgument(`the stream has no command ${name}`);
    for (const command of commands) {
      if (command.detail?.command === 'PACKAGED')
        throw badArgument('a package has sections in it: vmwalk convert takes them out');
      this.#droppedCommands.add(command);
    }
  }

  #dropOfList(target: Target, list: LayoutNode, path: readonly PathComponent[], node: LayoutNode): void {
    target.root = changedAt(target.root, path, (children) => {
      const left = children.filter((child) => nameOf(child) !== node.name);
      const elements = left.filter((child) => typeof nameOf(child) === 'number');
      return left.map((child) => {
        if (nameOf(child) === 'nnodes' && list.type === 'gtree')
          return {
            kind: 'leaf',
            name: 'nnodes',
            type: 'uint32',
            bytes: leafBytes('uint32', elements.length),
          };
        const index = elements.indexOf(child);
        return index < 0 ? child : renamed(child, index);
      });
    });
  }

  async #dropElement(
    target: Target,
    path: readonly PathComponent[],
    index: PathComponent,
    place: string,
  ): Promise<void> {
    const counterPath = path.slice(0, -1);
    const counter = await this.#counterOf(target, path);
    if (counter === undefined || typeof counter === 'string')
      throw badArgument(
        `${place} cannot be dropped: ${counter ?? whyFixed(nodesOn(target.layout.root, path))}`,
      );
    if (counter.counted.length > 1 || counter.factor > 1)
      throw badArgument(`${place} cannot be dropped alone: ${counter.name} counts more than it`);
    const { root, length } = withoutElement(target.root, path, index);
    const { name, type } = counter;
    target.root = changedAt(root, counterPath, (children) =>
      children.map((child) =>
        nameOf(child) === name ? { kind: 'leaf', name, type, bytes: leafBytes(type, length) } : child,
      ),
    );
    const follows = placeText(target.layout, [...counterPath, name]);
    if (!this.#followed.includes(follows)) this.#followed.push(follows);
  }

  /** What counts a field; undefined or a text where nothing does. */
  async #counterOf(
    { section, layout }: Target,
    path: readonly PathComponent[],
  ): Promise<Counter | string | undefined> {
    const name = path.at(-1);
    // The list of capabilities stands behind its length.
    if (!section) return name === CAPABILITIES.counted[0] ? CAPABILITIES : undefined;
    const parent = nodeAt(layout.root, path.slice(0, -1));
    if (name === undefined || parent?.kind !== 'struct' || parent.vmsdName === undefined) return undefined;
    const tables = await tablesOfSection(this.#opened, section, layout);
    return tables && counterOf([tables], parent.vmsdName, parent.versionId, name);
  }

  async copy(selector: string, from: OpenedStream): Promise<void> {
    const others = new EditPlanner(from, { force: this.#force });
    for (const { target: other, node, path } of await others.#matches(selector)) {
      const place = placeText(other.layout, path);
      this.#checkKnown(node, place);
      const bytes = await readExactly(from.source, node.start, node.end - node.start);
      const copied: EditedNode = { kind: 'kept', node, bytes };
      if (path.length === 0 && other.section)
        await this.#copySection(other, other.section, copied, bytes, from);
      else await this.#copyNode(other, path, copied, place);
    }
  }

  async #copySection(
    other: Target,
    from: Section,
    copied: EditedNode,
    body: Uint8Array,
    { stream: { sections } }: { readonly stream: Pick<Stream, 'sections'> },
  ) {
    const { idstr, instanceId, versionId } = from;
    const own = await this.#targetOf(idstr, instanceId);
    if (own?.section) {
      own.root = copied;
      this.#droppedSections.delete(own.section.id);
      if (own.section.versionId !== versionId)
        this.#identities.set(own.section.id, { ...this.#identityOf(own.section), versionId });
      return;
    }
    const following = sections.slice(sections.indexOf(from) + 1);
    const mine = this.#opened.stream.sections;
    const next = following
      .map((each) =>
        mine.find((section) => section.idstr === each.idstr && section.instanceId === each.instanceId),
      )
      .find((section) => section && section.records.length === 1 && !section.scanner);
    const before = next?.records[0] ?? this.#opened.stream.records.find(({ kind }) => kind === 'eof');
    if (!before) throw badArgument('the stream has no end, in front of which a section could be put');
    const ids = [...mine.map(({ id }) => id), ...this.#inserted.map(({ identity }) => identity.id)];
    const id = ids.reduce((most, each) => Math.max(most, each), 0) + 1;
    this.#inserted.push({
      before,
      identity: { id, idstr, instanceId, versionId },
      layout: other.layout,
      body,
    });
  }

  async #copyNode(other: Target, path: readonly PathComponent[], copied: EditedNode, place: string) {
    const { section, instanceId } = other.layout;
    const own = await this.#targetOf(section, instanceId);
    if (!own) throw badArgument(`${place}: the stream that is changed has no such section`);
    const parentPath = path.slice(0, -1);
    const name = path.at(-1)!;
    const parent = nodeAt(own.layout.root, parentPath);
    if (!parent)
      throw badArgument(`${place}: the stream that is changed has nothing that it could be put into`);
    const isThere = partsAt(own.root, parentPath).some((child) => nameOf(child) === name);
    if (!isThere && !(copied.kind === 'kept' && copied.node.type === 'subsection'))
      throw badArgument(`${place}: the stream that is changed has no such field`);
    // The subsections that come in front of it where it comes from.
    const inFront = new Set<PathComponent>();
    for (const child of children(nodeAt(other.layout.root, parentPath))) {
      if (child.name === name) break;
      inFront.add(child.name);
    }
    own.root = changedAt(own.root, parentPath, (list) => {
      if (isThere) return list.map((child) => (nameOf(child) === name ? copied : child));
      let at = list.findIndex((child) => isSubsection(child) && !inFront.has(nameOf(child)));
      if (at < 0) at = list.length;
      return [...list.slice(0, at), copied, ...list.slice(at)];
    });
  }

  rename(from: string, to: string): void {
    const { byteLength } = encodeText(to);
    if (byteLength < 1 || byteLength > 255)
      throw badArgument(`'${printable(to).slice(0, 40)}' is no idstr: 1 to 255 bytes are possible`);
    const [, idstr = from, instance] = /^(.*)@(\d+)$/s.exec(from) ?? [];
    const sections = this.#opened.stream.sections.filter(
      (section) =>
        section.idstr === idstr && (instance === undefined || section.instanceId === Number(instance)),
    );
    if (sections.length === 0) throw badArgument(`the stream has no section ${printable(from)}`);
    for (const section of sections) {
      if (section.unscanned) throw badArgument(`${printable(from)} was not read: --full-scan reads it`);
      const identity = { ...this.#identityOf(section), idstr: to };
      const others = this.#opened.stream.sections.filter(
        (each) => each.id !== section.id && !this.#droppedSections.has(each.id),
      );
      const isTaken = [
        ...others.map((each) => this.#identityOf(each)),
        ...this.#inserted.map((each) => each.identity),
      ].some((other) => other.idstr === to && other.instanceId === identity.instanceId);
      if (isTaken && !this.#force)
        throw editRefused(`the stream has a section ${printable(to)} already, which would be loaded twice`);
      this.#identities.set(section.id, identity);
    }
  }

  async machineType(name: string): Promise<void> {
    const target = await this.#configuration();
    if (!target)
      throw badArgument('the stream does not say its machine type: it was sent without a configuration');
    const bytes = new Uint8Array([...name].map((character) => character.charCodeAt(0) & 0xff));
    if (!/^[\x21-\x7e]{1,255}$/.test(name))
      throw badArgument(`'${printable(name)}' is no name of a machine type`);
    target.root = changedAt(target.root, [], (list) =>
      list.map((child): EditedNode => {
        if (nameOf(child) === 'len')
          return { kind: 'leaf', name: 'len', type: 'uint32', bytes: leafBytes('uint32', bytes.length) };
        return nameOf(child) === 'name' ? { kind: 'leaf', name: 'name', type: 'buffer', bytes } : child;
      }),
    );
  }

  #identityOf(section: Section): SectionIdentity {
    const { id, idstr, instanceId, versionId } = section;
    return this.#identities.get(id) ?? { id, idstr, instanceId, versionId };
  }

  async #matches(selector: string): Promise<Match[]> {
    const selection = compileSelectors([selector]);
    const matches: Match[] = [];
    for await (const target of this.#allTargets()) {
      let depth: number | undefined;
      // Only what is selected by itself: what is in it goes with it.
      for (const { node, path } of selectNodes(target.layout, selection)) {
        if (depth !== undefined && path.length > depth) continue;
        depth = path.length;
        this.#targets.set(target.record, target);
        matches.push({ target, node, path: [...path] });
      }
    }
    if (matches.length === 0) throw badArgument(`nothing matches '${printable(selector)}'`);
    return matches;
  }

  async *#allTargets(): AsyncGenerator<Target> {
    const configuration = await this.#configuration();
    if (configuration) yield configuration;
    for (const section of this.#opened.stream.sections) {
      const target = await this.#target(section);
      if (target) yield target;
    }
  }

  async #configuration(): Promise<Target | undefined> {
    const record = this.#opened.stream.configuration;
    if (!record) return undefined;
    const known = this.#targets.get(record);
    if (known) return known;
    const layout = await configurationLayout(this.#opened);
    const target = layout && { record, section: undefined, layout, root: kept(layout.root) };
    if (target) this.#targets.set(record, target);
    return target;
  }

  async #target(section: Section): Promise<Target | undefined> {
    const [record] = section.records;
    if (!record) return undefined;
    const known = this.#targets.get(record) ?? this.#read.get(record);
    if (known) return known;
    const layout = await layoutOf(this.#opened, section);
    const target = { record, section, layout, root: kept(layout.root) };
    this.#read.set(record, target);
    return target;
  }

  async #targetOf(idstr: string, instanceId: number): Promise<Target | undefined> {
    if (idstr === CONFIGURATION_SECTION) return this.#configuration();
    const section = this.#opened.stream.sections.find(
      (each) => each.idstr === idstr && each.instanceId === instanceId,
    );
    const target = section && (await this.#target(section));
    if (target) this.#targets.set(target.record, target);
    return target;
  }

  #checkKnown(node: LayoutNode, place: string): void {
    if (this.#force) return;
    for (const { node: each } of walk(node)) {
      if (each.kind === 'gap')
        throw editRefused(
          `${place}: nobody can name these bytes (${printable(each.type)}); --force changes them`,
        );
      if (each.chosen)
        throw editRefused(
          `${place} is one of ${each.chosen.readings} readings of these bytes; --force takes it for the right one`,
        );
      if (each.kind === 'leaf' && each.value === null)
        throw badArgument(`${place} is no device state: its content is not held`);
    }
  }
}

function inPlace(place: string, error: unknown): unknown {
  return error instanceof Error ? badArgument(`${place}: ${error.message}`) : error;
}

/** A custom info that was opened up, or an array of bytes such as a MAC address: its bytes are a value, too. */
function isBytes(node: LayoutNode): boolean {
  if (node.kind === 'struct') return node.value !== undefined;
  return node.kind === 'array' && isUniform(node.elements) && shapeType(node.elements.shape) === 'uint8';
}

function aKind(node: LayoutNode): string {
  return node.kind === 'array' ? 'an array' : `a ${printable(node.type)}`;
}

function isWhole(root: EditedNode, layout: Layout): boolean {
  return root.kind === 'kept' && root.node === layout.root && !root.bytes;
}

function isSubsection(node: EditedNode): boolean {
  return (node.kind === 'kept' ? node.node : node).type === 'subsection';
}

function children(node: LayoutNode | undefined): Iterable<LayoutNode> {
  return node ? [...walk(node, (each) => each === node)].slice(1).map((step) => step.node) : [];
}

/** The node at a path; structs go before markers of the same name. */
function nodeAt(root: LayoutNode, path: readonly PathComponent[]): LayoutNode | undefined {
  let node: LayoutNode | undefined = root;
  for (const component of path) {
    const named: LayoutNode[] = [...children(node)].filter(({ name }) => name === component);
    node = named.find(({ kind }) => kind !== 'leaf') ?? named[0];
  }
  return node;
}

/** The nodes on the way to a path. */
function nodesOn(root: LayoutNode, path: readonly PathComponent[]): LayoutNode[] {
  return path.flatMap((_, i) => nodeAt(root, path.slice(0, i + 1)) ?? []);
}

/** What is in the node at a path, as it has become; nothing where there is none any more. */
function partsAt(root: EditedNode, path: readonly PathComponent[]): readonly EditedNode[] {
  let node: EditedNode | undefined = root;
  for (const name of path)
    node =
      node &&
      openedNode(node)?.children.find((child) => nameOf(child) === name && openedNode(child) !== undefined);
  return (node && openedNode(node)?.children) ?? [];
}

/** The tree in which what is in the node at a path has become something else. */
function changedAt(
  root: EditedNode,
  path: readonly PathComponent[],
  change: (children: readonly EditedNode[]) => readonly EditedNode[],
): EditedNode {
  const node = openedNode(root);
  if (!node) throw badArgument('a value has no parts');
  const [name, ...rest] = path;
  if (name === undefined) return { ...node, children: change(node.children) };
  const isPart = (child: EditedNode) => nameOf(child) === name && openedNode(child) !== undefined;
  const at = node.children.findIndex(isPart);
  if (at < 0) throw badArgument(`${printable(String(name))} has been dropped already`);
  return {
    ...node,
    children: node.children.map((child, i) => (i === at ? changedAt(child, rest, change) : child)),
  };
}

/**
 * The tree without an element of the array at a path, and how many are left; those behind it take its place. An array of
 * one element is the element.
 */
function withoutElement(
  root: EditedNode,
  path: readonly PathComponent[],
  index: PathComponent,
): { readonly root: EditedNode; readonly length: number } {
  const name = path.at(-1);
  let length = 0;
  const changed = changedAt(root, path.slice(0, -1), (list) =>
    list.flatMap((child): EditedNode[] => {
      if (nameOf(child) !== name) return [child];
      const array = openedNode(child);
      if (array?.kind !== 'array') return [];
      const left = array.children.filter((element) => nameOf(element) !== index);
      const elements = left.map((element) => {
        const at = Number(nameOf(element));
        return renamed(element, at > Number(index) ? at - 1 : at);
      });
      length = array.length - 1;
      return arrayOf({ ...array, children: elements, length });
    }),
  );
  return { root: changed, length };
}

/** An array as it is shown: one of one element is the element, one of none is nothing. */
function arrayOf(array: EditedNode & { kind: 'array' }): EditedNode[] {
  if (array.length === 0) return [];
  return array.length === 1 ? array.children.map((child) => renamed(child, array.name)) : [array];
}

/** A field that is counted, with another count; `held` is what a buffer has. */
function resized(
  child: EditedNode,
  count: number,
  held: Uint8Array | undefined,
  place: string,
): EditedNode[] {
  const array = openedNode(child);
  if (array?.kind !== 'array') {
    const { type } = child.kind === 'kept' ? child.node : child;
    const length = nodeLength(child);
    if (child.kind === 'kept' && child.node.kind === 'leaf' && type === 'buffer')
      return count === 0 ? [] : [{ kind: 'leaf', name: nameOf(child), type, bytes: sized(held, count) }];
    // An array of one element.
    if (count <= 1) return count === 0 ? [] : [child];
    return repeated(
      {
        kind: 'array',
        name: nameOf(child),
        type,
        described: 'first',
        length: 1,
        children: [renamed(child, 0)],
      },
      count,
      length,
      place,
    );
  }
  const first = array.children[0];
  return repeated(array, count, first ? nodeLength(first) : 0, place);
}

function repeated(
  array: EditedNode & { kind: 'array' },
  count: number,
  length: number,
  place: string,
): EditedNode[] {
  if (count <= array.length) {
    const left = array.children.filter((element) => Number(nameOf(element)) < count);
    return arrayOf({ ...array, children: left, length: count });
  }
  const [first] = array.children;
  const isAlike =
    array.children.length === array.length && array.children.every((each) => nodeLength(each) === length);
  if (!first || !isAlike)
    throw badArgument(
      `${place}: its elements are not all alike, so that there is nothing that new ones could be`,
    );
  if (length * count > MAX_RESIZED)
    throw badArgument(`${place}: ${length * count} bytes are more than a section has`);
  const added = Array.from(
    { length: count - array.length },
    (_, i): EditedNode => renamed(zeros(first), array.length + i),
  );
  return [{ ...array, children: [...array.children, ...added], length: count }];
}

/** Bytes of an array or buffer that was made longer. */
const MAX_RESIZED = 64 << 20;

/** A node like it, all of whose bytes are zero. */
function zeros(node: EditedNode): EditedNode {
  const shape = node.kind === 'kept' ? node.node : undefined;
  return shape
    ? { kind: 'kept', node: shape, bytes: new Uint8Array(shape.end - shape.start) }
    : { ...node, ...('bytes' in node ? { bytes: new Uint8Array(nodeLength(node)) } : {}) };
}

function sized(held: Uint8Array | undefined, count: number): Uint8Array {
  if (count > MAX_RESIZED) throw badArgument(`${count} bytes are more than a section has`);
  const bytes = new Uint8Array(count);
  if (held) bytes.set(held.subarray(0, count));
  return bytes;
}

function commandsOf(records: readonly StreamRecord[]): CommandRecord[] {
  return records.flatMap((record): CommandRecord[] => {
    if (record.kind !== 'command') return [];
    return record.detail?.command === 'PACKAGED' ? [record, ...commandsOf(record.detail.records)] : [record];
  });
}
