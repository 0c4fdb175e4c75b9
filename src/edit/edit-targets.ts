import { badArgument, editRefused, type PathComponent, printable } from '../bytes/diagnostic.ts';
import { walk } from '../layout/children.ts';
import type { Layout, LayoutNode } from '../layout/node.ts';
import { configurationLayout, layoutOf, type OpenedStream } from '../layout/open.ts';
import { CONFIGURATION_SECTION } from '../layout/section.ts';
import { compileSelectors, selectNodes } from '../ops/select.ts';
import type { ConfigurationRecord, SectionRecord } from '../stream/records.ts';
import type { Section } from '../stream/stream.ts';
import { type EditedNode, kept } from './edited-node.ts';

/** A section or the configuration, and what is to be written for it. */
export interface Target {
  readonly record: SectionRecord | ConfigurationRecord;
  /** Undefined for the configuration. */
  readonly section: Section | undefined;
  readonly layout: Layout;
  root: EditedNode;
}

/** A node that is selected. */
export interface Match {
  readonly target: Target;
  readonly node: LayoutNode;
  readonly path: readonly PathComponent[];
}

/** What edits of a stream work on: each section is read once. */
export class EditTargets {
  /** What was selected, by its record. */
  readonly touched = new Map<SectionRecord | ConfigurationRecord, Target>();
  #opened: OpenedStream;
  /** What was read already, be it changed or not. */
  readonly #read = new Map<SectionRecord | ConfigurationRecord, Target>();

  constructor(opened: OpenedStream) {
    this.#opened = opened;
  }

  /** The same stream with other values: what was not selected is read anew. */
  open(opened: OpenedStream): void {
    this.#opened = opened;
    this.#read.clear();
  }

  /**
   * All that a selector names by itself: what is in it goes with it. Throws DecodeError `bad-argument` where that is nothing.
   */
  async matches(selector: string): Promise<Match[]> {
    const selection = compileSelectors([selector]);
    const matches: Match[] = [];
    for await (const target of this.#all()) {
      let depth: number | undefined;
      for (const { node, path } of selectNodes(target.layout, selection)) {
        if (depth !== undefined && path.length > depth) continue;
        depth = path.length;
        this.touched.set(target.record, target);
        matches.push({ target, node, path: [...path] });
      }
    }
    if (matches.length === 0) throw badArgument(`nothing matches '${printable(selector)}'`);
    return matches;
  }

  async *#all(): AsyncGenerator<Target> {
    const configuration = await this.configuration();
    if (configuration) yield configuration;
    for (const section of this.#opened.stream.sections) {
      const target = await this.#target(section);
      if (target) yield target;
    }
  }

  async configuration(): Promise<Target | undefined> {
    const record = this.#opened.stream.configuration;
    if (!record) return undefined;
    const known = this.touched.get(record);
    if (known) return known;
    const layout = await configurationLayout(this.#opened);
    const target = layout && { record, section: undefined, layout, root: kept(layout.root) };
    if (target) this.touched.set(record, target);
    return target;
  }

  async #target(section: Section): Promise<Target | undefined> {
    const [record] = section.records;
    if (!record) return undefined;
    const known = this.touched.get(record) ?? this.#read.get(record);
    if (known) return known;
    const layout = await layoutOf(this.#opened, section);
    const target = { record, section, layout, root: kept(layout.root) };
    this.#read.set(record, target);
    return target;
  }

  /** The section of that idstr and instance id, or the configuration. */
  async of(idstr: string, instanceId: number): Promise<Target | undefined> {
    if (idstr === CONFIGURATION_SECTION) return this.configuration();
    const section = this.#opened.stream.sections.find(
      (each) => each.idstr === idstr && each.instanceId === instanceId,
    );
    const target = section && (await this.#target(section));
    if (target) this.touched.set(target.record, target);
    return target;
  }
}

/** Throws DecodeError `edit-refused` for what is one of several readings or has no name, `bad-argument` for what is not held. */
export function checkKnown(node: LayoutNode, place: string): void {
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
