import { forEachPointer, type Image } from '../elf/image.ts';
import type { RawVmsd, TableReader } from './table-reader.ts';

/** More VMSDs than this are a binary that lies; the largest real one has some 900. */
const MAX_VMSDS = 100_000;
/** Fields of all VMSDs together: bounds the work on lists that overlap. */
const MAX_TOTAL_FIELDS = 1_000_000;

/**
 * All VMStateDescriptions of a program, sorted by address: those whose fields or subsections can be read, those that
 * only say that a device cannot be migrated, and those that another one points to.
 */
export function findVmsds(reader: TableReader): readonly RawVmsd[] {
  const { image, layout } = reader;
  const found = new Map<number, RawVmsd>();
  let fields = 0;
  const add = (vmsd: RawVmsd): boolean => {
    fields += vmsd.fields.length;
    if (found.size >= MAX_VMSDS || fields > MAX_TOTAL_FIELDS) return false;
    found.set(vmsd.address, vmsd);
    return true;
  };
  forEachPointer(image, (place, target) => {
    // A list of fields, of which at least the first is one.
    const byFields = place - layout.vmsd.fields;
    if (!found.has(byFields) && reader.isField(target)) {
      const vmsd = reader.vmsdAt(byFields);
      if (vmsd) add(vmsd);
      return;
    }
    // The name of one without fields.
    if (image.u64(place + layout.vmsd.fields) === 0 || reader.isLastField(image.pointer(place + layout.vmsd.fields))) {
      if (found.has(place) || !isNamedWithoutFields(reader, place, target)) return;
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

function childrenOf(reader: TableReader, vmsd: RawVmsd): readonly number[] {
  const { image, layout } = reader;
  return vmsd.fields.map((field) => image.pointer(field + layout.field.vmsd)).filter((child) => child !== 0);
}

const NAME = /^[\w][\w .,/:+-]*$/;

/** A name, then `unmigratable` or subsections, and nothing that would not be there in a VMSD. */
function isNamedWithoutFields(reader: TableReader, address: number, name: number): boolean {
  const { image, layout } = reader;
  const { vmsd } = layout;
  const unmigratable = image.u8(address + vmsd.unmigratable) + image.u8(address + vmsd.unmigratable + 3);
  const subsections = image.pointer(address + vmsd.subsections);
  if (unmigratable !== 1 && subsections === 0) return false;
  if (!reader.hasVmsdShape(address)) return false;
  return NAME.test(image.text(name) ?? '');
}
