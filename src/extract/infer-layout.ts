import {
  VMS_ARRAY,
  VMS_MULTIPLY,
  VMS_POINTER,
  VMS_SINGLE,
  VMS_STRUCT,
  VMS_VARRAY,
  VMS_VBUFFER,
  VMS_VSTRUCT,
} from '../schema/qemu-schema.ts';
import { forEachPointer, type Image } from './elf/image.ts';
import { baseInfoNames, type RawInfo } from './find-infos.ts';
import { type FieldLayout, type TableLayout, type VmsdLayout, vmsdCallbackOrders } from './table-layout.ts';

/** Bytes of a plain type in memory: what a field's `size` says. */
const typeSizes: ReadonlyMap<string, number> = new Map([
  ['uint16', 2],
  ['uint32', 4],
  ['uint64', 8],
  ['int16', 2],
  ['int32', 4],
  ['int64', 8],
]);

const MAX_STRIDE = 256;
const MAX_VMSD = 256;
/** With fewer fields than this nothing can be told. */
const MIN_FIELDS = 100;
const NAME = /^[\w(][\w .,/:+()[\]*&>-]*$/;

/**
 * Works out how the tables of an unknown version lie in memory. It begins at the pointers to VMStateInfos of plain
 * types: the usual distance between two is the size of a VMStateField; the name is the column of pointers to text;
 * the other columns follow from what they must hold when `flags` has a bit, or none. The name is taken to come first
 * in a VMStateField and in a VMStateDescription, as in all versions. Undefined when the binary has too little to tell.
 */
export function inferLayout(image: Image, infos: ReadonlyMap<number, RawInfo>): TableLayout | undefined {
  const slots = infoSlots(image, infos);
  const stride = usualGap(slots.map(({ place }) => place));
  if (stride === undefined) return undefined;
  const info = nameDistance(image, slots, stride);
  if (info === undefined) return undefined;
  const fields = slots.map(({ place, name }) => ({ address: place - info, type: name }));
  const field = new FieldColumns(image, infos, stride, info, fields).layout();
  const vmsd = field && inferVmsd(image, infos, field);
  if (!field || !vmsd) return undefined;
  const infoHasLoadAndSave = [...infos.values()].some(
    ({ name, hasLoadAndSave }) => hasLoadAndSave && baseInfoNames.has(name),
  );
  return { name: 'inferred', since: [0, 0], field, vmsd, infoHasLoadAndSave };
}

interface InfoSlot {
  readonly place: number;
  /** Name of the info that it points to. */
  readonly name: string;
}

function infoSlots(image: Image, infos: ReadonlyMap<number, RawInfo>): readonly InfoSlot[] {
  const slots: InfoSlot[] = [];
  forEachPointer(image, (place, target) => {
    const name = infos.get(target)?.name;
    if (name !== undefined && baseInfoNames.has(name)) slots.push({ place, name });
  });
  return slots;
}

function usualGap(places: readonly number[]): number | undefined {
  const counts = new Map<number, number>();
  for (let i = 1; i < places.length; i++) {
    const gap = places[i]! - places[i - 1]!;
    if (gap <= MAX_STRIDE) counts.set(gap, (counts.get(gap) ?? 0) + 1);
  }
  const [gap, count] = mostFrequent(counts) ?? [0, 0];
  return count >= MIN_FIELDS ? gap : undefined;
}

function mostFrequent<T>(counts: ReadonlyMap<T, number>): readonly [T, number] | undefined {
  let best: readonly [T, number] | undefined;
  for (const entry of counts) if (entry[1] > (best?.[1] ?? 0)) best = entry;
  return best;
}

function nameDistance(image: Image, slots: readonly InfoSlot[], stride: number): number | undefined {
  for (let distance = 8; distance < stride; distance += 8) {
    const named = slots.filter(({ place }) => NAME.test(textAt(image, place - distance) ?? ''));
    if (named.length >= 0.95 * slots.length) return distance;
  }
  return undefined;
}

function textAt(image: Image, place: number): string | undefined {
  const target = image.pointer(place);
  return target === 0 ? undefined : image.text(target);
}

function share<T>(items: readonly T[], test: (item: T) => boolean): number {
  return items.length === 0 ? 0 : items.filter(test).length / items.length;
}

interface KnownField {
  readonly address: number;
  /** Name of its info. */
  readonly type: string;
}

/** Finds what the columns of a VMStateField are, one after the other: what is known rules out columns for the rest. */
class FieldColumns {
  readonly #image: Image;
  readonly #infos: ReadonlyMap<number, RawInfo>;
  readonly #stride: number;
  readonly #info: number;
  readonly #fields: readonly KnownField[];
  /** 4-byte columns that are taken. */
  readonly #taken = new Set<number>();

  constructor(
    image: Image,
    infos: ReadonlyMap<number, RawInfo>,
    stride: number,
    info: number,
    fields: readonly KnownField[],
  ) {
    this.#image = image;
    this.#infos = infos;
    this.#stride = stride;
    this.#info = info;
    this.#fields = fields;
  }

  layout(): FieldLayout | undefined {
    const image = this.#image;
    this.#take(0, 8);
    this.#take(this.#info, 8);
    const sized = this.#fields.filter(({ type }) => typeSizes.has(type));
    const size = this.#best(
      8,
      sized,
      ({ address, type }, at) => image.u64(address + at) === typeSizes.get(type),
    );
    if (size === undefined) return undefined;
    this.#take(size, 8);
    const flags = this.#best(4, sized, ({ address }, at) => image.u32(address + at) === VMS_SINGLE);
    if (flags === undefined) return undefined;
    this.#take(flags, 4);
    const flagsOf = (address: number) => image.u32(address + flags);
    // Structs have no info to be found by, but stand among fields that have one.
    const neighbours = this.#neighbours(flagsOf);
    const structs = neighbours.filter((address) => (flagsOf(address) & (VMS_STRUCT | VMS_VSTRUCT)) !== 0);
    const vmsd = this.#bestOf(8, structs, (address, at) => {
      const target = image.pointer(address + at);
      return target !== 0 && !image.isCode(target);
    });
    if (vmsd === undefined) return undefined;
    this.#take(vmsd, 8);
    const all = [...this.#fields.map(({ address }) => address), ...neighbours];
    const fieldExists = this.#mostPointers(all, (target) => image.isCode(target));
    if (fieldExists === undefined) return undefined;
    this.#take(fieldExists, 8);
    const errHint = this.#mostPointers(all, (target) => image.text(target) !== undefined);
    if (errHint !== undefined) this.#take(errHint, 8);
    const offset = this.#increasing(all);
    if (offset === undefined) return undefined;
    this.#take(offset, 8);

    const singles = all.filter((address) => (flagsOf(address) & (VMS_SINGLE | VMS_POINTER)) === VMS_SINGLE);
    const having = (bits: number, without = 0) =>
      all.filter((address) => (flagsOf(address) & bits) !== 0 && (flagsOf(address) & without) === 0);
    const num = this.#telling(4, having(VMS_ARRAY, VMS_VARRAY), singles);
    if (num === undefined) return undefined;
    this.#take(num, 4);
    const varrays = having(VMS_VARRAY);
    const numOffset = this.#telling(8, varrays, singles);
    const numSize = numOffset === undefined ? undefined : this.#width(numOffset + 4, varrays);
    if (numOffset !== undefined) this.#take(numOffset, 8);
    const buffers = having(VMS_VBUFFER, VMS_MULTIPLY);
    const sizeOffset = this.#telling(8, buffers, singles);
    const sizeSize = sizeOffset === undefined ? undefined : this.#width(sizeOffset + 4, buffers);
    if (sizeOffset === undefined || numOffset === undefined) return undefined;
    this.#take(sizeOffset, 8);
    const versionId = this.#smallNumbers(all);
    if (versionId === undefined) return undefined;
    this.#take(versionId, 4);
    // Few fields have one; in all versions it follows the other.
    const structVersionId = this.#free(versionId + 4, 4) ? versionId + 4 : undefined;
    this.#take(versionId + 4, 4);
    const start = this.#telling(8, this.#fieldsOf('qtailq'), singles);
    return {
      stride: this.#stride,
      name: 0,
      errHint,
      offset,
      size,
      start,
      num,
      numOffset,
      sizeOffset,
      numSize,
      sizeSize,
      info: this.#info,
      vmsd,
      fieldExists,
      flags,
      versionId,
      structVersionId,
    };
  }

  #take(at: number, size: number): void {
    for (let column = at - (at % 4); column < at + size; column += 4) this.#taken.add(column);
  }

  #free(at: number, size: number): boolean {
    for (let column = at; column < at + size; column += 4) if (this.#taken.has(column)) return false;
    return at + size <= this.#stride;
  }

  /** Fields that follow a known one and have no info of a plain type. */
  #neighbours(flagsOf: (address: number) => number): readonly number[] {
    const image = this.#image;
    const known = new Set(this.#fields.map(({ address }) => address));
    const found = new Set<number>();
    for (const { address } of this.#fields) {
      for (let at = address + this.#stride; !known.has(at) && !found.has(at); at += this.#stride) {
        if (!NAME.test(textAt(image, at) ?? '') || flagsOf(at) > 0x3ffff) break;
        const info = image.pointer(at + this.#info);
        if (info !== 0 ? !this.#infos.has(info) : image.u64(at + this.#info) !== 0) break;
        found.add(at);
      }
    }
    return [...found];
  }

  #fieldsOf(type: string): readonly number[] {
    const fields: number[] = [];
    forEachPointer(this.#image, (place, target) => {
      if (this.#infos.get(target)?.name === type) fields.push(place - this.#info);
    });
    return fields;
  }

  /** The free column for which the test holds most often, if it mostly does. */
  #best<T>(size: number, items: readonly T[], test: (item: T, at: number) => boolean): number | undefined {
    let best: number | undefined;
    let bestShare = 0.4;
    for (let at = 0; at < this.#stride; at += size) {
      if (!this.#free(at, size)) continue;
      const found = share(items, (item) => test(item, at));
      if (found > bestShare) {
        best = at;
        bestShare = found;
      }
    }
    return best;
  }

  #bestOf(size: number, items: readonly number[], test: (address: number, at: number) => boolean) {
    return this.#best(size, items, test);
  }

  /** The free column with most pointers to something, and hardly any to anything else. */
  #mostPointers(items: readonly number[], test: (target: number) => boolean): number | undefined {
    let best: number | undefined;
    let bestCount = 2;
    for (let at = 0; at < this.#stride; at += 8) {
      if (!this.#free(at, 8)) continue;
      const targets = items
        .map((address) => this.#image.pointer(address + at))
        .filter((target) => target !== 0);
      if (targets.length > bestCount && share(targets, test) > 0.95) {
        best = at;
        bestCount = targets.length;
      }
    }
    return best;
  }

  /** The free column that mostly grows from a field to the next, as members of a struct are mostly sent in order. */
  #increasing(items: readonly number[]): number | undefined {
    const present = new Set(items);
    const followed = items.filter((address) => present.has(address + this.#stride));
    return this.#best(8, followed, (address, at) => {
      const value = this.#image.u64(address + at);
      return value < 0x1000_0000 && value < this.#image.u64(address + this.#stride + at);
    });
  }

  /** The free column that is set in these fields, and not in those. */
  #telling(size: number, fields: readonly number[], others: readonly number[]): number | undefined {
    const isSet = (address: number, at: number) =>
      (size === 8 ? this.#image.u64(address + at) : this.#image.u32(address + at)) !== 0;
    let best: number | undefined;
    let bestShare = 0.6;
    for (let at = 0; at < this.#stride; at += size) {
      if (!this.#free(at, size) || share(others, (address) => isSet(address, at)) > 0.02) continue;
      const found = share(fields, (address) => isSet(address, at));
      if (found > bestShare) {
        best = at;
        bestShare = found;
      }
    }
    return best;
  }

  /** `at`, if these fields have the width of a counter there. */
  #width(at: number, fields: readonly number[]): number | undefined {
    return share(fields, (address) => [1, 2, 4, 8].includes(this.#image.u8(address + at))) > 0.9
      ? at
      : undefined;
  }

  /** The free column that holds most numbers which could be versions. */
  #smallNumbers(items: readonly number[]): number | undefined {
    let best: number | undefined;
    let bestCount = 0;
    for (let at = 0; at < this.#stride; at += 4) {
      if (!this.#free(at, 4)) continue;
      const values = items.map((address) => this.#image.u32(address + at)).filter((value) => value !== 0);
      if (values.length > bestCount && share(values, (value) => value < 1000) > 0.95) {
        best = at;
        bestCount = values.length;
      }
    }
    return best;
  }
}

/** Where VMStateDescriptions have their lists, versions and functions, seen from the words that point to lists. */
function inferVmsd(
  image: Image,
  infos: ReadonlyMap<number, RawInfo>,
  field: FieldLayout,
): VmsdLayout | undefined {
  const heads: number[] = [];
  forEachPointer(image, (place, target) => {
    if (infos.has(image.pointer(target + field.info)) && image.u32(target + field.flags) < 0x40000) {
      if (NAME.test(textAt(image, target) ?? '')) heads.push(place);
    }
  });
  const distances = new Map<number, number>();
  for (const head of heads) {
    for (let distance = 32; distance <= MAX_VMSD; distance += 8) {
      const address = head - distance;
      if (isVersionPair(image, address) && NAME.test(textAt(image, address) ?? ''))
        distances.set(distance, (distances.get(distance) ?? 0) + 1);
    }
  }
  const [fields, count] = mostFrequent(distances) ?? [0, 0];
  if (count < 20) return undefined;
  const vmsds = heads
    .map((head) => head - fields)
    .filter((address) => isVersionPair(image, address) && textAt(image, address) !== undefined);
  // QEMU up to 6.2 had minimum_version_id_old before the priority: then no function comes right after it.
  const hasOldVersion = vmsds.some(
    (address) => image.pointer(address + 24) === 0 && image.u64(address + 24) !== 0,
  );
  const priority = hasOldVersion ? 24 : 20;
  const first = Math.ceil((priority + 4) / 8) * 8;
  const names = vmsdCallbackOrders.find((order) => order.length === (fields - first) / 8);
  const isCallback = (place: number) => {
    const target = image.pointer(place);
    return target !== 0 && image.isCode(target);
  };
  const subsections = vmsds.flatMap((address) => {
    const list = image.pointer(address + fields + 8);
    return list === 0 ? [] : [image.pointer(list)].filter((subsection) => subsection !== 0);
  });
  // Subsections mostly have `needed`; its place tells even where the others do not.
  let needed = first;
  for (let at = first; at < fields; at += 8) {
    const set = share(subsections, (address) => isCallback(address + at));
    if (set > share(subsections, (address) => isCallback(address + needed))) needed = at;
  }
  const isInt = !image.littleEndian && vmsds.some((address) => image.u32(address + 8) === 1);
  return {
    size: fields + 16,
    unmigratable: 8,
    earlySetup: isInt ? undefined : 9,
    versionId: 12,
    minimumVersionId: 16,
    priority,
    callbacks: new Map(
      names && names.indexOf('needed') === (needed - first) / 8
        ? names.map((name, i) => [name, first + 8 * i])
        : [['needed', needed]],
    ),
    fields,
    subsections: fields + 8,
  };
}

/** version_id and minimum_version_id, at their place in all versions. */
function isVersionPair(image: Image, address: number): boolean {
  const version = image.i32(address + 12);
  const minimum = image.i32(address + 16);
  return version >= 0 && version < 100_000_000 && minimum >= 0 && minimum <= Math.max(version, 16);
}
