import type { Diagnostic } from '../bytes/diagnostic.ts';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { rangeLength } from '../bytes/range.ts';
import { childrenOf } from '../layout/children.ts';
import type { ArrayNode, Layout, LayoutNode, StructNode } from '../layout/node.ts';
import { layouts, type OpenedStream } from '../layout/open.ts';
import { CONFIGURATION_SECTION } from '../layout/section.ts';
import { COLLECTIONS, NULL_POINTER_TYPES } from '../schema/known-infos.ts';
import { versionNumber } from '../schema/qemu-version.ts';
import type { JsonObject, JsonValue } from '../schema/vmdesc.ts';

export const NULL_POINTER_FORMS = ['first-element', 'nullptr', 'ptr-marker'] as const;

/** What QEMU's way to write a vmdesc depends on. */
export interface VmdescForm {
  /** Is the configuration described (QEMU 8.1 and later)? */
  readonly configuration: boolean;
  /**
   * NULL elements of pointer arrays: before 10.0 a whole array is described by its first element, NULL or not; later
   * NULL elements are of this type, and parts of the array are described each for itself.
   */
  readonly nullPointer: (typeof NULL_POINTER_FORMS)[number];
}

/** The form of a QEMU version, as `10.0.13 (Debian …)`. Of an unknown one that of the latest. */
export function vmdescForm(qemuVersion: string | undefined): VmdescForm {
  const version = versionNumber(qemuVersion) ?? Number.POSITIVE_INFINITY;
  return {
    configuration: version >= 8001,
    nullPointer: version < 10_000 ? 'first-element' : version < 11_000 ? 'nullptr' : 'ptr-marker',
  };
}

/**
 * Writes the vmdesc that QEMU would have appended to a stream (migration/savevm.c and vmstate.c), from the layouts of
 * its sections. Sections that could not be resolved are left out.
 */
export async function writeVmdesc(
  opened: OpenedStream,
  form: VmdescForm,
  pageSize: number,
): Promise<{ vmdesc: JsonObject; diagnostics: readonly Diagnostic[] }> {
  const devices: JsonValue[] = [];
  const diagnostics = new DiagnosticList();
  let configuration: JsonObject | undefined;
  for await (const layout of layouts(opened)) {
    diagnostics.addAll(layout.diagnostics);
    if (layout.section !== CONFIGURATION_SECTION) devices.push(...deviceEntry(layout, form));
    else if (form.configuration) configuration = structKeys(layout.root, form);
  }
  return {
    vmdesc: { ...(configuration ? { configuration } : {}), page_size: pageSize, devices },
    diagnostics: diagnostics.list(),
  };
}

/** The entry of a section; none where it could not be resolved. */
export function deviceEntry(layout: Layout, form: VmdescForm): JsonObject[] {
  const { root, section: name, instanceId: instance_id } = layout;
  if (root.vmsdName !== undefined) return [{ name, instance_id, ...structKeys(root, form) }];
  const [body] = root.children;
  const isOldStyle = root.children.length === 1 && (body?.name === 'data' || body?.name === 'SECTION_FULL');
  if (!body || !isOldStyle) return [];
  const size = rangeLength({ start: body.start, end: body.end });
  return [{ name, instance_id, size, fields: [{ name: 'data', size, type: 'buffer' }] }];
}

/** What describes a struct, or a subsection. */
export function structKeys(struct: StructNode, form: VmdescForm): JsonObject {
  const fields: JsonValue[] = [];
  const subsections: JsonValue[] = [];
  for (const child of struct.children) {
    if (child.kind === 'struct' && child.type === 'subsection') subsections.push(structKeys(child, form));
    else if (child.type !== 'subsection header' && child.kind !== 'gap' && child.name !== '(more)')
      fields.push(...fieldEntries(child, form));
  }
  const keys = { vmsd_name: struct.vmsdName ?? '', version: struct.versionId ?? 0, fields };
  return subsections.length > 0 ? { ...keys, subsections } : keys;
}

/** What describes a field: several entries where elements of an array are described each for itself. */
export function fieldEntries(node: LayoutNode, form: VmdescForm): JsonObject[] {
  if (node.kind !== 'array') return [fieldEntry(String(node.name), {}, node, form)];
  const name = String(node.name);
  if (node.described === 'markers')
    return [...childrenOf(node)].map((child) => fieldEntry(name, {}, child, form));
  if (node.described === 'pointers' && form.nullPointer !== 'first-element') return pointerParts(node, form);
  const entries: JsonObject[] = [];
  for (const child of childrenOf(node)) {
    if (node.described !== 'each') return [fieldEntry(name, { array_len: node.length }, child, form)];
    // QEMU 10 takes the elements that are left for the length, so that the last one seems to be no array; 11 shows
    // no index at all.
    const isLast = entries.length === node.length - 1;
    const hasIndex = form.nullPointer === 'first-element' || (form.nullPointer === 'nullptr' && !isLast);
    entries.push(fieldEntry(name, hasIndex ? { index: child.name } : {}, child, form));
  }
  return entries;
}

/**
 * Parts of a pointer array between NULL and not NULL. The first part of one that does not begin with NULL is described
 * with the length of the whole array: QEMU only looks for the end of a part where NULL and not NULL change, and takes
 * the element before the first for not NULL.
 */
function pointerParts(node: ArrayNode, form: VmdescForm): JsonObject[] {
  const elements = [...childrenOf(node)];
  const isNull = (element: LayoutNode | undefined) =>
    element?.kind === 'leaf' && NULL_POINTER_TYPES.has(element.type);
  const entries: JsonObject[] = [];
  for (let i = 0; i < elements.length; ) {
    let end = i + 1;
    while (end < elements.length && isNull(elements[end]) === isNull(elements[i])) end++;
    const length = i === 0 && !isNull(elements[0]) ? elements.length : end - i;
    const keys = length > 1 ? { array_len: length } : {};
    entries.push(fieldEntry(String(node.name), keys, elements[i]!, form));
    i = end;
  }
  return entries;
}

function fieldEntry(name: string, array: JsonObject, node: LayoutNode, form: VmdescForm): JsonObject {
  const size = rangeLength({ start: node.start, end: node.end });
  if (node.kind === 'leaf' && NULL_POINTER_TYPES.has(node.type)) {
    return form.nullPointer === 'first-element'
      ? { name, ...array, type: 'struct', struct: {}, size }
      : { name, ...array, type: form.nullPointer, size };
  }
  if (node.kind === 'struct' && node.type === 'struct') {
    return { name, ...array, type: 'struct', struct: structKeys(node, form), size };
  }
  if (node.kind === 'struct' && (node.type === 'vstruct' || node.type === 'tmp')) {
    return { name, ...array, type: node.type, ...structKeys(node, form), size };
  }
  // Infos that walk a VMSD put its keys into their own entry; of a list those of the last element are left.
  if (node.kind === 'struct' && COLLECTIONS.has(node.type)) {
    const last = node.children.findLast((child) => child.kind === 'struct');
    const element =
      last && node.type === 'gtree' ? last.children.findLast((child) => child.kind === 'struct') : last;
    return { name, ...array, type: node.type, ...(element ? structKeys(element, form) : {}), size };
  }
  return { name, ...array, type: node.type, size };
}
