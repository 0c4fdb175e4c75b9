import { NULL_POINTER_TYPES } from '../schema/known-infos.ts';
import { omittedElement } from '../schema/omitted.ts';
import { type FieldSchema, type StructSchema, structLength } from '../schema/schema.ts';
import type { AppliedField, CompiledField, CompiledVmsd } from './compiled.ts';
import { scalarTypes } from './scalars.ts';

/** The type of NULL elements where they are described as such: of QEMU 10, and of 11. */

/**
 * Compiles what a vmdesc says of a struct that takes `length` bytes in the stream, and sets right what QEMU is known to
 * put wrongly into one:
 *
 * - an array is several fields of one name, where its elements are described one by one or in parts around NULL
 *   pointers, with an index or without;
 * - an array of pointers that begins with NULL is described by that before QEMU 10.0, as structs without fields;
 * - the first part of one that does not begin with NULL has the length of the whole array from 10.0 to at least 11.1.
 */
export function compileVmdesc(struct: StructSchema, length: number): CompiledVmsd {
  const { vmsdName, versionId, subsections } = struct;
  const behind = lengthsBehind(struct);
  return {
    name: vmsdName ?? '',
    versionId: versionId ?? 0,
    minimumVersionId: 0,
    fields: compileFields(struct, behind, length),
    subsections: subsections.map((subsection) => compileVmdesc(subsection, structLength(subsection))),
    preparesSave: false,
    needed: undefined,
    validations: [],
    applied: { vmsdName, versionId, length: behind[0]! },
  };
}

/** Bytes from the field of each number on, with all subsections. */
function lengthsBehind(struct: StructSchema): Float64Array {
  const { fields } = struct;
  const behind = new Float64Array(fields.length + 1);
  behind[fields.length] = structLength({ ...struct, fields: [] });
  for (let i = fields.length - 1; i >= 0; i--) {
    const { size, arrayLength = 1 } = fields[i]!;
    behind[i] = behind[i + 1]! + size * arrayLength;
  }
  return behind;
}

function compileFields(struct: StructSchema, behind: Float64Array, length: number): CompiledField[] {
  const { fields } = struct;
  const compiled: CompiledField[] = [];
  for (let i = 0; i < fields.length; ) {
    const first = fields[i]!;
    let end = i + 1;
    while (end < fields.length && fields[end]!.name === first.name) end++;
    const run = corrected(fields.slice(i, end), behind[0]! - length);
    const rest = behind[end]!;
    if (run.length > 1 || first.index !== undefined) {
      const parts = run.map((part) => compileField(part, { length: part.size, behind: rest }));
      const sum = run.reduce((total, { size, arrayLength = 1 }) => total + size * arrayLength, 0);
      const applied = { length: sum, behind: rest, parts };
      compiled.push({ ...parts[0]!, plain: undefined, described: howDescribed(run), applied });
    } else if (isNullFirst(first)) compiled.push(compileNullFirst(struct, first, rest));
    else compiled.push(compileField(first, { length: first.size, behind: rest }));
    i = end;
  }
  return compiled;
}

/**
 * Parts of a pointer array of which the first has the length of the whole (migration/vmstate.c, vmstate_save_state_v
 * looks for the end of a part only where NULL and not NULL change, with NULL not having been before the first). Seen by
 * the struct being too long by what the other parts are counted for twice.
 */
function corrected(run: readonly FieldSchema[], excess: number): readonly FieldSchema[] {
  const [first, ...others] = run;
  if (first?.arrayLength === undefined || !NULL_POINTER_TYPES.has(others[0]?.type ?? '')) return run;
  const counted = others.reduce((sum, field) => sum + (field.arrayLength ?? 1), 0);
  if (excess !== counted * first.size || counted >= first.arrayLength) return run;
  return [{ ...first, arrayLength: first.arrayLength - counted }, ...others];
}

/** Of an array of several fields: each of its elements is one, or parts of it are. */
function howDescribed(run: readonly FieldSchema[]): CompiledField['described'] {
  if (run.some(({ index }) => index !== undefined)) return 'each';
  return run.some(({ arrayLength }) => arrayLength !== undefined) ? 'pointers' : 'markers';
}

function isNullFirst({ type, arrayLength, size, struct }: FieldSchema): boolean {
  return type === 'struct' && arrayLength !== undefined && size === 1 && struct?.fields.length === 0;
}

/** The elements that are not NULL are known from elsewhere, or not at all. */
function compileNullFirst(parent: StructSchema, field: FieldSchema, behind: number): CompiledField {
  const element = omittedElement(parent, field);
  const others = element && compileField({ ...field, ...element }, { length: element.size, behind });
  return compileField(field, { length: field.size, behind, nullFirst: { others } });
}

function compileField(
  { name, type, size, arrayLength, struct }: FieldSchema,
  applied: AppliedField,
): CompiledField {
  const vmsd = struct && compileVmdesc(struct, size);
  const isStruct = type === 'struct' && vmsd !== undefined;
  const scalar = arrayLength === undefined ? scalarTypes.get(type) : undefined;
  return {
    name,
    offset: 0,
    size: 0,
    count: { kind: 'fixed', count: arrayLength ?? 1, array: arrayLength !== undefined },
    bufferSize: undefined,
    pointer: false,
    allocated: false,
    pointers: false,
    marked: false,
    element: isStruct
      ? { kind: 'struct', type: 'struct', vmsd, versionId: vmsd.versionId }
      : { kind: 'info', info: type, vmsd, key: undefined },
    plain: scalar?.size === size ? { info: type, scalar } : undefined,
    nullType: 'nullptr',
    described: undefined,
    exists: { kind: 'version', from: 0 },
    versionId: 0,
    applied,
  };
}
