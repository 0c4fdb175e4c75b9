import type { SchemaProvider } from '../vm/schema-provider.ts';
import {
  type BuiltinSchema,
  builtinSchemaPath,
  builtinSchemas,
  builtinSchemasSync,
} from './builtin-schema-index.ts';
import { openSchema, readSchemaFileSync } from './schema-file.ts';

/** The built-in schemas that come with this package. */
export const packagedSchemas: SchemaProvider<BuiltinSchema> = {
  list: builtinSchemas,
  load: (entry) => openSchema(builtinSchemaPath(entry)),
  now: {
    list: builtinSchemasSync,
    load: (entry) => readSchemaFileSync(builtinSchemaPath(entry)),
  },
};
