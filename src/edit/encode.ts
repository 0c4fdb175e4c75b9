import { badArgument, DecodeError, type PathComponent, printable } from '../bytes/diagnostic.ts';
import { equalBytes } from '../bytes/equal-bytes.ts';
import { type FinishedSource, readExactly } from '../bytes/source.ts';
import { splicedSource } from '../bytes/splice.ts';
import { childrenOf, walk } from '../layout/children.ts';
import type { Layout, LayoutNode, LeafValue } from '../layout/node.ts';
import { configurationLayout, layoutOf, type OpenedStream } from '../layout/open.ts';
import { CONFIGURATION_SECTION } from '../layout/section.ts';
import type { ConfigurationRecord, SectionRecord, StreamRecord } from '../stream/records.ts';
import type { SectionIdentity } from '../stream/section-header.ts';
import { scalarTypes } from '../vmsd/scalars.ts';
import type { EditPlan } from './edit.ts';
import { type EditedNode, kept, nodePieces, shapeOf } from './edited-node.ts';
import { NO_EDITS } from './edited-stream.ts';
import { leafBytes, type WrittenValue } from './leaf-value.ts';
import { commandName, manifestRecords, type NamedRecord } from './manifest-records.ts';
import {
  type DecodedArray,
  type DecodedLeaf,
  type DecodedNode,
  type DecodedSection,
  type DecodedStruct,
  type Manifest,
  type ManifestRecord,
  placeInJson,
} from './read-decoded.ts';
import { placeText } from './reading.ts';

/** Bytes of leaves that were read: what a decoded section leaves out, and what it has unchanged. */
class BaseLeaves {
  readonly #source: FinishedSource;
  readonly #byPath = new Map<string, LayoutNode[]>();

  constructor(source: FinishedSource, root: LayoutNode) {
    this.#source = source;
    for (const { node, path } of walk(root)) {
      const key = JSON.stringify(path);
      const before = this.#byPath.get(key);
      if (before) before.push(node);
      else this.#byPath.set(key, [node]);
    }
  }

  /** The next one of those at a path: a marker and what it stands before have the same. */
  take(path: readonly PathComponent[], kinds: readonly LayoutNode['kind'][]): LayoutNode | undefined {
    const nodes = this.#byPath.get(JSON.stringify(path));
    const at = nodes?.findIndex(({ kind }) => kinds.includes(kind)) ?? -1;
    return at < 0 ? undefined : nodes?.splice(at, 1)[0];
  }

  bytes({ start, end }: LayoutNode): Promise<Uint8Array> {
    return readExactly(this.#source, start, end - start);
  }
}

/**
 * The tree that a decoded section is. What has the value that it had in the base is its bytes; null is what the base has.
 * Throws DecodeError `bad-argument`, with the place, for a value that does not fit its type, for null where the base has
 * nothing, and for the bytes of a custom info that were changed while its fields were not.
 */
export async function encodeSection(
  { section, instanceId, root, where }: DecodedSection,
  base: { readonly source: FinishedSource; readonly layout: Layout } | undefined,
): Promise<EditedNode> {
  const leaves = base && new BaseLeaves(base.source, base.layout.root);
  const place = (path: readonly PathComponent[]) => placeText({ section, instanceId }, path);
  const problem = async (
    node: DecodedNode,
    message: string,
    inside: readonly (string | number)[] = [],
  ): Promise<DecodeError> => {
    const at = where && placeInJson(root, node);
    return badArgument(at ? `${await where([...at, ...inside])}: ${message}` : message);
  };
  const encode = async (node: DecodedNode, path: readonly PathComponent[]): Promise<EditedNode> => {
    if (!('children' in node)) return encodeLeaf(node, path);
    if (node.kind === 'array' && node.values && isPlain(node.type, node.values))
      return encodeValues(node, node.values, path);
    const children: EditedNode[] = [];
    for (const child of node.children) children.push(await encode(child, [...path, child.name]));
    const { name, type } = node;
    if (node.kind === 'array') {
      const { length, described } = node;
      return { kind: 'array', name, type, length: lengthOf(children, length), described, children };
    }
    const { vmsdName, versionId } = node;
    const made: EditedNode = { kind: 'struct', name, type, vmsdName, versionId, children };
    if (node.value !== undefined) await checkValue(node, node.value, made, path);
    return made;
  };
  const encodeLeaf = async (node: DecodedLeaf, path: readonly PathComponent[]): Promise<EditedNode> => {
    const { kind, name, type, value } = node;
    const own = leaves?.take(path, ['leaf', 'gap']);
    if (value === null) {
      if (own) return kept(own);
      throw await problem(
        node,
        `${place(path)} is null: its bytes are not known without the stream that it is of`,
      );
    }
    try {
      const bytes = leafBytes(type, value);
      if (own && own.type === type && isValue(own, bytes)) return kept(own);
      return { kind, name, type, bytes: node.bytes === undefined ? bytes : usual(node, node.bytes, bytes) };
    } catch (error) {
      throw error instanceof DecodeError
        ? await problem(node, `${place(path)}: ${error.diagnostic.message}`)
        : error;
    }
  };
  /** There can be millions, and each has its usual bytes. */
  const encodeValues = async (
    node: DecodedArray,
    values: readonly WrittenValue[],
    path: readonly PathComponent[],
  ): Promise<EditedNode> => {
    const { name, type, described } = node;
    const { size } = scalarTypes.get(type)!;
    const bytes = new Uint8Array(size * values.length);
    for (const [i, value] of values.entries()) {
      try {
        if (value !== null) bytes.set(leafBytes(type, value), i * size);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        throw await problem(node, `${place([...path, i])}: ${error.diagnostic.message}`, ['values', i]);
      }
    }
    const shape = { kind: 'scalar', type, size } as const;
    const elements = { shape, count: values.length, start: 0, bytes, pos: 0 };
    const facts = { name, type, start: 0, end: bytes.byteLength, length: values.length, elements };
    return { kind: 'kept', node: { kind: 'array', ...facts, ...(described ? { described } : {}) }, bytes };
  };
  /** The bytes of an info are those of its fields; those of the base may stand there while its fields are changed. */
  const checkValue = async (
    node: DecodedStruct,
    value: string,
    made: EditedNode,
    path: readonly PathComponent[],
  ): Promise<void> => {
    const own = leaves?.take(path, ['struct']);
    const given = leafBytes('buffer', value);
    const written = base ? await bytesOf(base.source, made) : joinedBytes(made);
    if (equalBytes(given, written) || (own && leaves && equalBytes(given, await leaves.bytes(own)))) return;
    throw await problem(
      node,
      `${place(path)}: the bytes of this ${printable(node.type)} were changed, its fields were not: they are what is written`,
    );
  };
  return encode(root, []);
}

/** Integers of which none is that of the base. */
function isPlain(type: string, values: readonly WrittenValue[]): boolean {
  return scalarTypes.has(type) && values.length > 0 && !values.includes(null);
}

/** What is written for a node of which a part is that of the base. */
async function bytesOf(source: FinishedSource, node: EditedNode): Promise<Uint8Array> {
  const spliced = splicedSource(source, nodePieces(node));
  return readExactly(spliced, 0, spliced.size);
}

/** What is written for a node of which everything is known. */
export function joinedBytes(node: EditedNode): Uint8Array {
  const pieces = nodePieces(node).map((piece) => (piece instanceof Uint8Array ? piece : new Uint8Array(0)));
  const bytes = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

/** Elements of an array that were read; the markers of those that are not NULL are none. */
function lengthOf(children: readonly EditedNode[], length: number): number {
  const names = new Set(children.map((child) => (child.kind === 'kept' ? child.node.name : child.name)));
  return children.length > 0 ? names.size : length;
}

/** Is it what the leaf holds? */
function isValue(node: LayoutNode, bytes: Uint8Array): boolean {
  if (node.kind !== 'leaf' && node.kind !== 'gap') return false;
  const { value, type } = node;
  if (value === null || value === undefined) return false;
  if (value instanceof Uint8Array) return equalBytes(value, bytes);
  return equalBytes(leafBytes(type, writtenValueOf(value)), bytes);
}

function writtenValueOf(value: Exclude<LeafValue, Uint8Array | null>): Exclude<WrittenValue, null> {
  return typeof value === 'bigint' ? String(value) : value;
}

/** Bytes that the value of a leaf stands for though they are not those that are usual for it: as long as it does. */
function usual({ type, value }: DecodedLeaf, digits: string, bytes: Uint8Array): Uint8Array {
  const given = leafBytes('buffer', digits);
  const scalar = scalarTypes.get(type);
  if (!scalar) return given;
  if (given.byteLength !== scalar.size) return bytes;
  const view = new DataView(given.buffer, given.byteOffset, given.byteLength);
  const read = scalar.read(view, 0);
  return (typeof read === 'bigint' ? String(read) : read) === value ? given : bytes;
}

/**
 * What is to be written so that a stream has the device state that was decoded of it and changed since; sections that
 * are not given stay as they are. Throws DecodeError `bad-argument`: what `encodeSection` throws, and for a section that
 * the stream has not, or that is given twice.
 */
export async function planEncode(
  opened: OpenedStream,
  sections: Iterable<DecodedSection> | AsyncIterable<DecodedSection>,
): Promise<EditPlan> {
  const bodies = new Map<SectionRecord | ConfigurationRecord, EditedNode>();
  const layouts = new Map<SectionRecord | ConfigurationRecord, Layout>();
  const seen = new Map<string, number>();
  for await (const decoded of sections) {
    // RAM and the like.
    if (holdsNothing(decoded.root)) continue;
    const key = JSON.stringify([decoded.section, decoded.instanceId]);
    const occurrence = seen.get(key) ?? 0;
    seen.set(key, occurrence + 1);
    const found = await findRecord(opened, decoded, occurrence);
    if (!found) {
      const what = occurrence === 0 ? 'the stream has no such section' : 'it is given twice';
      throw badArgument(`${placeText(decoded, [])}: ${what}`);
    }
    const { record, layout } = found;
    const edited = await encodeSection(decoded, { source: opened.source, layout });
    const before = await readExactly(opened.source, record.body.start, record.body.end - record.body.start);
    const after = await bytesOf(opened.source, edited);
    layouts.set(record, layout);
    if (equalBytes(before, after)) await checkNames(decoded, layout.root, shapeOf(edited));
    else bodies.set(record, edited);
  }
  return { edits: { ...NO_EDITS, bodies }, layouts, patched: opened, followed: [] };
}

/** Throws DecodeError `bad-argument` where only names, types or versions were changed, which are no bytes. */
async function checkNames(decoded: DecodedSection, before: LayoutNode, after: LayoutNode): Promise<void> {
  const found = renamedPart(before, after, []);
  if (!found) return;
  const { path, what } = found;
  const message = `${placeText(decoded, path)}: ${what}, which changes no byte of the section`;
  const node = decodedAt(decoded.root, path);
  const at = decoded.where && node && placeInJson(decoded.root, node);
  throw badArgument(at && decoded.where ? `${await decoded.where(at)}: ${message}` : message);
}

/** The first node that is called something else than before. */
function renamedPart(
  before: LayoutNode,
  after: LayoutNode,
  path: readonly PathComponent[],
): { readonly path: readonly PathComponent[]; readonly what: string } | undefined {
  const differs = (what: string, a: unknown, b: unknown) => ({
    path,
    what: `its ${what} was ${printable(String(a))}, and is ${printable(String(b))} now`,
  });
  if (before.type !== after.type) return differs('type', before.type, after.type);
  if (before.kind === 'struct' && after.kind === 'struct') {
    const { vmsdName, versionId } = before;
    if (vmsdName !== after.vmsdName) return differs('VMSD', vmsdName, after.vmsdName);
    // That of the section itself is what its header says, too.
    if (path.length > 0 && versionId !== after.versionId)
      return differs('version', versionId, after.versionId);
  }
  if (after.kind === 'leaf' || after.kind === 'gap') return undefined;
  const others = childrenOf(after)[Symbol.iterator]();
  for (const child of childrenOf(before)) {
    const { value: other } = others.next();
    if (!other) return { path: [...path, child.name], what: 'it was taken out' };
    const below = [...path, other.name];
    if (other.name !== child.name)
      return { path: below, what: `it was called ${printable(String(child.name))}` };
    const found = renamedPart(child, other, below);
    if (found) return found;
  }
  const { value: added } = others.next();
  return added && { path: [...path, added.name], what: 'it was put there' };
}

function decodedAt(root: DecodedNode, path: readonly PathComponent[]): DecodedNode | undefined {
  let node: DecodedNode | undefined = root;
  for (const name of path) {
    if (!node || !('children' in node)) return undefined;
    node = node.children.find((child) => child.name === name);
  }
  return node;
}

function holdsNothing(node: DecodedNode): boolean {
  if (node.kind === 'array' && node.values)
    return node.values.length > 0 && node.values.every((value) => value === null);
  if ('children' in node) return node.children.length > 0 && node.children.every(holdsNothing);
  return node.kind === 'leaf' && node.value === null;
}

async function findRecord(
  opened: OpenedStream,
  { section: idstr, instanceId, id }: DecodedSection,
  occurrence: number,
): Promise<{ record: SectionRecord | ConfigurationRecord; layout: Layout } | undefined> {
  if (idstr === CONFIGURATION_SECTION) {
    const record = opened.stream.configuration;
    const layout = record && occurrence === 0 ? await configurationLayout(opened) : undefined;
    return record && layout && { record, layout };
  }
  const section = opened.stream.sections.find((each) =>
    id === undefined
      ? each.idstr === idstr && each.instanceId === instanceId && each.occurrence === occurrence
      : each.id === id,
  );
  const [record] = section?.records ?? [];
  if (!section || !record) return undefined;
  if (section.records.length > 1 || section.unscanned)
    throw badArgument(
      `${placeText({ section: idstr, instanceId }, [])} has several records: it is no device state`,
    );
  return { record, layout: await layoutOf(opened, section) };
}

/**
 * The same for a whole decoded stream: a section or a command that its manifest has no more goes, and a section that it
 * calls otherwise, or gives another version, has that in its header. Throws DecodeError `bad-argument` also for what is new,
 * or in another order.
 */
export async function planManifest(
  opened: OpenedStream,
  { records }: Manifest,
  read: (file: string) => Promise<DecodedSection>,
): Promise<EditPlan> {
  const identities = new Map<number, SectionIdentity>();
  const left = new Map(opened.stream.sections.map((section) => [section.id, section]));
  const files: { readonly file: string; readonly id: number | undefined }[] = [];
  const droppedCommands = new Set<StreamRecord>();
  const dropCommand = (record: NamedRecord): void => {
    if (record.kind !== 'command') return;
    if (record.detail?.command === 'PACKAGED') throw badArgument('a package cannot be dropped');
    droppedCommands.add(record);
  };
  const own = manifestRecords(opened);
  for (const record of records) {
    const at = own.findIndex((each) => isSameRecord(each, record));
    if (at < 0)
      throw badArgument(
        `${nameOfRecord(record)} is not in the base, or stands elsewhere there: "vmwalk edit --copy" adds a section, and the order is not changed`,
      );
    for (const skipped of own.splice(0, at + 1).slice(0, -1)) dropCommand(skipped);
    if (record.kind === 'configuration') files.push({ file: record.file, id: undefined });
    if (record.kind !== 'section') continue;
    const { id, idstr, instanceId, versionId, file } = record;
    const section = left.get(id)!;
    left.delete(id);
    const isSame =
      section.idstr === idstr && section.instanceId === instanceId && section.versionId === versionId;
    if (!isSame) identities.set(id, { id, idstr, instanceId, versionId });
    if (file !== undefined) files.push({ file, id });
  }
  async function* sections(): AsyncGenerator<DecodedSection> {
    for (const { file, id } of files) {
      const decoded = await read(file);
      if (id !== undefined)
        checkIdentity(decoded, file, [
          opened.stream.sections.find((each) => each.id === id),
          identities.get(id),
        ]);
      yield id === undefined ? decoded : { ...decoded, id };
    }
  }
  const plan = await planEncode(opened, sections());
  own.forEach(dropCommand);
  const edits = { ...plan.edits, identities, droppedSections: new Set(left.keys()), droppedCommands };
  return { ...plan, edits };
}

function isSameRecord(own: NamedRecord, record: ManifestRecord): boolean {
  if (own.kind === 'section' && record.kind === 'section') return own.id === record.id;
  if (own.kind === 'command' && record.kind === 'command') return commandName(own) === record.name;
  return own.kind === 'configuration' && record.kind === 'configuration';
}

function nameOfRecord(record: ManifestRecord): string {
  if (record.kind === 'section') return `section ${record.id}, ${printable(record.idstr)}`;
  return record.kind === 'command' ? `command ${printable(record.name)}` : 'configuration';
}

/** Throws DecodeError `bad-argument` where a file says another section than the base and the manifest do. */
function checkIdentity(
  { section, instanceId, root }: DecodedSection,
  file: string,
  known: readonly (SectionIdentity | undefined)[],
): void {
  const isKnown = known.some(
    (identity) =>
      identity &&
      identity.idstr === section &&
      identity.instanceId === instanceId &&
      (root.versionId === undefined || root.versionId === identity.versionId),
  );
  if (!isKnown)
    throw badArgument(
      `${printable(file)} is of another section, instance or version than the manifest says: they are changed there`,
    );
}
