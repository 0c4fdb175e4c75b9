import { forEachPointer } from './elf/image.ts';
import type { LoadedProgram } from './elf/load.ts';
import type { RawVmsd, TableReader } from './table-reader.ts';

/** More VMSDs than this are a binary that lies; the largest real one has some 730. */
const MAX_VMSDS = 20_000;
/** Fields of all VMSDs together: bounds the work on lists that overlap. */
const MAX_TOTAL_FIELDS = 200_000;

/**
 * All VMStateDescriptions of a program, sorted by address: those with a list of fields, those that only have
 * subsections or say that a device cannot be migrated, and those that another one points to.
 */
export function findVmsds(program: LoadedProgram, reader: TableReader): readonly RawVmsd[] {
  const { image, layout } = reader;
  const found = new Map<number, RawVmsd>();
  let fields = 0;
  const add = (vmsd: RawVmsd): boolean => {
    fields += vmsd.fields.length;
    if (found.size >= MAX_VMSDS || fields > MAX_TOTAL_FIELDS) return false;
    found.set(vmsd.address, vmsd);
    return true;
  };
  const fieldPointers = reader.fieldPointers();
  for (const place of fieldPointers) {
    const vmsd = reader.vmsdAt(place - layout.vmsd.fields);
    if (vmsd && isConvincing(reader, vmsd)) add(vmsd);
  }
  forEachPointer(image, (place, target) => {
    if (
      !fieldPointers.has(place) &&
      !found.has(place) &&
      isNamedWithoutFields(reader, place, target) &&
      isConstant(program, place)
    ) {
      const vmsd = reader.vmsdAt(place);
      if (vmsd) add(vmsd);
    }
  });
  // What is pointed to is one, even where its own content would not tell.
  const pending = [...found.values()];
  for (let vmsd = pending.pop(); vmsd !== undefined; vmsd = pending.pop()) {
    for (const address of [...childrenOf(reader, vmsd), ...vmsd.subsections]) {
      if (found.has(address)) continue;
      const child = reader.vmsdAt(address);
      if (!child) continue;
      if (!add(child)) break;
      pending.push(child);
    }
  }
  return [...found.values()].sort((a, b) => a.address - b.address);
}

function childrenOf({ image, layout }: TableReader, vmsd: RawVmsd): readonly number[] {
  return vmsd.fields.map((field) => image.pointer(field + layout.field.vmsd)).filter((child) => child !== 0);
}

/** It has a name, or a field of a plain type. */
function isConvincing({ image, layout }: TableReader, { address, fields }: RawVmsd): boolean {
  return (
    image.pointer(address) !== 0 || fields.some((field) => image.pointer(field + layout.field.info) !== 0)
  );
}

const NAME = /^\w[\w .,/:+-]*$/;

/** A name, then no fields but `unmigratable`, subsections, or an empty list and a version or test (`audio`). */
function isNamedWithoutFields(reader: TableReader, address: number, name: number): boolean {
  const { image, layout } = reader;
  const { vmsd } = layout;
  const list = image.u64(address + vmsd.fields);
  if (list !== 0 && !reader.isLastField(list)) return false;
  // The one byte or four bytes of `unmigratable` hold 1, in either byte order.
  const flag = address + vmsd.unmigratable;
  const isUnmigratable = image.u8(flag) === 1 || image.u32(flag) === 1;
  const needed = vmsd.callbacks.get('needed');
  const isEmpty =
    image.pointer(address + vmsd.fields) !== 0 &&
    (image.u32(address + vmsd.versionId) !== 0 ||
      (needed !== undefined && image.pointer(address + needed) !== 0));
  if (!isUnmigratable && !isEmpty && image.pointer(address + vmsd.subsections) === 0) return false;
  return reader.hasVmsdShape(address) && NAME.test(image.text(name) ?? '');
}

/**
 * Leaves out what has neither fields nor subsections and that nothing refers to: a constant of another kind can look
 * like a VMSD that only says `unmigratable`. `referenced` are the addresses that code refers to.
 */
export function withoutStrays(
  { image, layout }: TableReader,
  vmsds: readonly RawVmsd[],
  referenced: ReadonlySet<number>,
): readonly RawVmsd[] {
  const used = new Set(referenced);
  for (const { fields, subsections } of vmsds) {
    for (const field of fields) used.add(image.pointer(field + layout.field.vmsd));
    for (const subsection of subsections) used.add(subsection);
  }
  return vmsds.filter(
    ({ address, subsections }) =>
      image.pointer(address + layout.vmsd.fields) !== 0 || subsections.length > 0 || used.has(address),
  );
}

/** Lies where the compiler puts constants: other tables (options, trace events) look much the same, but are not. */
function isConstant({ image, objects }: LoadedProgram, address: number): boolean {
  const segment = image.segmentAt(address);
  if (!segment) return false;
  const object = objects[segment.object];
  const relro = object?.header.relro;
  if (!segment.writable || !object || !relro) return true;
  const offset = address - object.base - relro.address;
  return offset >= 0 && offset < relro.size;
}
