import { childrenOf } from '../layout/children.ts';
import type { LayoutNode, StructNode } from '../layout/node.ts';
import type { SchemaTables } from '../layout/tables.ts';
import type { CompiledField, CompiledVmsd } from '../vmsd/compiled.ts';

/**
 * The VMSDs of tables that the structs on the way to a node are, outermost first: the section's own, and what the code of
 * an info writes, by name and what is in it, those inside as the tables put them into each other. Undefined where several
 * could be meant, or none.
 */
export function vmsdsOfNodes(
  tables: SchemaTables,
  open: readonly LayoutNode[],
): readonly (CompiledVmsd | undefined)[] {
  let around: CompiledVmsd | undefined;
  let field: CompiledField | undefined;
  return open.map((node, depth) => {
    if (node.kind !== 'struct') {
      if (typeof node.name === 'string') field = fieldNamed(around, node.name);
      return undefined;
    }
    const candidates = (depth > 0 && inside(around, field, node)) || tables.vmsds(node.vmsdName ?? '');
    const [found, ...others] = candidates.filter(
      (vmsd) => vmsd.name === node.vmsdName && isMadeBy(vmsd, node),
    );
    around = others.length === 0 ? found : undefined;
    field = undefined;
    return around;
  });
}

/** What a struct in another one can be: a subsection, a field, or an element of one. Undefined where no table says it. */
function inside(
  around: CompiledVmsd | undefined,
  arrayField: CompiledField | undefined,
  { name, type }: StructNode,
): readonly CompiledVmsd[] | undefined {
  if (type === 'subsection') return around?.subsections;
  const { element } = arrayField ?? fieldNamed(around, String(name)) ?? {};
  if (!element?.vmsd) return undefined;
  return element.kind === 'info' && element.key ? [element.vmsd, element.key] : [element.vmsd];
}

function fieldNamed(vmsd: CompiledVmsd | undefined, name: string): CompiledField | undefined {
  return vmsd?.fields.find((field) => field.name === name);
}

/** Has a struct all that a VMSD always sends, and nothing else? What is in a gap may be anything. */
function isMadeBy({ fields, subsections, versionId: newest }: CompiledVmsd, node: StructNode): boolean {
  const { versionId = newest } = node;
  const names = new Set<string>();
  let hasGap = false;
  for (const child of childrenOf(node)) {
    if (child.kind === 'gap') hasGap = true;
    else if (child.type === 'subsection header') continue;
    else if (child.type === 'subsection') {
      if (!subsections.some(({ name }) => name === child.name)) return false;
    } else names.add(String(child.name));
  }
  for (const { name, exists, count } of fields) {
    if (names.delete(name)) continue;
    const isAlways = exists.kind === 'version' && exists.from <= versionId && isSome(count);
    if (isAlways && !hasGap) return false;
  }
  return names.size === 0;
}

function isSome(count: CompiledField['count']): boolean {
  return count.kind === 'fixed' && count.count > 0;
}
