import { type CompiledField, type CompiledVmsd, tableName } from '../vmsd/compiled.ts';
import type { AskedTest, PointerForm, SideView, WireCount, WireValue } from './side-view.ts';

/**
 * A VMSD as what it puts on the wire, one thing behind the other: structs inside are opened up, as nothing on the wire
 * says where one begins. `open` and `close` are around what is there several times, or in some special form.
 */
export type WireItem = ValueItem | OpenItem | CloseItem | SubsectionsItem | ValidateItem;

interface ItemPlace {
  readonly name: string;
  /** Names of the fields that it is in, outermost first. */
  readonly outer: readonly string[];
  /** VMSD whose field it is. */
  readonly vmsd: CompiledVmsd;
  readonly conditions: readonly Condition[];
  /** How often it is there, by the arrays of fixed length around it. */
  readonly times: number;
  /** How many arrays and lists it is in; those of one element do not count. */
  readonly depth: number;
}

export interface ValueItem extends ItemPlace {
  readonly kind: 'value';
  readonly value: WireValue;
  readonly count: WireCount;
  readonly pointers: PointerForm;
}

export interface OpenItem extends ItemPlace {
  readonly kind: 'open';
  readonly info: string | undefined;
  readonly count: WireCount;
  readonly pointers: PointerForm;
}

interface CloseItem extends ItemPlace {
  readonly kind: 'close';
  /** Of the array that ends. */
  readonly count: WireCount;
}

/** Where the subsections of a VMSD are, and of those around it that end at the same place. */
export interface SubsectionsItem extends ItemPlace {
  readonly kind: 'subsections';
  readonly subsections: readonly CompiledVmsd[];
}

interface ValidateItem extends ItemPlace {
  readonly kind: 'validate';
  readonly test: AskedTest;
}

/** On what it hangs whether something is on the wire. */
export type Condition =
  | {
      readonly kind: 'test';
      readonly test: AskedTest;
      readonly field: string;
    }
  | { readonly kind: 'subsection'; readonly name: string; readonly test: AskedTest | undefined }
  | { readonly kind: 'elements'; readonly field: string; readonly count: string };

/** Which side of a migration a VMSD is flattened for: they take other versions of structs inside. */
type Role = 'save' | 'load';

/** The items of a VMSD at a version: as many as ItemBudget counts, at the most. */
export function wireItems(
  view: SideView,
  vmsd: CompiledVmsd,
  versionId: number,
  role: Role,
  conditions: readonly Condition[] = [],
): readonly WireItem[] {
  const flattener = new Flattener(view, role);
  flattener.vmsd(vmsd, versionId, { outer: [], conditions, times: 1, depth: 0 });
  return flattener.items;
}

/** What is the same for all items of a struct. */
type Surroundings = Omit<ItemPlace, 'vmsd' | 'name'>;

class Flattener {
  readonly items: WireItem[] = [];
  readonly #view: SideView;
  readonly #role: Role;
  /** Of the last item, where that is one of subsections. */
  #subsections: CompiledVmsd[] = [];

  constructor(view: SideView, role: Role) {
    this.#view = view;
    this.#role = role;
  }

  vmsd(vmsd: CompiledVmsd, versionId: number, around: Surroundings): void {
    const { fields, subsections } = vmsd;
    const validations = this.#view.validations(vmsd);
    let validated = 0;
    for (let i = 0; i <= fields.length; i++) {
      for (; validations[validated]?.before === i; validated++) {
        const { name, test } = validations[validated]!;
        const asked = this.#view.ask(test, vmsd, versionId);
        this.items.push({ kind: 'validate', ...placeOf(name, vmsd, around), test: asked });
      }
      const field = fields[i];
      if (field) this.#existing(field, vmsd, versionId, around);
    }
    if (subsections.length > 0) this.#addSubsections(subsections, placeOf('', vmsd, around));
  }

  /** A field, if it is there. */
  #existing(field: CompiledField, vmsd: CompiledVmsd, versionId: number, around: Surroundings): void {
    const { exists } = field;
    const place = placeOf(tableName(field), vmsd, around);
    if (exists.kind === 'version') {
      if (exists.from <= versionId) this.#field(field, vmsd, place);
      return;
    }
    const test = this.#view.ask(exists.test, vmsd, versionId);
    if (test.answer === false) return;
    const condition: Condition = { kind: 'test', test, field: place.name };
    const conditions = test.answer ? place.conditions : [...place.conditions, condition];
    this.#field(field, vmsd, { ...place, conditions });
  }

  #field(field: CompiledField, around: CompiledVmsd, place: ItemPlace): void {
    const { element, count, pointers } = this.#view.form(field, around);
    const { name } = place;
    if (element.kind === 'value') {
      this.items.push({ kind: 'value', ...place, value: element, count, pointers });
      return;
    }
    const { vmsd, info } = element;
    const version = this.#role === 'save' ? element.savedVersion : element.loadedVersion;
    const outer = [...place.outer, name];
    const isPlain =
      (info === undefined || info === 'tmp') &&
      (count.kind === 'unknown' || (count.kind === 'fixed' && !count.isArray));
    if (isPlain) {
      this.vmsd(vmsd, version, { ...place, outer });
      return;
    }
    this.items.push({ kind: 'open', ...place, info, count, pointers });
    const some = elementsCondition(name, info, count);
    const isOne = info === undefined && count.kind === 'fixed' && count.count === 1;
    this.vmsd(vmsd, version, {
      outer,
      conditions: some ? [...place.conditions, some] : place.conditions,
      times: count.kind === 'fixed' ? place.times * count.count : place.times,
      depth: place.depth + (isOne ? 0 : 1),
    });
    this.items.push({ kind: 'close', ...place, count });
  }

  #addSubsections(subsections: readonly CompiledVmsd[], place: ItemPlace): void {
    if (this.items.at(-1)?.kind !== 'subsections') {
      this.#subsections = [];
      this.items.push({ ...place, kind: 'subsections', subsections: this.#subsections });
    }
    for (const subsection of subsections) this.#subsections.push(subsection);
  }
}

function placeOf(
  name: string,
  vmsd: CompiledVmsd,
  { outer, conditions, times, depth }: Surroundings,
): ItemPlace {
  return { name, outer, vmsd, conditions, times, depth };
}

/** Where an item is: its VMSD, and names of fields, outermost first. */
export function itemPlace({ vmsd, outer, name }: WireItem): {
  readonly vmsd: string;
  readonly description: CompiledVmsd;
  readonly path: readonly string[];
} {
  return { vmsd: vmsd.name, description: vmsd, path: name === '' ? outer : [...outer, name] };
}

function elementsCondition(field: string, info: string | undefined, count: WireCount): Condition | undefined {
  if (info !== undefined) return { kind: 'elements', field, count: 'its elements' };
  return count.kind === 'member' ? { kind: 'elements', field, count: count.member } : undefined;
}

/** Bytes that an item takes on the wire, as far as they are fixed. */
export function itemLength(item: WireItem): number | undefined {
  if (item.kind !== 'value') return 0;
  const { value, count } = item;
  // A dump has only the size in memory; 0 is that of what an info writes by hand.
  const length = value.length ?? (value.info === undefined && value.memory !== 0 ? value.memory : undefined);
  if (length === undefined || count.kind === 'member') return undefined;
  return length * (count.kind === 'fixed' ? count.count : 1) * item.times;
}

/** Bytes that QEMU skips. A dump has no types: there it is the usual name. */
export function isUnused(item: WireItem): boolean {
  if (item.kind !== 'value') return false;
  return item.value.info === 'unused_buffer' || (item.value.info === undefined && item.name === 'unused');
}

/** Do two values look the same on the wire? */
export function sameWire(a: ValueItem, b: ValueItem): boolean {
  if (a.depth !== b.depth) return false;
  if (a.pointers !== b.pointers && a.pointers !== 'unknown' && b.pointers !== 'unknown') return false;
  const elements = sameCount(a.count, b.count);
  if (a.value.length !== undefined && b.value.length !== undefined) {
    if (elements) return a.value.length === b.value.length;
    return (
      a.count.kind === 'fixed' &&
      b.count.kind === 'fixed' &&
      a.count.count * a.value.length === b.count.count * b.value.length
    );
  }
  if (!elements) return false;
  const { value: left } = a;
  const { value: right } = b;
  if (left.info !== undefined && right.info !== undefined) {
    return left.info === right.info && (left.sizeMember === undefined) === (right.sizeMember === undefined);
  }
  // A dump has nothing but the size in memory.
  return left.memory === undefined || right.memory === undefined || left.memory === right.memory;
}

/** Are there as many elements, or could there be as many on either side? */
export function sameCount(a: WireCount, b: WireCount): boolean {
  if (a.kind === 'unknown' || b.kind === 'unknown') return true;
  if (a.kind === 'fixed') return b.kind === 'fixed' && a.count === b.count;
  return b.kind === 'member' && a.factor === b.factor;
}
