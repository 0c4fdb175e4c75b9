import { appendTo } from '../bytes/append-to.ts';
import { forEachPointer, type Image } from './elf/image.ts';

/** A TypeInfo in the image. */
export interface RawType {
  readonly address: number;
  readonly name: string;
  readonly parent: string;
  readonly instanceSize: number;
  readonly abstract: boolean;
  /** Address of class_init, or 0. */
  readonly classInit: number;
}

/** Byte offsets in a TypeInfo (include/qom/object.h). */
export interface TypeLayout {
  /** size_t, or undefined before QEMU 5.2 */
  readonly instanceAlign: number | undefined;
  /** Function pointers: instance_init, instance_post_init, instance_finalize, class_init, class_base_init */
  readonly functions: readonly number[];
  readonly abstract: number;
  readonly classInit: number;
}

const layouts: readonly TypeLayout[] = [
  { instanceAlign: 24, functions: [32, 40, 48, 72, 80], abstract: 56, classInit: 72 },
  { instanceAlign: undefined, functions: [24, 32, 40, 64, 72], abstract: 48, classInit: 64 },
];

/** TYPE_MACHINE_SUFFIX (include/hw/boards.h). */
const MACHINE_SUFFIX = '-machine';
const MAX_INSTANCE_SIZE = 1 << 28;
const MAX_ALIGN = 4096;
/** More than this are a binary that lies; real ones have some 2000. */
const MAX_TYPES = 100_000;

/**
 * All TypeInfos that lie in the image, sorted by address; some (CPU models, machine types) are only made at run time.
 * Things that look like one are among them. `described` is the layout that debug information describes, which is taken
 * unless another one fits better.
 */
export function findTypes(
  image: Image,
  described: TypeLayout | undefined,
): { readonly types: readonly RawType[]; readonly layout: TypeLayout } {
  const places = possiblePlaces(image);
  const [first, ...others] = withDescribed(described, layouts);
  let best = { types: candidates(image, first!, places), layout: first! };
  for (const layout of others) {
    const types = candidates(image, layout, places);
    if (deviceTypes(types).length > deviceTypes(best.types).length) best = { types, layout };
  }
  return best;
}

/** The described layout, then the known ones that are others. */
export function withDescribed<T>(described: T | undefined, known: readonly T[]): readonly T[] {
  if (described === undefined) return known;
  const text = JSON.stringify(described);
  return [described, ...known.filter((layout) => JSON.stringify(layout) !== text)];
}

/** Those that descend from `device`, sorted by address. */
export function deviceTypes(types: readonly RawType[]): readonly RawType[] {
  return descendantsOf('device', types);
}

/** The machine types that can be used, each with its name as a stream has it, without `-machine`; sorted by that. */
export function machineTypes(
  types: readonly RawType[],
): readonly { readonly name: string; readonly classInit: number }[] {
  return descendantsOf('machine', types)
    .filter(({ name, abstract }) => !abstract && name.endsWith(MACHINE_SUFFIX))
    .map(({ name, classInit }) => ({ name: name.slice(0, -MACHINE_SUFFIX.length), classInit }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Addresses of what begins as a TypeInfo of any layout does: two pointers and the size of an instance. */
function possiblePlaces(image: Image): readonly number[] {
  const places: number[] = [];
  forEachPointer(image, (address) => {
    const isSize = image.pointer(address + 16) === 0 && image.u64(address + 16) <= MAX_INSTANCE_SIZE;
    if (isSize && image.pointer(address + 8) !== 0) places.push(address);
  });
  return places;
}

function candidates(image: Image, layout: TypeLayout, places: readonly number[]): readonly RawType[] {
  const types: RawType[] = [];
  for (const address of places) {
    if (types.length >= MAX_TYPES) break;
    if (!hasTypeShape(image, layout, address)) continue;
    const name = image.text(image.pointer(address));
    const parent = image.text(image.pointer(address + 8));
    if (!name || !parent) continue;
    types.push({
      address,
      name,
      parent,
      instanceSize: image.u64(address + 16),
      abstract: image.u8(address + layout.abstract) === 1,
      classInit: image.pointer(address + layout.classInit),
    });
  }
  return types;
}

/** Can the members behind those that all layouts have be those of a TypeInfo? */
function hasTypeShape(image: Image, layout: TypeLayout, address: number): boolean {
  if (layout.instanceAlign !== undefined && image.u64(address + layout.instanceAlign) > MAX_ALIGN)
    return false;
  if (image.u8(address + layout.abstract) > 1) return false;
  // class_size follows; in the other layout a function is there.
  const classSize = address + layout.abstract + 8;
  if (image.pointer(classSize) !== 0 || image.u64(classSize) > MAX_INSTANCE_SIZE) return false;
  return layout.functions.every((at) => {
    const code = image.pointer(address + at);
    return code === 0 ? image.u64(address + at) === 0 : image.isCode(code);
  });
}

function descendantsOf(root: string, types: readonly RawType[]): readonly RawType[] {
  const byParent = new Map<string, RawType[]>();
  for (const type of types) {
    appendTo(byParent, type.parent, type);
  }
  const found = new Map<string, RawType>();
  const pending = [...(byParent.get(root) ?? [])];
  for (let type = pending.pop(); type !== undefined; type = pending.pop()) {
    if (found.has(type.name)) continue;
    found.set(type.name, type);
    pending.push(...(byParent.get(type.name) ?? []));
  }
  return [...found.values()].sort((a, b) => a.address - b.address);
}
