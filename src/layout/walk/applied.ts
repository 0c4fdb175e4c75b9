import { type PathComponent, printable } from '../../bytes/diagnostic.ts';
import { hexOffset } from '../../bytes/range.ts';
import { NULL_POINTER_MARKER, OBJECT_POINTER_MARKER } from '../../schema/known-infos.ts';
import { type CompiledField, type CompiledVmsd, elementType } from '../../vmsd/compiled.ts';
import { scalarTypes } from '../../vmsd/scalars.ts';
import {
  type ElementsFrame,
  type Frame,
  NO_PLACE,
  openedFrame,
  type StructFrame,
  type SubsectionsFrame,
  structFrame,
} from './frames.ts';
import type { Run, WalkSink } from './outcome.ts';
import { readSubsectionHeader, SUBSECTION_HEADER } from './subsection-header.ts';
import { shapeOf } from './uniform.ts';
import { bytesAt, type WalkContext } from './walk-context.ts';

/** Info whose values say their own lengths, so that a vmdesc knows that of the first one only. */
const VARIABLE = 'capability';

/**
 * One step through a struct of an applied VMSD: what is in it is known, and so where it ends. Total: where the bytes are
 * not what it says, what follows in the struct is a gap, with a diagnostic, and the walk goes on behind it.
 */
export function stepAppliedStruct(
  context: WalkContext,
  run: Run,
  frame: StructFrame,
  sink: WalkSink | undefined,
): undefined {
  const { vmsd, parent, depth, place } = frame;
  const end = frame.end ?? context.end;
  if (frame.isBroken) return abandon(run, 'undecoded', end, parent, sink);
  const index = loadPlainFields(context, run, frame, end, sink);
  const field = vmsd.fields[index];
  if (!field) {
    const isQuiet = frame.isQuiet ?? false;
    run.frame = { kind: 'subsections', vmsd, place, parent, depth, end, index: 0, isQuiet };
    return undefined;
  }
  const next: StructFrame = { ...frame, field: index + 1 };
  const applied = field.applied!;
  if (applied.nullFirst && loadNullFirst(context, run, next, field, end, sink)) return undefined;
  const left = end - run.offset;
  const { parts, length } = applied;
  const count = countOf(field);
  const wanted = parts ? length : length * count;
  if (wanted > left && !isVariable(field)) {
    const message = `${printable(elementType(field))} needs ${wanted} bytes by its description, ${left} are left`;
    report(context, frame, sink, message, run.offset, end, [field.name]);
    return loadPart(context, run, { ...frame, isBroken: true }, field, end, sink);
  }
  if (parts || isArray(field)) {
    openElements(context, run, next, field, count, false, sink);
    return undefined;
  }
  run.frame = next;
  return loadElement(context, run, field, field.name, end, frame.isQuiet ?? false, sink);
}

/** Loads fields that are one number each, as far as there are any. The number of the next field. */
function loadPlainFields(
  { section }: WalkContext,
  run: Run,
  { vmsd, field: first }: StructFrame,
  end: number,
  sink: WalkSink | undefined,
): number {
  const { view, base } = section;
  for (let index = first; ; index++) {
    const field = vmsd.fields[index];
    const plain = field?.plain;
    const start = run.offset;
    if (!plain || start + plain.scalar.size > end) return index;
    run.offset += plain.scalar.size;
    sink?.leaf(field.name, plain.info, start, run.offset, plain.scalar.read(view, start - base));
  }
}

function isVariable({ element }: CompiledField): boolean {
  return element.kind === 'info' && element.info === VARIABLE;
}

function isArray({ count }: CompiledField): boolean {
  return count.kind === 'fixed' && count.array;
}

/** What is left of a struct is a gap. */
function abandon(
  run: Run,
  type: string,
  end: number,
  parent: Frame | undefined,
  sink: WalkSink | undefined,
): undefined {
  if (run.offset < end) sink?.gap(type, run.offset, end);
  run.offset = end;
  run.frame = parent;
}

function report(
  { mode }: WalkContext,
  { isQuiet }: { readonly isQuiet?: boolean },
  sink: WalkSink | undefined,
  message: string,
  start: number,
  end: number,
  below: readonly PathComponent[] = [],
): void {
  if (isQuiet || !sink) return;
  const range = { start, end };
  const at = [...sink.path, ...below];
  mode.applied?.report({ severity: 'error', code: 'vmdesc-mismatch', message, range, path: at });
}

/** Of a struct or array that is cut short, as much as there is; a leaf that is cut short is left to the gap. */
function loadPart(
  context: WalkContext,
  run: Run,
  broken: StructFrame,
  field: CompiledField,
  end: number,
  sink: WalkSink | undefined,
): undefined {
  const { length, parts } = field.applied!;
  const left = end - run.offset;
  run.frame = broken;
  if (parts) return undefined;
  if (isArray(field)) {
    const whole = length > 0 ? Math.floor(left / length) : 0;
    if (whole > 0) openElements(context, run, broken, field, whole, true, sink);
  } else if (field.element.kind === 'struct' && left > 0) {
    const { type, vmsd } = field.element;
    openStruct(run, broken, field.name, type, vmsd, end, true, sink);
  }
  return undefined;
}

/**
 * An array of pointers of which a vmdesc only says that the first is NULL. NULL elements are one marker byte each;
 * the others are structs that are known from elsewhere, or not. It ends where the fields behind it begin. False where
 * that leaves too few bytes.
 */
function loadNullFirst(
  context: WalkContext,
  run: Run,
  next: StructFrame,
  field: CompiledField,
  structEnd: number,
  sink: WalkSink | undefined,
): boolean {
  const { behind, nullFirst } = field.applied!;
  const others = nullFirst?.others;
  const count = countOf(field);
  const start = run.offset;
  const end = structEnd - behind;
  if (end - start < count) return false;
  const { bytes, base } = context.section;
  const isNull = (offset: number) => bytes[offset - base] === NULL_POINTER_MARKER;
  let nulls = 0;
  while (nulls < count && start + nulls < end && isNull(start + nulls)) nulls++;
  let elements = 0;
  let offset = start;
  while (elements < count && offset < end && (isNull(offset) || others)) {
    offset += isNull(offset) ? 1 : others!.applied!.length;
    elements++;
  }
  if (offset === end && elements === count) {
    openElements(context, run, next, others ?? field, count, false, sink, true);
    return true;
  }
  // Only the leading NULL elements are sure.
  const sure = start + nulls;
  if (!next.isQuiet && sink) {
    context.mode.applied?.report({
      severity: 'warning',
      code: 'vmdesc-incomplete',
      message: 'QEMU before 10.0 does not describe the elements of a pointer array that begins with NULL',
      range: { start: sure, end },
      path: [...sink.path, field.name],
    });
  }
  if (nulls > 0) {
    sink?.openArray(field.name, 'nullptr', start, nulls);
    for (let i = 0; i < nulls; i++)
      sink?.leaf(i, 'nullptr', start + i, start + i + 1, bytesAt(context, start + i, 1));
    sink?.close(sure);
  }
  if (sure < end) sink?.gap('undescribed', sure, end);
  run.offset = end;
  run.frame = next;
  return true;
}

/** Begins an array: all of it at once where all elements look alike. `parent` comes behind it. */
function openElements(
  context: WalkContext,
  run: Run,
  parent: StructFrame,
  field: CompiledField,
  claimed: number,
  isQuiet: boolean,
  sink: WalkSink | undefined,
  isOfPointers = false,
): void {
  const { end: structEnd = context.end, depth, versionId, place } = parent;
  const { length, parts } = field.applied!;
  const start = run.offset;
  sink?.openArray(field.name, elementType(field), start, claimed, field.described);
  run.frame = { kind: 'close', parent, depth };
  // Without bytes there is nothing to show of elements, however many are claimed.
  if (!parts && length === 0 && !isVariable(field)) return;
  const shape =
    parts || isOfPointers || isVariable(field) ? undefined : shapeOf(field, context.surroundings.infos);
  if (shape) {
    const { bytes, base } = context.section;
    sink?.elements({ shape, count: claimed, start, bytes, pos: start - base });
    run.offset += claimed * length;
    return;
  }
  run.frame = {
    kind: 'elements',
    field,
    versionId,
    base: place,
    size: 0,
    index: 0,
    count: claimed,
    depth,
    end: structEnd,
    isQuiet: isQuiet || (parent.isQuiet ?? false),
    part: 0,
    ofPart: 0,
    isOfPointers,
    parent: run.frame,
  };
}

/** One element of an array of an applied VMSD. */
export function stepAppliedElements(
  context: WalkContext,
  run: Run,
  frame: ElementsFrame,
  sink: WalkSink | undefined,
): undefined {
  const { field, index, parent, part = 0, ofPart = 0, isQuiet = false } = frame;
  const end = frame.end ?? context.end;
  const isParted = field.applied!.parts !== undefined;
  const parts = field.applied!.parts ?? [field];
  const current = parts[part];
  if (!current) {
    if (isParted || isVariable(field)) sink?.setLength(index);
    run.frame = parent;
    return undefined;
  }
  const { length } = current.applied!;
  const count = isParted ? countOf(current) : frame.count;
  const isOver = ofPart >= count || (isVariable(current) ? run.offset >= end : length === 0);
  if (isOver) {
    run.frame = { ...frame, part: part + 1, ofPart: 0 };
    return undefined;
  }
  // The marker of an element that is not NULL stands before it and is no element of its own.
  const isMarker =
    elementType(current) === 'ptr-marker' &&
    context.section.bytes[run.offset - context.section.base] === OBJECT_POINTER_MARKER;
  // What is wrong with elements of one description is told of the first.
  const isTold = isQuiet || (!isParted && !isVariable(field) && index > 0);
  run.frame = { ...frame, index: isMarker ? index : index + 1, ofPart: ofPart + 1 };
  if (frame.isOfPointers && bytesAt(context, run.offset, 1)[0] === NULL_POINTER_MARKER) {
    sink?.leaf(index, 'nullptr', run.offset, run.offset + 1, bytesAt(context, run.offset, 1));
    run.offset++;
    return undefined;
  }
  return loadElement(context, run, current, index, end, isTold, sink);
}

function countOf({ count }: CompiledField): number {
  return count.kind === 'fixed' ? count.count : 1;
}

/** One value or struct; `limit` bounds a type of variable length. `run.frame` is what comes behind it. */
function loadElement(
  context: WalkContext,
  run: Run,
  { applied, element }: CompiledField,
  name: PathComponent,
  limit: number,
  isQuiet: boolean,
  sink: WalkSink | undefined,
): undefined {
  const { section } = context;
  const { length } = applied!;
  const start = run.offset;
  const end = start + length;
  const pos = start - section.base;
  const parent = run.frame!;
  if (element.kind === 'struct') {
    const { type, vmsd } = element;
    const isNull = vmsd.fields.length === 0 && vmsd.applied?.vmsdName === undefined && length === 1;
    if (isNull && section.bytes[pos] === NULL_POINTER_MARKER) {
      run.offset = end;
      sink?.leaf(name, 'nullptr', start, end, section.bytes.subarray(pos, pos + 1));
    } else openStruct(run, parent, name, type, vmsd, end, isQuiet, sink);
    return undefined;
  }
  const { info, vmsd } = element;
  const scalar = scalarTypes.get(info);
  if (scalar) {
    run.offset = end;
    if (scalar.size === length) sink?.leaf(name, info, start, end, scalar.read(section.view, pos));
    else {
      const message = `${info} is described with ${length} bytes, it has ${scalar.size}`;
      report(context, { isQuiet }, sink, message, start, end, [name]);
      sink?.gap('undecoded', start, end, name);
    }
    return undefined;
  }
  if (info === VARIABLE) return loadVariable(context, run, name, limit, isQuiet, sink);
  const codec = context.surroundings.infos.get(info)?.open;
  const read =
    codec || length === 0 || !sink
      ? undefined
      : context.mode.applied?.readInfo({ name, type: info, start, end }, vmsd, [...sink.path, name], isQuiet);
  if (read) {
    run.offset = end;
    sink?.node(read);
  } else if (!codec && vmsd && vmsd.applied?.length === length) {
    openStruct(run, parent, name, info, vmsd, end, isQuiet, sink);
  } else {
    run.offset = end;
    sink?.leaf(name, info, start, end, section.bytes.subarray(pos, pos + length));
  }
  return undefined;
}

/** A value that says its own length, or a gap up to `limit` where that is more than there is. */
function loadVariable(
  context: WalkContext,
  run: Run,
  name: PathComponent,
  limit: number,
  isQuiet: boolean,
  sink: WalkSink | undefined,
): undefined {
  const start = run.offset;
  const [length] = bytesAt(context, start, 1);
  if (length === undefined || start + 1 + length > limit) {
    const message = 'the name of a capability is longer than what is left';
    report(context, { isQuiet }, sink, message, start, limit, [name]);
    run.offset = limit;
    sink?.gap('undecoded', start, limit, name);
  } else {
    run.offset = start + 1 + length;
    sink?.leaf(name, VARIABLE, start, run.offset, bytesAt(context, start, 1 + length));
  }
}

function openStruct(
  run: Run,
  parent: Frame,
  name: PathComponent,
  type: string,
  vmsd: CompiledVmsd,
  end: number,
  isQuiet: boolean,
  sink: WalkSink | undefined,
): void {
  const { versionId } = vmsd;
  sink?.open(name, type, run.offset, vmsd, versionId);
  run.frame = openedFrame(parent, vmsd, versionId, NO_PLACE, parent.depth, { end, isQuiet });
}

/** One subsection of an applied VMSD, which must be there, or the end of its struct. */
export function stepAppliedSubsections(
  context: WalkContext,
  run: Run,
  frame: SubsectionsFrame,
  sink: WalkSink | undefined,
): undefined {
  const { vmsd, parent, index = 0, isQuiet = false, depth, place } = frame;
  const end = frame.end ?? context.end;
  const start = run.offset;
  const subsection = vmsd.subsections[index];
  if (!subsection) {
    const left = end - start;
    if (left > 0) {
      const message = `${left} byte${left === 1 ? '' : 's'} more than the description accounts for`;
      report(context, frame, sink, message, start, end);
    }
    return abandon(run, 'undescribed', end, parent, sink);
  }
  const { name, applied } = subsection;
  const found = readSubsectionHeader(context.section, start, end);
  if (found?.name !== name) {
    const what = found ? `subsection ${printable(found.name)}` : 'no subsection header';
    const message = `${what} at ${hexOffset(start)}, where the description has ${printable(name)}`;
    report(context, frame, sink, message, start, end, [name]);
    return abandon(run, 'undecoded', end, parent, sink);
  }
  const { versionId } = found;
  const { length } = applied!;
  const isCut = found.end + length > end;
  const subsectionEnd = Math.min(found.end + length, end);
  if (isCut) {
    const message = `the subsection needs ${length} bytes by its description, ${end - found.end} are left`;
    report(context, frame, sink, message, start, end, [name]);
  }
  if (applied!.versionId !== undefined && applied!.versionId !== versionId) {
    const message = `version ${versionId} in the stream, ${applied!.versionId} in the description`;
    report(context, frame, sink, message, start, subsectionEnd, [name]);
  }
  const after: Frame = isCut
    ? structFrame(parent, vmsd, versionId, place, depth, { end, isBroken: true })
    : { ...frame, index: index + 1 };
  sink?.open(name, 'subsection', start, subsection, versionId);
  sink?.leaf(
    SUBSECTION_HEADER,
    'subsection header',
    start,
    found.end,
    bytesAt(context, start, found.end - start),
  );
  run.offset = found.end;
  run.frame = openedFrame(after, subsection, versionId, place, depth, {
    end: subsectionEnd,
    isQuiet: isQuiet || isCut,
  });
  return undefined;
}
