import { findReferences } from './elf/code-references.ts';
import { forEachPointer } from './elf/image.ts';
import type { LoadedProgram } from './elf/load.ts';
import type { RawVmsd, TableReader } from './table-reader.ts';

/**
 * Addresses of the VMSDs that no section can be of: nothing in the program refers to them but other VMSDs that embed
 * them, if any do; no code that would register one, no data that would give one to a device. Of those that are embedded,
 * such whose name another one has, too (`pckbd`: the device's, and one that the ISA device's embeds). Empty for hosts
 * whose code cannot be looked through for certain.
 */
export function findEmbeddedOnly(
  program: LoadedProgram,
  { image, layout }: TableReader,
  vmsds: readonly RawVmsd[],
): ReadonlySet<number> {
  const names = new Map<string, number>();
  const nameOf = ({ address }: RawVmsd) => image.text(image.pointer(address));
  /** Words of the tables that embed a VMSD. */
  const embeddings = new Map<number, number>();
  for (const vmsd of vmsds) {
    const name = nameOf(vmsd);
    if (name !== undefined) names.set(name, (names.get(name) ?? 0) + 1);
    const list = image.pointer(vmsd.address + layout.vmsd.subsections);
    const places = [
      ...vmsd.fields.map((field) => field + layout.field.vmsd),
      ...vmsd.subsections.map((_, i) => list + i * 8),
    ];
    for (const place of places) embeddings.set(place, image.pointer(place));
  }
  const embedded = new Set(embeddings.values());
  const found = new Set(
    vmsds
      .filter((vmsd) => !embedded.has(vmsd.address) || (names.get(nameOf(vmsd) ?? '') ?? 0) > 1)
      .map(({ address }) => address),
  );
  if (found.size === 0) return found;
  const low = Math.min(...found);
  const high = Math.max(...found) + 1;
  const isComplete = findReferences(image, program.machine, low, high, (address) => found.delete(address));
  if (!isComplete) return new Set();
  forEachPointer(image, (place, target) => {
    if (!embeddings.has(place)) found.delete(target);
  });
  return found;
}
