import { existsSync } from 'node:fs';
import { DecodeError } from '../bytes/diagnostic.ts';
import type { SchemaEntry } from '../vm/schema-provider.ts';
import { packagePath, packageText } from './package-files.ts';

const ENDING = '.json.gz';

/** The tables of one QEMU that ship with this package. */
export interface BuiltinSchema extends SchemaEntry {
  /** By which `openSchema`, `tablesOf` and all that takes a schema find it: `7.2-x86_64`. */
  readonly name: string;
}

/** All of them; none where the package was installed without its data. */
export async function builtinSchemas(): Promise<readonly BuiltinSchema[]> {
  return builtinSchemasSync();
}

/** The same at once. */
export function builtinSchemasSync(): readonly BuiltinSchema[] {
  return parseIndex(packageText('schemas/index.json'));
}

/** The entries of schemas/index.json. */
function parseIndex(text: string): readonly BuiltinSchema[] {
  const entries = JSON.parse(text) as readonly (SchemaEntry & { readonly file: string })[];
  return entries.map(({ file, ...entry }) => ({ name: file.slice(0, -ENDING.length), ...entry }));
}

/** The file that a built-in schema is in. */
export function builtinSchemaPath({ name }: BuiltinSchema): string {
  return packagePath(`schemas/${name}${ENDING}`);
}

/**
 * The file that `name` means: one of that name, or else the built-in schema that is called so. Throws DecodeError `io`
 * where a name is like that of a built-in schema and there is none.
 */
export async function schemaPath(name: string): Promise<string> {
  const [, version] = /^(\d+\.\d+)-\w+$/.exec(name) ?? [];
  if (version === undefined || existsSync(name)) return name;
  const all = await builtinSchemas();
  const entry = all.find((candidate) => candidate.name === name);
  if (entry) return builtinSchemaPath(entry);
  const names = all.map((each) => each.name);
  if (names.length === 0) throw noSchema(name, 'there is none here');
  const ofVersion = names.filter((other) => other.startsWith(`${version}-`));
  const which =
    ofVersion.length > 0
      ? `those of ${version} are ${ofVersion.join(', ')}`
      : `their versions are ${[...new Set(names.map((other) => other.slice(0, other.indexOf('-'))))].join(', ')}`;
  throw noSchema(name, which);
}

function noSchema(name: string, which: string): DecodeError {
  const message = `${name} is neither a file nor a built-in schema; ${which}`;
  return new DecodeError({ severity: 'error', code: 'io', message });
}
