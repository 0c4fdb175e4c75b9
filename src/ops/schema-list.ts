import { appendTo } from '../bytes/append-to.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';

/** A VMSD in a list. */
export interface VmsdSummary {
  /** Index into `vmsds` of the schema. */
  readonly index: number;
  /** Undefined where it gets its name at run time. */
  readonly name: string | undefined;
  readonly versionId: number;
  readonly minimumVersionId: number;
  readonly fields: number;
  readonly subsections: number;
  readonly unmigratable: boolean;
  /** It is inside another: as a field's struct, or as a subsection. */
  readonly embedded: boolean;
  /** QOM types that have it, without those that inherit it. */
  readonly types: readonly string[];
}

/** All VMSDs of a schema, by name. */
export function listVmsds(schema: QemuSchema): VmsdSummary[] {
  const embedded = new Set<number>();
  for (const { fields, subsections } of schema.vmsds) {
    for (const { vmsd } of fields) if (vmsd !== undefined) embedded.add(vmsd);
    for (const subsection of subsections) embedded.add(subsection);
  }
  const types = new Map<number, string[]>();
  for (const { name, vmsds } of schema.types) {
    for (const index of vmsds) appendTo(types, index, name);
  }
  return schema.vmsds
    .map((vmsd, index) => ({
      index,
      name: vmsd.name,
      versionId: vmsd.versionId,
      minimumVersionId: vmsd.minimumVersionId,
      fields: vmsd.fields.length,
      subsections: vmsd.subsections.length,
      unmigratable: vmsd.unmigratable,
      embedded: embedded.has(index),
      types: types.get(index) ?? [],
    }))
    .sort((a, b) => compare(a.name ?? '', b.name ?? '') || a.index - b.index);
}

/** By code units: the same everywhere. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
