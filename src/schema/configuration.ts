import type { Configuration } from '../stream/records.ts';
import type { FieldSchema, StructSchema } from './schema.ts';

const one = { arrayLength: undefined, index: undefined, struct: undefined };
const u32 = (name: string): FieldSchema => ({ name, type: 'uint32', size: 4, ...one });

/**
 * The description of a CONFIGURATION record as QEMU 8.1 and later put it into the blob (migration/savevm.c,
 * vmstate_configuration), for streams whose blob leaves it out or that have none.
 */
export function configurationSchema(configuration: Configuration): StructSchema {
  const { machineType, targetPageBits, capabilities, uuid } = configuration;
  const subsection = (name: string, fields: FieldSchema[]): StructSchema => ({
    vmsdName: `configuration/${name}`,
    versionId: 1,
    fields,
    subsections: [],
  });
  const subsections: StructSchema[] = [];
  if (targetPageBits !== undefined)
    subsections.push(subsection('target-page-bits', [u32('target_page_bits')]));
  if (capabilities !== undefined) {
    const count = capabilities.length;
    const fields = [u32('caps_count')];
    if (count > 0) {
      const size = 1 + capabilities[0]!.length;
      const arrayLength = count > 1 ? count : undefined;
      fields.push({ name: 'capabilities', type: 'capability', size, ...one, arrayLength });
    }
    subsections.push(subsection('capabilities', fields));
  }
  if (uuid !== undefined) {
    subsections.push(
      subsection('uuid', [{ name: 'uuid.data', type: 'uint8', size: 1, ...one, arrayLength: 16 }]),
    );
  }
  return {
    vmsdName: 'configuration',
    versionId: 1,
    fields: [u32('len'), { name: 'name', type: 'buffer', size: machineType.length, ...one }],
    subsections,
  };
}
