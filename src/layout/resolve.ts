import { type PathComponent, printable } from '../bytes/diagnostic.ts';
import { hexOffset, type Range } from '../bytes/range.ts';
import { decodeText } from '../bytes/window.ts';
import type { DescribedElement, Infos } from '../infos/info.ts';
import {
  type FieldSchema,
  type StructSchema,
  structLength,
  subsectionHeaderLength,
} from '../schema/schema.ts';
import { QEMU_VM_SUBSECTION } from '../stream/records.ts';
import { gap, type ResolveContext } from './context.ts';
import type { ArrayNode, LayoutNode, LeafNode, NodePlace, Shape, ShapeMember, StructNode } from './node.ts';
import { NULL_POINTER_MARKER, OBJECT_POINTER_MARKER, resolvePointerArray } from './pointer-array.ts';
import { scalarTypes } from './scalars.ts';
import type { SectionBytes } from './section-bytes.ts';

/**
 * Resolves a struct over `[start, end)` (absolute offsets within the section's bytes). Total: the result's leaves and
 * gaps tile the range. Where bytes and description disagree, what follows in this struct is a gap, with a diagnostic.
 */
export function resolveStruct(context: ResolveContext, struct: StructSchema, at: NodePlace): StructNode {
  const children: LayoutNode[] = [];
  let start = resolveFields(context, struct, children, at);
  if (start !== undefined)
    start = resolveSubsections(context, struct.subsections, children, { start, end: at.end });
  const reached = start ?? children.at(-1)?.end ?? at.start;
  if (reached < at.end) {
    if (start !== undefined) {
      const left = at.end - reached;
      context.report({
        severity: 'error',
        code: 'vmdesc-mismatch',
        message: `${left} byte${left === 1 ? '' : 's'} more than the description accounts for`,
        range: { start: reached, end: at.end },
        path: context.path,
      });
    }
    children.push(gap(context, start === undefined ? 'undecoded' : 'undescribed', reached, at.end));
  }
  const { vmsdName, versionId } = struct;
  return {
    kind: 'struct',
    name: at.name,
    type: at.type,
    start: at.start,
    end: at.end,
    vmsdName,
    versionId,
    children,
  };
}

/** Resolves the fields in turn. The offset behind the last one, or undefined when the rest cannot be placed. */
function resolveFields(
  context: ResolveContext,
  struct: StructSchema,
  children: LayoutNode[],
  at: Range,
): number | undefined {
  const { fields } = struct;
  const lengths = new FieldLengths(struct);
  let start = at.start;
  for (let i = 0; i < fields.length; ) {
    const left = at.end - start;
    const scalar = left >= fields[i]!.size ? resolveLoneScalar(context, fields, i, start) : undefined;
    if (scalar) {
      children.push(scalar);
      start = scalar.end;
      i++;
      continue;
    }
    const run = correctPointerRun(arrayRun(fields, i), lengths, at);
    const path = [...context.path, fields[i]!.name];
    const here = { ...context, path };
    const length = run.reduce((sum, field) => sum + field.size * (field.arrayLength ?? 1), 0);
    const pointers =
      run.length === 1 ? pointerArrayRange(fields[i]!, lengths, i, { start, end: at.end }) : undefined;
    if (pointers) {
      children.push(...resolvePointerArray(here, struct, fields[i]!, pointers));
      start = pointers.end;
    } else if (length > left && !isVariable(fields[i]!)) {
      const message = `${printable(fields[i]!.type)} needs ${length} bytes by its description, ${left} are left`;
      context.report({
        severity: 'error',
        code: 'vmdesc-mismatch',
        message,
        range: { start, end: at.end },
        path,
      });
      if (run.length === 1) resolvePartialField(here, fields[i]!, { start, end: at.end }, children);
      return undefined;
    } else {
      const node = resolveRun(here, run, { start, end: at.end });
      children.push(node);
      start = node.end;
    }
    i += run.length;
  }
  return start;
}

/** How many bytes a struct takes by its description, added up once, where that is asked for. */
class FieldLengths {
  readonly #struct: StructSchema;
  #behind: Float64Array | undefined;

  constructor(struct: StructSchema) {
    this.#struct = struct;
  }

  /** All of it, with its subsections. */
  get total(): number {
    return this.behind(-1);
  }

  /** What is behind the field with an index. */
  behind(index: number): number {
    this.#behind ??= this.#addUp();
    return this.#behind[index + 1]!;
  }

  #addUp(): Float64Array {
    const { fields } = this.#struct;
    const behind = new Float64Array(fields.length + 1);
    behind[fields.length] = structLength({ ...this.#struct, fields: [] });
    for (let i = fields.length - 1; i >= 0; i--) {
      const { size, arrayLength = 1 } = fields[i]!;
      behind[i] = behind[i + 1]! + size * arrayLength;
    }
    return behind;
  }
}

/** A field that is one number, as most are: so it is told apart before there is a path, a context and a run for it. */
function resolveLoneScalar(
  { section }: ResolveContext,
  fields: readonly FieldSchema[],
  i: number,
  start: number,
): LeafNode | undefined {
  const field = fields[i]!;
  const isLone =
    field.arrayLength === undefined && field.index === undefined && fields[i + 1]?.name !== field.name;
  return isLone ? resolveScalar(section, field, field.name, start) : undefined;
}

/** A value of a base type; undefined for other types, and where the size is not the type's. */
function resolveScalar(
  { view, base }: SectionBytes,
  { type, size }: FieldSchema,
  name: PathComponent,
  start: number,
): LeafNode | undefined {
  const scalar = scalarTypes.get(type);
  if (scalar?.size !== size) return undefined;
  return { kind: 'leaf', name, type, start, end: start + size, value: scalar.read(view, start - base) };
}

/** Of a struct or array that is cut short, as much as there is; a leaf that is cut short is left to the gap. */
function resolvePartialField(
  context: ResolveContext,
  field: FieldSchema,
  at: Range,
  children: LayoutNode[],
): void {
  const quiet = silent(context);
  const { name, type, size } = field;
  if (field.arrayLength !== undefined && size > 0) {
    const whole = Math.floor((at.end - at.start) / size);
    if (whole > 0) children.push(resolveArray(quiet, field, whole, at.start));
  } else if (type === 'struct' && field.struct && at.end > at.start) {
    children.push(resolveStruct(quiet, field.struct, { name, type, ...at }));
  }
}

/** Fields from `i` on that are one array: elements with an index, or parts that QEMU split around NULL pointers. */
function arrayRun(fields: readonly FieldSchema[], i: number): readonly FieldSchema[] {
  const { name } = fields[i]!;
  let end = i + 1;
  while (end < fields.length && fields[end]!.name === name) end++;
  return fields.slice(i, end);
}

const MAX_SHAPE_DEPTH = 16;

/** The type of NULL elements where they are described as such: of QEMU 10, and of 11. */
const NULL_POINTER_TYPES: ReadonlySet<string> = new Set(['nullptr', 'ptr-marker']);

/**
 * Parts of a pointer array that does not begin with NULL, but has NULL elements: QEMU from 10.0 to at least 11.1
 * describes its first part with the length of the whole array (migration/vmstate.c, vmstate_save_state_v looks for the
 * end of a part only where NULL and not NULL change, with NULL not having been before the first). Seen by the struct
 * being too long by what the other parts are counted for twice.
 */
function correctPointerRun(
  run: readonly FieldSchema[],
  lengths: FieldLengths,
  at: Range,
): readonly FieldSchema[] {
  const [first, ...others] = run;
  if (first?.arrayLength === undefined || !NULL_POINTER_TYPES.has(others[0]?.type ?? '')) return run;
  const excess = lengths.total - (at.end - at.start);
  const counted = others.reduce((sum, field) => sum + (field.arrayLength ?? 1), 0);
  if (excess !== counted * first.size || counted >= first.arrayLength) return run;
  return [{ ...first, arrayLength: first.arrayLength - counted }, ...others];
}

/** Types whose elements say their own length, so that `size` is only that of the first. */
function isVariable(field: FieldSchema): boolean {
  return field.type === 'capability';
}

function resolveRun(context: ResolveContext, run: readonly FieldSchema[], at: Range): LayoutNode {
  const first = run[0]!;
  if (run.length === 1 && first.index === undefined) {
    if (first.arrayLength === undefined) return resolveElement(context, first, first.name, at.start, at.end);
    if (!isVariable(first)) return resolveArray(context, first, first.arrayLength, at.start);
  }
  const children: LayoutNode[] = [];
  let start = at.start;
  let index = 0;
  for (const field of run) {
    // Without bytes there is nothing to show of elements, however many are claimed.
    const length = field.size === 0 && !isVariable(field) ? 0 : (field.arrayLength ?? 1);
    for (let i = 0; i < length; i++) {
      if (isVariable(field) && start >= at.end) break;
      const here = { ...context, path: [...context.path, index] };
      const element = resolveElement(here, field, index, start, at.end);
      children.push(element);
      // The marker of an element that is not NULL stands before it and is no element of its own.
      if (!isObjectMarker(context.section, element)) index++;
      start = element.end;
    }
  }
  return {
    kind: 'array',
    name: first.name,
    type: children[0]?.type ?? first.type,
    start: at.start,
    end: start,
    length: index,
    elements: children,
  };
}

/** QEMU 11: each element of some pointer arrays has a marker, `'1'` where a struct follows. */
function isObjectMarker(section: SectionBytes, { type, start }: LayoutNode): boolean {
  return type === 'ptr-marker' && section.bytes[start - section.base] === OBJECT_POINTER_MARKER;
}

/** An array of equal elements. Problems of the description are told of the first one. */
function resolveArray(context: ResolveContext, field: FieldSchema, length: number, start: number): ArrayNode {
  const { name, type, size } = field;
  // Without bytes there is nothing to show of elements, however many are claimed.
  const count = size === 0 ? 0 : length;
  const array = { kind: 'array', name, type, start, end: start + count * size, length } as const;
  const shape = shapeOfField(field, context.infos);
  if (shape && count > 0) {
    const { bytes, base } = context.section;
    return { ...array, elements: { shape, count, start, bytes, pos: start - base } };
  }
  const elements: LayoutNode[] = [];
  for (let i = 0; i < count; i++) {
    const here = i === 0 ? { ...context, path: [...context.path, 0] } : silent(context);
    elements.push(resolveElement(here, field, i, start + i * size, start + (i + 1) * size));
  }
  return { ...array, elements };
}

/** What all values of a field look like; undefined where bytes have a say in it, or the description is wrong. */
function shapeOfField({ type, size, struct }: FieldSchema, infos: Infos, depth = 0): Shape | undefined {
  const scalar = scalarTypes.get(type);
  if (scalar) return scalar.size === size ? { kind: 'scalar', type, size } : undefined;
  if (type !== 'struct' || !struct || depth > MAX_SHAPE_DEPTH) {
    const info = infos.get(type);
    const isOpened = struct !== undefined || info?.open || info?.read;
    return isOpened || type === 'struct' || type === 'vstruct' ? undefined : { kind: 'bytes', type, size };
  }
  if (struct.subsections.length > 0 || struct.fields.length === 0) return undefined;
  const members: ShapeMember[] = [];
  let pos = 0;
  for (const [i, field] of struct.fields.entries()) {
    if (field.index !== undefined || struct.fields[i + 1]?.name === field.name) return undefined;
    const element = shapeOfField(field, infos, depth + 1);
    if (!element) return undefined;
    const { arrayLength: length } = field;
    const isArray = length !== undefined;
    const array = { kind: 'array', size: element.size * (length ?? 1), length: length ?? 1 } as const;
    const shape: Shape = isArray ? { ...array, described: undefined, element } : element;
    if (isArray && (element.size === 0 || length === 0)) return undefined;
    members.push({ name: field.name, pos, shape });
    pos += shape.size;
  }
  const { vmsdName, versionId } = struct;
  return pos === size ? { kind: 'struct', type, size, vmsdName, versionId, members } : undefined;
}

/** One value or struct at `start`; for a type of variable length `limit` bounds it. */
function resolveElement(
  context: ResolveContext,
  field: FieldSchema,
  name: PathComponent,
  start: number,
  limit: number,
): LayoutNode {
  const { section } = context;
  const { type, size, struct } = field;
  const end = start + size;
  const pos = start - section.base;
  const leaf = resolveScalar(section, field, name, start);
  if (leaf) return leaf;
  const scalar = scalarTypes.get(type);
  if (scalar) {
    context.report({
      severity: 'error',
      code: 'vmdesc-mismatch',
      message: `${type} is described with ${size} bytes, it has ${scalar.size}`,
      range: { start, end },
      path: context.path,
    });
    return { ...gap(context, 'undecoded', start, end), name };
  }
  if (type === 'struct') {
    if (struct?.fields.length === 0 && struct.vmsdName === undefined && isNullPointer(section, start, size)) {
      return { kind: 'leaf', name, type: 'nullptr', start, end, value: section.bytes.subarray(pos, pos + 1) };
    }
    if (struct) return resolveStruct(context, struct, { name, type, start, end });
  }
  const codec = context.infos.get(type)?.open;
  if (codec) {
    const at = { name, type, start, end: isVariable(field) ? limit : end };
    const element: DescribedElement | undefined = struct && {
      struct,
      resolve: (path, place) => resolveStruct({ ...context, path }, struct, place),
    };
    const node = codec(context, at, element);
    if (node) return node;
    if (isVariable(field)) return { ...gap(context, 'undecoded', start, limit), name };
  }
  const read = codec || size === 0 ? undefined : context.readInfo(context, { name, type, start, end });
  if (read) return read;
  const value = section.bytes.subarray(pos, pos + size);
  if (!codec && struct && structLength(struct) === size) {
    const node = resolveStruct(context, struct, { name, type, start, end });
    return type === 'vstruct' ? node : { ...node, value };
  }
  return { kind: 'leaf', name, type, start, end, value };
}

function isNullPointer(section: SectionBytes, start: number, size: number): boolean {
  return size === 1 && section.bytes[start - section.base] === NULL_POINTER_MARKER;
}

/**
 * The range of a pointer array that begins with NULL in a blob of QEMU before 10.0: there all elements are described
 * by the first, as a struct without fields, whatever they are. Such an array ends where the fields behind it begin.
 */
function pointerArrayRange(
  field: FieldSchema,
  lengths: FieldLengths,
  index: number,
  at: Range,
): Range | undefined {
  const isMislabelled =
    field.type === 'struct' &&
    field.arrayLength !== undefined &&
    field.size === 1 &&
    field.struct?.fields.length === 0;
  if (!isMislabelled) return undefined;
  const end = at.end - lengths.behind(index);
  return end - at.start >= field.arrayLength ? { start: at.start, end } : undefined;
}

function resolveSubsections(
  context: ResolveContext,
  subsections: readonly StructSchema[],
  children: LayoutNode[],
  at: Range,
): number | undefined {
  let { start } = at;
  for (const subsection of subsections) {
    const name = subsection.vmsdName ?? '';
    const path = [...context.path, name];
    const found = readSubsectionHeader(context.section, start, at.end);
    if (found?.name !== name) {
      const what = found ? `subsection ${printable(found.name)}` : 'no subsection header';
      context.report({
        severity: 'error',
        code: 'vmdesc-mismatch',
        message: `${what} at ${hexOffset(start)}, where the description has ${printable(name)}`,
        range: { start, end: at.end },
        path,
      });
      return undefined;
    }
    const headerEnd = start + subsectionHeaderLength(subsection);
    const length = structLength(subsection);
    const end = Math.min(headerEnd + length, at.end);
    if (headerEnd + length > at.end) {
      context.report({
        severity: 'error',
        code: 'vmdesc-mismatch',
        message: `the subsection needs ${length} bytes by its description, ${at.end - headerEnd} are left`,
        range: { start, end: at.end },
        path,
      });
    }
    if (subsection.versionId !== undefined && subsection.versionId !== found.versionId) {
      context.report({
        severity: 'error',
        code: 'vmdesc-mismatch',
        message: `version ${found.versionId} in the stream, ${subsection.versionId} in the description`,
        range: { start, end },
        path,
      });
    }
    const quiet = end < headerEnd + length ? silent(context) : context;
    const body = resolveStruct({ ...quiet, path }, subsection, {
      name,
      type: 'subsection',
      start: headerEnd,
      end,
    });
    children.push({
      ...body,
      start,
      versionId: found.versionId,
      children: [subsectionHeader(context.section, start, headerEnd), ...body.children],
    });
    start = end;
    if (end < headerEnd + length) return undefined;
  }
  return start;
}

function subsectionHeader(section: SectionBytes, start: number, end: number): LayoutNode {
  const value = section.bytes.subarray(start - section.base, end - section.base);
  return { kind: 'leaf', name: SUBSECTION_HEADER, type: 'subsection header', start, end, value };
}

/** Name of the leaf that holds a subsection's own header: type byte, len8 and name, u32 version. */
export const SUBSECTION_HEADER = '(header)';

/** Reads a subsection header at `start`, if there is one before `end`. */
export function readSubsectionHeader(
  section: SectionBytes,
  start: number,
  end: number,
): { name: string; versionId: number; end: number } | undefined {
  const { bytes, view, base } = section;
  const pos = start - base;
  if (start + 2 > end || bytes[pos] !== QEMU_VM_SUBSECTION) return undefined;
  const length = bytes[pos + 1]!;
  if (start + 2 + length + 4 > end) return undefined;
  const name = decodeText(bytes.subarray(pos + 2, pos + 2 + length));
  return { name, versionId: view.getUint32(pos + 2 + length), end: start + 6 + length };
}

/** The same place, without diagnostics: for what has been reported already. */
function silent(context: ResolveContext): ResolveContext {
  return { ...context, report: () => {} };
}
