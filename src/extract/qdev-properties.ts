import type { Property } from '../schema/qemu-schema.ts';
import { forEachPointer, type Image } from './elf/image.ts';
import { withDescribed } from './qom-types.ts';

/** Byte offsets in a Property (include/hw/qdev-properties.h); `name`, `info` and `offset` come first in all. */
export interface PropertyLayout {
  readonly stride: number;
  /** uint8_t */
  readonly bit: number;
  readonly setDefault: number;
  /** int64_t or uint64_t */
  readonly defaultValue: number;
  /** Pointers that are there or not: to what an array has, and the type of a link. */
  readonly pointers: readonly number[];
}

const INFO = 8;
const OFFSET = 16;

/** Of QEMU's releases, newest first: from 10.0, 6.0, 5.1 and 2.9 on. */
const layouts: readonly PropertyLayout[] = [
  { stride: 72, bit: 64, setDefault: 65, defaultValue: 40, pointers: [48, 24] },
  { stride: 88, bit: 24, setDefault: 40, defaultValue: 48, pointers: [64, 80] },
  { stride: 72, bit: 24, setDefault: 25, defaultValue: 32, pointers: [48, 64] },
  { stride: 64, bit: 24, setDefault: 25, defaultValue: 32, pointers: [48] },
];

/** Members of PropertyInfo: name, description and enum table, then functions and a bool; nothing else. */
const INFO_FUNCTIONS_START = 24;
const INFO_FUNCTIONS_END = 72;
const INFO_NAME = /^[A-Za-z][\w<>.:-]*$/;
/** A list without any of these that no code is known to refer to is something else. */
const plainTypes: ReadonlySet<string> = new Set([
  'bool',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'int32',
  'int64',
  'size',
  'str',
  'link',
]);
const MAX_STRUCT_SIZE = 1 << 28;
const MAX_PROPERTIES = 4096;
/** Properties behind each other whose infos are filled when the program runs; real lists have 3. */
const MAX_UNFINISHED = 16;
/** Properties of all devices together: real binaries have some 1300. */
const MAX_TOTAL = 50_000;

/** A list of Properties in the image. */
interface RawPropertyList {
  readonly address: number;
  readonly properties: readonly Property[];
}

/** Finds and reads the qdev Property arrays of an image. */
export class PropertyReader {
  readonly #image: Image;
  #layout: PropertyLayout;
  readonly #infos = new Map<number, boolean>();
  /** Addresses of all Properties, in order. */
  #places: readonly number[];
  /** Infos of single bits: some property of theirs has a bit number. */
  readonly #bitInfos = new Set<number>();

  /** `described`: the layout that debug information describes, which is taken unless another one fits better. */
  constructor(image: Image, described: PropertyLayout | undefined) {
    this.#image = image;
    const candidates: number[] = [];
    forEachPointer(image, (place, target) => {
      if (candidates.length < MAX_TOTAL && image.pointer(place - INFO) !== 0 && this.#isInfo(target))
        candidates.push(place - INFO);
    });
    this.#layout = layouts[0]!;
    this.#places = [];
    let bestScore = -1;
    for (const layout of withDescribed(described, layouts)) {
      const places = candidates.filter((address) => this.#isProperty(address, layout));
      const known = new Set(places);
      const score = places.filter((address) => known.has(address + layout.stride)).length;
      if (score <= bestScore) continue;
      bestScore = score;
      this.#places = places;
      this.#layout = layout;
    }
    const { bit } = this.#layout;
    for (const address of this.#places) {
      if (image.u8(address + bit) !== 0) this.#bitInfos.add(image.pointer(address + INFO));
    }
  }

  /** The layout that was read with. */
  get layout(): PropertyLayout {
    return this.#layout;
  }

  /** Could a list begin here? */
  isProperty(address: number): boolean {
    return this.#isProperty(address, this.#layout);
  }

  /**
   * All lists, in order of address. Lists of QEMU 10.0 and later have no end marker and may touch: one also ends where
   * another begins, so `heads` are the addresses that code is known to refer to.
   */
  lists(heads: ReadonlySet<number>): readonly RawPropertyList[] {
    const lists: { readonly address: number; readonly properties: Property[] }[] = [];
    let expected = -1;
    for (const address of this.#places) {
      const last = lists.at(-1);
      const goesOn = address === expected || this.#areUnfinished(expected, address, heads);
      if (last && goesOn && !heads.has(address) && last.properties.length < MAX_PROPERTIES)
        last.properties.push(this.#property(address));
      else lists.push({ address, properties: [this.#property(address)] });
      expected = address + this.#layout.stride;
    }
    return lists.filter(
      ({ address, properties }) => heads.has(address) || properties.some(({ type }) => plainTypes.has(type)),
    );
  }

  /** Whether there are only Properties between two addresses whose infos the program fills when it runs (`e1000e`). */
  #areUnfinished(start: number, end: number, heads: ReadonlySet<number>): boolean {
    const { stride } = this.#layout;
    if (start < 0 || end <= start || end - start > MAX_UNFINISHED * stride || (end - start) % stride !== 0)
      return false;
    for (let address = start; address < end; address += stride) {
      const info = this.#image.pointer(address + INFO);
      if (info === 0 || heads.has(address) || !this.#image.segmentAt(info)?.writable) return false;
      if (!this.#hasPropertyShape(address, this.#layout)) return false;
    }
    return true;
  }

  #isInfo(address: number): boolean {
    if (this.#image.pointer(address) === 0) return false;
    const known = this.#infos.get(address);
    if (known !== undefined) return known;
    const result = this.#looksLikeInfo(address);
    this.#infos.set(address, result);
    return result;
  }

  #looksLikeInfo(address: number): boolean {
    const image = this.#image;
    const description = image.pointer(address + 8);
    if (description === 0 && image.u64(address + 8) !== 0) return false;
    let functions = 0;
    for (let at = address + INFO_FUNCTIONS_START; at < address + INFO_FUNCTIONS_END; at += 8) {
      const target = image.pointer(at);
      if (target === 0) {
        if (image.u64(at) !== 0 && image.u8(at) !== 1) return false;
      } else if (!image.isCode(target)) return false;
      else functions++;
    }
    if (functions === 0) return false;
    if (description !== 0 && image.text(description) === undefined) return false;
    return INFO_NAME.test(image.text(image.pointer(address)) ?? '');
  }

  #isProperty(address: number, layout: PropertyLayout): boolean {
    const info = this.#image.pointer(address + INFO);
    return info !== 0 && this.#isInfo(info) && this.#hasPropertyShape(address, layout);
  }

  /** Can the members other than the info be those of a Property? */
  #hasPropertyShape(address: number, layout: PropertyLayout): boolean {
    const image = this.#image;
    if (image.u64(address + OFFSET) > MAX_STRUCT_SIZE) return false;
    if (image.u8(address + layout.setDefault) > 1 || image.u8(address + layout.bit) > 63) return false;
    for (const at of layout.pointers) {
      if (image.pointer(address + at) === 0 && image.u64(address + at) !== 0) return false;
    }
    return (image.text(image.pointer(address)) ?? '') !== '';
  }

  #property(address: number): Property {
    const image = this.#image;
    const layout = this.#layout;
    const type = image.text(image.pointer(image.pointer(address + INFO))) ?? '';
    const hasDefault = image.u8(address + layout.setDefault) === 1;
    return {
      name: image.text(image.pointer(address)) ?? '',
      type,
      offset: image.u64(address + OFFSET),
      bit: this.#bitInfos.has(image.pointer(address + INFO)) ? image.u8(address + layout.bit) : undefined,
      defaultValue: hasDefault ? BigInt.asIntN(64, image.bigU64(address + layout.defaultValue)) : undefined,
    };
  }
}
