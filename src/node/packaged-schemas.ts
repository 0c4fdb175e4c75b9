import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SchemaProvider } from '../vm/schema-provider.ts';
import { type BuiltinSchema, builtinSchemas, schemaFolder } from './builtin-schema-index.ts';
import { openSchema, readSchemaFileSync } from './schema-file.ts';

const pathOf = ({ file }: BuiltinSchema) => fileURLToPath(new URL(file, schemaFolder));

/** The built-in schemas that come with this package. */
export const packagedSchemas: SchemaProvider<BuiltinSchema> = {
  list: builtinSchemas,
  load: (entry) => openSchema(pathOf(entry)),
  now: {
    list: () => JSON.parse(readFileSync(new URL('index.json', schemaFolder), 'utf8')) as BuiltinSchema[],
    load: (entry) => readSchemaFileSync(pathOf(entry)),
  },
};
