import type { Diagnostic } from '../bytes/diagnostic.ts';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { type Range, rangeLength } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';
import type { Infos } from '../infos/info.ts';
import { builtInInfos } from '../infos/infos.ts';
import { configurationSchema } from '../schema/configuration.ts';
import { findDevice, type Schema, type StructSchema, structLength } from '../schema/schema.ts';
import type { BoundaryOrigin, ConfigurationRecord, SectionRecord } from '../stream/records.ts';
import type { Section, Stream } from '../stream/stream.ts';
import { compileVmdesc } from '../vmsd/compile-vmdesc.ts';
import { gap, type ResolveContext } from './context.ts';
import type { GapNode, Layout, LayoutNode, LeafNode, StructNode } from './node.ts';
import { sectionBytes } from './section-bytes.ts';
import { resolveByTables, type SchemaTables } from './tables.ts';
import type { InfoTables } from './walk/bounded-info.ts';
import { WITHOUT_TABLES, walkApplied } from './walk/walk-applied.ts';

/** A gap of more bytes than this is not read. */
const MAX_GAP_VALUE = 1 << 20;

/** What says how the bytes of device state are to be read. */
interface SectionKnowledge {
  /** The stream's own description. */
  readonly schema: Schema | undefined;
  /** The tables of the QEMU that wrote it. */
  readonly tables: SchemaTables | undefined;
  /**
   * Tables of QEMUs that may have written it, for the infos that its own description leaves closed; the first that
   * explain a field are taken.
   */
  readonly infoTables?: Iterable<InfoTables> | undefined;
  /** What is known of custom VMStateInfos; by default what vmwalk itself knows. */
  readonly infos?: Infos | undefined;
  /** The VM that it was captured of. */
  readonly sender?: { readonly deviceTypes?: ReadonlySet<string> } | undefined;
  /** All of it: some sections tell what others are. */
  readonly stream: Pick<Stream, 'sections'>;
}

/** How the end of a section that nothing describes was found. */
const foundBy: Partial<Record<BoundaryOrigin, string>> = {
  'footer-search': 'its footer',
  'header-search': 'the header of the next one',
};

/** Name of the leaf for records that were skipped, with all that is between them. */
const UNSCANNED = '(not scanned)';

/** Section name of the configuration's layout. */
export const CONFIGURATION_SECTION = 'configuration';

/**
 * Resolves a section by its description, or else by the VMSD tables of the QEMU that wrote it. Total: what nothing
 * describes becomes gaps.
 */
export async function resolveSection(
  source: FinishedSource,
  section: Section,
  {
    schema,
    tables,
    infoTables = tables ? [tables] : WITHOUT_TABLES,
    infos = builtInInfos,
    sender,
    stream,
  }: SectionKnowledge,
): Promise<Layout> {
  const { idstr, instanceId, versionId } = section;
  const diagnostics = new DiagnosticList();
  const report = (diagnostic: Diagnostic) => diagnostics.add({ section: idstr, instanceId, ...diagnostic });
  const layout = (root: StructNode): Layout => ({
    section: idstr,
    instanceId,
    versionId,
    root,
    diagnostics: diagnostics.list(),
  });
  const device = schema && findDevice(schema, idstr, instanceId, section.occurrence);
  const [record] = section.records;
  const isWhole = section.records.length === 1 && !section.unscanned;
  if (device && record && isWhole) {
    if (device.versionId !== undefined && device.versionId !== versionId) {
      report({
        severity: 'error',
        code: 'vmdesc-mismatch',
        message: `version ${versionId} in the section header, ${device.versionId} in the description`,
        range: record.range,
      });
    }
    return layout(await resolveBody(source, device, record, report, infoTables, infos));
  }
  if (tables && record && isWhole && !section.scanner) {
    const input = { source, record, sections: stream.sections, infos };
    const root = await resolveByTables(input, tables, report, sender?.deviceTypes);
    if (root && schema) {
      const message = 'the vmdesc has nothing for this section: it is read by tables';
      report({ severity: 'note', code: 'not-described', message, range: record.range });
    }
    if (root) return layout(root);
  }
  const children: LayoutNode[] = [];
  for (const [i, { type, body }] of section.records.entries()) {
    const name = isWhole ? type : i;
    const place = { name, start: body.start, end: body.end };
    if (!section.scanner) children.push(await unreadGap(source, 'no description', place));
    else if (isWhole && type === 'SECTION_FULL') children.push(await oldStyleData(source, place));
    else children.push({ ...place, kind: 'leaf', type: idstr, value: null });
  }
  if (section.unscanned)
    children.push({ ...section.unscanned, name: UNSCANNED, kind: 'leaf', type: idstr, value: null });
  if (!section.scanner && (schema || tables) && record) {
    const end = foundBy[record.boundary];
    const message = `nothing describes this section${end === undefined ? '' : `; its end was found by ${end}`}`;
    report({ severity: 'warning', code: 'unknown-section', message, range: record.range });
  }
  return layout({
    kind: 'struct',
    name: '',
    type: 'section',
    start: children[0]?.start ?? 0,
    end: children.at(-1)?.end ?? 0,
    vmsdName: undefined,
    versionId,
    children,
  });
}

/** Resolves the CONFIGURATION record. Blobs of QEMU before 8.1 or so do not describe it; its form is known. */
export async function resolveConfiguration(
  source: FinishedSource,
  record: ConfigurationRecord,
  schema: Schema | undefined,
  infos: Infos = builtInInfos,
): Promise<Layout> {
  const diagnostics = new DiagnosticList();
  const report = (diagnostic: Diagnostic) =>
    diagnostics.add({ section: CONFIGURATION_SECTION, instanceId: 0, ...diagnostic });
  const struct = schema?.configuration ?? configurationSchema(record);
  const root = await resolveBody(source, struct, record, report, WITHOUT_TABLES, infos);
  return {
    section: CONFIGURATION_SECTION,
    instanceId: 0,
    versionId: undefined,
    root,
    diagnostics: diagnostics.list(),
  };
}

async function resolveBody(
  source: FinishedSource,
  struct: StructSchema,
  record: SectionRecord | ConfigurationRecord,
  report: (diagnostic: Diagnostic) => void,
  infoTables: Iterable<InfoTables>,
  infos: Infos,
): Promise<StructNode> {
  const { body } = record;
  const described = structLength(struct);
  // Of a damaged stream's section that runs on for gigabytes, only what the description covers is read.
  const readable = rangeLength(body) - described > MAX_GAP_VALUE ? described : rangeLength(body);
  const bytes = await source.read(body.start, readable, new Uint8Array(readable));
  const end = body.start + bytes.byteLength;
  const idstr = 'idstr' in record ? record.idstr : CONFIGURATION_SECTION;
  const section = sectionBytes(bytes, body.start);
  const context: ResolveContext = { section, idstr, path: [], report, infos };
  const root = walkApplied(context, compileVmdesc(struct, bytes.byteLength), infoTables);
  if (end === body.end) return root;
  report({
    severity: 'error',
    code: 'vmdesc-mismatch',
    message: `${body.end - end} bytes more than the description accounts for`,
    range: { start: end, end: body.end },
  });
  const rest: GapNode = { ...gap(context, 'undescribed', end, end), end: body.end, value: undefined };
  return { ...root, end: body.end, children: [...root.children, rest] };
}

/**
 * What a function of QEMU writes that has no VMSD, named as a vmdesc names it (migration/savevm.c,
 * vmstate_save_old_style).
 */
async function oldStyleData(source: FinishedSource, { start, end }: Range): Promise<LeafNode> {
  const length = end - start;
  const value = length <= MAX_GAP_VALUE ? (await source.read(start, length)).slice() : null;
  return { kind: 'leaf', name: 'data', type: 'buffer', start, end, value };
}

async function unreadGap(
  source: FinishedSource,
  type: string,
  place: { name: string | number; start: number; end: number },
): Promise<GapNode> {
  const length = rangeLength(place);
  const value = length <= MAX_GAP_VALUE ? (await source.read(place.start, length)).slice() : undefined;
  return { ...place, kind: 'gap', type, value };
}
