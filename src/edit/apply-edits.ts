import { encodeText } from '../bytes/byte-writer.ts';
import { badArgument, DecodeError, editRefused, printable, problemIn } from '../bytes/diagnostic.ts';
import { equalBytes } from '../bytes/equal-bytes.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { Window } from '../bytes/window.ts';
import { dryLoad, targetOfTables } from '../layout/dry-load.ts';
import type { Layout } from '../layout/node.ts';
import { layoutOf, type OpenedStream, sectionInput } from '../layout/open.ts';
import { resolveConfiguration } from '../layout/section.ts';
import { describe } from '../ops/describe.ts';
import { withVmdesc } from '../ops/with-vmdesc.ts';
import type { Schema } from '../schema/schema.ts';
import { type JsonObject, parseVmdesc } from '../schema/vmdesc.ts';
import { readConfigurationRecord } from '../stream/configuration.ts';
import type { SectionRecord } from '../stream/records.ts';
import type { Section } from '../stream/stream.ts';
import type { EditPlan } from './edit.ts';
import { type EditedNode, kept, shapeOf } from './edited-node.ts';
import {
  editedSource,
  editedVmdesc,
  emptyVmdesc,
  keepsSizes,
  type Patch,
  type VmdescMode,
  withPatches,
} from './edited-stream.ts';
import { checkReading, placeText, readByTables, tablesOfSection } from './reading.ts';
import { recordAlone } from './record-alone.ts';

export interface ApplyOptions {
  /** What comes of the vmdesc; by default it stays as it is, and is made anew where that would be wrong. */
  readonly vmdesc?: VmdescMode | undefined;
  /** Write also what cannot be read back as it is meant. */
  readonly force?: boolean | undefined;
  /** Read what was changed as the QEMU of the source would; not where it is written for another one. */
  readonly readBack?: boolean | undefined;
}

/** A stream with its changes. */
export interface EditedStream {
  /** Its bytes: what has not changed is read from the stream that it was made of. */
  readonly source: FinishedSource;
  /** Bytes that are other ones than before, where all others are in their places; undefined where they are not. */
  readonly patches: readonly Patch[] | undefined;
}

/**
 * The stream that a plan of edits makes. Each section that is changed is read back by what described it before, and by
 * tables of its QEMU where they are known. Throws DecodeError `edit-refused` where that is not what was meant, so that a
 * QEMU would read it as something else.
 */
export async function applyEdits(
  opened: OpenedStream,
  plan: EditPlan,
  { vmdesc: mode, force = false, readBack = !force }: ApplyOptions = {},
): Promise<EditedStream> {
  const { edits, layouts } = plan;
  const own = editedVmdesc(opened, edits, layouts);
  if (readBack) await checkReadings(opened, plan, own ? schemaOf(own) : opened.schema);
  const vmdesc =
    mode === 'keep' ? undefined : mode === 'drop' ? null : mode === 'empty' ? emptyVmdesc(opened) : own;
  const hasVmdesc = opened.stream.vmdescription !== undefined;
  if (mode === 'rebuild') {
    const described = own ? { ...opened, vmdesc: own } : opened;
    const source = await rebuilt(described, plan);
    if (!force) await checkMappedRam(opened, source);
    return { source, patches: undefined };
  }
  const source = editedSource(opened, edits, vmdesc === null && !hasVmdesc ? undefined : vmdesc);
  if (!force) await checkMappedRam(opened, source);
  const keepsVmdesc = vmdesc === undefined || (vmdesc === null && !hasVmdesc);
  const inPlace = keepsSizes(edits) && keepsVmdesc;
  return { source, patches: inPlace ? edits.patches : undefined };
}

/** Bytes of a record that tell it from those beside it. */
const RECORD_HEAD = 64;

/** Throws DecodeError `edit-refused` where pages are no more at the places that mapped-ram says they are at. */
async function checkMappedRam({ stream, source }: OpenedStream, edited: FinishedSource): Promise<void> {
  if (!stream.configuration?.capabilities?.includes('mapped-ram')) return;
  for (const { idstr, records } of stream.sections) {
    const [setup] = records;
    if (idstr !== 'ram' || setup?.type !== 'SECTION_START') continue;
    const { start } = setup.range;
    const [before, after] = [await source.read(start, RECORD_HEAD), await edited.read(start, RECORD_HEAD)];
    if (!equalBytes(before, after))
      throw editRefused(
        'in front of mapped-ram no length can change, as its pages have their places in the file: "vmwalk convert" makes a plain stream of it, and with --to mapped-ram one like it again',
      );
  }
}

/** The same with the vmdesc that `describe` gives it. */
async function rebuilt(opened: OpenedStream, { edits }: EditPlan): Promise<FinishedSource> {
  if (!keepsSizes(edits) && !opened.vmdesc)
    throw badArgument(
      'a stream without vmdesc whose shape changes gets one in a second step, from what was written',
    );
  const { vmdesc } = await describe(opened);
  if (!vmdesc) throw badArgument('there are no tables to make a vmdesc of (--qemu says where they are)');
  if (keepsSizes(edits))
    return withVmdesc({ ...opened, source: withPatches(opened.source, edits.patches) }, vmdesc);
  return editedSource(opened, edits, vmdesc);
}

function schemaOf(vmdesc: JsonObject): Schema {
  const text = JSON.stringify(vmdesc);
  const { vmdesc: parsed, diagnostics } = parseVmdesc(text, { start: 0, end: encodeText(text).byteLength });
  const [problem] = diagnostics;
  if (!parsed || problem) throw new DecodeError(problem ?? badArgument('no vmdesc').diagnostic);
  return parsed.schema;
}

async function checkReadings(
  opened: OpenedStream,
  plan: EditPlan,
  schema: Schema | undefined,
): Promise<void> {
  const { edits, layouts, patched } = plan;
  for (const [record, layout] of layouts) {
    const edited = edits.bodies.get(record) ?? kept(layout.root);
    const isPatched = edits.patches.some(
      ({ start }) => start >= record.range.start && start < record.range.end,
    );
    if (!edits.bodies.has(record) && !isPatched) continue;
    const place = placeText(layout, []);
    if (record.kind === 'configuration') {
      const { source } = await recordAlone(patched.source, record, edited);
      // Its lengths are in front of what they are of: no description is needed to read it.
      const found = await readConfigurationRecord(new Window(source), 0, undefined).catch(problemIn);
      const isRead = !(found instanceof DecodeError) && found.range.end === source.size;
      const read = isRead ? await resolveConfiguration(source, found, schema, opened.infos) : undefined;
      checkReading(place, shapeOf(edited), read && isClean(read) ? read.root : undefined, 'by QEMU');
      continue;
    }
    const section = opened.stream.sections.find(({ records }) => records.includes(record));
    if (section && !edits.droppedSections.has(section.id))
      await checkSection(plan, opened, schema, section, record, layout, edited);
  }
}

async function checkSection(
  { edits, patched }: EditPlan,
  opened: OpenedStream,
  schema: Schema | undefined,
  section: Section,
  record: SectionRecord,
  layout: Layout,
  edited: EditedNode,
): Promise<void> {
  const place = placeText(layout, []);
  const { source, record: moved } = await recordAlone(patched.source, record, edited);
  const identity = edits.identities.get(section.id) ?? section;
  const { idstr, instanceId, versionId } = identity;
  const rewritten: SectionRecord = { ...moved, idstr, instanceId, versionId };
  const written: Section = { ...section, ...identity, records: [rewritten] };
  const wanted = shapeOf(edited);
  const read = await layoutOf({ ...opened, source, schema, resolved: undefined }, written);
  checkReading(
    place,
    wanted,
    isClean(read) || !isClean(layout) ? read.root : undefined,
    'by its description',
  );
  if (!schema) return;
  const tables = await tablesOfSection(opened, section, layout);
  if (!tables) return;
  const byTables = await readByTables({ ...opened, source }, written, tables);
  checkReading(
    place,
    wanted,
    byTables?.root,
    `by QEMU ${printable(tables.schema.qemuVersion ?? 'of its tables')}`,
  );
  const input = sectionInput({ ...opened, source }, rewritten);
  const target = targetOfTables(tables, input);
  const load = target && (await dryLoad(target, input));
  if (load?.kind === 'fails' && load.refusal === 'failed-validation' && load.certain)
    throw editRefused(`${place}: no QEMU loads what would be written: ${load.why}`);
}

function isClean({ diagnostics }: Layout): boolean {
  return diagnostics.every(({ severity }) => severity !== 'error');
}
