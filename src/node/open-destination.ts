import { Destination } from '../check/destination.ts';
import { openStream } from '../layout/open.ts';
import { SchemaTables } from '../layout/tables.ts';
import { useBuiltinTables } from './builtin-schemas.ts';
import { openInput } from './open-input.ts';
import { openSchema } from './schema-file.ts';

/** Where the knowledge of a destination is; any mix of these. */
export interface DestinationFiles {
  /** A QEMU binary or a schema file. */
  readonly schema?: string | undefined;
  /** A profile, or a stream of the destination itself. */
  readonly profile?: string | undefined;
}

export interface OpenedDestination {
  readonly destination: Destination;
  /** What was taken for granted, in a line each. */
  readonly remarks: readonly string[];
  close(): Promise<void>;
}

/** Opens what is known of a destination. Throws DecodeError where a file is not what it should be. */
export async function openDestination({ schema, profile }: DestinationFiles): Promise<OpenedDestination> {
  const given = schema === undefined ? undefined : new SchemaTables(await openSchema(schema));
  if (profile === undefined) {
    return { destination: new Destination({ tables: given }), remarks: [], close: async () => {} };
  }
  const input = await openInput(profile);
  try {
    const opened = await openStream(input.source, given ? { tables: given } : {});
    let tables = given;
    const remarks: string[] = [];
    if (!tables) {
      const chosen = await useBuiltinTables({ ...opened, schema: undefined });
      tables = chosen.tables;
      if (tables) {
        const { qemuVersion, target } = tables.schema;
        remarks.push(
          `taken to be QEMU ${qemuVersion}, ${target}, whose built-in tables fit its state best; --qemu or --schema says which it is`,
        );
      }
    }
    const own = { ...opened, tables, ...(tables ? { infoTables: [tables] } : {}) };
    return { destination: new Destination({ tables, own }), remarks, close: () => input.close() };
  } catch (error) {
    await input.close();
    throw error;
  }
}
