import { DW_TAG_structure_type, DW_TAG_typedef } from './constants.ts';
import type { DebugData, WantedTags } from './debug-data.ts';
import type { EntryReference } from './entry.ts';
import type { StructType, StructTypes } from './struct-types.ts';

const structTags: WantedTags = new Map([
  [DW_TAG_structure_type, []],
  [DW_TAG_typedef, []],
]);

/**
 * Structs by their tag or a typedef of them: each as the first unit describes it in which it has all members that are
 * named. A language that makes its own of those of C may call some otherwise.
 */
export function findStructs(
  data: DebugData,
  types: StructTypes,
  wanted: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, StructType> {
  const found = new Map<string, StructType>();
  for (const each of [data, ...(data.supplement ? [data.supplement] : [])]) {
    for (const unit of each.units) {
      if (found.size === wanted.size) return found;
      const candidates: { readonly name: string; readonly reference: EntryReference }[] = [];
      try {
        each.forEachChild(each.root(unit), structTags, ({ name, reference, isDeclaration }) => {
          if (!isDeclaration && name !== undefined && wanted.has(name) && !found.has(name))
            candidates.push({ name, reference });
        });
      } catch (error) {
        data.leftOut.add(error);
      }
      for (const { name, reference } of candidates) {
        const type = types.typeOf(reference);
        if (type?.kind !== 'struct' || found.has(name)) continue;
        const { struct } = type;
        if (wanted.get(name)?.every((path) => types.memberNamed(struct, path))) found.set(name, struct);
      }
    }
  }
  return found;
}
