import { decodeText } from '../../bytes/window.ts';
import { evaluate } from '../../expressions/evaluate.ts';
import { QEMU_VM_SUBSECTION } from '../../stream/records.ts';
import type { SectionBytes } from '../context.ts';
import type { LeafValue } from '../node.ts';
import { NULL_POINTER_MARKER, OBJECT_POINTER_MARKER } from '../pointer-array.ts';
import { scalarTypes } from '../scalars.ts';
import { bufferCost, countCost, FILLING_COST, pciConfigCost, scalarCost } from './costs.ts';
import { type CountContext, type CountRule, countRules } from './count-rules.ts';
import { decideExistence } from './existence.ts';
import { add, type FixedLengths, type StreamLength } from './fixed-length.ts';
import {
  advance,
  type ElementsFrame,
  type Frame,
  type LiveReader,
  type ReaderFrame,
  type StructFrame,
  type SubsectionsFrame,
} from './frames.ts';
import { alternativeInfoLengths, fixedInfoLength } from './info-lengths.ts';
import { loadPciConfig, storePciConfig } from './pci-config-memory.ts';
import type { FieldProgram, MemberProgram, VmsdProgram } from './program.ts';
import type { Place, ReaderAnswer, ReaderArguments } from './reader.ts';
import { infoReaders } from './readers/table.ts';
import type { ObjectId, Objects, Shadow } from './shadow.ts';

const MAX_DEPTH = 64;

/** Something that the stream does not say: a key into the shadow, and the values that it could have. */
export interface Unknown {
  readonly object: ObjectId;
  readonly offset: number;
  readonly size: number;
  /** What is asked, for people. */
  readonly question: 'count' | 'size' | 'exists' | 'pointer' | 'length' | 'reading';
  readonly field: string;
  readonly options: readonly UnknownOption[];
  /** Another place where the value is to be stored, for later questions of the kind. */
  readonly also?: { readonly object: ObjectId; readonly offset: number };
}

export interface UnknownOption {
  readonly value: bigint;
  /** Bits that it costs to say this value and not another one. */
  readonly cost: number;
}

/** How a run ended. */
export type Outcome =
  | { readonly kind: 'done' }
  /** The bytes are not what the tables say, or do not end where they should; `doubtful`: a QEMU may load them. */
  | {
      readonly kind: 'dead';
      readonly offset: number;
      readonly why: string;
      readonly refusal?: Refusal;
      readonly doubtful?: boolean;
    }
  /** The stream was cut off in this section, and the walk has come to the value that is cut. */
  | { readonly kind: 'cut'; readonly offset: number; readonly field: string | number }
  | { readonly kind: 'unknown'; readonly unknown: Unknown };

/** What QEMU has words of its own for: `why` is what it says. */
export type Refusal = 'null-pointer' | 'failed-validation' | 'too-new' | 'too-old' | 'unknown-subsection';

/** Takes the nodes of a run, a parent before its children. */
export interface WalkSink {
  open(
    name: string | number,
    type: string,
    start: number,
    vmsd: VmsdProgram | undefined,
    versionId: number,
  ): void;
  openArray(
    name: string,
    type: string,
    start: number,
    length: number,
    described?: FieldProgram['described'],
  ): void;
  leaf(
    name: string | number,
    type: string,
    start: number,
    end: number,
    value: LeafValue,
    meaning?: string | undefined,
  ): void;
  /** All elements of the array that was opened last: plain values of `size` bytes from `start` on. */
  leaves(type: string, start: number, size: number, count: number): void;
  close(end: number): void;
}

/** One run of the machine: what has been loaded, and what is still to load. */
export interface Run {
  readonly shadow: Shadow;
  offset: number;
  frame: Frame | undefined;
  /** Bits that the values loaded so far cost: few where integers are small and buffers are zero. */
  cost: number;
}

/** Numbers that guesses are stored under, where the thing guessed is no member of an object. */
const POINTER_GUESS = -2_000_000_000;
const LENGTH_GUESS = -3_000_000_000;
const CHOICE_GUESS = -4_000_000_000;
const MAX_CHOICES = 4096;
/** Numbers that it is noted under which subsections there were. */
const SUBSECTION = -30_000_000_000;
/**
 * Subsections that a device sends whenever it has made the timer in them, or, of several alike, whenever it sends it for
 * any: the property that decides it is in no stream (hw/acpi/ich9.c, enable_tco; hw/audio/hda-codec.c, use-timer).
 */
const SENT_WITH_TIMER: ReadonlyMap<string, 'always' | 'if any'> = new Map([
  ['ich9_pm/tco', 'always'],
  ['hda-audio-stream/buffer', 'if any'],
]);
/** What QEMU says before it ends, when it loads into a pointer that is NULL (migration/vmstate.c). */
const NULL_POINTER = "Assertion `first_elem || !n_elems || !size' failed.";

export interface MachineMode {
  /** The stream ends inside the section. */
  readonly isCut?: boolean;
  /**
   * Do as QEMU does that loads the section over what the shadow has: values that no QEMU would have saved are taken as
   * they are, what is loaded replaces what was there, and validations must hold.
   */
  readonly isLoad?: boolean;
  /** Called with each struct that is walked, and where it is in memory. */
  onStruct?(vmsd: VmsdProgram, place: Place): void;
}

/** Loads a section by its tables. All methods are functions of their arguments: a machine has no state of its own. */
export class Machine {
  readonly section: SectionBytes;
  readonly end: number;
  readonly #objects: Objects;
  readonly #lengths: FixedLengths;
  readonly #hints: CountHints;
  readonly #surroundings: Surroundings;
  readonly #isCut: boolean;
  readonly #isLoad: boolean;
  readonly #onStruct: MachineMode['onStruct'];

  constructor(
    section: SectionBytes,
    end: number,
    objects: Objects,
    lengths: FixedLengths,
    hints: CountHints,
    surroundings: Omit<Surroundings, 'behind'>,
    { isCut = false, isLoad = false, onStruct }: MachineMode = {},
  ) {
    this.#isCut = isCut;
    this.#isLoad = isLoad;
    this.#onStruct = onStruct;
    const behind: Surroundings['behind'] = (object, offset, index) => objects.behind(object, offset, index);
    this.#surroundings = { ...surroundings, behind };
    this.section = section;
    this.end = end;
    this.#objects = objects;
    this.#lengths = lengths;
    this.#hints = hints;
  }

  /** The run that loads a section's VMSD from its beginning. */
  start(vmsd: VmsdProgram, versionId: number, shadow: Shadow): Run {
    const place = { object: this.#objects.root, offset: 0 };
    const frame: Frame = { kind: 'struct', vmsd, versionId, place, field: 0, parent: undefined, depth: 0 };
    if (!this.#isLoad) shadow.store(this.#objects.root, SUBSECTION + 1, 1, 1);
    this.#onStruct?.(vmsd, place);
    return { shadow, offset: this.section.base, frame, cost: 0 };
  }

  /** Goes on until the section is loaded, cannot be, or something is not known. */
  run(run: Run, sink: WalkSink | undefined, budget: StepBudget = { steps: MAX_STEPS }): Outcome {
    for (;;) {
      const { frame } = run;
      if (--budget.steps < 0)
        return { kind: 'dead', offset: run.offset, why: 'the tables take too many steps' };
      if (!frame) {
        if (run.offset === this.end)
          return this.#isCut ? { kind: 'cut', offset: run.offset, field: '' } : { kind: 'done' };
        return { kind: 'dead', offset: run.offset, why: `${this.end - run.offset} bytes are left` };
      }
      if (frame.depth > MAX_DEPTH) return { kind: 'dead', offset: run.offset, why: 'structs nest too deep' };
      const { offset } = run;
      const outcome = this.#step(run, frame, sink);
      budget.steps -= Math.floor((run.offset - offset) / BYTES_PER_STEP);
      // Once it is known what was not, the step is taken anew.
      if (outcome?.kind === 'unknown') run.frame = frame;
      if (outcome) return outcome;
    }
  }

  #step(run: Run, frame: Frame, sink: WalkSink | undefined): Outcome | undefined {
    switch (frame.kind) {
      case 'struct':
        return this.#stepStruct(run, frame, sink);
      case 'subsections':
        return this.#stepSubsections(run, frame, sink);
      case 'elements':
        return this.#stepElements(run, frame, sink);
      case 'reader':
        return this.#stepReader(run, frame, sink);
      case 'close':
        sink?.close(run.offset);
        run.frame = frame.parent;
        return undefined;
    }
  }

  #stepStruct(run: Run, frame: StructFrame, sink: WalkSink | undefined): Outcome | undefined {
    const { vmsd, place, parent, depth } = frame;
    const loaded = this.#loadPlainFields(run, frame, sink);
    if (typeof loaded !== 'number') return loaded;
    if (loaded > frame.field) {
      run.frame = { ...frame, field: loaded };
      return undefined;
    }
    const field = vmsd.fields[frame.field];
    if (!field) {
      const failed = this.#isLoad && this.#failedValidation(run, frame);
      if (failed) return { kind: 'dead', offset: run.offset, why: failed, refusal: 'failed-validation' };
      run.frame = vmsd.subsections.length > 0 ? { kind: 'subsections', vmsd, place, parent, depth } : parent;
      return undefined;
    }
    const exists = this.#exists(run, frame, field);
    if (typeof exists !== 'boolean') return exists;
    const next: Frame = { ...frame, field: frame.field + 1 };
    if (!exists) {
      run.frame = next;
      return undefined;
    }
    const count = this.#count(run, frame, field);
    if (typeof count !== 'number') return count;
    const size = this.#size(run, frame, field, count);
    if (typeof size !== 'number') return size;
    const member = { object: place.object, offset: place.offset + field.offset };
    const base = field.pointer
      ? { object: this.#objects.behind(member.object, member.offset), offset: 0 }
      : member;
    const { versionId } = frame;
    const elements = {
      kind: 'elements',
      field,
      versionId,
      place,
      base,
      size,
      index: 0,
      count,
      depth,
    } as const;
    if (count > 1) {
      sink?.openArray(field.name, elementType(field), run.offset, count, field.described);
      const close: Frame = { kind: 'close', parent: next, depth };
      run.frame = { ...elements, parent: close };
      return undefined;
    }
    run.frame = next;
    return count === 0 ? undefined : this.#loadElement(run, { ...elements, parent: next }, field.name, sink);
  }

  /**
   * Is a subsection only sent when a pointer is not NULL, one that it loads into, and did the device not send it itself?
   */
  #isIntoNull(run: Run, { object, offset }: Place, { name, needed, fields }: VmsdProgram): boolean {
    const key = SUBSECTION - this.#objects.nameId(`${name} at ${offset}`);
    const anyKey = SUBSECTION - this.#objects.nameId(name);
    if (!this.#isLoad) {
      run.shadow.store(object, key, 1, 1);
      run.shadow.store(this.#objects.root, anyKey, 1, 1);
    }
    const isKnown = run.shadow.load(this.#objects.root, SUBSECTION + 1, 1) !== undefined;
    if (!this.#isLoad || !isKnown || !needed || run.shadow.load(object, key, 1) !== undefined) return false;
    const sentWithTimer = SENT_WITH_TIMER.get(name);
    if (sentWithTimer)
      return sentWithTimer === 'always' || run.shadow.load(this.#objects.root, anyKey, 1) !== undefined;
    return fields.some((field) => {
      if (!field.pointer || field.allocated || field.count.kind !== 'fixed') return false;
      const answer = (pointer: bigint) =>
        evaluate(needed, {
          version: 0,
          load: ({ root, path, size }) =>
            root === 'opaque' && path.length === 1 && path[0] === field.offset && size === 8
              ? pointer
              : undefined,
        });
      const [without, having] = [answer(0n), answer(0x5555_5555_5540n)];
      return without.known && without.value === 0n && having.known && having.value !== 0n;
    });
  }

  /** migration/vmstate.c, vmstate_load_state: what it says when a field that must exist does not. */
  #failedValidation(run: Run, { vmsd, versionId, place }: StructFrame): string | undefined {
    for (const { name, test } of vmsd.validations) {
      const answer = decideExistence(test, versionId, place, run.shadow, this.#objects);
      if (answer.known && !answer.exists) return `Input validation failed: ${vmsd.name}/${name}`;
    }
    return undefined;
  }

  /** Loads fields that are one number each, as most are, as far as there are any. The number of the next field. */
  #loadPlainFields(
    run: Run,
    { vmsd, versionId, place, field: first }: StructFrame,
    sink: WalkSink | undefined,
  ): number | Outcome {
    for (let index = first; ; index++) {
      const field = vmsd.fields[index];
      const plain = field?.plain;
      if (!plain || field.exists.kind !== 'version') return index;
      if (field.exists.from > versionId) continue;
      const { object, offset } = place;
      const end = this.#loadNumber(
        run,
        field,
        plain,
        object,
        offset + field.offset,
        field.size,
        field.name,
        sink,
      );
      if (end) return end;
    }
  }

  /** Loads a number into `size` bytes of an object. */
  #loadNumber(
    run: Run,
    field: FieldProgram,
    { info, scalar }: NonNullable<FieldProgram['plain']>,
    object: ObjectId,
    offset: number,
    size: number,
    name: string | number,
    sink: WalkSink | undefined,
  ): Outcome | undefined {
    const { view, base } = this.section;
    const start = run.offset;
    if (start + scalar.size > this.end) return this.#short(run, field, start + scalar.size);
    const cost = this.#cost(info, start - base, scalar.size);
    if (cost === undefined) return { kind: 'dead', offset: start, why: `${info} of ${field.name}` };
    const value = scalar.read(view, start - base);
    const guessed = this.#isLoad ? undefined : run.shadow.guessed(object, offset, size);
    if (this.#isLoad) run.shadow.overwrite(object, offset, size, unsigned(value, size));
    else if (guessed === undefined) run.shadow.store(object, offset, size, unsigned(value, size));
    else if (guessed !== BigInt(unsigned(value, size)))
      return { kind: 'dead', offset: start, why: `${field.name} is not what was taken for it` };
    run.cost += cost;
    run.offset += scalar.size;
    sink?.leaf(name, info, start, run.offset, value);
    return undefined;
  }

  /** Bits of a value; undefined for one that cannot be. A load does not mind. */
  #cost(info: string, pos: number, size: number): number | undefined {
    return scalarCost(info, this.section.view, pos, size) ?? (this.#isLoad ? 0 : undefined);
  }

  #exists(run: Run, frame: StructFrame, field: FieldProgram): boolean | Outcome {
    if (field.exists.kind === 'version') return field.exists.from <= frame.versionId;
    const answer = decideExistence(
      field.exists.test,
      frame.versionId,
      frame.place,
      run.shadow,
      this.#objects,
      this.#isLoad,
    );
    if (answer.known) return answer.exists;
    const { known: _, ...asked } = answer;
    return { kind: 'unknown', unknown: { ...asked, question: 'exists', field: field.name } };
  }

  #member(run: Run, place: Place, member: MemberProgram): bigint | undefined {
    return run.shadow.load(place.object, place.offset + member.offset, member.width);
  }

  /** Number of elements, which is checked against the bytes that are left. */
  #count(run: Run, frame: StructFrame, field: FieldProgram): number | Outcome {
    const { count } = field;
    let elements: number;
    if (count.kind === 'fixed') elements = count.count;
    else {
      const value = this.#member(run, frame.place, count);
      const rule = value === undefined ? this.#rule(frame, field) : undefined;
      const computed = rule?.compute?.(this.#countContext(run, frame));
      if (value === undefined && computed === undefined) return this.#unknownCount(run, frame, field, count);
      if (computed !== undefined && !Number.isInteger(computed))
        return { kind: 'dead', offset: run.offset, why: `no count of ${field.name} fits` };
      if (computed !== undefined && computed >= 0) {
        const { object, offset } = frame.place;
        run.shadow.store(object, offset + count.offset, count.width, computed);
      }
      elements = (computed ?? Number(BigInt.asIntN(32, value!))) * count.factor;
    }
    if (elements < 0 || (!this.#isCut && elements > this.end - run.offset + 1)) {
      const empty = this.#lengths.element(field);
      if (elements < 0 || !(empty.exact && empty.min === 0)) {
        return { kind: 'dead', offset: run.offset, why: `${elements} elements of ${field.name}` };
      }
    }
    return elements;
  }

  #rule({ vmsd }: StructFrame, { name }: FieldProgram): CountRule | undefined {
    return countRules.get(`${vmsd.name}/${name}`);
  }

  /** What a rule for a count may ask. */
  #countContext(run: Run, frame: StructFrame): CountContext {
    const { vmsd, place } = frame;
    return {
      left: this.end - run.offset,
      cpus: this.#surroundings.cpus,
      count: (name) => {
        const field = vmsd.fields.find((candidate) => candidate.name === name);
        if (field?.count.kind !== 'member') return undefined;
        const value = this.#member(run, place, field.count);
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
  #unknownCount(run: Run, frame: StructFrame, field: FieldProgram, count: MemberProgram): Outcome {
    const element = field.pointers ? { min: 1, exact: false } : this.#lengths.element(field);
    const rest = this.#rest({ ...frame, field: frame.field + 1 });
    const left = this.end - run.offset - rest.min;
    const { object, offset } = frame.place;
    const unknown = {
      object,
      offset: offset + count.offset,
      size: count.width,
      question: 'count' as const,
      field: field.name,
    };
    if (left < 0)
      return { kind: 'dead', offset: run.offset, why: 'the fields behind need more than is left' };
    const unit = Math.max(1, element.min) * count.factor;
    if (rest.exact && element.exact && element.min > 0) {
      const value = left / unit;
      if (!Number.isInteger(value))
        return { kind: 'dead', offset: run.offset, why: `no count of ${field.name} fits` };
      return { kind: 'unknown', unknown: { ...unknown, options: [{ value: BigInt(value), cost: 0 }] } };
    }
    const filling = this.#fillingCounts(field, frame, left + rest.min, count.factor);
    const options: UnknownOption[] = [];
    const most = this.#isCut ? MAX_CUT_COUNT : Math.min(Math.floor(left / unit), MAX_COUNT);
    const known = new Set(this.#hints.defaults(field.name, offset + count.offset));
    const rule = this.#rule(frame, field);
    for (const value of rule?.likely?.(this.#countContext(run, frame)) ?? []) known.add(value);
    for (let value = 0; value <= most; value++) {
      const cost = countCost(value, known.has(value));
      options.push({ value: BigInt(value), cost: filling.has(value) ? Math.min(cost, FILLING_COST) : cost });
    }
    for (const value of known)
      if (value > most && value * unit <= left)
        options.push({ value: BigInt(value), cost: countCost(value, true) });
    options.sort((a, b) => a.cost - b.cost);
    return { kind: 'unknown', unknown: { ...unknown, options } };
  }

  /** Counts that fill the section to its end, when either all or none of the tests inside find their fields. */
  #fillingCounts(field: FieldProgram, frame: StructFrame, left: number, factor: number): ReadonlySet<number> {
    const counts = new Set<number>();
    if (field.pointers) return counts;
    const behind: Frame = { ...frame, field: frame.field + 1 };
    for (const lengths of [this.#lengths.withTests(true), this.#lengths.withTests(false)]) {
      const element = lengths.element(field);
      const rest = this.#rest(behind, lengths);
      if (!element.exact || element.min === 0 || !rest.exact) continue;
      const count = (left - rest.min) / (element.min * factor);
      if (Number.isInteger(count) && count >= 0) counts.add(count);
    }
    return counts;
  }

  /** Bytes that everything behind this frame takes. */
  #rest(frame: Frame, lengths = this.#lengths): StreamLength {
    if (this.#isCut) return UNKNOWN_LENGTH;
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

  /** Bytes of one element in memory. */
  #size(run: Run, frame: StructFrame, field: FieldProgram, count: number): number | Outcome {
    const { bufferSize } = field;
    if (!bufferSize || count === 0) return field.size;
    const value = this.#member(run, frame.place, bufferSize);
    const rule = value === undefined ? this.#rule(frame, field) : undefined;
    const computed = rule?.compute?.(this.#countContext(run, frame));
    if (value === undefined && computed === undefined)
      return this.#unknownSize(run, frame, field, bufferSize);
    const size = (computed ?? Number(BigInt.asIntN(32, value!))) * bufferSize.factor;
    if (size < 0) return { kind: 'dead', offset: run.offset, why: `a buffer of ${size} bytes` };
    return size;
  }

  #unknownSize(run: Run, frame: StructFrame, field: FieldProgram, member: MemberProgram): Outcome {
    const rest = this.#rest({ ...frame, field: frame.field + 1 });
    const left = this.end - run.offset - rest.min;
    if (left < 0)
      return { kind: 'dead', offset: run.offset, why: 'the fields behind need more than is left' };
    const { object, offset } = frame.place;
    const at = {
      object,
      offset: offset + member.offset,
      size: member.width,
      question: 'size' as const,
      field: field.name,
    };
    const isBitmap = field.element.kind === 'info' && field.element.info === 'bitmap';
    const options: UnknownOption[] = [];
    const most = Math.min(left, MAX_COUNT);
    for (let bytes = rest.exact ? left : 0; bytes <= (rest.exact ? left : most); bytes++) {
      if (isBitmap && bytes % 8 !== 0) continue;
      const value = isBitmap ? bytes * 8 : bytes / member.factor;
      if (Number.isInteger(value)) options.push({ value: BigInt(value), cost: countCost(value, false) });
    }
    options.sort((a, b) => a.cost - b.cost);
    return { kind: 'unknown', unknown: { ...at, options } };
  }

  #stepElements(run: Run, frame: ElementsFrame, sink: WalkSink | undefined): Outcome | undefined {
    const { field, index, count, parent } = frame;
    if (index >= count) {
      run.frame = parent;
      return undefined;
    }
    const scalar =
      field.pointers || field.element.kind === 'struct' ? undefined : scalarTypes.get(field.element.info);
    if (scalar) return this.#loadScalars(run, frame, sink);
    run.frame = { ...frame, index: index + 1 };
    return this.#loadElement(run, frame, index, sink);
  }

  /** All elements of an array of plain values at once. */
  #loadScalars(run: Run, frame: ElementsFrame, sink: WalkSink | undefined): Outcome | undefined {
    const { field, count, base, size } = frame;
    const info = field.element.kind === 'info' ? field.element.info : '';
    const scalar = scalarTypes.get(info)!;
    const start = run.offset;
    const wanted = start + count * scalar.size;
    if (wanted > this.end && !this.#isCut) return this.#short(run, field, wanted);
    const loaded = Math.min(count, Math.floor((this.end - start) / scalar.size));
    const end = start + loaded * scalar.size;
    const { view, base: sectionBase } = this.section;
    const readAt = (i: number) => scalar.read(view, start - sectionBase + i * scalar.size);
    for (let i = 0; i < loaded; i++) {
      const cost = this.#cost(info, start - sectionBase + i * scalar.size, scalar.size);
      if (cost === undefined)
        return { kind: 'dead', offset: start + i * scalar.size, why: `${info} of ${field.name}` };
      run.cost += cost;
    }
    sink?.leaves(info, start, scalar.size, loaded);
    run.shadow.storeArray({
      object: base.object,
      offset: base.offset,
      size,
      count: loaded,
      read: (i) => BigInt.asUintN(size * 8, BigInt(readAt(i) as number | bigint | boolean)),
    });
    run.offset = end;
    if (loaded < count) return this.#short(run, { name: loaded }, wanted);
    run.frame = frame.parent;
    return undefined;
  }

  #loadElement(
    run: Run,
    frame: ElementsFrame,
    name: string | number,
    sink: WalkSink | undefined,
  ): Outcome | undefined {
    const { field, base, index, size, depth } = frame;
    let place = { object: base.object, offset: base.offset + index * size };
    if (field.pointers) {
      const pointer = { object: base.object, offset: base.offset + index * 8 };
      const isNull = this.#nullPointer(run, frame, pointer);
      if (typeof isNull !== 'boolean') return isNull;
      if (isNull) {
        sink?.leaf(name, field.nullType, run.offset, run.offset + 1, this.#bytes(run.offset, 1));
        run.offset++;
        return undefined;
      }
      if (field.marked) {
        sink?.leaf(name, 'ptr-marker', run.offset, run.offset + 1, this.#bytes(run.offset, 1));
        run.offset++;
      }
      place = { object: this.#objects.behind(pointer.object, pointer.offset), offset: 0 };
    }
    const { element } = field;
    if (element.kind === 'struct') {
      sink?.open(name, element.type, run.offset, element.vmsd, element.versionId);
      run.frame = this.#structFrame(run.frame, element.vmsd, element.versionId, place, depth);
      return undefined;
    }
    return this.#loadInfo(run, frame, name, place, sink);
  }

  #structFrame(
    parent: Frame | undefined,
    vmsd: VmsdProgram,
    versionId: number,
    place: Place,
    depth: number,
  ): Frame {
    const close: Frame = { kind: 'close', parent, depth };
    this.#onStruct?.(vmsd, place);
    return { kind: 'struct', vmsd, versionId, place, field: 0, parent: close, depth: depth + 1 };
  }

  /** Is this element of a pointer array NULL? Its marker may also be the first byte of a struct. */
  #nullPointer(run: Run, frame: ElementsFrame, pointer: Place): boolean | Outcome {
    const { field } = frame;
    if (run.offset >= this.end) return this.#short(run, field, run.offset + 1);
    const byte = this.section.bytes[run.offset - this.section.base];
    if (field.marked) {
      if (byte === NULL_POINTER_MARKER) return true;
      if (byte === OBJECT_POINTER_MARKER) return false;
      return {
        kind: 'dead',
        offset: run.offset,
        why: `no pointer marker before an element of ${field.name}`,
      };
    }
    if (byte !== NULL_POINTER_MARKER) return false;
    const key = POINTER_GUESS - pointer.offset;
    const guess = run.shadow.load(pointer.object, key, 1);
    if (guess !== undefined) return guess !== 0n;
    return {
      kind: 'unknown',
      unknown: {
        object: pointer.object,
        offset: key,
        size: 1,
        question: 'pointer',
        field: field.name,
        options: [
          { value: 1n, cost: 0 },
          { value: 0n, cost: 8 },
        ],
      },
    };
  }

  #loadInfo(
    run: Run,
    frame: ElementsFrame,
    name: string | number,
    place: Place,
    sink: WalkSink | undefined,
  ): Outcome | undefined {
    const { field, size, depth } = frame;
    if (field.element.kind !== 'info') return undefined;
    const { info, vmsd } = field.element;
    const start = run.offset;
    const scalar = scalarTypes.get(info);
    if (scalar)
      return this.#loadNumber(run, field, { info, scalar }, place.object, place.offset, size, name, sink);
    if (info === 'tmp' && vmsd) {
      const object = this.#objects.behind(place.object, place.offset, TMP_OBJECT);
      sink?.open(name, info, start, vmsd, field.versionId);
      run.frame = this.#structFrame(run.frame, vmsd, field.versionId, { object, offset: 0 }, depth);
      return undefined;
    }
    const reader = infoReaders.get(info);
    if (reader) {
      sink?.open(name, info, start, undefined, 0);
      const args: ReaderArguments = { field, place, size, versionId: frame.versionId, ...this.#surroundings };
      const close: Frame = { kind: 'close', parent: run.frame, depth };
      const live: LiveReader = { generator: undefined, given: 0, asked: undefined };
      run.frame = { kind: 'reader', reader, args, answers: undefined, live, parent: close, depth: depth + 1 };
      return undefined;
    }
    const length = this.#infoLength(run, frame, info);
    if (typeof length !== 'number') return length;
    if (start + length > this.end) return this.#short(run, field, start + length);
    const content = this.#bytes(start, length);
    const why = this.#fault(run, info, place, content);
    if (why !== undefined) return { kind: 'dead', offset: start, why };
    if (info === 'pci config') {
      storePciConfig(run.shadow, place.object, content);
      run.cost += pciConfigCost(content);
    }
    run.cost += bufferCost(content);
    run.offset += length;
    sink?.leaf(name, info, start, run.offset, content);
    return undefined;
  }

  /** Why these cannot be the bytes of an info. */
  #fault(run: Run, info: string, { object }: Place, content: Uint8Array): string | undefined {
    if (this.#isLoad) return undefined;
    switch (info) {
      case 'unused_buffer':
        return content.some((byte) => byte !== 0) ? 'an unused buffer that is not zero' : undefined;
      // PCIDevice has two fields for its configuration space, of 256 and of 4096 bytes; one of them is there.
      case 'pci config': {
        const before = loadPciConfig(run.shadow, object);
        return before?.some((byte, i) => byte !== content[i])
          ? 'a second PCI configuration space'
          : undefined;
      }
      case 'pci irq state':
        if (!loadPciConfig(run.shadow, object)) return 'a PCI device without configuration space';
        return content.some((byte, i) => byte > (i % 4 === 3 ? 1 : 0))
          ? 'the level of an interrupt'
          : undefined;
      default:
        return undefined;
    }
  }

  /** Answers one request of a reader. */
  #stepReader(run: Run, frame: ReaderFrame, sink: WalkSink | undefined): Outcome | undefined {
    const asked = advance(frame);
    if (asked.done) {
      run.frame = frame.parent;
      return undefined;
    }
    const answered = (answer: ReaderAnswer): undefined => {
      const count = (frame.answers?.count ?? 0) + 1;
      run.frame = { ...frame, answers: { answer, count, before: frame.answers } };
      return undefined;
    };
    const request = asked.value;
    const start = run.offset;
    switch (request.request) {
      case 'scalar': {
        const type = scalarTypes.get(request.type)!;
        const pos = start - this.section.base;
        if (start + type.size > this.end) return this.#short(run, request, start + type.size);
        const cost = this.#cost(request.type, pos, type.size);
        if (cost === undefined)
          return { kind: 'dead', offset: start, why: `${request.type} of ${request.name}` };
        const value = type.read(this.section.view, pos) as number | bigint | boolean;
        run.cost += cost;
        run.offset += type.size;
        const answer = BigInt.asUintN(type.size * 8, BigInt(value));
        if (sink) sink.leaf(request.name, request.type, start, run.offset, value, request.meaning?.(answer));
        return answered(answer);
      }
      case 'bytes': {
        if (start + request.length > this.end) return this.#short(run, request, start + request.length);
        const content = this.#bytes(start, request.length);
        if (request.type === 'pci config') storePciConfig(run.shadow, frame.args.place.object, content);
        run.cost += bufferCost(content);
        run.offset += request.length;
        if (sink)
          sink.leaf(request.name, request.type, start, run.offset, content, request.meaning?.(content));
        return answered(content);
      }
      case 'struct': {
        const { name, type, vmsd, versionId, place } = request;
        sink?.open(name, type, start, vmsd, versionId);
        answered(undefined);
        run.frame = this.#structFrame(run.frame, vmsd, versionId, place, frame.depth);
        return undefined;
      }
      case 'fields': {
        const { vmsd, place } = request;
        answered(undefined);
        const { versionId } = vmsd;
        const parent = run.frame;
        run.frame = { kind: 'struct', vmsd, versionId, place, field: 0, parent, depth: frame.depth + 1 };
        return undefined;
      }
      case 'open':
        sink?.open(request.name, request.type, start, request.vmsd, request.vmsd?.versionId ?? 0);
        return answered(undefined);
      case 'openArray':
        sink?.openArray(request.name, request.type, start, request.length);
        return answered(undefined);
      case 'close':
        sink?.close(start);
        return answered(undefined);
      case 'peek':
        return answered(this.#bytes(start, Math.max(0, Math.min(request.length, this.end - start))));
      case 'remaining': {
        const { min, exact } = this.#rest(frame.parent!);
        return answered({ left: this.end - start, behind: min, exact });
      }
      case 'load':
        return answered(run.shadow.load(request.place.object, request.place.offset, request.size));
      case 'store':
        if (this.#isLoad)
          run.shadow.overwrite(request.place.object, request.place.offset, request.size, request.value);
        else run.shadow.store(request.place.object, request.place.offset, request.size, request.value);
        return answered(undefined);
      case 'pciConfig':
        return answered(loadPciConfig(run.shadow, request.object));
      case 'choose': {
        // One choice is told from others by where in the section, and how far in its reader, it is made.
        const offset =
          CHOICE_GUESS -
          (start - this.section.base) * MAX_CHOICES -
          ((frame.answers?.count ?? 0) % MAX_CHOICES);
        const { object } = frame.args.place;
        const guess = run.shadow.load(object, offset, 8);
        if (guess !== undefined) return answered(guess);
        const { question, options } = request;
        const field = `${frame.args.field.name}: ${question}`;
        return { kind: 'unknown', unknown: { object, offset, size: 8, question: 'reading', field, options } };
      }
      case 'fail':
        if (this.#isLoad && request.load === 'taken') return answered(undefined);
        return { kind: 'dead', offset: start, why: request.why, doubtful: request.load !== 'refused' };
    }
  }

  #infoLength(run: Run, frame: ElementsFrame, info: string): number | Outcome {
    const { field, size } = frame;
    if (info === 'bitmap') return Math.ceil(size / 64) * 8;
    const fixed = fixedInfoLength(info, size, field.name);
    if (fixed !== undefined) return fixed;
    // All values of one info are taken to be of one length: elements of an array could else be cut in any way.
    const key = LENGTH_GUESS - this.#objects.nameId(`${info} ${size}`);
    const object = this.#objects.root;
    const guess = run.shadow.load(object, key, 8);
    if (guess !== undefined) return Number(guess);
    const options = alternativeInfoLengths(info)?.map((length) => ({ value: BigInt(length), cost: 1 }));
    const unknown = { object, offset: key, size: 8, question: 'length' as const, field: field.name };
    if (options) return { kind: 'unknown', unknown: { ...unknown, options } };
    return this.#unknownLength(run, unknown);
  }

  /** An info that nobody knows: any length that lets the rest fit. */
  #unknownLength(run: Run, unknown: Omit<Unknown, 'options'>): Outcome {
    const rest = this.#rest(run.frame!);
    const left = this.end - run.offset - rest.min;
    if (left < 0)
      return { kind: 'dead', offset: run.offset, why: 'the fields behind need more than is left' };
    const most = Math.min(left, MAX_COUNT);
    const options: UnknownOption[] = [];
    for (let length = rest.exact ? left : 0; length <= (rest.exact ? left : most); length++) {
      options.push({ value: BigInt(length), cost: countCost(length, false) });
    }
    options.sort((a, b) => a.cost - b.cost);
    return { kind: 'unknown', unknown: { ...unknown, options } };
  }

  #stepSubsections(run: Run, frame: SubsectionsFrame, sink: WalkSink | undefined): Outcome | undefined {
    const { vmsd, place, parent, depth } = frame;
    const { bytes, view, base } = this.section;
    const pos = run.offset - base;
    run.frame = parent;
    const isHeader = bytes[pos] === QEMU_VM_SUBSECTION;
    const length = bytes[pos + 1] ?? 0;
    const headerEnd = run.offset + 2 + length + 4;
    if (this.#isCut && isHeader && headerEnd > this.end)
      return this.#short(run, { name: 'subsection' }, headerEnd);
    if (!isHeader || headerEnd > this.end) return undefined;
    const name = decodeText(bytes.subarray(pos + 2, pos + 2 + length));
    const named = vmsd.subsections.filter((candidate) => candidate.name === name);
    if (named.length === 0) {
      const isOwn =
        this.#isLoad && vmsd.name !== '' && name.startsWith(vmsd.name) && length > vmsd.name.length;
      if (!isOwn) return undefined;
      const why = `VM subsection '${name}' in '${vmsd.name}' does not exist`;
      return { kind: 'dead', offset: run.offset, why, refusal: 'unknown-subsection' };
    }
    let subsection = named[0]!;
    // Several of one name are sent in the order of the table (target/ppc, hw/sd). A load takes the first for each
    // (vmstate_get_subsection).
    if (named.length > 1 && !this.#isLoad) {
      const sent = frame.last ? named.indexOf(frame.last) + 1 : 0;
      if (sent === named.length) return undefined;
      const offset = CHOICE_GUESS - this.#objects.nameId(`subsection ${name} at ${place.offset}, ${sent}`);
      const guess = run.shadow.load(place.object, offset, 8);
      if (guess === undefined) {
        const options = named.flatMap((_, i) => (i < sent ? [] : { value: BigInt(i), cost: 1 }));
        const unknown = { object: place.object, offset, size: 8, question: 'reading' as const, field: name };
        return { kind: 'unknown', unknown: { ...unknown, options } };
      }
      subsection = named[Number(guess)]!;
    }
    // A load keeps its last byte only (migration/vmstate.c, vmstate_subsection_load).
    const written = view.getUint32(pos + 2 + length);
    const versionId = this.#isLoad ? written & 0xff : written;
    const refused = this.#isLoad && refusedVersion(subsection, versionId, run.offset);
    if (refused) return refused;
    if (this.#isIntoNull(run, place, subsection))
      return { kind: 'dead', offset: run.offset, why: NULL_POINTER, refusal: 'null-pointer' };
    sink?.open(name, 'subsection', run.offset, subsection, versionId);
    sink?.leaf(
      '(header)',
      'subsection header',
      run.offset,
      headerEnd,
      this.#bytes(run.offset, headerEnd - run.offset),
    );
    run.offset = headerEnd;
    run.frame = this.#structFrame({ ...frame, last: subsection }, subsection, versionId, place, depth);
    return undefined;
  }

  #bytes(offset: number, length: number): Uint8Array {
    const pos = offset - this.section.base;
    return this.section.bytes.subarray(pos, pos + length);
  }

  #short(run: Run, { name }: { readonly name: string | number }, end: number): Outcome {
    if (this.#isCut) return { kind: 'cut', offset: run.offset, field: name };
    return {
      kind: 'dead',
      offset: run.offset,
      why: `${name} ends ${end - this.end} bytes behind the section`,
    };
  }
}

/** migration/vmstate.c, vmstate_load_state: what it says of a version that it does not load. */
export function refusedVersion(
  { name, versionId, minimumVersionId }: VmsdProgram,
  incoming: number,
  offset: number,
): (Outcome & { kind: 'dead' }) | undefined {
  if (incoming > versionId) {
    const why = `${name}: incoming version_id ${incoming} is too new for local version_id ${versionId}`;
    return { kind: 'dead', offset, why, refusal: 'too-new' };
  }
  if (incoming >= minimumVersionId) return undefined;
  const why = `${name}: incoming version_id ${incoming} is too old for local minimum version_id ${minimumVersionId}`;
  return { kind: 'dead', offset, why, refusal: 'too-old' };
}

/** The bits of a loaded value in `size` bytes of memory, of which there may be more or fewer than in the stream. */
function unsigned(value: LeafValue, size: number): number | bigint {
  const number = typeof value === 'boolean' ? Number(value) : (value as number | bigint);
  if (typeof number === 'bigint' || size > 4) return BigInt.asUintN(size * 8, BigInt(number));
  return size === 4 ? number >>> 0 : number & ((1 << (size * 8)) - 1);
}

/** What readers are told of the section and the schema. */
export interface Surroundings extends Pick<ReaderArguments, 'idstr' | 'vmsds' | 'behind'> {
  /** CPUs of the machine, as far as the stream tells. */
  readonly cpus: number;
}

const UNKNOWN_LENGTH: StreamLength = { min: 0, exact: false };
/** Steps that are left; shared by the runs of a search, so that lying tables cannot hold it up. */
export interface StepBudget {
  steps: number;
}

/** So many bytes read at once count as one more step. */
const BYTES_PER_STEP = 16;

/** Steps of one run: a real section takes fewer than one for each byte. */
const MAX_STEPS = 20_000_000;

/** Counts that are not tried beyond. */
const MAX_COUNT = 1 << 16;
/** The same where the bytes do not bound them, because the stream ends before. */
const MAX_CUT_COUNT = 1 << 12;
/** Index of the object that an info of type `tmp` makes. */
const TMP_OBJECT = -2;

/** What is known of a device's configuration from elsewhere. */
export interface CountHints {
  /** Values that the counter of a field, at an offset of its object, can have by default. */
  defaults(field: string, offset: number): ReadonlySet<number>;
}

function elementType({ element }: FieldProgram): string {
  return element.kind === 'struct' ? element.type : element.info;
}
