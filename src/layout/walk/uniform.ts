import type { CompiledField, CompiledVmsd } from '../../vmsd/compiled.ts';
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
function uniformArray(field: CompiledField): UniformArray | undefined {
  let known = uniformArrays.get(field);
  if (known === undefined) {
    const columns: Column[] = [];
    const shape = field.pointers ? undefined : shapeOfElement(field, columns, 0, 0, 0);
    known = shape?.kind === 'struct' && shape.size > 0 ? { shape, columns } : 'none';
    uniformArrays.set(field, known);
  }
  return known === 'none' ? undefined : known;
}

function shapeOfElement(
  { element, size, bufferSize }: CompiledField,
  columns: Column[],
  pos: number,
  offset: number,
  depth: number,
): Shape | undefined {
  if (columns.length >= MAX_COLUMNS || depth > MAX_DEPTH || bufferSize) return undefined;
  if (element.kind === 'struct')
    return shapeOfStruct(element.type, element.vmsd, element.versionId, columns, pos, offset, depth);
  const { info } = element;
  const scalar = scalarTypes.get(info);
  if (!scalar && !PLAIN_BYTES.has(info)) return undefined;
  const length = scalar?.size ?? size;
  columns.push({ info, pos, length, offset, size });
  return { kind: scalar ? 'scalar' : 'bytes', type: info, size: length };
}

function shapeOfStruct(
  type: string,
  vmsd: CompiledVmsd,
  versionId: number,
  columns: Column[],
  start: number,
  offset: number,
  depth: number,
): Shape | undefined {
  const { name, fields, subsections, preparesSave, validations } = vmsd;
  if (subsections.length > 0 || preparesSave || validations.length > 0) return undefined;
  const members: ShapeMember[] = [];
  let pos = start;
  for (const field of fields) {
    const { exists, count, pointer, pointers, size, described } = field;
    if (exists.kind !== 'version' || count.kind !== 'fixed' || pointer || pointers) return undefined;
    if (exists.from > versionId || count.count === 0) continue;
    let shape: Shape | undefined;
    const first = pos;
    for (let i = 0; i < count.count; i++) {
      shape = shapeOfElement(field, columns, pos, offset + field.offset + i * size, depth + 1);
      if (!shape) return undefined;
      pos += shape.size;
    }
    if (!shape) return undefined;
    members.push({
      name: field.name,
      pos: first - start,
      shape:
        count.count === 1
          ? shape
          : { kind: 'array', size: pos - first, length: count.count, described, element: shape },
    });
  }
  return { kind: 'struct', type, size: pos - start, vmsdName: name, versionId, members };
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
  const uniform = sink?.wantsEach ? undefined : uniformArray(field);
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
