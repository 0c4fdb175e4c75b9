import type { MemoryPlace } from '../expressions/evaluate.ts';
import {
  type Property,
  type QemuSchema,
  type QomType,
  VMS_ARRAY_OF_POINTER,
  VMS_POINTER,
  VMS_STRUCT,
} from '../schema/qemu-schema.ts';

/** No two devices are taken to have a property at the same offset beyond this. */
const DISTINCT_OFFSET = 0x1000;
/** Types above each other at the most. */
const MAX_PARENTS = 32;

/** The device that a VMSD is of, and where in its struct the VMSD's own begins. */
interface Owner {
  readonly type: string;
  /** VMSD of the device. */
  readonly vmsd: number;
  readonly offset: number;
}

/** Calls members of QEMU's structs what the user knows: a qdev property, or a field that is sent. */
export class MemberNames {
  readonly #schema: QemuSchema;
  readonly #owners = new Map<number, Owner>();
  readonly #types: ReadonlyMap<string, QomType>;
  readonly #properties = new Map<string, readonly Property[]>();
  /** Of lists that no type is known to have. */
  readonly #strays: readonly Property[];

  constructor(schema: QemuSchema) {
    this.#schema = schema;
    this.#types = new Map(schema.types.map((type) => [type.name, type]));
    const claimed = new Set(schema.types.flatMap(({ propertyLists }) => propertyLists));
    this.#strays = schema.propertyLists.flatMap(({ properties }, i) => (claimed.has(i) ? [] : properties));
    const queue: { readonly vmsd: number; readonly owner: Owner }[] = schema.types.flatMap(
      ({ name, vmsds }) => vmsds.map((vmsd) => ({ vmsd, owner: { type: name, vmsd, offset: 0 } })),
    );
    // It grows meanwhile.
    for (const { vmsd: index, owner } of queue) {
      if (this.#owners.has(index)) continue;
      this.#owners.set(index, owner);
      const { fields, subsections } = schema.vmsds[index]!;
      for (const { flags, vmsd, offset } of fields) {
        if (vmsd === undefined || (flags & VMS_STRUCT) === 0 || flags & (VMS_POINTER | VMS_ARRAY_OF_POINTER))
          continue;
        queue.push({ vmsd, owner: { ...owner, offset: owner.offset + offset } });
      }
      for (const vmsd of subsections) queue.push({ vmsd, owner });
    }
  }

  /** What a place is called that a function of a VMSD reads. */
  name(vmsd: number, { root, path, size }: MemoryPlace, mask?: bigint): string {
    const [offset = 0, ...behind] = path;
    const hex = (at: number) => (at < 0 ? `-0x${(-at).toString(16)}` : `0x${at.toString(16)}`);
    const rest = behind.map((step) => `->${hex(step)}`).join('');
    if (root !== 'opaque') return `variable ${hex(offset)}${rest}`;
    const known = this.#property(vmsd, offset, size, behind.length === 0 ? mask : undefined);
    if (known !== undefined) return `${known}${rest}`;
    const owner = this.#owners.get(vmsd);
    const start =
      this.#field(vmsd, offset) ??
      (owner && this.#field(owner.vmsd, owner.offset + offset)) ??
      `member ${hex(offset)}`;
    return mask === undefined ? `${start}${rest}` : `(${start}${rest} & ${hex(Number(mask))})`;
  }

  #field(vmsd: number, offset: number): string | undefined {
    const { fields } = this.#schema.vmsds[vmsd]!;
    return fields.find(
      (field) =>
        field.offset === offset && (field.flags & (VMS_POINTER | VMS_STRUCT | VMS_ARRAY_OF_POINTER)) === 0,
    )?.name;
  }

  #property(vmsd: number, offset: number, size: number, mask: bigint | undefined): string | undefined {
    const owner = this.#owners.get(vmsd);
    if (!owner) return undefined;
    const at = owner.offset + offset;
    const isThere = (property: Property) => {
      if (property.bit === undefined) return mask === undefined && property.offset === at;
      if (mask === undefined || at < property.offset || at + size > property.offset + 8) return false;
      return mask << BigInt((at - property.offset) * 8) === 1n << BigInt(property.bit);
    };
    let found = this.#propertiesOf(owner.type).find(isThere);
    if (!found && at >= DISTINCT_OFFSET) {
      const strays = this.#strays.filter(isThere);
      if (strays.length === 1) found = strays[0];
    }
    return found && `property ${found.name}`;
  }

  #propertiesOf(name: string): readonly Property[] {
    let properties = this.#properties.get(name);
    if (!properties) {
      const all: Property[] = [];
      let type = this.#types.get(name);
      for (let i = 0; type && i < MAX_PARENTS; i++, type = this.#types.get(type.parent)) {
        for (const list of type.propertyLists)
          all.push(...(this.#schema.propertyLists[list]?.properties ?? []));
      }
      properties = all;
      this.#properties.set(name, properties);
    }
    return properties;
  }
}
