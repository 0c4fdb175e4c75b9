import type { MemoryPlace } from '../expressions/evaluate.ts';
import type { Property, QemuSchema } from '../schema/qemu-schema.ts';
import {
  type MemberName,
  memberName,
  POINTER_SIZE,
  type SchemaSymbols,
  type SourceSymbol,
  type VmsdSymbol,
  variableName,
} from '../schema/symbols.ts';
import type { TablesCompiler } from '../vmsd/compile-tables.ts';
import { type CompiledField, type CompiledVmsd, tableName } from '../vmsd/compiled.ts';
import { variablesOf } from '../vmsd/variables.ts';
import { TypeProperties } from './type-properties.ts';

/** No two devices are taken to have a property at the same offset beyond this. */
const DISTINCT_OFFSET = 0x1000;

/** The device that a VMSD is of, and where in its struct the VMSD's own begins. */
interface Owner {
  readonly type: string;
  /** VMSD of the device. */
  readonly vmsd: CompiledVmsd;
  readonly offset: number;
}

/** What a place in memory is called. */
export interface NamedPlace {
  readonly text: string;
  /** The property that sets it, where the text is not that. */
  readonly property: string | undefined;
}

/**
 * Calls members of QEMU's structs what the user knows: by their names in the source where the schema has those, else as a
 * qdev property, or as a field that is sent.
 */
export class MemberNames {
  readonly #schema: QemuSchema;
  readonly #owners = new Map<CompiledVmsd, Owner>();
  readonly #types: TypeProperties;
  /** Of lists that no type is known to have. */
  readonly #strays: readonly Property[];
  readonly #variables: ReadonlyMap<CompiledVmsd, VmsdSymbol>;

  constructor(schema: QemuSchema, compiler: TablesCompiler) {
    this.#schema = schema;
    this.#types = new TypeProperties(schema);
    const claimed = new Set(schema.types.flatMap(({ propertyLists }) => propertyLists));
    this.#strays = schema.propertyLists.flatMap(({ properties }, i) => (claimed.has(i) ? [] : properties));
    const queue: { readonly vmsd: CompiledVmsd; readonly owner: Owner }[] = schema.types.flatMap(
      ({ name, vmsds }) =>
        vmsds.map((index) => {
          const vmsd = compiler.vmsd(index);
          return { vmsd, owner: { type: name, vmsd, offset: 0 } };
        }),
    );
    this.#variables = variablesOf(schema.symbols, compiler);
    // It grows meanwhile.
    for (const { vmsd, owner } of queue) {
      if (this.#owners.has(vmsd)) continue;
      this.#owners.set(vmsd, owner);
      for (const field of vmsd.fields) {
        const { element, offset } = field;
        if (element.kind !== 'struct' || !isStructInPlace(field)) continue;
        queue.push({ vmsd: element.vmsd, owner: { ...owner, offset: owner.offset + offset } });
      }
      for (const subsection of vmsd.subsections) queue.push({ vmsd: subsection, owner });
    }
  }

  /** The function of an index, as the source has it. */
  functionSymbol(index: number): SourceSymbol | undefined {
    return this.#schema.symbols?.functions[index];
  }

  /** Does the schema say which variable a VMSD is, of any? */
  get hasVariables(): boolean {
    return this.#variables.size > 0;
  }

  /** The variable that a VMSD of these tables is. */
  variable(vmsd: CompiledVmsd): SourceSymbol | undefined {
    return this.#variables.get(vmsd);
  }

  /** What a place is called that a function of a VMSD reads. */
  name(vmsd: CompiledVmsd, place: MemoryPlace, mask?: bigint): NamedPlace {
    const { root, path, size } = place;
    const [offset = 0] = path;
    const known =
      root === 'opaque'
        ? this.#property(vmsd, offset, size, path.length === 1 ? mask : undefined)
        : undefined;
    const text = this.#sourceName(vmsd, place, mask);
    if (text !== undefined) return { text, property: path.length === 1 ? known : undefined };
    return { text: this.#tableName(vmsd, place, mask, known), property: undefined };
  }

  /** As C has it, with `s` for the object that the VMSD describes. */
  #sourceName(
    vmsd: CompiledVmsd,
    { root, path, size }: MemoryPlace,
    mask: bigint | undefined,
  ): string | undefined {
    const { symbols } = this.#schema;
    if (root === 'global') return symbols && variableText(symbols, path, size, mask);
    const struct = this.#variables.get(vmsd)?.struct;
    if (root !== 'opaque' || struct === undefined) return undefined;
    const found = memberName(symbols?.structs ?? [], struct, path, size, mask);
    return found && nameText({ ...found, text: `s->${found.text}` }, mask);
  }

  #tableName(
    vmsd: CompiledVmsd,
    { root, path }: MemoryPlace,
    mask: bigint | undefined,
    known: string | undefined,
  ): string {
    const [offset = 0, ...behind] = path;
    const rest = stepsText(behind);
    if (root !== 'opaque') return `variable ${hex(offset)}${rest}`;
    if (known !== undefined) return `${known}${rest}`;
    const owner = this.#owners.get(vmsd);
    const start =
      fieldAt(vmsd, offset) ??
      (owner && fieldAt(owner.vmsd, owner.offset + offset)) ??
      `member ${hex(offset)}`;
    return mask === undefined ? `${start}${rest}` : `(${start}${rest} & ${hex(Number(mask))})`;
  }

  #property(vmsd: CompiledVmsd, offset: number, size: number, mask: bigint | undefined): string | undefined {
    const owner = this.#owners.get(vmsd);
    if (!owner) return undefined;
    const at = owner.offset + offset;
    const isThere = (property: Property) => {
      if (property.bit === undefined) return mask === undefined && property.offset === at;
      if (mask === undefined || at < property.offset || at + size > property.offset + 8) return false;
      return mask << BigInt((at - property.offset) * 8) === 1n << BigInt(property.bit);
    };
    let found = this.#types.propertiesOf(owner.type).find(isThere);
    if (!found && at >= DISTINCT_OFFSET) {
      const strays = this.#strays.filter(isThere);
      if (strays.length === 1) found = strays[0];
    }
    return found && `property ${found.name}`;
  }
}

/** Whether it is an object inside the VMSD's own, and not behind a pointer. */
function isStructInPlace({ element, pointer, pointers }: CompiledField): boolean {
  return element.kind === 'struct' && element.type === 'struct' && !pointer && !pointers;
}

/** What is sent of an offset. */
function fieldAt({ fields }: CompiledVmsd, offset: number): string | undefined {
  const field = fields.find(
    ({ offset: at, element, pointer, pointers }) =>
      at === offset && !pointer && !pointers && !(element.kind === 'struct' && element.type === 'struct'),
  );
  return field && tableName(field);
}

/** A variable, or a member on the way from it: as far as there are names, and by offsets from there on. */
function variableText(
  symbols: SchemaSymbols,
  path: readonly number[],
  size: number,
  mask: bigint | undefined,
): string | undefined {
  const whole = variableName(symbols, path, size, mask);
  if (whole) return nameText(whole, mask);
  for (let length = path.length - 1; length > 0; length--) {
    const found = variableName(symbols, path.slice(0, length), POINTER_SIZE);
    if (found?.behind !== 0) continue;
    const text = `${found.text}${stepsText(path.slice(length))}`;
    return mask === undefined ? text : `(${text} & ${hex(Number(mask))})`;
  }
  return undefined;
}

function nameText({ text, behind, isBitField }: MemberName, mask: bigint | undefined): string {
  if (mask !== undefined && !isBitField) return `(${text} & 0x${(mask << BigInt(8 * behind)).toString(16)})`;
  return behind === 0 ? text : `(byte ${behind} of ${text})`;
}

function stepsText(steps: readonly number[]): string {
  return steps.map((step) => `->${hex(step)}`).join('');
}

function hex(at: number): string {
  return at < 0 ? `-0x${(-at).toString(16)}` : `0x${at.toString(16)}`;
}
