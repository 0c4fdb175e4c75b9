import { evaluate, type MemoryPlace } from '../expressions/evaluate.ts';
import type { Expression } from '../expressions/expression.ts';
import { fixedInfoLength } from '../infos/infos.ts';
import {
  type CompiledField,
  type CompiledMember,
  type CompiledVmsd,
  type ExistenceTest,
  tableName,
  type Validation,
} from '../vmsd/compiled.ts';
import { expressionShape } from './expression-shape.ts';
import type { RootVmsd, Side } from './side.ts';
import { describeTest } from './test-text.ts';

/** What a field puts on the wire. */
interface WireForm {
  readonly count: WireCount;
  readonly pointers: PointerForm;
  readonly element: WireValue | WireStruct;
}

/**
 * Elements of a field. `unknown`: a dump does not say; where it has the lengths of arrays, it is a single one, unless the
 * number is in the device.
 */
export type WireCount =
  | { readonly kind: 'fixed'; readonly count: number; readonly isArray: boolean }
  /** Some number in the device, times a factor; `member` is what that is called. */
  | { readonly kind: 'member'; readonly member: string; readonly factor: number }
  | { readonly kind: 'unknown'; readonly isSingle: boolean };

/**
 * Of an array of pointers: `nullable` has a byte in place of an element that is NULL, `marked` (QEMU 11) a byte before
 * each element as well. `unknown`: a dump does not say.
 */
export type PointerForm = 'none' | 'nullable' | 'marked' | 'unknown';

export interface WireValue {
  readonly kind: 'value';
  /** Name of the VMStateInfo; undefined in a dump. */
  readonly info: string | undefined;
  /** Bytes on the wire; undefined where it varies, or is not known. */
  readonly length: number | undefined;
  /** Bytes in memory; undefined where they are made up (learned). */
  readonly memory: number | undefined;
  /** VMS_VBUFFER: what holds its size. */
  readonly sizeMember: string | undefined;
}

/** Another VMSD's fields, in place, or in what `info` makes of it (a list, a tree, a temporary object). */
interface WireStruct {
  readonly kind: 'struct';
  readonly info: string | undefined;
  readonly vmsd: CompiledVmsd;
  /** Version that is written, and the one that is read: it is not on the wire. */
  readonly savedVersion: number;
  readonly loadedVersion: number;
}

/** A function of QEMU that decides what is on the wire, asked about a version. */
export interface AskedTest {
  /** What it asks, for people: `property x-old`; undefined where nothing is known of it. */
  text(): string | undefined;
  /** Which function that is, and what properties set: `property x-old, old_needed, hw/net/x.c:12`; undefined if unknown. */
  source(): string | undefined;
  /**
   * The same for tests that look alike, whatever the offsets in the structs that they read; undefined where too little
   * is known to tell it from others.
   */
  readonly shape: string | undefined;
  /** What it says, if that hangs on the version alone. */
  readonly answer: boolean | undefined;
}

/** A place that a function of a VMSD reads, and that machine types set. */
export interface AskedPlace {
  readonly vmsd: CompiledVmsd;
  readonly place: MemoryPlace;
}

/** What a test says, if that can be told, and which places that machine types set it hangs on. */
interface Answer {
  readonly value: boolean | undefined;
  readonly asked: readonly AskedPlace[];
}

/** How much of a side is compared: all, or what `-dump-vmstate` would show of it. What that leaves out is no difference. */
interface Detail {
  readonly types: boolean;
  /** Lengths of arrays. */
  readonly counts: boolean;
}

const views = new WeakMap<Side, Map<string, SideView>>();

/** A side as what it puts on the wire, as far as it is compared. */
export class SideView {
  readonly side: Side;
  readonly #detail: Detail;
  readonly #forms = new Map<CompiledField, WireForm>();
  readonly #shapes = new Map<ExistenceTest, string | undefined>();
  readonly #answers = new Map<CompiledVmsd, Map<ExistenceTest, Map<number, Answer>>>();
  readonly #machineType: string | undefined;
  readonly #ofMachines = new Map<string, SideView>();
  #asked: AskedPlace[] | undefined;

  /** The same side for any VM, where this one is for those of a machine type: what that sets members to is known to tests. */
  readonly ofAny: SideView | undefined;

  private constructor(side: Side, detail: Detail, ofAny?: SideView, machineType?: string) {
    this.side = side;
    this.ofAny = ofAny;
    this.#detail = detail;
    this.#machineType = machineType;
  }

  /** The same one each time: what was found out of a side is not asked again when it is compared with others. */
  static of(side: Side, detail: Detail): SideView {
    const ofSide = views.get(side) ?? new Map<string, SideView>();
    views.set(side, ofSide);
    const key = `${detail.types} ${detail.counts}`;
    const view = ofSide.get(key) ?? new SideView(side, detail);
    ofSide.set(key, view);
    return view;
  }

  /** The same side for a VM of a machine type. */
  ofMachine(machineType: string): SideView {
    const view =
      this.#ofMachines.get(machineType) ?? new SideView(this.side, this.#detail, this, machineType);
    this.#ofMachines.set(machineType, view);
    return view;
  }

  /** Runs a function, and gathers those places that its questions hang on and that machine types set. */
  noting<T>(run: () => T): { readonly result: T; readonly asked: readonly AskedPlace[] } {
    const asked: AskedPlace[] = [];
    const around = this.#asked;
    this.#asked = asked;
    try {
      return { result: run(), asked };
    } finally {
      this.#asked = around;
      around?.push(...asked);
    }
  }

  /** Places that something hangs on which was found out before. */
  note(asked: readonly AskedPlace[]): void {
    this.#asked?.push(...asked);
  }

  /** What a machine type sets these places to: the same text for the same values. */
  settings(machineType: string, asked: readonly AskedPlace[]): string {
    return asked
      .map(({ vmsd, place }) => {
        const bits = this.side.pinned?.value(machineType, vmsd, place);
        return bits ? `${bits.value}/${bits.known}` : '';
      })
      .join(' ');
  }

  get roots(): readonly RootVmsd[] {
    return this.side.roots;
  }

  /** A dump shows that a VMSD has nothing: such a one has mostly nothing else. */
  isUnmigratable({ unmigratable = false, fields, validations, subsections }: CompiledVmsd): boolean {
    if (this.#detail.types) return unmigratable;
    return fields.length + validations.length + subsections.length === 0;
  }

  isEarlySetup({ earlySetup = false }: CompiledVmsd): boolean {
    return earlySetup && this.#detail.types;
  }

  validations({ validations }: CompiledVmsd): readonly Validation[] {
    return this.#detail.types ? validations : [];
  }

  /** Is a subsection sent? Undefined: that hangs on the device. */
  isSent(vmsd: CompiledVmsd): boolean | undefined {
    const { needed, versionId } = vmsd;
    return needed ? this.#answer(needed, vmsd, versionId) : true;
  }

  /** What decides whether a section or subsection is sent; undefined where this side does not tell. */
  needed(vmsd: CompiledVmsd): AskedTest | 'always' | undefined {
    if (this.side.facts.kind !== 'tables' || !this.#detail.types) return undefined;
    const { needed, versionId } = vmsd;
    return needed ? this.ask(needed, vmsd, versionId) : 'always';
  }

  /** A test of a field of a VMSD, or of itself. */
  ask(test: ExistenceTest, vmsd: CompiledVmsd, versionId: number): AskedTest {
    const { names } = this.side;
    const described = () => names && describeTest(names, test, vmsd, versionId);
    return {
      text: () => described()?.text,
      source: () => described()?.source,
      shape: this.#shape(test),
      answer: this.#answer(test, vmsd, versionId),
    };
  }

  #shape(test: ExistenceTest): string | undefined {
    const { expression } = test;
    if (expression === undefined || !this.#detail.types) return undefined;
    if (!this.#shapes.has(test)) this.#shapes.set(test, expressionShape(expression));
    return this.#shapes.get(test);
  }

  #answer(test: ExistenceTest, vmsd: CompiledVmsd, versionId: number): boolean | undefined {
    const { expression } = test;
    if (expression === undefined || !this.#detail.types) return undefined;
    // Asked for each device that embeds the VMSD.
    const ofVmsd = this.#answers.get(vmsd) ?? new Map<ExistenceTest, Map<number, Answer>>();
    this.#answers.set(vmsd, ofVmsd);
    const answers = ofVmsd.get(test) ?? new Map<number, Answer>();
    ofVmsd.set(test, answers);
    const answer = answers.get(versionId) ?? this.#evaluate(expression, vmsd, versionId);
    answers.set(versionId, answer);
    this.#asked?.push(...answer.asked);
    return answer.value;
  }

  #evaluate(expression: Expression, vmsd: CompiledVmsd, version: number): Answer {
    const { pinned } = this.side;
    const asked: AskedPlace[] = [];
    const result = evaluate(expression, {
      version,
      load: (place) => {
        if (!pinned?.isPinned(vmsd, place)) return undefined;
        asked.push({ vmsd, place });
        return this.#machineType === undefined ? undefined : pinned.value(this.#machineType, vmsd, place);
      },
    });
    return { value: result.known ? result.value !== 0n : undefined, asked };
  }

  /** What a field of a VMSD puts on the wire. */
  form(field: CompiledField, vmsd: CompiledVmsd): WireForm {
    let form = this.#forms.get(field);
    if (!form) {
      const { pointers, marked } = field;
      const known = marked ? 'marked' : pointers ? 'nullable' : 'none';
      form = {
        count: this.#count(field, vmsd),
        pointers: this.#detail.types ? known : 'unknown',
        element: this.#element(field, vmsd),
      };
      this.#forms.set(field, form);
    }
    return form;
  }

  #count({ count }: CompiledField, vmsd: CompiledVmsd): WireCount {
    const { types, counts } = this.#detail;
    if (!types && !(counts && count.kind === 'fixed' && count.array))
      return { kind: 'unknown', isSingle: counts };
    if (count.kind === 'member')
      return { kind: 'member', member: this.#memberName(count, vmsd), factor: count.factor };
    // A number from elsewhere may be anything.
    return { kind: 'fixed', count: Math.max(0, count.count), isArray: count.array };
  }

  #element(field: CompiledField, vmsd: CompiledVmsd): WireValue | WireStruct {
    const { element, size, bufferSize, versionId } = field;
    const { types } = this.#detail;
    const info = types && element.kind === 'info' ? element.info : undefined;
    if (element.vmsd) {
      const inner = element.vmsd;
      const isOwn = types && element.kind === 'struct';
      const savedVersion = isOwn ? element.versionId : inner.versionId;
      // migration/vmstate-types.c, put_tmp and get_tmp, put_qtailq and get_qtailq …
      const loadedVersion = info === undefined ? savedVersion : versionId;
      return { kind: 'struct', info, vmsd: inner, savedVersion, loadedVersion };
    }
    const memory = this.side.facts.kind === 'learned' ? undefined : size;
    if (info === undefined) return { kind: 'value', info, length: undefined, memory, sizeMember: undefined };
    return {
      kind: 'value',
      info,
      length: bufferSize ? undefined : fixedInfoLength(info, size, tableName(field)),
      memory,
      sizeMember: bufferSize && this.#memberName(bufferSize, vmsd),
    };
  }

  #memberName({ offset, width }: CompiledMember, vmsd: CompiledVmsd): string {
    const place = { root: 'opaque', path: [offset], size: width } as const;
    return this.side.names?.name(vmsd, place).text ?? 'a number';
  }
}
