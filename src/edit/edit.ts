import { encodeText } from '../bytes/byte-writer.ts';
import { badArgument, editRefused, type PathComponent, printable } from '../bytes/diagnostic.ts';
import { readExactly } from '../bytes/source.ts';
import { isUniform, shapeType } from '../layout/children.ts';
import type { Layout, LayoutNode } from '../layout/node.ts';
import type { OpenedStream } from '../layout/open.ts';
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
import { checkKnown, EditTargets, type Match, type Target } from './edit-targets.ts';
import { type EditedNode, nameOf, renamed } from './edited-node.ts';
import { type InsertedSection, type Patch, type StreamEdits, withPatches } from './edited-stream.ts';
import { changedAt, children, isSubsection, nodeAt, nodesOn, partsAt } from './edited-tree.ts';
import { flagBytes } from './flag-names.ts';
import { checkLength, leafBytes, leafBytesOf } from './leaf-value.ts';
import { placeText, tablesOfSection } from './reading.ts';
import { resized, withoutElement } from './resize-array.ts';

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

class EditPlanner {
  #opened: OpenedStream;
  readonly #force: boolean;
  readonly #patches: Patch[] = [];
  readonly #targets: EditTargets;
  readonly #identities = new Map<number, SectionIdentity>();
  readonly #droppedSections = new Set<number>();
  readonly #droppedCommands = new Set<StreamRecord>();
  readonly #inserted: InsertedSection[] = [];
  readonly #followed: string[] = [];

  constructor(opened: OpenedStream, { force = false }: EditOptions) {
    this.#opened = opened;
    this.#targets = new EditTargets(opened);
    this.#force = force;
  }

  plan(): EditPlan {
    const touched = [...this.#targets.touched];
    const changed = touched.filter(([, { root, layout }]) => !isWhole(root, layout));
    return {
      edits: {
        patches: this.#patches,
        bodies: new Map(changed.map(([record, { root }]) => [record, root])),
        identities: this.#identities,
        droppedSections: this.#droppedSections,
        droppedCommands: this.#droppedCommands,
        inserted: this.#inserted,
      },
      layouts: new Map(touched.map(([record, { layout }]) => [record, layout])),
      patched: this.#opened,
      followed: this.#followed,
    };
  }

  async set(selector: string, value: string | Uint8Array): Promise<void> {
    for (const { target, node, path } of await this.#targets.matches(selector)) {
      const place = placeText(target.layout, path);
      if (!this.#force) checkKnown(node, place);
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
    // Layouts of what was selected are kept, with the values of before: none is looked up in them.
    this.#targets.open(this.#opened);
  }

  async resize(selector: string, count: number): Promise<void> {
    for (const { target, node, path } of await this.#targets.matches(selector)) {
      const place = placeText(target.layout, path);
      if (!this.#force) checkKnown(node, place);
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
        for (const match of await this.#targets.matches(selector)) {
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
        if (section.scanner && !this.#force)
          throw editRefused(
            `${place} is no device state: without it a destination goes on with what it has; --force takes it out`,
          );
        this.#droppedSections.add(section.id);
        continue;
      }
      if (!this.#force) checkKnown(node, place);
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
    const others = new EditTargets(from);
    for (const { target: other, node, path } of await others.matches(selector)) {
      const place = placeText(other.layout, path);
      if (!this.#force) checkKnown(node, place);
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
    const own = await this.#targets.of(idstr, instanceId);
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
    const own = await this.#targets.of(section, instanceId);
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
    const target = await this.#targets.configuration();
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

function commandsOf(records: readonly StreamRecord[]): CommandRecord[] {
  return records.flatMap((record): CommandRecord[] => {
    if (record.kind !== 'command') return [];
    return record.detail?.command === 'PACKAGED' ? [record, ...commandsOf(record.detail.records)] : [record];
  });
}
