import type { Diagnostic } from '../bytes/diagnostic.ts';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { rangeLength } from '../bytes/range.ts';
import { knowledgeOf, type Layout, type LayoutNode, type LeafNode, type StructNode } from '../layout/node.ts';
import { configurationLayout, configurationOf, layoutOf, type OpenedStream } from '../layout/open.ts';
import { CONFIGURATION_SECTION } from '../layout/section.ts';
import type { PageHashes } from '../memory/page-hashes.ts';
import type { IterativeScanner } from '../ram/iterative.ts';
import type { Section } from '../stream/stream.ts';
import { longestRise } from './align.ts';
import { alignSequences } from './align-sequences.ts';
import { compareBytes } from './compare-bytes.ts';
import { compileDiffFilter, type DiffFilter, type DiffFilterOptions } from './diff-filter.ts';
import { type Change, diffLayouts, type LayoutDiff } from './diff-layouts.ts';
import { diffRam } from './diff-ram.ts';
import type {
  CommandChange,
  DiffedStream,
  SectionDiff,
  SectionName,
  SectionSide,
  StreamDiff,
} from './diff-result.ts';
import { foldElements, foldSections } from './fold-diff.ts';
import { type CommandInfo, commandRecords } from './info.ts';
import { pruneLayout } from './select.ts';

export interface DiffOptions extends DiffFilterOptions {
  /** Compare what is sent, not the values: versions, sections, subsections, fields, types, sizes, array lengths. */
  readonly structure?: boolean | undefined;
  /** Pages of RAM of either side, to be compared, too. */
  readonly pages?: { readonly a: PageHashes; readonly b: PageHashes } | undefined;
}

/** Compares two streams. Sections belong together by idstr and instance id, fields by name; see `alignChildren`. */
export async function diffStreams(
  a: OpenedStream,
  b: OpenedStream,
  options: DiffOptions = {},
): Promise<StreamDiff> {
  return new StreamComparison(a, b, options).run();
}

/** Sections of one device that are looked at for the counterpart of one that only the other side has. */
const MAX_CANDIDATES = 64;

interface SentSection extends SectionName {
  readonly occurrence: number;
  /** Undefined for the configuration. */
  readonly record: Section<IterativeScanner> | undefined;
}

class StreamComparison {
  readonly #a: OpenedStream;
  readonly #b: OpenedStream;
  readonly #options: DiffOptions;
  readonly #filter: DiffFilter | undefined;
  readonly #diagnosticsA: DiagnosticList;
  readonly #diagnosticsB: DiagnosticList;
  readonly #unread: SectionName[] = [];
  #ramLayout: Layout | undefined;
  #unchanged = 0;
  #fields = 0;

  constructor(a: OpenedStream, b: OpenedStream, options: DiffOptions) {
    this.#a = a;
    this.#b = b;
    this.#options = options;
    this.#filter = compileDiffFilter(options);
    this.#diagnosticsA = new DiagnosticList(a.diagnostics);
    this.#diagnosticsB = new DiagnosticList(b.diagnostics);
  }

  async run(): Promise<StreamDiff> {
    const { structure = false, pages } = this.#options;
    const placesA = places(this.#a);
    const placesB = places(this.#b);
    const indexes = new Map(placesB.map((place, i) => [keyOf(place), i]));
    const matches = placesA.map((place) => indexes.get(keyOf(place)) ?? -1);
    const found: { readonly at: number; readonly diff: SectionDiff }[] = [];
    const removed: OneSided[] = [];
    for (const [i, place] of placesA.entries()) {
      const match = matches[i]!;
      const layout = await this.#layout(this.#a, place, this.#diagnosticsA);
      if (match < 0) {
        removed.push({ at: i, place, layout });
        continue;
      }
      const other = placesB[match]!;
      const diff = await this.#compare(
        place,
        layout,
        other,
        await this.#layout(this.#b, other, this.#diagnosticsB),
      );
      if (diff) found.push({ at: i, diff });
    }
    const added: OneSided[] = [];
    const partners = new Map(matches.map((match, i) => [match, i]));
    // Behind the last one before it that A has, too.
    let at = -0.5;
    for (const [j, place] of placesB.entries()) {
      const partner = partners.get(j);
      if (partner === undefined)
        added.push({ at, place, layout: await this.#layout(this.#b, place, this.#diagnosticsB) });
      else at = partner + 0.5;
    }
    for (const one of await this.#oneSided(removed, added)) found.push(one);
    found.sort((x, y) => x.at - y.at);
    const inPlace = longestRise(matches);
    const acceptsFraming = this.#filter?.only === undefined;
    const order = acceptsFraming
      ? placesA.filter((_, i) => matches[i]! >= 0 && !inPlace.has(i)).map(nameOf)
      : [];
    const diffs = found.map(({ diff }) => diff);
    const sections = structure ? foldSections(diffs.map(foldElements)) : diffs;
    const commands = acceptsFraming ? diffCommands(this.#a, this.#b) : [];
    const footers = acceptsFraming ? diffFooters(this.#a, this.#b) : undefined;
    const ram = diffRam(this.#a, this.#b, pages, (idstr) => this.#acceptsBlock(idstr));
    const nothing = sections.length + order.length + commands.length === 0 && !footers && (ram?.same ?? true);
    const isDamaged = [...this.#diagnosticsA.list(), ...this.#diagnosticsB.list()].some(
      ({ severity }) => severity === 'error',
    );
    return {
      a: describe(this.#a, this.#diagnosticsA.list()),
      b: describe(this.#b, this.#diagnosticsB.list()),
      structure,
      verdict: nothing ? (isDamaged ? 'undecided' : 'same') : 'different',
      anySelected: acceptsFraming || sections.length + this.#unchanged > 0 || (ram?.blocks.length ?? 0) > 0,
      footers,
      commands,
      sections,
      order,
      unread: this.#unread,
      ram,
      unchanged: { sections: this.#unchanged, fields: this.#fields },
    };
  }

  async #layout(opened: OpenedStream, { record }: SentSection, diagnostics: DiagnosticList): Promise<Layout> {
    const layout = record ? await layoutOf(opened, record) : (await configurationLayout(opened))!;
    diagnostics.addAll(layout.diagnostics);
    if (record?.scanner?.summary().kind === 'ram') this.#ramLayout ??= layout;
    return layout;
  }

  /** The differences of a section that both have; undefined where there are none. */
  async #compare(
    placeA: SentSection,
    a: Layout,
    placeB: SentSection,
    b: Layout,
  ): Promise<SectionDiff | undefined> {
    const isIterative = placeA.record?.scanner !== undefined && placeB.record?.scanner !== undefined;
    const diff = isIterative
      ? await this.#compareIterative(placeA.record, a, placeB.record, b)
      : await this.#compareLayouts(a, b);
    if (!diff) return undefined;
    this.#fields += diff.same;
    if (diff.changes.length === 0) {
      if (!isIterative || (this.#filter?.accepts(a, []) ?? true)) this.#unchanged++;
      return undefined;
    }
    const { changes, omitted, same } = diff;
    const sides = { a: sideOf(a), b: sideOf(b) };
    return {
      ...nameOf(placeA),
      occurrence: placeA.occurrence,
      kind: 'changed',
      ...sides,
      changes,
      omitted,
      same,
    };
  }

  #acceptsBlock(idstr: string): boolean {
    return !this.#filter || (this.#ramLayout !== undefined && this.#filter.accepts(this.#ramLayout, [idstr]));
  }

  /** The differences of what was selected; undefined where nothing was. */
  async #compareLayouts(
    wholeA: Layout,
    wholeB: Layout,
  ): Promise<Pick<LayoutDiff, 'changes' | 'omitted' | 'same'> | undefined> {
    const { structure } = this.#options;
    const selectedA = pruneLayout(wholeA, this.#filter?.only);
    const selectedB = pruneLayout(wholeB, this.#filter?.only);
    if (!selectedA && !selectedB) return undefined;
    const a = selectedA ?? withoutFields(wholeA);
    const b = selectedB ?? withoutFields(wholeB);
    const diff = diffLayouts(a, b, { structure, filter: this.#filter });
    const changes = [...diff.changes];
    // From the last on, so that the indexes stay right.
    for (const { path, a: nodesA, b: nodesB, index } of diff.opaque.toReversed()) {
      const { lengthA, lengthB, ranges, differing } = await this.#compareSources(nodesA, nodesB);
      const sides = { path, a: nodesA, b: nodesB };
      if (lengthA !== lengthB) changes.splice(index, 0, { kind: 'size', ...sides });
      else if (differing > 0 && !structure)
        changes.splice(index, 0, { kind: 'value', ...sides, ranges, differing, unit: 'bytes' });
    }
    if (changes.length > 0 && this.#isReadInDoubt(changes) && (await this.#sameBytes(a.root, b.root)))
      return { changes: [], omitted: 0, same: diff.same };
    return { changes, omitted: diff.omitted, same: diff.same };
  }

  /** May it be that only how the bytes are read differs: by tables that were guessed, or one of several readings? */
  #isReadInDoubt(changes: readonly Change[]): boolean {
    const isGuessed = ({ diagnostics }: OpenedStream) =>
      diagnostics.some(({ code }) => code === 'builtin-schema');
    const isChosen = (node: LayoutNode) => knowledgeOf(node) !== 'exact';
    return (
      isGuessed(this.#a) ||
      isGuessed(this.#b) ||
      changes.some(({ a, b }) => a.some(isChosen) || b.some(isChosen))
    );
  }

  async #sameBytes(a: LayoutNode, b: LayoutNode): Promise<boolean> {
    if (rangeLength(a) !== rangeLength(b)) return false;
    return (await this.#compareSources([a], [b])).differing === 0;
  }

  #compareSources(a: readonly LayoutNode[], b: readonly LayoutNode[]) {
    return compareBytes({ source: this.#a.source, pieces: a }, { source: this.#b.source, pieces: b });
  }

  /** Sections without a VMSD: what their scanner counted, and whether the bytes are the same. RAM has its own part. */
  async #compareIterative(
    sectionA: Section<IterativeScanner>,
    a: Layout,
    sectionB: Section<IterativeScanner>,
    b: Layout,
  ): Promise<Pick<LayoutDiff, 'changes' | 'omitted' | 'same'>> {
    const { structure } = this.#options;
    const changes: Change[] = [];
    const add = (kind: Change['kind'], nodeA: LayoutNode, nodeB: LayoutNode, path: Change['path']) => {
      if (this.#filter?.accepts(a, path) ?? true) changes.push({ kind, path, a: [nodeA], b: [nodeB] });
    };
    if (a.versionId !== b.versionId) add('version', a.root, b.root, []);
    const summaryA = sectionA.scanner?.summary();
    const summaryB = sectionB.scanner?.summary();
    const isCompared = summaryA?.kind !== 'ram' && !structure;
    const isUnread = sectionA.unscanned !== undefined || sectionB.unscanned !== undefined;
    if (isCompared && isUnread) this.#unread.push({ section: a.section, instanceId: a.instanceId });
    if (isCompared && !isUnread) {
      const factsA = new Map(facts(summaryA));
      const factsB = new Map(facts(summaryB));
      for (const [name, value] of factsA) {
        const other = factsB.get(name);
        if (other !== undefined && other !== value)
          add('value', factNode(a.root, name, value), factNode(b.root, name, other), [name]);
      }
      const { lengthA, lengthB, ranges, differing } = await compareBytes(
        { source: this.#a.source, pieces: sectionA.records.map(({ body }) => body) },
        { source: this.#b.source, pieces: sectionB.records.map(({ body }) => body) },
      );
      const path = ['(content)'];
      const sides = { path, a: [a.root], b: [b.root] };
      const isAccepted = this.#filter?.accepts(a, path) ?? true;
      if (isAccepted && lengthA !== lengthB) changes.push({ kind: 'size', ...sides });
      else if (isAccepted && differing > 0)
        changes.push({ kind: 'value', ...sides, ranges, differing, unit: 'bytes' });
    }
    return { changes, omitted: 0, same: 0 };
  }

  /** Sections that only one side has, each with one of the same VMSD that only the other has. */
  async #oneSided(
    removed: readonly OneSided[],
    added: readonly OneSided[],
  ): Promise<{ readonly at: number; readonly diff: SectionDiff }[]> {
    const accepts = ({ layout }: OneSided) => this.#filter?.accepts(layout, [], layout.root) ?? true;
    const left = removed.filter(accepts);
    const right = added.filter(accepts);
    const { structure } = this.#options;
    const free = new Map<string, Set<OneSided>>();
    for (const other of right) {
      const known = free.get(deviceName(other));
      if (known) known.add(other);
      else free.set(deviceName(other), new Set([other]));
    }
    const counterparts = new Map<OneSided, OneSided>();
    const differences = new Map<OneSided, Pick<LayoutDiff, 'changes' | 'omitted' | 'same'>>();
    for (const one of left) {
      let best: { readonly other: OneSided; readonly changes: number } | undefined;
      let candidates = 0;
      for (const other of free.get(deviceName(one)) ?? []) {
        if (candidates++ === MAX_CANDIDATES) break;
        const { changes } = diffLayouts(one.layout, other.layout, { structure, filter: this.#filter });
        if (!best || changes.length < best.changes) best = { other, changes: changes.length };
        if (changes.length === 0) break;
      }
      const diff = best && (await this.#compareLayouts(one.layout, best.other.layout));
      if (!best || !diff) continue;
      counterparts.set(one, best.other);
      free.get(deviceName(one))?.delete(best.other);
      counterparts.set(best.other, one);
      differences.set(one, diff);
    }
    const diffOf = (kind: 'added' | 'removed') => (one: OneSided) => {
      const other = counterparts.get(one);
      const { changes = [], omitted = 0, same = 0 } = differences.get(one) ?? {};
      const side = sideOf(one.layout);
      const diff: SectionDiff = {
        ...nameOf(one.place),
        occurrence: one.place.occurrence,
        kind,
        ...(kind === 'removed' ? { a: side } : { b: side }),
        changes,
        omitted,
        same,
        ...(other ? { counterpart: { ...nameOf(other.place), ...sideOf(other.layout) } } : {}),
      };
      return { at: one.at, diff };
    };
    return [...left.map(diffOf('removed')), ...right.map(diffOf('added'))];
  }
}

function withoutFields(layout: Layout): Layout {
  return { ...layout, root: { ...layout.root, children: [] } };
}

/** A section that only one side has, and where it belongs among the sections of A. */
interface OneSided {
  readonly at: number;
  readonly place: SentSection;
  readonly layout: Layout;
}

/** Most candidates are of one device: its VMSD, or else the last part of its idstr. */
function deviceName({ layout }: OneSided): string {
  return layout.root.vmsdName ?? layout.section.slice(layout.section.lastIndexOf('/') + 1);
}

function places({ stream }: OpenedStream): SentSection[] {
  const sections = stream.sections.map((record): SentSection => {
    const { idstr, instanceId, occurrence } = record;
    return { section: idstr, instanceId, occurrence, record };
  });
  if (!stream.configuration) return sections;
  const configuration = { section: CONFIGURATION_SECTION, instanceId: 0, occurrence: 0, record: undefined };
  return [configuration, ...sections];
}

function keyOf({ section, instanceId, occurrence, record }: SentSection): string {
  return `${record ? '' : 'CONFIGURATION '}${instanceId} ${occurrence} ${section}`;
}

function nameOf({ section, instanceId }: SectionName): SectionName {
  return { section, instanceId };
}

function sideOf({ root, versionId }: Layout): SectionSide {
  return { offset: root.start, size: rangeLength(root), versionId, vmsdName: root.vmsdName };
}

function describe(opened: OpenedStream, diagnostics: readonly Diagnostic[]): DiffedStream {
  const { source, stream } = opened;
  return {
    name: source.name,
    size: source.size,
    machineType: configurationOf(opened)?.machineType,
    sections: stream.sections.length,
    diagnostics,
  };
}

function diffFooters({ stream: a }: OpenedStream, { stream: b }: OpenedStream): StreamDiff['footers'] {
  if (a.footers === undefined || b.footers === undefined || a.footers === b.footers) return undefined;
  return { a: a.footers, b: b.footers };
}

/** Commands by their sequence of names, and then by what they carry. */
function diffCommands(a: OpenedStream, b: OpenedStream): CommandChange[] {
  const commandsA = commandRecords(a.stream.records);
  const commandsB = commandRecords(b.stream.records);
  const names = new Map<string, number>();
  for (const { name } of [...commandsA, ...commandsB]) if (!names.has(name)) names.set(name, names.size);
  const ids = (commands: readonly CommandInfo[]) =>
    Uint32Array.from(commands, ({ name }) => names.get(name)!);
  const changes: CommandChange[] = [];
  for (const { equal, startA, endA, startB, endB } of alignSequences(ids(commandsA), ids(commandsB))) {
    if (equal) {
      for (let i = 0; i < endA - startA; i++) {
        const [commandA, commandB] = [commandsA[startA + i]!, commandsB[startB + i]!];
        if (contentOf(commandA) !== contentOf(commandB))
          changes.push({ kind: 'value', a: commandA, b: commandB });
      }
      continue;
    }
    for (const command of commandsA.slice(startA, endA)) changes.push({ kind: 'removed', a: command });
    for (const command of commandsB.slice(startB, endB)) changes.push({ kind: 'added', b: command });
  }
  return changes;
}

/** What a command carries, but not where: two of a kind with the same text are the same. */
function contentOf({ name, detail }: CommandInfo): string {
  if (detail?.command === 'PACKAGED') return name;
  return facts({ name, detail })
    .map((fact) => fact.join(' '))
    .join('\n');
}

type Fact = string | number | bigint | boolean;

/** Values in plain data, with their paths. */
function facts(data: unknown, path = ''): [string, Fact][] {
  switch (typeof data) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return [[path, data]];
    case 'object':
      return Object.entries(data ?? {}).flatMap(([name, value]) =>
        facts(value, path === '' ? name : `${path}.${name}`),
      );
    default:
      return [];
  }
}

/** A value that the scanner of an iterative section found, as a leaf over the section. */
function factNode({ start, end }: StructNode, name: string, value: Fact): LeafNode {
  return { kind: 'leaf', name, type: 'summary', start, end, value };
}
