import type { FieldSchema, StructSchema } from './schema.ts';

function field(name: string, type: string, size: number, more: Partial<FieldSchema> = {}): FieldSchema {
  return { name, type, size, arrayLength: undefined, index: undefined, struct: undefined, ...more };
}

function struct(vmsdName: string, versionId: number, fields: readonly FieldSchema[]): StructSchema {
  return { vmsdName, versionId, fields, subsections: [] };
}

/** hw/s390x/css.c: the same from 2.10 to 11.1, as the blobs of 10.0 and later show. */
const chpInfo = struct('s390_chp_info', 1, [
  field('in_use', 'uint8', 1),
  field('type', 'uint8', 1),
  field('is_virtual', 'uint8', 1),
]);
const cssImage = struct('s390_css_img', 1, [
  field('chpids', 'struct', 3, { arrayLength: 256, struct: chpInfo }),
]);

const omitted: ReadonlyMap<string, { readonly size: number; readonly struct: StructSchema }> = new Map([
  ['s390_css/css', { size: 768, struct: cssImage }],
]);

/**
 * The elements of a pointer array that blobs of QEMU before 10.0 leave out, because they describe the whole array by
 * its first element and that one is NULL. The table is complete: QEMU has no other array that begins so.
 */
export function omittedElement(
  parent: StructSchema,
  array: FieldSchema,
): { readonly size: number; readonly struct: StructSchema } | undefined {
  return omitted.get(`${parent.vmsdName}/${array.name}`);
}
