import { ByteWriter, encodeText } from '../bytes/byte-writer.ts';
import { DecodeError } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { type Piece, splicedSource } from '../bytes/splice.ts';
import type { Layout, StructNode } from '../layout/node.ts';
import type { OpenedStream } from '../layout/open.ts';
import { streamPageSize } from '../ops/page-size.ts';
import { deviceEntry, structKeys } from '../ops/write-vmdesc.ts';
import { deviceKey } from '../schema/schema.ts';
import { deviceEntries, isJsonObject, type JsonObject, type JsonValue } from '../schema/vmdesc.ts';
import { writeHeader } from '../stream/header.ts';
import {
  type ConfigurationRecord,
  QEMU_VM_CONFIGURATION,
  QEMU_VM_EOF,
  type SectionRecord,
  type StreamRecord,
} from '../stream/records.ts';
import { type SectionIdentity, writeSectionFooter, writeSectionHeader } from '../stream/section-header.ts';
import type { Section } from '../stream/stream.ts';
import { writeVmDescriptionHeader } from '../stream/vmdescription.ts';
import { rewrittenPieces } from '../stream/write-records.ts';
import { editedEntry, formOf } from './edited-entry.ts';
import { type EditedNode, nodePieces, shapeOf } from './edited-node.ts';

/**
 * What comes of the vmdesc: `keep` as it is, also where it is wrong now; `drop`; `empty`, one that describes nothing, for
 * destinations that insist on one; `rebuild`, made anew where it is not right any more, or where there was none.
 */
export const VMDESC_MODES = ['keep', 'drop', 'empty', 'rebuild'] as const;
export type VmdescMode = (typeof VMDESC_MODES)[number];

/** Bytes that come in the place of as many others. */
export interface Patch {
  /** Offset in the stream. */
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** A section that is put into a stream. */
export interface InsertedSection {
  /** The record that it stands in front of. */
  readonly before: StreamRecord;
  readonly identity: SectionIdentity;
  readonly layout: Layout;
  readonly body: Uint8Array;
}

/** Changes to a stream. What none of them names stays as it is, byte by byte. */
export interface StreamEdits {
  readonly patches: readonly Patch[];
  /** What devices, or the configuration, write into their only record. */
  readonly bodies: ReadonlyMap<SectionRecord | ConfigurationRecord, EditedNode>;
  /** By id of the section. */
  readonly identities: ReadonlyMap<number, SectionIdentity>;
  /** Ids of sections that go. */
  readonly droppedSections: ReadonlySet<number>;
  readonly droppedCommands: ReadonlySet<StreamRecord>;
  readonly inserted: readonly InsertedSection[];
}

export const NO_EDITS: StreamEdits = {
  patches: [],
  bodies: new Map(),
  identities: new Map(),
  droppedSections: new Set(),
  droppedCommands: new Set(),
  inserted: [],
};

/** Do the records keep their places: does nothing change but bytes inside of them? */
export function keepsSizes({
  bodies,
  identities,
  droppedSections,
  droppedCommands,
  inserted,
}: StreamEdits): boolean {
  const changes = [bodies, identities, droppedSections, droppedCommands];
  return changes.every(({ size }) => size === 0) && inserted.length === 0;
}

/** The stream with the changes. Its vmdesc is `vmdesc`: undefined for the bytes of its own, null for none. */
export function editedSource(
  { source, stream }: OpenedStream,
  edits: StreamEdits,
  vmdesc: JsonObject | null | undefined,
): FinishedSource {
  const patched = withPatches(source, edits.patches);
  if (keepsSizes(edits) && vmdesc === undefined) return patched;
  const before = new Map<StreamRecord, Piece[]>();
  for (const { before: record, identity, body } of edits.inserted) {
    const footer = stream.footers === false ? [] : [writeSectionFooter(identity.id)];
    const pieces = [writeSectionHeader('SECTION_FULL', identity), body, ...footer];
    before.set(record, [...(before.get(record) ?? []), ...pieces]);
  }
  const rewrite = (record: StreamRecord): Piece[] | undefined => {
    const inFront = before.get(record);
    const own = rewritten(record, edits, vmdesc);
    return inFront ? [...inFront, ...(own ?? [record.range])] : own;
  };
  const pieces = stream.records.flatMap((record) => {
    const isPackage = record.kind === 'command' && record.detail?.command === 'PACKAGED';
    return isPackage ? rewrittenPieces(record, rewrite) : (rewrite(record) ?? [record.range]);
  });
  const hasVmdesc = stream.records.some(({ kind }) => kind === 'vmdescription');
  if (vmdesc && !hasVmdesc) pieces.push(...vmdescPieces(vmdesc));
  return splicedSource(patched, joined(pieces));
}

function rewritten(
  record: StreamRecord,
  { bodies, identities, droppedSections, droppedCommands }: StreamEdits,
  vmdesc: JsonObject | null | undefined,
): Piece[] | undefined {
  switch (record.kind) {
    case 'section': {
      if (droppedSections.has(record.id)) return [];
      const identity = identities.get(record.id);
      const edited = bodies.get(record);
      const body = edited && nodePieces(edited);
      if (!identity && !body) return undefined;
      const head = identity
        ? writeSectionHeader(record.type, identity)
        : { start: record.range.start, end: record.body.start };
      return [head, ...(body ?? [record.body]), ...(record.footer ? [record.footer] : [])];
    }
    case 'configuration': {
      const edited = bodies.get(record);
      return edited && [Uint8Array.of(QEMU_VM_CONFIGURATION), ...nodePieces(edited)];
    }
    case 'command':
      return droppedCommands.has(record) ? [] : undefined;
    case 'vmdescription':
      if (vmdesc === undefined) return undefined;
      return vmdesc === null ? [] : vmdescPieces(vmdesc);
    default:
      return undefined;
  }
}

function vmdescPieces(vmdesc: JsonObject): Piece[] {
  const json = encodeText(JSON.stringify(vmdesc));
  return [writeVmDescriptionHeader(json.byteLength), json];
}

/** Ranges that follow each other as one: a stream has thousands of records. */
function joined(pieces: readonly Piece[]): Piece[] {
  const result: Piece[] = [];
  for (const piece of pieces) {
    const last = result.at(-1);
    if (last && !(last instanceof Uint8Array) && !(piece instanceof Uint8Array) && last.end === piece.start)
      result[result.length - 1] = { start: last.start, end: piece.end };
    else result.push(piece);
  }
  return result;
}

/** A source in which some bytes are others; of two patches of one place the later one counts. */
export function withPatches(source: FinishedSource, patches: readonly Patch[]): FinishedSource {
  if (patches.length === 0) return source;
  const pieces: Piece[] = [];
  let end = 0;
  for (const { start, bytes } of withoutOverlaps(patches)) {
    if (start > end) pieces.push({ start: end, end: start });
    pieces.push(bytes);
    end = start + bytes.byteLength;
  }
  if (end < source.size) pieces.push({ start: end, end: source.size });
  return splicedSource(source, pieces);
}

/** By place; those that overlap are one. */
function withoutOverlaps(patches: readonly Patch[]): Patch[] {
  const ordered = patches
    .map((patch, order) => ({ ...patch, order, end: patch.start + patch.bytes.byteLength }))
    .sort((a, b) => a.start - b.start);
  const groups: { end: number; readonly members: (typeof ordered)[number][] }[] = [];
  for (const patch of ordered) {
    const last = groups.at(-1);
    if (last && patch.start < last.end) {
      last.members.push(patch);
      last.end = Math.max(last.end, patch.end);
    } else groups.push({ end: patch.end, members: [patch] });
  }
  return groups.map(({ end, members }) => {
    const { start, bytes } = members[0]!;
    if (members.length === 1) return { start, bytes };
    const all = new Uint8Array(end - start);
    for (const each of members.sort((a, b) => a.order - b.order)) all.set(each.bytes, each.start - start);
    return { start, bytes: all };
  });
}

/** A stream of device state alone: its header, configuration and sections, as nothing else is known. */
export function deviceStream(
  sections: readonly { readonly identity: SectionIdentity; readonly body: Uint8Array }[],
  {
    configuration,
    footers,
    vmdesc,
  }: {
    /** Behind the type byte. */
    readonly configuration: Uint8Array | undefined;
    readonly footers: boolean;
    readonly vmdesc: JsonObject | undefined;
  },
): Uint8Array {
  const writer = new ByteWriter(1 << 16).bytes(writeHeader());
  if (configuration) writer.u8(QEMU_VM_CONFIGURATION).bytes(configuration);
  for (const { identity, body } of sections) {
    writer.bytes(writeSectionHeader('SECTION_FULL', identity)).bytes(body);
    if (footers) writer.bytes(writeSectionFooter(identity.id));
  }
  writer.u8(QEMU_VM_EOF);
  for (const piece of vmdesc ? vmdescPieces(vmdesc) : [])
    if (piece instanceof Uint8Array) writer.bytes(piece);
  return writer.finish();
}

/** A vmdesc that describes nothing. */
export function emptyVmdesc(opened: OpenedStream): JsonObject {
  return { page_size: streamPageSize(opened)?.bytes ?? 4096, devices: [] };
}

/**
 * The vmdesc of a stream with the changes, made of its own: entries of what has changed are written anew. Undefined where
 * it is right as it is; null where the stream has none.
 */
export function editedVmdesc(
  opened: OpenedStream,
  edits: StreamEdits,
  layouts: ReadonlyMap<SectionRecord | ConfigurationRecord, Layout>,
): JsonObject | null | undefined {
  const { vmdesc, stream } = opened;
  if (!vmdesc) return stream.vmdescription ? undefined : null;
  const form = formOf(vmdesc, opened.tables?.schema.qemuVersion);
  const entryOf = (
    record: SectionRecord,
    identity: SectionIdentity,
    entry: JsonObject | undefined,
  ): JsonObject[] | undefined => {
    const edited = edits.bodies.get(record);
    const layout = layouts.get(record);
    if (!edited || !layout) return undefined;
    const after = editedLayout(layout, edited, identity);
    // What has no VMSD is described as one buffer, however long.
    const isStruct = entry && layout.root.vmsdName !== undefined;
    const made = isStruct ? [editedEntry(entry, layout.root, after.root, form)] : deviceEntry(after, form);
    return JSON.stringify(made) === JSON.stringify(entry ? [entry] : []) ? undefined : made;
  };
  let hasChanged = edits.droppedSections.size > 0 || edits.identities.size > 0 || edits.inserted.length > 0;
  // Sections that are described, in the order of the stream; each takes its entry along.
  const own = new Map<string, JsonObject[]>();
  for (const { entry, ...device } of deviceEntries(vmdesc)) {
    const key = deviceKey(device);
    own.set(key, [...(own.get(key) ?? []), entry]);
  }
  const devices: JsonValue[] = [];
  const place = (section: Section) => {
    const [entry] = own.get(deviceKey(section))?.splice(0, 1) ?? [];
    if (edits.droppedSections.has(section.id)) return;
    const record = section.records[0];
    const identity = edits.identities.get(section.id) ?? section;
    const made = record && entryOf(record, identity, entry);
    if (made) hasChanged = true;
    for (const each of made ?? (entry ? [entry] : []))
      devices.push({ ...each, name: identity.idstr, instance_id: identity.instanceId });
  };
  for (const section of stream.sections) {
    for (const { before, layout } of edits.inserted)
      if (before === section.records[0]) devices.push(...deviceEntry(layout, form));
    place(section);
  }
  const atEnd = edits.inserted.filter(({ before }) => before.kind !== 'section');
  for (const { layout } of atEnd) devices.push(...deviceEntry(layout, form));
  const { configuration } = vmdesc;
  let newConfiguration = configuration;
  const record = stream.configuration;
  const edited = record && edits.bodies.get(record);
  const layout = record && layouts.get(record);
  if (configuration && edited && layout) {
    const { root } = editedLayout(layout, edited, undefined);
    newConfiguration = isJsonObject(configuration)
      ? editedEntry(configuration, layout.root, root, form)
      : structKeys(root, form);
    if (JSON.stringify(newConfiguration) !== JSON.stringify(configuration)) hasChanged = true;
  }
  if (!hasChanged) return undefined;
  return { ...(newConfiguration ? { configuration: newConfiguration } : {}), ...without(vmdesc), devices };
}

function without({ configuration: _, devices: __, ...others }: JsonObject): JsonObject {
  return others;
}

/** The layout that a section has with its changes, but for values and places. */
export function editedLayout(
  layout: Layout,
  edited: EditedNode,
  identity: Pick<SectionIdentity, 'idstr' | 'instanceId' | 'versionId'> | undefined,
): Layout {
  const shape = shapeOf(edited);
  if (shape.kind !== 'struct')
    throw new DecodeError({
      severity: 'error',
      code: 'bad-argument',
      message: 'the root of a section is a struct',
    });
  const root: StructNode =
    identity && shape.versionId !== undefined ? { ...shape, versionId: identity.versionId } : shape;
  return {
    ...layout,
    ...(identity ? { section: identity.idstr, instanceId: identity.instanceId } : {}),
    root,
  };
}
