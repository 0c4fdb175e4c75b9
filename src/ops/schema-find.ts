import { globPattern } from '../bytes/glob.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';

/** Something in a schema that has a name. */
export interface SchemaMatch {
  readonly kind: 'vmsd' | 'field' | 'info' | 'type' | 'property';
  /** As it was matched: `apic`, `apic/apicbase`, `uint32`, `e1000-base`, `e1000-base/mac`. */
  readonly name: string;
  /** Index into `vmsds`, `infos` or `types`; of a field or property that of its VMSD or type. */
  readonly index: number;
}

/**
 * Everything whose name a glob matches: `*` matches within one name, `**` anything, `?` one character. Fields and
 * properties have a name of their own and one with that of their VMSD or type before it: `irr` and `apic/irr`.
 */
export function findInSchema(schema: QemuSchema, glob: string): SchemaMatch[] {
  const pattern = globPattern(glob);
  const matches: SchemaMatch[] = [];
  const add = (kind: SchemaMatch['kind'], name: string, index: number) => matches.push({ kind, name, index });
  for (const [index, { name = '', fields }] of schema.vmsds.entries()) {
    if (pattern.test(name)) add('vmsd', name, index);
    for (const field of fields) {
      const path = `${name}/${field.name}`;
      if (pattern.test(field.name) || pattern.test(path)) add('field', path, index);
    }
  }
  for (const [index, { name }] of schema.infos.entries()) if (pattern.test(name)) add('info', name, index);
  for (const [index, type] of schema.types.entries()) {
    if (pattern.test(type.name)) add('type', type.name, index);
    for (const list of type.propertyLists) {
      for (const { name } of schema.propertyLists[list]?.properties ?? []) {
        const path = `${type.name}/${name}`;
        if (pattern.test(name) || pattern.test(path)) add('property', path, index);
      }
    }
  }
  return matches;
}
