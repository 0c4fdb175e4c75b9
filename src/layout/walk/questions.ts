import { alternativeInfoLengths, fixedInfoLength } from '../../infos/infos.ts';
import type { ObjectPlace, UnknownOption } from '../../infos/reader.ts';
import type { CompiledField, CompiledMember } from '../../vmsd/compiled.ts';
import { countCost, FILLING_COST } from './costs.ts';
import { type CountContext, type CountRule, countRules } from './count-rules.ts';
import { add, type FixedLengths, type StreamLength } from './fixed-length.ts';
import type { ElementsFrame, Frame, StructFrame } from './frames.ts';
import type { Outcome, Run, Unknown } from './outcome.ts';
import { dead, type WalkContext } from './walk-context.ts';

/** Counts that are not tried beyond. */
const MAX_COUNT = 1 << 16;
/** The same where the bytes do not bound them, because the stream ends before. */
const MAX_CUT_COUNT = 1 << 12;

const UNKNOWN_LENGTH: StreamLength = { min: 0, exact: false };
const NOTHING_FITS = 'the fields behind need more than is left';

function memberValue(run: Run, place: ObjectPlace, { offset, width }: CompiledMember): bigint | undefined {
  return run.shadow.load(place.object, place.offset + offset, width);
}

/** Number of elements of a field, which is checked against the bytes that are left. */
export function elementCount(
  context: WalkContext,
  run: Run,
  frame: StructFrame,
  field: CompiledField,
): number | Outcome {
  const { count } = field;
  let elements: number;
  if (count.kind === 'fixed') elements = count.count;
  else {
    const value = memberValue(run, frame.place, count);
    const rule = value === undefined ? ruleFor(frame, field) : undefined;
    const computed = rule?.compute?.(countContext(context, run, frame));
    if (value === undefined && computed === undefined) return unknownCount(context, run, frame, field, count);
    if (computed !== undefined && !Number.isInteger(computed))
      return dead(run.offset, `no count of ${field.name} fits`);
    if (computed !== undefined && computed >= 0) {
      const { object, offset } = frame.place;
      run.shadow.store(object, offset + count.offset, count.width, computed);
    }
    elements = (computed ?? Number(BigInt.asIntN(32, value!))) * count.factor;
  }
  if (elements < 0 || (!context.mode.isCut && elements > context.end - run.offset + 1)) {
    const empty = context.lengths.element(field);
    if (elements < 0 || !(empty.exact && empty.min === 0))
      return dead(run.offset, `${elements} elements of ${field.name}`);
  }
  return elements;
}

function ruleFor({ vmsd }: StructFrame, { name }: CompiledField): CountRule | undefined {
  return countRules.get(`${vmsd.name}/${name}`);
}

/** What a rule for a count may ask. */
function countContext({ end, surroundings }: WalkContext, run: Run, frame: StructFrame): CountContext {
  const { vmsd, place } = frame;
  return {
    left: end - run.offset,
    cpus: surroundings.cpus,
    count: (name) => {
      const field = vmsd.fields.find((candidate) => candidate.name === name);
      if (field?.count.kind !== 'member') return undefined;
      const value = memberValue(run, place, field.count);
      return value === undefined ? undefined : Number(value);
    },
    around: (...names) => {
      let outer = frame.parent;
      while (outer && outer.kind !== 'struct') outer = outer.parent;
      const member = outer?.vmsd.fields.find(({ name }) => names.includes(name));
      if (!outer || !member) return undefined;
      return run.shadow.load(outer.place.object, outer.place.offset + member.offset, member.size);
    },
  };
}

/** Counts that fit what is left, the likely ones cheap: one that fills the section, a default, a power of two. */
function unknownCount(
  context: WalkContext,
  run: Run,
  frame: StructFrame,
  field: CompiledField,
  count: CompiledMember,
): Outcome {
  const element = field.pointers ? { min: 1, exact: false } : context.lengths.element(field);
  const rest = restLength(context, behindField(frame));
  const left = context.end - run.offset - rest.min;
  if (left < 0) return dead(run.offset, NOTHING_FITS);
  const { object, offset } = frame.place;
  const ask = (options: readonly UnknownOption[]): Outcome => {
    const key = { kind: 'member', object, offset: offset + count.offset, size: count.width } as const;
    return { kind: 'unknown', unknown: { key, question: 'count', field: field.name, options } };
  };
  const unit = Math.max(1, element.min) * count.factor;
  if (rest.exact && element.exact && element.min > 0) {
    const value = left / unit;
    if (!Number.isInteger(value)) return dead(run.offset, `no count of ${field.name} fits`);
    return ask([{ value: BigInt(value), cost: 0 }]);
  }
  const filling = fillingCounts(context, field, frame, left + rest.min, count.factor);
  const most = context.mode.isCut ? MAX_CUT_COUNT : Math.min(Math.floor(left / unit), MAX_COUNT);
  const known = new Set(context.hints.defaults(field.name, offset + count.offset));
  const rule = ruleFor(frame, field);
  for (const value of rule?.likely?.(countContext(context, run, frame)) ?? []) known.add(value);
  const larger = [...known].filter((value) => value > most && value * unit <= left);
  const options = keptOptions(context, `count ${most} ${[...known]} ${[...filling]} ${larger}`, () => {
    const made: UnknownOption[] = [];
    for (let value = 0; value <= most; value++) {
      const cost = countCost(value, known.has(value));
      made.push({ value: BigInt(value), cost: filling.has(value) ? Math.min(cost, FILLING_COST) : cost });
    }
    for (const value of larger) made.push({ value: BigInt(value), cost: countCost(value, true) });
    return made;
  });
  return ask(options);
}

/** Options that were made lately, by what they depend on: runs of a search ask the same again and again. */
const lately = new WeakMap<WalkContext, Map<string, readonly UnknownOption[]>>();
const MAX_KEPT = 16;

/** The likeliest first; of those that are as likely, in the order in which they are made. */
function keptOptions(
  context: WalkContext,
  key: string,
  make: () => UnknownOption[],
): readonly UnknownOption[] {
  let kept = lately.get(context);
  if (!kept) {
    kept = new Map();
    lately.set(context, kept);
  }
  let options = kept.get(key);
  if (!options) {
    options = make().sort((a, b) => a.cost - b.cost);
    if (kept.size === MAX_KEPT) kept.clear();
    kept.set(key, options);
  }
  return options;
}

/** Counts that fill the section to its end, when either all or none of the tests inside find their fields. */
function fillingCounts(
  context: WalkContext,
  field: CompiledField,
  frame: StructFrame,
  left: number,
  factor: number,
): ReadonlySet<number> {
  const counts = new Set<number>();
  if (field.pointers) return counts;
  for (const lengths of [context.lengths.withTests(true), context.lengths.withTests(false)]) {
    const element = lengths.element(field);
    const rest = restLength(context, behindField(frame), lengths);
    if (!element.exact || element.min === 0 || !rest.exact) continue;
    const count = (left - rest.min) / (element.min * factor);
    if (Number.isInteger(count) && count >= 0) counts.add(count);
  }
  return counts;
}

function behindField(frame: StructFrame): StructFrame {
  return { ...frame, field: frame.field + 1 };
}

/** Bytes that everything behind a frame takes. */
export function restLength(
  context: WalkContext,
  frame: Frame,
  lengths: FixedLengths = context.lengths,
): StreamLength {
  if (context.mode.isCut) return UNKNOWN_LENGTH;
  let length: StreamLength = { min: 0, exact: true };
  for (let at: Frame | undefined = frame; at; at = at.parent) {
    if (at.kind === 'struct') length = add(length, lengths.rest(at.vmsd, at.versionId, at.field));
    else if (at.kind === 'subsections') length = add(length, lengths.subsections(at.vmsd));
    else if (at.kind === 'elements') {
      const element = at.field.pointers ? { min: 1, exact: false } : lengths.element(at.field);
      length = add(length, { min: element.min * (at.count - at.index), exact: element.exact });
    } else if (at.kind === 'reader') length = add(length, UNKNOWN_LENGTH);
  }
  return length;
}

/** Bytes of one element of a field in memory. */
export function memorySize(
  context: WalkContext,
  run: Run,
  frame: StructFrame,
  field: CompiledField,
  count: number,
): number | Outcome {
  const { bufferSize } = field;
  if (!bufferSize || count === 0) return field.size;
  const value = memberValue(run, frame.place, bufferSize);
  const rule = value === undefined ? ruleFor(frame, field) : undefined;
  const computed = rule?.compute?.(countContext(context, run, frame));
  if (value === undefined && computed === undefined)
    return unknownSize(context, run, frame, field, bufferSize);
  const size = (computed ?? Number(BigInt.asIntN(32, value!))) * bufferSize.factor;
  return size < 0 ? dead(run.offset, `a buffer of ${size} bytes`) : size;
}

function unknownSize(
  context: WalkContext,
  run: Run,
  frame: StructFrame,
  field: CompiledField,
  member: CompiledMember,
): Outcome {
  const rest = restLength(context, behindField(frame));
  const left = context.end - run.offset - rest.min;
  if (left < 0) return dead(run.offset, NOTHING_FITS);
  const { object, offset } = frame.place;
  const info = field.element.kind === 'info' ? context.surroundings.infos.get(field.element.info) : undefined;
  const sizing = info?.memorySize ? field.element.kind === 'info' && field.element.info : member.factor;
  const options = keptOptions(context, `size ${left} ${rest.exact} ${sizing}`, () =>
    fittingLengths(left, rest.exact).flatMap((bytes) => {
      const value = info?.memorySize ? info.memorySize(bytes) : bytes / member.factor;
      return value !== undefined && Number.isInteger(value)
        ? { value: BigInt(value), cost: countCost(value, false) }
        : [];
    }),
  );
  const key = { kind: 'member', object, offset: offset + member.offset, size: member.width } as const;
  return { kind: 'unknown', unknown: { key, question: 'size', field: field.name, options } };
}

/** Lengths of which one must be right: the one that fills what is left, where nothing open comes behind. */
function fittingLengths(left: number, isFilling: boolean): number[] {
  if (isFilling) return [left];
  return Array.from({ length: Math.min(left, MAX_COUNT) + 1 }, (_, length) => length);
}

/** Bytes that an info of a field puts into the stream for one value. */
export function infoLength(
  context: WalkContext,
  run: Run,
  { field, size }: ElementsFrame,
  info: string,
): number | Outcome {
  const { infos } = context.surroundings;
  const fixed = fixedInfoLength(info, size, field.name, infos);
  if (fixed !== undefined) return fixed;
  // All values of one info are taken to be of one length: elements of an array could else be cut in any way.
  const to = `length of ${info} ${size}`;
  const guess = run.shadow.answered(to);
  if (guess !== undefined) return Number(guess);
  const options = alternativeInfoLengths(info, infos)?.map((length) => ({ value: BigInt(length), cost: 1 }));
  const unknown = { key: { kind: 'answer', to }, question: 'length', field: field.name } as const;
  if (options) return { kind: 'unknown', unknown: { ...unknown, options } };
  return unknownLength(context, run, unknown);
}

/** An info that nobody knows: any length that lets the rest fit. */
function unknownLength(context: WalkContext, run: Run, unknown: Omit<Unknown, 'options'>): Outcome {
  const rest = restLength(context, run.frame!);
  const left = context.end - run.offset - rest.min;
  if (left < 0) return dead(run.offset, NOTHING_FITS);
  const options = keptOptions(context, `length ${left} ${rest.exact}`, () =>
    fittingLengths(left, rest.exact).map((length) => ({
      value: BigInt(length),
      cost: countCost(length, false),
    })),
  );
  return { kind: 'unknown', unknown: { ...unknown, options } };
}
