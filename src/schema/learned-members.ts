import { type LearnedField, type LearnedVmsd, NotLearnable } from './learn-vmsds.ts';
import { countIn, findCounter, findSizeCounter, type LearnedCounter } from './learned-counts.ts';

/** A number that is always the same, the member that holds it, or the offset of one that no field fills. */
type Amount =
  | { readonly kind: 'fixed'; readonly value: number }
  | { readonly kind: 'counter'; readonly counter: LearnedCounter }
  | { readonly kind: 'unknown'; readonly offset: number; readonly seen: readonly number[] };

/** A field as a member of a made-up struct. */
export interface LearnedMember {
  readonly field: LearnedField;
  /** Bytes from the start of the object. */
  readonly offset: number;
  readonly count: Amount;
  /** Bytes of one element. */
  readonly size: Amount;
  /** The object has a pointer to it. */
  readonly pointer: boolean;
  /** It was not in all structs; members with the same text were always there together. */
  readonly presence: string | undefined;
}

/** Bytes of a pointer, and of a counter that nothing in the stream tells. */
const POINTER = 8;
export const UNKNOWN_COUNTER = 4;
/** Objects that are larger come of lies. */
const MAX_OBJECT = 2 ** 40;

/**
 * Gives the fields of VMSDs places in structs: one behind the other, as no stream says where they are in QEMU. Those of
 * a subsection come behind those of the VMSD that has it, since both are of one object. What is an array lies behind a
 * pointer. Throws NotLearnable.
 */
export class MemberLayout {
  readonly #members = new Map<LearnedVmsd, readonly LearnedMember[]>();
  readonly #ends = new Map<LearnedVmsd, number>();

  members(vmsd: LearnedVmsd): readonly LearnedMember[] {
    let root = vmsd;
    while (root.parent) root = root.parent;
    this.#extent(root);
    return this.#members.get(vmsd)!;
  }

  /** Where a field of a VMSD is in its object. */
  offset(vmsd: LearnedVmsd, field: string): number {
    return this.members(vmsd).find((member) => member.field.name === field)!.offset;
  }

  /** Bytes of an object of a VMSD. */
  extent(vmsd: LearnedVmsd | undefined): number {
    return vmsd ? this.#extent(vmsd) : 0;
  }

  #extent(vmsd: LearnedVmsd): number {
    let end = this.#ends.get(vmsd);
    if (end === undefined) {
      end = this.#layOut(vmsd, 0);
      this.#ends.set(vmsd, end);
    }
    return end;
  }

  #layOut(vmsd: LearnedVmsd, start: number): number {
    let end = start;
    const take = (bytes: number): number => {
      const offset = end;
      end += bytes;
      if (end > MAX_OBJECT) throw new NotLearnable(`${vmsd.name} is too large`);
      return offset;
    };
    const shapes = vmsd.shapes.map((names) => new Set(names));
    const unknowns = new Map<string, number>();
    const unknown = (amounts: readonly number[]): Amount => {
      // Arrays that always have as many elements as each other share a counter.
      const key = amounts.join(' ');
      const offset = unknowns.get(key) ?? take(UNKNOWN_COUNTER);
      unknowns.set(key, offset);
      return { kind: 'unknown', offset, seen: [...new Set(amounts)] };
    };
    const members = vmsd.order.map((name): LearnedMember => {
      const field = vmsd.fields.get(name)!;
      const counts = vmsd.records.map((record) => countIn(record, name));
      const present = vmsd.records.filter((record) => record.fields.has(name));
      const sizes = present.map((record) => record.fields.get(name)!.size);
      const isAbsent = shapes.some((shape) => !shape.has(name));
      const different = new Set(present.map((record) => countIn(record, name)));
      // An array that a vmdesc describes by its first element has no test: where it is not there, it has no element.
      const varies = different.size > 1 || (isAbsent && Math.max(...different) > 1 && !field.each);
      const counter = varies ? findCounter(vmsd, name) : undefined;
      const [first = 1] = different;
      const isArray = varies || first !== 1 || field.nullType !== undefined;
      const size = sizes[0] ?? 0;
      const isVariable = field.sized && new Set(sizes).size > 1;
      const sizeCounter = isVariable ? findSizeCounter(vmsd, name) : undefined;
      const isStruct = field.type === 'struct' || field.type === 'vstruct';
      const pointer = isArray || isVariable;
      const bytes = isStruct ? this.extent(field.vmsd) : size;
      return {
        field,
        offset: take(pointer ? POINTER : bytes),
        count: varies ? amount(counter, () => unknown(counts)) : { kind: 'fixed', value: first },
        size: isVariable ? amount(sizeCounter, () => unknown(sizes)) : { kind: 'fixed', value: bytes },
        pointer,
        presence:
          isAbsent && !varies ? shapes.map((shape) => (shape.has(name) ? '1' : '0')).join('') : undefined,
      };
    });
    this.#members.set(vmsd, members);
    for (const subsection of vmsd.subsections) end = this.#layOut(subsection, end);
    return end;
  }
}

function amount(counter: LearnedCounter | undefined, unknown: () => Amount): Amount {
  return counter ? { kind: 'counter', counter } : unknown();
}
