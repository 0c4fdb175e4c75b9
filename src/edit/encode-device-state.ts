import { badArgument, editRefused, printable } from '../bytes/diagnostic.ts';
import { type FinishedSource, memorySource } from '../bytes/source.ts';
import { walk } from '../layout/children.ts';
import type { Layout, StructNode } from '../layout/node.ts';
import { configurationLayout, layoutOf, type OpenedStream } from '../layout/open.ts';
import { deviceEntry, vmdescForm } from '../ops/write-vmdesc.ts';
import type { JsonObject } from '../schema/vmdesc.ts';
import type { SectionIdentity } from '../stream/section-header.ts';
import { type EditedNode, shapeOf } from './edited-node.ts';
import { deviceStream, type VmdescMode } from './edited-stream.ts';
import { encodeSection, joinedBytes } from './encode.ts';
import type { DecodedSection, Manifest } from './read-decoded.ts';
import { checkReading, placeText, readByTables, tablesAtHand } from './reading.ts';
import { formDifference } from './same-form.ts';

/** A stream of device state alone, and what it is meant to be read as. */
export interface WrittenDeviceState {
  readonly source: FinishedSource;
  readonly configuration: Layout | undefined;
  /** Of its sections, in their order. */
  readonly sections: readonly Layout[];
}

/**
 * A stream of device state alone, as `xen-save-devices-state` writes one: of a decoded stream whose base is not at hand.
 * It has a vmdesc if the base had one, or as `mode` says. Throws DecodeError `bad-argument`, what `encodeSection` throws.
 */
export async function encodeDeviceState(
  { records, footers, vmdesc }: Manifest,
  read: (file: string) => Promise<DecodedSection>,
  mode?: VmdescMode,
): Promise<WrittenDeviceState> {
  if (mode === 'keep') throw badArgument('without a base there is no vmdesc that could be kept');
  if (mode === 'rebuild' && !vmdesc)
    throw badArgument('the manifest does not say how a vmdesc is to be written, as its base had none');
  const form = vmdesc?.form ?? vmdescForm(undefined);
  const devices: JsonObject[] = [];
  const sections: { readonly identity: SectionIdentity; readonly body: Uint8Array }[] = [];
  const layouts: Layout[] = [];
  let configuration: { readonly body: Uint8Array; readonly layout: Layout } | undefined;
  let described: JsonObject | undefined;
  for (const record of records) {
    if (record.kind === 'command' || record.file === undefined) continue;
    const decoded = await read(record.file);
    const edited = await encodeSection(decoded, undefined);
    const { section, instanceId } = decoded;
    const root = rootOf(edited);
    const layout: Layout = { section, instanceId, versionId: undefined, diagnostics: [], root };
    const [entry] = deviceEntry(layout, form);
    const body = joinedBytes(edited);
    if (record.kind === 'configuration') {
      configuration = { body, layout };
      const { name: _, instance_id: __, ...keys } = entry ?? {};
      described = keys;
    } else {
      sections.push({ identity: record, body });
      layouts.push({ ...layout, section: record.idstr, instanceId: record.instanceId });
      if (entry) devices.push({ ...entry, name: record.idstr, instance_id: record.instanceId });
    }
  }
  const made = vmdesc && {
    ...(form.configuration && described ? { configuration: described } : {}),
    page_size: vmdesc.pageSize,
    devices,
  };
  const empty = { page_size: vmdesc?.pageSize ?? 4096, devices: [] };
  const bytes = deviceStream(sections, {
    configuration: configuration?.body,
    footers,
    vmdesc: mode === 'drop' ? undefined : mode === 'empty' ? empty : made,
  });
  return { source: memorySource(bytes), configuration: configuration?.layout, sections: layouts };
}

/**
 * Throws DecodeError `edit-refused` where a stream of device state, opened, is read as something else than it is meant as:
 * by what describes it, and by tables of QEMUs that have the section. What of these is its own, no base tells: one is
 * enough.
 */
export async function checkDeviceState(
  opened: OpenedStream,
  { configuration, sections }: WrittenDeviceState,
): Promise<void> {
  if (configuration) {
    const read = await configurationLayout(opened);
    checkReading(placeText(configuration, []), configuration.root, cleanRoot(read), 'by QEMU');
  }
  const found = opened.stream.sections;
  if (found.length !== sections.length)
    throw editRefused(`${sections.length} sections would be written, and ${found.length} be read`);
  for (const [i, section] of found.entries()) {
    const wanted = sections[i]!;
    const place = placeText(wanted, []);
    const read = await layoutOf(opened, section);
    checkReading(place, wanted.root, cleanRoot(read), 'by its description');
    let how: string | undefined;
    for (const tables of opened.schema ? tablesAtHand(opened) : []) {
      if (tables.vmsds(wanted.root.vmsdName ?? '').length === 0) continue;
      const byTables = await readByTables(opened, section, tables);
      how = `by QEMU ${printable(tables.schema.qemuVersion ?? 'of its tables')}`;
      if (!byTables || !isReading(byTables.root, wanted.root)) continue;
      how = undefined;
      break;
    }
    if (how !== undefined) checkReading(place, wanted.root, undefined, how);
  }
}

/** Is it read as what it is meant as? Of several readings by tables none is known to be wrong. */
function isReading(read: StructNode, wanted: StructNode): boolean {
  if (!formDifference(wanted, read)) return true;
  for (const { node } of walk(read)) if (node.chosen) return true;
  return false;
}

function cleanRoot(layout: Layout | undefined): StructNode | undefined {
  return layout?.diagnostics.every(({ severity }) => severity !== 'error') ? layout.root : undefined;
}

function rootOf(edited: EditedNode): StructNode {
  const root = shapeOf(edited);
  if (root.kind !== 'struct') throw badArgument('the root of a section is a struct');
  return root;
}
