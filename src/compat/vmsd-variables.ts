import { appendTo } from '../bytes/append-to.ts';
import type { SourceSymbol } from '../schema/symbols.ts';
import type { CompiledVmsd } from '../vmsd/compiled.ts';
import type { Side } from './side.ts';

/** VMSDs inside of roots, by their names. */
const inside = new WeakMap<CompiledVmsd, ReadonlyMap<string, readonly CompiledVmsd[]>>();

/**
 * The variables of the source that a VMSD is, by what it is in the tables and not by its name, which others may have: a
 * device often has one of its own name inside. `roots` are the VMSDs of the device on both sides, one of which has it. On
 * the other side it is the one in the same place, where nothing else of that name could be meant: the device's own, or the
 * only one of its name inside. Undefined for a side on which that is not known.
 */
export function vmsdVariables(
  sides: readonly [Side, Side],
  roots: readonly [CompiledVmsd, CompiledVmsd],
  vmsd: CompiledVmsd,
): readonly (SourceSymbol | undefined)[] {
  if (!sides.some(({ names }) => names?.hasVariables)) return [];
  const isRoot = roots.includes(vmsd);
  const isOnly = !isRoot && roots.every((root) => (vmsdsIn(root).get(vmsd.name) ?? []).length <= 1);
  return sides.map(({ names }, i) => {
    const root = roots[i]!;
    const own = names?.variable(vmsd);
    if (own || !names) return own;
    if (isRoot) return root.name === vmsd.name ? names.variable(root) : undefined;
    const [only] = isOnly ? (vmsdsIn(root).get(vmsd.name) ?? []) : [];
    return only && names.variable(only);
  });
}

function vmsdsIn(root: CompiledVmsd): ReadonlyMap<string, readonly CompiledVmsd[]> {
  const known = inside.get(root);
  if (known) return known;
  const found = new Set([root]);
  // It grows meanwhile.
  for (const { fields, subsections } of found) {
    for (const { element } of fields) {
      if (element.vmsd) found.add(element.vmsd);
      if (element.kind === 'info' && element.key) found.add(element.key);
    }
    for (const subsection of subsections) found.add(subsection);
  }
  found.delete(root);
  const byName = new Map<string, CompiledVmsd[]>();
  for (const vmsd of found) appendTo(byName, vmsd.name, vmsd);
  inside.set(root, byName);
  return byName;
}
