import type { ObjectPlace, ReaderArguments } from '../../infos/reader.ts';
import { NULL_POINTER_MARKER, OBJECT_POINTER_MARKER } from '../../schema/known-infos.ts';
import { QEMU_VM_SUBSECTION } from '../../stream/records.ts';
import { type CompiledField, type CompiledVmsd, elementType } from '../../vmsd/compiled.ts';
import { scalarTypes } from '../../vmsd/scalars.ts';
import type { LeafValue, Shape } from '../node.ts';
import type { SectionBytes } from '../section-bytes.ts';
import { stepAppliedElements, stepAppliedStruct, stepAppliedSubsections } from './applied.ts';
import { bufferCost, scalarCost, scalarsCost } from './costs.ts';
import { decideExistence } from './existence.ts';
import type { FixedLengths } from './fixed-length.ts';
import {
  type ElementsFrame,
  type Frame,
  type LiveReader,
  type StructFrame,
  type SubsectionsFrame,
  structFrame,
} from './frames.ts';
import { infoMemory } from './info-memory.ts';
import {
  failedValidation,
  loadIntoNull,
  noteSubsection,
  noteSubsections,
  refusedVersion,
  unknownSubsection,
} from './loading.ts';
import type { Outcome, Run, StepBudget, WalkSink } from './outcome.ts';
import { elementCount, infoLength, memorySize } from './questions.ts';
import { enterStruct, stepReader, valueCost } from './reader-step.ts';
import type { ObjectId, Objects, Shadow, ShadowRange } from './shadow.ts';
import { readSubsectionHeader, SUBSECTION_HEADER } from './subsection-header.ts';
import { loadUniform } from './uniform.ts';
import {
  bytesAt,
  type CountHints,
  dead,
  type MachineMode,
  type Surroundings,
  short,
  type WalkContext,
} from './walk-context.ts';

const MAX_DEPTH = 128;
/** So many bytes read at once count as one more step. */
const BYTES_PER_STEP = 16;
/** Steps of one run: a real section takes fewer than one for each byte. */
const MAX_STEPS = 20_000_000;

/** Steps that it is worth to load so many bytes. */
export function stepsOf(bytes: number): number {
  return Math.floor(bytes / BYTES_PER_STEP);
}
/** Index of the object that an info of type `tmp` makes. */
const TMP_OBJECT = -2;

/** Loads a section by tables or by a vmdesc. All methods are functions of their arguments: a machine has no state of its own. */
export class Machine implements WalkContext {
  readonly section: SectionBytes;
  readonly end: number;
  readonly objects: Objects;
  readonly lengths: FixedLengths;
  readonly hints: CountHints;
  readonly surroundings: Surroundings;
  readonly mode: MachineMode;

  constructor(
    section: SectionBytes,
    end: number,
    objects: Objects,
    lengths: FixedLengths,
    hints: CountHints,
    surroundings: Omit<Surroundings, 'behind'>,
    mode: MachineMode = {},
  ) {
    const behind: Surroundings['behind'] = (object, offset, index) => objects.behind(object, offset, index);
    this.surroundings = { ...surroundings, behind };
    this.section = section;
    this.end = end;
    this.objects = objects;
    this.lengths = lengths;
    this.hints = hints;
    this.mode = mode;
  }

  /** The run that loads a section's VMSD from its beginning. */
  start(vmsd: CompiledVmsd, versionId: number, shadow: Shadow): Run {
    const place = { object: this.objects.root, offset: 0 };
    const frame = structFrame(undefined, vmsd, versionId, place, 0);
    const run: Run = { shadow, offset: this.section.base, frame, cost: 0 };
    if (!this.mode.isLoad) noteSubsections(run);
    this.mode.onStruct?.(vmsd, place);
    return run;
  }

  /** Goes on until the section is loaded, cannot be, or something is not known. */
  run(run: Run, sink: WalkSink | undefined, budget = this.#ownBudget()): Outcome {
    for (;;) {
      const { frame } = run;
      if (--budget.steps < 0) return dead(run.offset, 'the tables take too many steps');
      if (!frame) {
        if (run.offset === this.end)
          return this.mode.isCut ? { kind: 'cut', offset: run.offset, field: '' } : { kind: 'done' };
        return dead(run.offset, `${this.end - run.offset} bytes are left`);
      }
      if (frame.depth > MAX_DEPTH) return dead(run.offset, 'structs nest too deep');
      const { offset } = run;
      const outcome = this.#step(run, frame, sink);
      budget.steps -= stepsOf(run.offset - offset);
      // Once it is known what was not, the step is taken anew.
      if (outcome?.kind === 'unknown') run.frame = frame;
      if (outcome) return outcome;
    }
  }

  /** For one run: a section of any length is walked to its end. */
  #ownBudget(): StepBudget {
    return { steps: MAX_STEPS + 4 * stepsOf(this.end - this.section.base) };
  }

  #step(run: Run, frame: Frame, sink: WalkSink | undefined): Outcome | undefined {
    switch (frame.kind) {
      case 'struct':
        return frame.vmsd.applied
          ? stepAppliedStruct(this, run, frame, sink)
          : this.#stepStruct(run, frame, sink);
      case 'subsections':
        return frame.vmsd.applied
          ? stepAppliedSubsections(this, run, frame, sink)
          : this.#stepSubsections(run, frame, sink);
      case 'elements':
        return frame.field.applied
          ? stepAppliedElements(this, run, frame, sink)
          : this.#stepElements(run, frame, sink);
      case 'reader':
        return stepReader(this, run, frame, sink);
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
      const failed = this.mode.isLoad && failedValidation(this, run, frame);
      if (failed) return failed;
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
    const count = elementCount(this, run, frame, field);
    if (typeof count !== 'number') return count;
    const size = memorySize(this, run, frame, field, count);
    if (typeof size !== 'number') return size;
    const member = { object: place.object, offset: place.offset + field.offset };
    const base = field.pointer
      ? { object: this.objects.behind(member.object, member.offset), offset: 0 }
      : member;
    const { versionId } = frame;
    const elements = { kind: 'elements', field, versionId, base, size, index: 0, count, depth } as const;
    if (count > 1) {
      sink?.openArray(field.name, elementType(field), run.offset, count, field.described);
      const close: Frame = { kind: 'close', parent: next, depth };
      run.frame = { ...elements, parent: close };
      return undefined;
    }
    run.frame = next;
    return count === 0 ? undefined : this.#loadElement(run, { ...elements, parent: next }, field.name, sink);
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
    field: CompiledField,
    { info, scalar }: NonNullable<CompiledField['plain']>,
    object: ObjectId,
    offset: number,
    size: number,
    name: string | number,
    sink: WalkSink | undefined,
  ): Outcome | undefined {
    const { view, base } = this.section;
    const start = run.offset;
    if (start + scalar.size > this.end) return short(this, run.offset, field, start + scalar.size);
    const cost = valueCost(this, info, start - base, scalar.size);
    if (cost === undefined) return dead(start, `${info} of ${field.name}`);
    const value = scalar.read(view, start - base);
    const guessed = this.mode.isLoad ? undefined : run.shadow.guessed(object, offset, size);
    if (this.mode.isLoad) run.shadow.overwrite(object, offset, size, unsigned(value, size));
    else if (guessed === undefined) run.shadow.store(object, offset, size, unsigned(value, size));
    else if (guessed !== BigInt(unsigned(value, size)))
      return dead(start, `${field.name} is not what was taken for it`);
    run.cost += cost;
    run.offset += scalar.size;
    sink?.leaf(name, info, start, run.offset, value);
    return undefined;
  }

  #exists(run: Run, frame: StructFrame, field: CompiledField): boolean | Outcome {
    if (field.exists.kind === 'version') return field.exists.from <= frame.versionId;
    const answer = decideExistence(
      field.exists.test,
      frame.versionId,
      frame.place,
      run.shadow,
      this.objects,
      this.mode.isLoad,
    );
    if (answer.known) return answer.exists;
    const { known: _, ...asked } = answer;
    return { kind: 'unknown', unknown: { ...asked, question: 'exists', field: field.name } };
  }

  #stepElements(run: Run, frame: ElementsFrame, sink: WalkSink | undefined): Outcome | undefined {
    const { field, index, count, parent } = frame;
    if (index === 0 && loadUniform(this, run, frame, sink)) {
      run.frame = parent;
      return undefined;
    }
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
    if (wanted > this.end && !this.mode.isCut) return short(this, run.offset, field, wanted);
    const loaded = Math.min(count, Math.floor((this.end - start) / scalar.size));
    const end = start + loaded * scalar.size;
    const { bytes, view, base: sectionBase } = this.section;
    const pos = start - sectionBase;
    const cost = scalarsCost(info, view, pos, scalar.size, loaded, scalar.size);
    if (cost === undefined && !this.mode.isLoad) {
      let wrong = 0;
      while (scalarCost(info, view, pos + wrong * scalar.size, scalar.size) !== undefined) wrong++;
      return dead(start + wrong * scalar.size, `${info} of ${field.name}`);
    }
    run.cost += cost ?? 0;
    sink?.elements({ shape: scalarShape(info, scalar.size), count: loaded, start, bytes, pos });
    const { object, offset } = base;
    const range: ShadowRange = {
      object,
      offset,
      stride: size,
      size,
      count: loaded,
      read(i) {
        const value = scalar.read(view, pos + i * scalar.size);
        return BigInt.asUintN(size * 8, BigInt(value));
      },
    };
    // Members of another size that have some of its bytes change with it.
    if (this.mode.isLoad && !run.shadow.hides(object, offset, offset + loaded * size, [range])) {
      for (let i = 0; i < loaded; i++) run.shadow.overwrite(object, offset + i * size, size, range.read(i));
    } else run.shadow.storeRange(range);
    run.offset = end;
    if (loaded < count) return short(this, run.offset, { name: loaded }, wanted);
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
        sink?.leaf(name, field.nullType, run.offset, run.offset + 1, bytesAt(this, run.offset, 1));
        run.offset++;
        return undefined;
      }
      if (field.marked) {
        sink?.leaf(name, 'ptr-marker', run.offset, run.offset + 1, bytesAt(this, run.offset, 1));
        run.offset++;
      }
      place = { object: this.objects.behind(pointer.object, pointer.offset), offset: 0 };
    }
    const { element } = field;
    if (element.kind === 'struct') {
      sink?.open(name, element.type, run.offset, element.vmsd, element.versionId);
      run.frame = enterStruct(this, run.frame, element.vmsd, element.versionId, place, depth);
      return undefined;
    }
    return this.#loadInfo(run, frame, name, place, sink);
  }

  /** Is this element of a pointer array NULL? Its marker may also be the first byte of a struct. */
  #nullPointer(run: Run, frame: ElementsFrame, pointer: ObjectPlace): boolean | Outcome {
    const { field } = frame;
    if (run.offset >= this.end) return short(this, run.offset, field, run.offset + 1);
    const byte = this.section.bytes[run.offset - this.section.base];
    if (field.marked) {
      if (byte === NULL_POINTER_MARKER) return true;
      if (byte === OBJECT_POINTER_MARKER) return false;
      return dead(run.offset, `no pointer marker before an element of ${field.name}`);
    }
    if (byte !== NULL_POINTER_MARKER) return false;
    const to = `pointer of ${pointer.object} at ${pointer.offset}`;
    const guess = run.shadow.answered(to);
    if (guess !== undefined) return guess !== 0n;
    const options = [
      { value: 1n, cost: 0 },
      { value: 0n, cost: 8 },
    ];
    const key = { kind: 'answer', to } as const;
    return { kind: 'unknown', unknown: { key, question: 'pointer', field: field.name, options } };
  }

  #loadInfo(
    run: Run,
    frame: ElementsFrame,
    name: string | number,
    place: ObjectPlace,
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
      const object = this.objects.behind(place.object, place.offset, TMP_OBJECT);
      sink?.open(name, info, start, vmsd, field.versionId);
      run.frame = enterStruct(this, run.frame, vmsd, field.versionId, { object, offset: 0 }, depth);
      return undefined;
    }
    const known = this.surroundings.infos.get(info);
    const reader = known?.read;
    if (reader) {
      sink?.open(name, info, start, undefined, 0);
      const args: ReaderArguments = { field, place, size, versionId: frame.versionId, ...this.surroundings };
      const close: Frame = { kind: 'close', parent: run.frame, depth };
      const live: LiveReader = { generator: undefined, given: 0, asked: undefined };
      run.frame = { kind: 'reader', reader, args, answers: undefined, live, parent: close, depth: depth + 1 };
      return undefined;
    }
    const length = infoLength(this, run, frame, info);
    if (typeof length !== 'number') return length;
    if (start + length > this.end) return short(this, run.offset, field, start + length);
    const content = bytesAt(this, start, length);
    const memory = infoMemory(run.shadow, place.object);
    const why = this.mode.isLoad ? undefined : known?.fault?.(content, memory);
    if (why !== undefined) return dead(start, why);
    known?.loaded?.(content, memory);
    run.cost += known?.cost?.(content) ?? 0;
    run.cost += bufferCost(content);
    run.offset += length;
    sink?.leaf(name, info, start, run.offset, content);
    return undefined;
  }

  #stepSubsections(run: Run, frame: SubsectionsFrame, sink: WalkSink | undefined): Outcome | undefined {
    const { vmsd, place, parent, depth } = frame;
    run.frame = parent;
    const header = readSubsectionHeader(this.section, run.offset, this.end);
    if (!header) {
      const isCutHere = this.mode.isCut && bytesAt(this, run.offset, 1)[0] === QEMU_VM_SUBSECTION;
      return isCutHere ? short(this, run.offset, { name: 'subsection' }, this.end) : undefined;
    }
    const { name, end: headerEnd } = header;
    const named = vmsd.subsections.filter((candidate) => candidate.name === name);
    if (named.length === 0) return this.mode.isLoad ? unknownSubsection(vmsd, name, run.offset) : undefined;
    let subsection = named[0]!;
    // Several of one name are sent in the order of the table (target/ppc, hw/sd). A load takes the first for each
    // (vmstate_get_subsection).
    if (named.length > 1 && !this.mode.isLoad) {
      const sent = frame.last ? named.indexOf(frame.last) + 1 : 0;
      if (sent === named.length) return undefined;
      const to = `which subsection ${name} of ${place.object} at ${place.offset}, ${sent}`;
      const guess = run.shadow.answered(to);
      if (guess === undefined) {
        const options = named.flatMap((_, i) => (i < sent ? [] : { value: BigInt(i), cost: 1 }));
        const key = { kind: 'answer', to } as const;
        return { kind: 'unknown', unknown: { key, question: 'reading', field: name, options } };
      }
      subsection = named[Number(guess)]!;
    }
    // A load keeps its last byte only (migration/vmstate.c, vmstate_subsection_load).
    const versionId = this.mode.isLoad ? header.versionId & 0xff : header.versionId;
    const refused = this.mode.isLoad && refusedVersion(subsection, versionId, run.offset);
    if (refused) return refused;
    if (this.mode.isLoad) {
      const intoNull = loadIntoNull(run, place, subsection);
      if (intoNull) return intoNull;
    } else noteSubsection(run, place, subsection);
    sink?.open(name, 'subsection', run.offset, subsection, versionId);
    sink?.leaf(
      SUBSECTION_HEADER,
      'subsection header',
      run.offset,
      headerEnd,
      bytesAt(this, run.offset, headerEnd - run.offset),
    );
    run.offset = headerEnd;
    run.frame = enterStruct(this, { ...frame, last: subsection }, subsection, versionId, place, depth);
    return undefined;
  }
}

/** The bits of a loaded value in `size` bytes of memory, of which there may be more or fewer than in the stream. */
function unsigned(value: LeafValue, size: number): number | bigint {
  const number = typeof value === 'boolean' ? Number(value) : (value as number | bigint);
  if (typeof number === 'bigint' || size > 4) return BigInt.asUintN(size * 8, BigInt(number));
  return size === 4 ? number >>> 0 : number & ((1 << (size * 8)) - 1);
}

const scalarShapes = new Map<string, Shape>();

/** The shape of a value of a base type. */
function scalarShape(type: string, size: number): Shape {
  let shape = scalarShapes.get(type);
  if (!shape) {
    shape = { kind: 'scalar', type, size };
    scalarShapes.set(type, shape);
  }
  return shape;
}
