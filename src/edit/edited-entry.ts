import { appendTo } from '../bytes/append-to.ts';
import { childrenOf } from '../layout/children.ts';
import type { ArrayNode, LayoutNode, StructNode } from '../layout/node.ts';
import { isSameShape } from '../layout/same-shape.ts';
import { fieldEntries, structKeys, type VmdescForm, vmdescForm } from '../ops/write-vmdesc.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../schema/vmdesc.ts';

/**
 * The entry of a device, or of a struct in it, as it is with changes: what has the shape that it had keeps the words that
 * QEMU has described it with, array elements that are described each for itself among them. All else is described anew.
 */
export function editedEntry(
  own: JsonObject,
  before: StructNode,
  after: StructNode,
  form: VmdescForm,
): JsonObject {
  const { subsections: ownSubsections, ...rest } = own;
  const described = queues(runsOfNames(objectsOf(own['fields'])), ([first]) => String(first?.['name']));
  const shown = queues(before.children.filter(isField), ({ name }) => String(name));
  const subsections = queues(objectsOf(ownSubsections), (each) => String(each['vmsd_name']));
  const fields: JsonObject[] = [];
  const newSubsections: JsonValue[] = [];
  for (const child of after.children) {
    if (child.kind === 'struct' && child.type === 'subsection') {
      const entry = subsections.get(child.vmsdName ?? '')?.shift();
      const old = before.children.find(
        (each): each is StructNode => each.kind === 'struct' && each.name === child.name,
      );
      newSubsections.push(entry && old ? editedEntry(entry, old, child, form) : structKeys(child, form));
    } else if (isField(child)) {
      const name = String(child.name);
      const old = shown.get(name)?.shift();
      // Of an array without elements nothing is described.
      const entries = old?.kind === 'array' && old.length === 0 ? undefined : described.get(name)?.shift();
      fields.push(...editedField(entries, old, child, form));
    }
  }
  return {
    ...rest,
    ...(after.versionId === undefined ? {} : { version: after.versionId }),
    fields,
    ...(newSubsections.length > 0 ? { subsections: newSubsections } : {}),
  };
}

/** How QEMU writes what no entry is there for: told by the vmdesc itself, where its QEMU is not known. */
export function formOf(vmdesc: JsonObject, qemuVersion: string | undefined): VmdescForm {
  if (qemuVersion !== undefined) return vmdescForm(qemuVersion);
  const configuration = vmdesc['configuration'] !== undefined;
  const text = JSON.stringify(vmdesc);
  let nullPointer: VmdescForm['nullPointer'] = configuration ? 'ptr-marker' : 'first-element';
  if (text.includes('"type":"ptr-marker"')) nullPointer = 'ptr-marker';
  else if (text.includes('"type":"nullptr"') || isLastUnlike(vmdesc)) nullPointer = 'nullptr';
  else if (text.includes('"index":')) nullPointer = 'first-element';
  return { configuration, nullPointer };
}

/** Is there an array whose elements have their index, all but the last? */
function isLastUnlike(value: JsonValue | undefined): boolean {
  if (Array.isArray(value)) {
    const entries = objectsOf(value);
    const isHere = entries.some((entry, i) => {
      const before = entries[i - 1];
      return (
        before?.['index'] !== undefined && entry['index'] === undefined && before['name'] === entry['name']
      );
    });
    return isHere || value.some(isLastUnlike);
  }
  return isJsonObject(value) && Object.values(value).some(isLastUnlike);
}

function editedField(
  entries: readonly JsonObject[] | undefined,
  before: LayoutNode | undefined,
  after: LayoutNode,
  form: VmdescForm,
): readonly JsonObject[] {
  if (!entries || !before) return fieldEntries(after, form);
  if (isSameShape(before, after)) return entries;
  const [entry] = entries;
  if (!entry) return fieldEntries(after, form);
  const size = after.end - after.start;
  if (before.kind === 'struct' && after.kind === 'struct' && before.type === after.type) {
    const { struct } = entry;
    if (after.type === 'struct' && isJsonObject(struct))
      return [{ ...entry, struct: editedEntry(struct, before, after, form), size }];
    if (after.type === 'vstruct' || after.type === 'tmp')
      return [{ ...editedEntry(entry, before, after, form), size }];
  }
  if (before.kind === 'array' && after.kind === 'array') {
    if (entries.length > 1) return editedElements(entries, before, after, form);
    const [old] = childrenOf(before);
    const elements = [...childrenOf(after)];
    const isFirst = elements.length > 1 && entry['array_len'] === before.length;
    if (isFirst && old && elements.every((each) => isSameShape({ ...old, name: each.name }, each)))
      return [{ ...entry, array_len: after.length }];
  }
  return fieldEntries(after, form);
}

/** Of an array whose elements are described each for itself; the last one may be without its index. */
function editedElements(
  entries: readonly JsonObject[],
  before: ArrayNode,
  after: ArrayNode,
  form: VmdescForm,
): readonly JsonObject[] {
  if (entries.length !== before.length) return fieldEntries(after, form);
  const old = [...childrenOf(before)];
  const elements = [...childrenOf(after)];
  if (old.length !== before.length || elements.length !== after.length) return fieldEntries(after, form);
  return elements.flatMap((element, i) => {
    const model = entries[i] ?? entries[0]!;
    const isLast = i === elements.length - 1;
    const indexed = isLast ? entries.at(-1)! : entries[0]!;
    const named = (node: LayoutNode): LayoutNode => ({ ...node, name: before.name });
    const [made = model] = editedField([model], named(old[i] ?? old[0]!), named(element), form);
    const { name, index: _, array_len: __, ...rest } = made;
    return [{ name: name ?? '', ...(indexed['index'] === undefined ? {} : { index: i }), ...rest }];
  });
}

/** Is it described as a field? */
function isField(node: LayoutNode): boolean {
  return (
    !(node.kind === 'struct' && node.type === 'subsection') &&
    node.type !== 'subsection header' &&
    node.kind !== 'gap' &&
    node.name !== '(more)'
  );
}

function objectsOf(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** Entries of one name that follow each other are of one field. */
function runsOfNames(entries: readonly JsonObject[]): JsonObject[][] {
  const runs: JsonObject[][] = [];
  for (const entry of entries) {
    const last = runs.at(-1);
    if (last && last[0]?.['name'] === entry['name']) last.push(entry);
    else runs.push([entry]);
  }
  return runs;
}

function queues<T>(items: Iterable<T>, nameOf: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) appendTo(found, nameOf(item), item);
  return found;
}
