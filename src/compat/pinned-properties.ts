import { appendTo } from '../bytes/append-to.ts';
import type { MemoryPlace } from '../expressions/evaluate.ts';
import { either, type KnownBits } from '../expressions/known-bits.ts';
import { maskOf } from '../expressions/term.ts';
import type { GlobalProperty, Property, QemuSchema, QomType } from '../schema/qemu-schema.ts';
import type { TablesCompiler } from '../vmsd/compile-tables.ts';
import type { CompiledVmsd } from '../vmsd/compiled.ts';
import { TypeProperties } from './type-properties.ts';

/** Places in devices where VMSDs are; real binaries have some 3000. */
const MAX_PLACES = 100_000;

/** A VMSD with sections of its own: the types that have it, or the device in whose section it is. */
interface Root {
  readonly vmsd: CompiledVmsd;
  readonly types: readonly string[];
  readonly inside?: { readonly types: readonly string[] } | undefined;
}

/** A property of a device that has bits of a place. */
interface PlacedProperty {
  readonly property: Property;
  readonly mask: bigint;
  /** How far its own bits are to be moved up to be there. */
  readonly shift: bigint;
}

/** What the properties of all devices that have a VMSD do with a place that it reads. */
interface PlaceProperties {
  readonly devices: readonly { readonly name: string; readonly properties: readonly PlacedProperty[] }[];
  /** Those of them that some machine type sets. */
  readonly names: readonly string[];
  /** By what machine types set these to. */
  readonly values: Map<string, KnownBits | undefined>;
}

/** The struct of a device that a VMSD describes a part of, and where in it that begins. */
interface Place {
  readonly type: string;
  readonly offset: number;
}

/**
 * Members of device structs that machine types set, each by its property, so that a VM of an older type has what an
 * older QEMU had. Of a property that no machine type of the build sets nothing is said: command lines and boards do
 * with it as they like.
 */
export class PinnedProperties {
  readonly #schema: QemuSchema;
  readonly #types: TypeProperties;
  readonly #subtypes = new Map<string, QomType[]>();
  /** Undefined for a VMSD of which not all places are known. */
  readonly #places = new Map<CompiledVmsd, Place[] | undefined>();
  /** Properties that some machine type sets, of whichever device. */
  readonly #names = new Set<string>();
  /** What each machine type sets, by property, in order. */
  readonly #settings = new Map<string, ReadonlyMap<string, readonly GlobalProperty[]>>();
  readonly #ofPlaces = new Map<CompiledVmsd, Map<string, PlaceProperties>>();
  readonly #lines = new Map<string, ReadonlySet<string>>();

  constructor(schema: QemuSchema, compiler: TablesCompiler, roots: readonly Root[]) {
    this.#schema = schema;
    this.#types = new TypeProperties(schema);
    for (const type of schema.types) appendTo(this.#subtypes, type.parent, type);
    for (const list of schema.globalPropertyLists) for (const { property } of list) this.#names.add(property);
    for (const { machineType, globalPropertyLists } of schema.machineProperties) {
      const settings = new Map<string, GlobalProperty[]>();
      for (const list of globalPropertyLists)
        for (const setting of schema.globalPropertyLists[list] ?? [])
          appendTo(settings, setting.property, setting);
      this.#settings.set(machineType, settings);
    }
    if (schema.host.byteOrder === 'little') this.#findPlaces(compiler, roots);
  }

  /** Machine types of which it is known what they set. */
  get machineTypes(): readonly string[] {
    return [...this.#settings.keys()];
  }

  /** Does a place that a function of a VMSD reads hold what a machine type may set? */
  isPinned(vmsd: CompiledVmsd, { root, path, size }: MemoryPlace): boolean {
    if (root !== 'opaque' || path.length !== 1 || this.#names.size === 0) return false;
    return (this.#places.get(vmsd) ?? []).some(({ type, offset }) =>
      this.#types
        .propertiesOf(type)
        .some(
          (property) =>
            this.#names.has(property.name) && bitsOf(property, offset + path[0]!, size) !== undefined,
        ),
    );
  }

  /**
   * The bits of a place that a machine type sets, or leaves at their default, in each device that has the VMSD; where
   * they differ they are not known.
   */
  value(machineType: string, vmsd: CompiledVmsd, { root, path, size }: MemoryPlace): KnownBits | undefined {
    const settings = this.#settings.get(machineType);
    if (!settings || root !== 'opaque' || path.length !== 1) return undefined;
    const { devices, names, values } = this.#ofPlace(vmsd, path[0]!, size);
    // Most machine types set the same.
    const key = JSON.stringify(
      names.map((name) => settings.get(name)?.map(({ driver, value }) => [driver, value])),
    );
    if (values.has(key)) return values.get(key);
    let all: KnownBits | undefined;
    for (const device of devices) {
      const bits = this.#bits(settings, device);
      all = all ? either(all, bits) : bits;
    }
    values.set(key, all);
    return all;
  }

  #ofPlace(vmsd: CompiledVmsd, at: number, size: number): PlaceProperties {
    const ofVmsd = this.#ofPlaces.get(vmsd) ?? new Map<string, PlaceProperties>();
    this.#ofPlaces.set(vmsd, ofVmsd);
    const key = `${at} ${size}`;
    let found = ofVmsd.get(key);
    if (!found) {
      const devices = (this.#places.get(vmsd) ?? []).flatMap(({ type, offset }) =>
        this.#devicesOf(type).map((name) => ({
          name,
          properties: this.#types.propertiesOf(name).flatMap((property) => {
            const bits = bitsOf(property, offset + at, size);
            return bits ? [{ property, ...bits }] : [];
          }),
        })),
      );
      const names = new Set(
        devices.flatMap(({ properties }) => properties.map(({ property }) => property.name)),
      );
      found = { devices, names: [...names].filter((name) => this.#names.has(name)), values: new Map() };
      ofVmsd.set(key, found);
    }
    return found;
  }

  #bits(
    settings: ReadonlyMap<string, readonly GlobalProperty[]>,
    { name, properties }: PlaceProperties['devices'][number],
  ): KnownBits {
    let [value, known, twice] = [0n, 0n, 0n];
    for (const { property, mask, shift } of properties) {
      // Two properties of one member: which of them is set last is not known.
      twice |= known & mask;
      const number = this.#names.has(property.name)
        ? this.#number(settings.get(property.name) ?? [], name, property)
        : undefined;
      known |= mask;
      if (number === undefined) twice |= mask;
      else value |= (shift < 0n ? number >> -shift : number << shift) & mask;
    }
    known &= ~twice;
    return { value: value & known, known };
  }

  /** What a property of a device has, without sign; undefined where that cannot be told. */
  #number(settings: readonly GlobalProperty[], device: string, property: Property): bigint | undefined {
    const width = widthOf(property);
    if (width === undefined) return undefined;
    let number =
      property.defaultValue === undefined
        ? undefined
        : property.bit === undefined
          ? property.defaultValue
          : property.defaultValue & 1n;
    for (const { driver, value } of settings) {
      if (this.#isOf(device, driver)) number = parseValue(property, value);
      // A device around this one may hand it on (qdev_alias_all_properties); a type that is made at run time may be one.
      else if (!this.#types.propertiesOf(driver).some(({ name }) => name === property.name)) return undefined;
    }
    return number === undefined ? undefined : number & maskOf(width);
  }

  /** Is a type another one, or below it? */
  #isOf(type: string, other: string): boolean {
    const line = this.#lines.get(type) ?? new Set(this.#types.lineOf(type).map(({ name }) => name));
    this.#lines.set(type, line);
    return line.has(other);
  }

  /** Types that there are devices of and that have the VMSD of this one; itself where none is known. */
  #devicesOf(name: string): readonly string[] {
    const devices: string[] = [];
    const pending = [name];
    const seen = new Set(pending);
    for (const next of pending) {
      if (this.#types.type(next)?.abstract === false) devices.push(next);
      for (const { name: subtype, vmsds } of this.#subtypes.get(next) ?? []) {
        if (vmsds.length > 0 || seen.has(subtype)) continue;
        seen.add(subtype);
        pending.push(subtype);
      }
    }
    return devices.length === 0 ? [name] : devices;
  }

  #findPlaces(compiler: TablesCompiler, roots: readonly Root[]): void {
    const pending: { readonly vmsd: CompiledVmsd; readonly place: Place | undefined }[] = [];
    for (const { name, vmsds } of this.#schema.types)
      for (const index of vmsds)
        pending.push({ vmsd: compiler.vmsd(index), place: { type: name, offset: 0 } });
    for (const { vmsd, types, inside } of roots) {
      if (types.length > 0) continue;
      const writers = inside?.types ?? [];
      for (const type of writers) pending.push({ vmsd, place: { type, offset: 0 } });
      if (writers.length === 0) pending.push({ vmsd, place: undefined });
    }
    let count = 0;
    // It grows meanwhile.
    for (const { vmsd, place } of pending) {
      const known = this.#places.get(vmsd);
      if (this.#places.has(vmsd) && known === undefined) continue;
      if (place === undefined || ++count > MAX_PLACES) this.#places.set(vmsd, undefined);
      else if (known?.some(({ type, offset }) => type === place.type && offset === place.offset)) continue;
      else this.#places.set(vmsd, [...(known ?? []), place]);
      for (const subsection of vmsd.subsections) pending.push({ vmsd: subsection, place });
      for (const { element, offset, pointer, pointers, count: elements } of vmsd.fields) {
        if (!element.vmsd) continue;
        const isInPlace =
          element.kind === 'struct' &&
          element.type === 'struct' &&
          !pointer &&
          !pointers &&
          elements.kind === 'fixed' &&
          elements.count === 1;
        pending.push({
          vmsd: element.vmsd,
          place: isInPlace && place ? { type: place.type, offset: place.offset + offset } : undefined,
        });
      }
    }
  }
}

/** Bits in memory, by the name of the PropertyInfo (hw/core/qdev-properties.c). */
const widths: ReadonlyMap<string, number> = new Map([
  ['bool', 8],
  ['uint8', 8],
  ['uint16', 16],
  ['uint32', 32],
  ['int32', 32],
  ['uint64', 64],
  ['int64', 64],
  ['size', 64],
]);

function widthOf({ type, bit }: Property): number | undefined {
  return bit === undefined ? widths.get(type) : 1;
}

/** Which bits of a place a property is, and how far its own are to be moved up to be there. */
function bitsOf(
  property: Property,
  at: number,
  size: number,
): { readonly mask: bigint; readonly shift: bigint } | undefined {
  const width = widthOf(property);
  const first = (property.offset - at) * 8 + (property.bit ?? 0);
  if (width === undefined || first >= size * 8 || first + width <= 0) return undefined;
  const shift = BigInt(first);
  const own = maskOf(width);
  const mask = (first < 0 ? own >> -shift : own << shift) & maskOf(size * 8);
  return { mask, shift };
}

/** What QEMU makes of the text of a value (qapi/string-input-visitor.c); undefined where it is not known, or refused. */
function parseValue({ type }: Property, value: string): bigint | undefined {
  if (type === 'bool' || type === 'bit') {
    if (['on', 'yes', 'true', 'y'].includes(value)) return 1n;
    return ['off', 'no', 'false', 'n'].includes(value) ? 0n : undefined;
  }
  const [, sign, digits] = /^(-?)(0x[0-9a-f]{1,16}|0|[1-9]\d{0,19})$/i.exec(value) ?? [];
  if (digits === undefined) return undefined;
  return sign === '-' ? -BigInt(digits) : BigInt(digits);
}
