import type { ObservedField, ObservedStruct } from './observed.ts';
import type { HostAddress } from './qemu-schema.ts';

/** Sets of fields that one VMSD was seen with at the most; real ones have a few. */
const MAX_SHAPES = 1000;
/** Different counts and sizes that are remembered of one VMSD, and structs for each. */
const MAX_RECORDS = 4000;
const SAMPLES = 8;
const MAX_NESTING = 32;

/** Why something cannot be learned from. */
export class NotLearnable extends Error {}

/** A VMSD as several structs show it. */
export interface LearnedVmsd {
  readonly name: string;
  readonly versionId: number;
  /** Where it was seen first. */
  readonly at: HostAddress;
  /** Set for a subsection, which is part of the same object. */
  readonly parent: LearnedVmsd | undefined;
  readonly fields: ReadonlyMap<string, LearnedField>;
  /** Names of the fields in an order that all structs agree with. */
  readonly order: readonly string[];
  readonly subsections: ReadonlySet<LearnedVmsd>;
  /** The sets of fields that it was seen with, as names in order. */
  readonly shapes: readonly (readonly string[])[];
  /** Structs that between them have all counts and sizes that were seen. */
  readonly records: readonly StructRecord[];
}

/** What is remembered of a struct. */
export interface StructRecord {
  /** Counts and sizes of the fields that were there. */
  readonly fields: ReadonlyMap<string, { readonly count: number; readonly size: number }>;
  /** Values of its integers. */
  readonly values: ReadonlyMap<string, number>;
  /** Of a subsection: the struct that it belongs to. */
  readonly outer: StructRecord | undefined;
}

export interface LearnedField {
  readonly name: string;
  readonly type: string | undefined;
  readonly vmsd: LearnedVmsd | undefined;
  readonly sized: boolean;
  readonly nullType: string | undefined;
  readonly marked: boolean;
  readonly each: boolean;
}

/** Two VMSDs of one name and version that cannot be the same. */
interface VmsdConflict {
  readonly name: string;
  readonly versionId: number;
  /** Index of the stream that showed it. */
  readonly object: number;
  readonly field: string;
}

/**
 * Collects VMSDs from structs. Structs of one name and version are taken for the same VMSD where they share a field and
 * contradict each other neither in what a field is nor in the order; else there are several VMSDs of that name, as there
 * are in QEMU (`serial` is a device and the struct in it).
 */
export class VmsdLearner {
  readonly conflicts: VmsdConflict[] = [];
  readonly #byName = new Map<string, GrowingVmsd[]>();
  readonly #vmsds: GrowingVmsd[] = [];
  /** VMSDs whose subsections are being learned. */
  readonly #open: GrowingVmsd[] = [];

  get vmsds(): readonly LearnedVmsd[] {
    return this.#vmsds;
  }

  /** Learns from a struct and all that is in it. Throws NotLearnable; what was learned before that stays. */
  learn(observed: ObservedStruct): LearnedVmsd {
    return this.#learn(observed, undefined, undefined, undefined, 0);
  }

  #learn(
    observed: ObservedStruct,
    parent: GrowingVmsd | undefined,
    outer: StructRecord | undefined,
    likely: GrowingVmsd | undefined,
    depth: number,
  ): GrowingVmsd {
    if (depth > MAX_NESTING) throw new NotLearnable('structs nest too deep');
    const fields = observed.fields.map((field) => this.#field(field, depth));
    const vmsd = this.#vmsdFor(observed, fields, parent, likely);
    const record = vmsd.add(observed.fields, fields, outer);
    if (observed.subsections.length > 0) {
      this.#open.push(vmsd);
      try {
        for (const subsection of observed.subsections)
          vmsd.subsections.add(this.#learn(subsection, vmsd, record, undefined, depth + 1));
      } finally {
        this.#open.pop();
      }
    }
    return vmsd;
  }

  #field(field: ObservedField, depth: number): GrowingField {
    let vmsd: GrowingVmsd | undefined;
    for (const struct of field.structs) {
      const next = this.#learn(struct, undefined, undefined, vmsd, depth + 1);
      if (vmsd && next !== vmsd) throw new NotLearnable(`elements of ${field.name} are of several kinds`);
      vmsd = next;
    }
    const { name, type, sized, nullType, marked, each } = field;
    return { name, type, vmsd, sized, nullType, marked, each };
  }

  #vmsdFor(
    { name, versionId, at }: ObservedStruct,
    fields: readonly GrowingField[],
    parent: GrowingVmsd | undefined,
    likely: GrowingVmsd | undefined,
  ): GrowingVmsd {
    const key = `${parent ? parent.id : ''} ${versionId} ${name}`;
    let known = this.#byName.get(key);
    if (!known) {
      known = [];
      this.#byName.set(key, known);
    }
    let conflict: string | undefined;
    for (const vmsd of known) {
      const problem = vmsd.contradiction(fields);
      const isSame = vmsd === likely || vmsd.shares(fields);
      if (problem === undefined && isSame && !this.#wouldContainItself(vmsd, fields)) return vmsd;
      if (problem !== undefined && vmsd.at.object !== at.object) conflict ??= problem;
    }
    if (conflict !== undefined) this.conflicts.push({ name, versionId, object: at.object, field: conflict });
    const vmsd = new GrowingVmsd(this.#vmsds.length, name, versionId, at, parent);
    known.push(vmsd);
    this.#vmsds.push(vmsd);
    return vmsd;
  }

  /** VMSDs must not contain themselves, as those of QEMU do not. */
  #wouldContainItself(vmsd: GrowingVmsd, fields: readonly GrowingField[]): boolean {
    if (this.#open.some((open) => vmsd.contains(open))) return true;
    return fields.some(
      (field) => field.vmsd && vmsd.fields.get(field.name)?.vmsd !== field.vmsd && field.vmsd.contains(vmsd),
    );
  }
}

type GrowingField = Omit<LearnedField, 'vmsd'> & { readonly vmsd: GrowingVmsd | undefined };

class GrowingVmsd implements LearnedVmsd {
  readonly id: number;
  readonly name: string;
  readonly versionId: number;
  readonly at: HostAddress;
  readonly parent: GrowingVmsd | undefined;
  readonly fields = new Map<string, GrowingField>();
  readonly subsections = new Set<GrowingVmsd>();
  order: readonly string[] = [];
  readonly #shapes = new Map<string, readonly string[]>();
  readonly #records = new Map<string, StructRecord[]>();

  constructor(id: number, name: string, versionId: number, at: HostAddress, parent: GrowingVmsd | undefined) {
    this.id = id;
    this.name = name;
    this.versionId = versionId;
    this.at = at;
    this.parent = parent;
  }

  get shapes(): readonly (readonly string[])[] {
    return [...this.#shapes.values()];
  }

  get records(): readonly StructRecord[] {
    return [...this.#records.values()].flat();
  }

  shares(fields: readonly GrowingField[]): boolean {
    return this.fields.size === 0 || fields.length === 0 || fields.some(({ name }) => this.fields.has(name));
  }

  /** Name of the field that cannot be one of this VMSD. */
  contradiction(fields: readonly GrowingField[]): string | undefined {
    for (const field of fields) {
      const known = this.fields.get(field.name);
      if (!known) continue;
      if (known.type !== undefined && field.type !== undefined && known.type !== field.type)
        return field.name;
      if (known.vmsd && field.vmsd && known.vmsd !== field.vmsd) return field.name;
    }
    const names = fields.map(({ name }) => name);
    if (this.#shapes.has(shapeKey(names)) || this.#orderWith(names)) return undefined;
    return names[0] ?? '';
  }

  contains(other: GrowingVmsd): boolean {
    const seen = new Set<GrowingVmsd>([this]);
    for (const vmsd of seen) {
      if (vmsd === other) return true;
      for (const field of vmsd.fields.values()) if (field.vmsd) seen.add(field.vmsd);
      for (const subsection of vmsd.subsections) seen.add(subsection);
    }
    return false;
  }

  /** Adds a struct that does not contradict. */
  add(
    observed: readonly ObservedField[],
    fields: readonly GrowingField[],
    outer: StructRecord | undefined,
  ): StructRecord {
    const names = fields.map(({ name }) => name);
    const shape = shapeKey(names);
    if (!this.#shapes.has(shape)) {
      if (this.#shapes.size >= MAX_SHAPES) throw new NotLearnable(`${this.name} differs too often`);
      this.order = this.#orderWith(names) ?? this.order;
      this.#shapes.set(shape, names);
    }
    for (const field of fields) {
      const known = this.fields.get(field.name);
      this.fields.set(field.name, known ? mergeFields(known, field) : field);
    }
    const record: StructRecord = {
      fields: new Map(observed.map(({ name, count, size }) => [name, { count, size }])),
      values: new Map(observed.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))),
      outer,
    };
    const key = `${shape} ${observed.map(({ count, size }) => `${count}:${size}`).join(' ')}`;
    const records = this.#records.get(key);
    if (!records) {
      if (this.#records.size < MAX_RECORDS) this.#records.set(key, [record]);
    } else if (records.length < SAMPLES) records.push(record);
    return record;
  }

  /** An order of all fields that agrees with all shapes and another one; undefined where there is none. */
  #orderWith(names: readonly string[]): readonly string[] | undefined {
    return inserted(this.order, names) ?? sorted([...this.#shapes.values(), names]);
  }
}

function shapeKey(names: readonly string[]): string {
  return JSON.stringify(names);
}

function mergeFields(a: GrowingField, b: GrowingField): GrowingField {
  return {
    name: a.name,
    type: a.type ?? b.type,
    vmsd: a.vmsd ?? b.vmsd,
    sized: a.sized || b.sized,
    nullType: a.nullType ?? b.nullType,
    marked: a.marked || b.marked,
    each: a.each || b.each,
  };
}

/** An order with new names put in behind those that they follow; undefined where the order itself would have to change. */
function inserted(order: readonly string[], names: readonly string[]): readonly string[] | undefined {
  const places = new Map(order.map((name, i) => [name, i]));
  const behind = new Map<number, string[]>();
  let last = -1;
  for (const name of names) {
    const place = places.get(name);
    if (place === undefined) behind.set(last, [...(behind.get(last) ?? []), name]);
    else if (place <= last) return undefined;
    else last = place;
  }
  return [...(behind.get(-1) ?? []), ...order.flatMap((name, i) => [name, ...(behind.get(i) ?? [])])];
}

/** Names in an order that agrees with all sequences; undefined where two contradict. */
function sorted(sequences: readonly (readonly string[])[]): readonly string[] | undefined {
  const followers = new Map<string, Set<string>>();
  const waiting = new Map<string, number>();
  for (const sequence of sequences) {
    for (const [i, name] of sequence.entries()) {
      if (!followers.has(name)) followers.set(name, new Set());
      if (!waiting.has(name)) waiting.set(name, 0);
      const before = i === 0 ? undefined : followers.get(sequence[i - 1]!);
      if (!before || before.has(name)) continue;
      before.add(name);
      waiting.set(name, waiting.get(name)! + 1);
    }
  }
  const order: string[] = [];
  const ready = [...waiting].flatMap(([name, count]) => (count === 0 ? [name] : []));
  for (let name = ready.pop(); name !== undefined; name = ready.pop()) {
    order.push(name);
    for (const follower of followers.get(name)!) {
      const left = waiting.get(follower)! - 1;
      waiting.set(follower, left);
      if (left === 0) ready.push(follower);
    }
  }
  return order.length === waiting.size ? order : undefined;
}
