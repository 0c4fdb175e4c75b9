import type { Infos } from '../../infos/info.ts';
import type { CompiledElement, CompiledField } from '../../vmsd/compiled.ts';
import { scalarTypes } from '../../vmsd/scalars.ts';
import type { Shape, ShapeMember } from '../node.ts';
import { bufferCost, scalarsCost } from './costs.ts';
import type { ElementsFrame } from './frames.ts';
import type { Run, WalkSink } from './outcome.ts';
import { bytesAt, type WalkContext } from './walk-context.ts';

/** Values in one element of a uniform array; more are not worth it. */
const MAX_COLUMNS = 256;
const MAX_DEPTH = 16;
const UNUSED = 'unused_buffer';
/** Infos that are as many bytes as the field has in memory, and nothing else. */
const PLAIN_BYTES: ReadonlySet<string> = new Set(['buffer', UNUSED]);

/** The same value of all elements: where it is in the first one, in the stream and in memory. */
interface Column {
  readonly info: string;
  readonly pos: number;
  readonly length: number;
  readonly offset: number;
  readonly size: number;
}

/** An array of structs that are all laid out in the same way, whatever is in them. */
interface UniformArray {
  readonly shape: Shape & { readonly kind: 'struct' };
  readonly columns: readonly Column[];
}

const uniformArrays = new WeakMap<CompiledField, UniformArray | 'none'>();

/** Undefined for a field whose elements must be walked one by one. */
function uniformArray(field: CompiledField, infos: Infos): UniformArray | undefined {
  let known = uniformArrays.get(field);
  if (known === undefined) {
    const columns: Column[] = [];
    const shape = field.pointers ? undefined : shapeOf(field, infos, columns);
    known = shape?.kind === 'struct' && shape.size > 0 ? { shape, columns } : 'none';
    uniformArrays.set(field, known);
  }
  return known === 'none' ? undefined : known;
}

/**
 * What all values of a field look like; undefined where bytes have a say in it, or a vmdesc is wrong. `columns` get the
 * values of a field of tables, where they are in the stream and in memory.
 */
export function shapeOf(
  { element, size, bufferSize, applied }: CompiledField,
  infos: Infos,
  columns?: Column[],
  pos = 0,
  offset = 0,
  depth = 0,
): Shape | undefined {
  if ((columns && columns.length >= MAX_COLUMNS) || depth > MAX_DEPTH || bufferSize || applied?.parts)
    return undefined;
  if (element.kind === 'struct') {
    const shape = shapeOfStruct(element, infos, columns, pos, offset, depth);
    return applied && shape?.size !== applied.length ? undefined : shape;
  }
  const { info: type, vmsd } = element;
  const scalar = scalarTypes.get(type);
  const length = applied?.length ?? scalar?.size ?? size;
  const info = infos.get(type);
  const isPlain = applied ? !(vmsd || info?.open || info?.read) : PLAIN_BYTES.has(type);
  if (scalar ? scalar.size !== length : !isPlain) return undefined;
  columns?.push({ info: type, pos, length, offset, size });
  return { kind: scalar ? 'scalar' : 'bytes', type, size: length };
}

function shapeOfStruct(
  { type, vmsd, versionId }: CompiledElement & { kind: 'struct' },
  infos: Infos,
  columns: Column[] | undefined,
  start: number,
  offset: number,
  depth: number,
): Shape | undefined {
  const { name, fields, subsections, preparesSave, validations, applied } = vmsd;
  if (subsections.length > 0 || preparesSave || validations.length > 0) return undefined;
  if (applied && fields.length === 0) return undefined;
  const members: ShapeMember[] = [];
  let pos = start;
  for (const field of fields) {
    const { exists, count, pointer, pointers, size, described } = field;
    if (exists.kind !== 'version' || count.kind !== 'fixed' || pointer || pointers) return undefined;
    if (field.applied?.nullFirst || (applied && count.count === 0)) return undefined;
    if (exists.from > versionId || count.count === 0) continue;
    const first = pos;
    let shape: Shape | undefined;
    for (let i = 0; i < (columns ? count.count : 1); i++) {
      shape = shapeOf(field, infos, columns, pos, offset + field.offset + i * size, depth + 1);
      if (!shape) return undefined;
      pos += shape.size;
    }
    if (!shape) return undefined;
    const length = count.count;
    pos = first + length * shape.size;
    const isArray = applied ? count.array : length !== 1;
    if (applied && isArray && shape.size === 0) return undefined;
    const array = { kind: 'array', size: pos - first, length, described, element: shape } as const;
    members.push({ name: field.name, pos: first - start, shape: isArray ? array : shape });
  }
  const said = applied ?? { vmsdName: name, versionId };
  return {
    kind: 'struct',
    type,
    size: pos - start,
    vmsdName: said.vmsdName,
    versionId: said.versionId,
    members,
  };
}

/**
 * Loads all elements of an array of structs at once, where they are all laid out alike and nothing in them was guessed.
 * False where they must be loaded one by one: also for whoever wants to hear of each.
 */
export function loadUniform(
  context: WalkContext,
  run: Run,
  { field, base, size, count }: ElementsFrame,
  sink: WalkSink | undefined,
): boolean {
  const uniform = sink?.wantsEach ? undefined : uniformArray(field, context.surroundings.infos);
  if (!uniform) return false;
  const { shape, columns } = uniform;
  const start = run.offset;
  const length = count * shape.size;
  if (start + length > context.end) return false;
  const { object, offset } = base;
  const { view, bytes, base: sectionBase } = context.section;
  const first = start - sectionBase;
  const ranges = columns.flatMap((column) => {
    const scalar = scalarTypes.get(column.info);
    if (!scalar) return [];
    const read = (i: number) => {
      const value = scalar.read(view, first + i * shape.size + column.pos);
      return BigInt.asUintN(column.size * 8, BigInt(value));
    };
    return { object, offset: offset + column.offset, stride: size, size: column.size, count, read };
  });
  const { shadow } = run;
  const end = offset + count * size;
  if (shadow.hasOwn(object, offset, end)) return false;
  if (context.mode.isLoad && !shadow.hides(object, offset, end, ranges)) return false;
  // Where there is a sink, a run without one has found that the guesses agree.
  if (!sink && shadow.isGuessed(object, offset, end)) return false;
  let cost = 0;
  for (const { info, pos, length: columnLength } of columns) {
    if (PLAIN_BYTES.has(info)) {
      let bytesCost = 0;
      for (let i = 0; i < count; i++)
        bytesCost += bufferCost(bytesAt(context, start + i * shape.size + pos, columnLength));
      if (info === UNUSED && bytesCost > 0 && !context.mode.isLoad) return false;
      cost += bytesCost;
      continue;
    }
    const columnCost = scalarsCost(info, view, first + pos, columnLength, count, shape.size);
    if (columnCost === undefined) return false;
    cost += columnCost;
  }
  for (const range of ranges) shadow.storeRange(range);
  sink?.elements({ shape, count, start, bytes, pos: first });
  run.cost += cost;
  run.offset = start + length;
  return true;
}
