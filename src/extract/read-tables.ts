import {
  type HostFunction,
  VMS_VARRAY_INT32,
  VMS_VARRAY_UINT8,
  VMS_VARRAY_UINT16,
  VMS_VARRAY_UINT32,
  VMS_VBUFFER,
  type VMStateDescription,
  type VMStateField,
  type VMStateInfo,
  type VmsdCallback,
} from '../schema/qemu-schema.ts';
import { FunctionTable, hostAddress } from './address-table.ts';
import type { LoadedProgram } from './elf/load.ts';
import type { RawInfo } from './find-infos.ts';
import type { TableLayout } from './table-layout.ts';
import type { RawVmsd } from './table-reader.ts';

/** The tables as data. */
interface Tables {
  readonly functions: readonly HostFunction[];
  readonly infos: readonly VMStateInfo[];
  readonly vmsds: readonly VMStateDescription[];
}

/**
 * Turns VMSDs that were found in an image, with all that they point to, into data. `embeddedOnly` has the addresses of
 * those that no section is of.
 */
export function readTables(
  program: LoadedProgram,
  layout: TableLayout,
  rawInfos: ReadonlyMap<number, RawInfo>,
  rawVmsds: readonly RawVmsd[],
  embeddedOnly: ReadonlySet<number>,
): Tables {
  const reader = new TableConverter(program, layout, rawInfos, rawVmsds);
  const vmsds = rawVmsds.map((raw) => reader.vmsd(raw, embeddedOnly.has(raw.address)));
  return { functions: reader.functions.functions, infos: reader.infos, vmsds };
}

class TableConverter {
  readonly functions: FunctionTable;
  readonly infos: VMStateInfo[] = [];
  readonly #program: LoadedProgram;
  readonly #layout: TableLayout;
  readonly #rawInfos: ReadonlyMap<number, RawInfo>;
  readonly #infoIndexes = new Map<number, number>();
  readonly #vmsdIndexes: ReadonlyMap<number, number>;

  constructor(
    program: LoadedProgram,
    layout: TableLayout,
    rawInfos: ReadonlyMap<number, RawInfo>,
    rawVmsds: readonly RawVmsd[],
  ) {
    this.#program = program;
    this.#layout = layout;
    this.#rawInfos = rawInfos;
    this.#vmsdIndexes = new Map(rawVmsds.map(({ address }, i) => [address, i]));
    this.functions = new FunctionTable(program);
  }

  vmsd({ address, fields, subsections }: RawVmsd, embeddedOnly: boolean): VMStateDescription {
    const { image } = this.#program;
    const { vmsd } = this.#layout;
    const callbacks: Partial<Record<VmsdCallback, number>> = {};
    for (const [name, at] of vmsd.callbacks) {
      const index = this.functions.at(address + at);
      if (index !== undefined) callbacks[name] = index;
    }
    return {
      ...hostAddress(this.#program, address),
      name: image.text(image.pointer(address)),
      versionId: image.i32(address + vmsd.versionId),
      minimumVersionId: image.i32(address + vmsd.minimumVersionId),
      unmigratable:
        (vmsd.earlySetup === undefined
          ? image.u32(address + vmsd.unmigratable)
          : image.u8(address + vmsd.unmigratable)) !== 0,
      earlySetup: vmsd.earlySetup !== undefined && image.u8(address + vmsd.earlySetup) !== 0,
      embeddedOnly,
      priority: vmsd.priority === undefined ? 0 : image.u32(address + vmsd.priority),
      callbacks,
      fields: fields.map((field) => this.#field(field)),
      subsections: subsections.flatMap((subsection) => this.#vmsdIndexes.get(subsection) ?? []),
    };
  }

  #field(address: number): VMStateField {
    const { image } = this.#program;
    const { field } = this.#layout;
    const flags = image.u32(address + field.flags);
    return {
      name: image.text(image.pointer(address + field.name)) ?? '',
      offset: image.u64(address + field.offset),
      size: image.u64(address + field.size),
      start: field.start === undefined ? 0 : image.u64(address + field.start),
      num: image.i32(address + field.num),
      numOffset:
        field.numSize === undefined
          ? image.u64(address + field.numOffset)
          : image.u32(address + field.numOffset),
      numSize: field.numSize === undefined ? counterSize(flags) : image.u8(address + field.numSize),
      sizeOffset:
        field.sizeSize === undefined
          ? image.u64(address + field.sizeOffset)
          : image.u32(address + field.sizeOffset),
      sizeSize:
        field.sizeSize === undefined
          ? (flags & VMS_VBUFFER) === 0
            ? 0
            : 4
          : image.u8(address + field.sizeSize),
      flags,
      info: this.#info(image.pointer(address + field.info)),
      vmsd: this.#vmsdIndexes.get(image.pointer(address + field.vmsd)),
      versionId: image.i32(address + field.versionId),
      structVersionId: field.structVersionId === undefined ? 0 : image.i32(address + field.structVersionId),
      fieldExists: this.functions.at(address + field.fieldExists),
      errHint: field.errHint === undefined ? undefined : image.text(image.pointer(address + field.errHint)),
    };
  }

  #info(address: number): number | undefined {
    const known = this.#infoIndexes.get(address);
    if (known !== undefined) return known;
    const raw = this.#rawInfos.get(address);
    if (!raw) return undefined;
    const index = this.infos.length;
    this.#infoIndexes.set(address, index);
    const hasMore = this.#layout.infoHasLoadAndSave;
    this.infos.push({
      ...hostAddress(this.#program, address),
      name: raw.name,
      get: this.functions.at(address + 8),
      put: this.functions.at(address + 16),
      load: hasMore ? this.functions.at(address + 24) : undefined,
      save: hasMore ? this.functions.at(address + 32) : undefined,
    });
    return index;
  }
}

/** Bytes of the counter that the flags of QEMU before 11.1 name. */
function counterSize(flags: number): number {
  if (flags & VMS_VARRAY_UINT8) return 1;
  if (flags & VMS_VARRAY_UINT16) return 2;
  return flags & (VMS_VARRAY_INT32 | VMS_VARRAY_UINT32) ? 4 : 0;
}
