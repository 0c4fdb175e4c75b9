import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DecodeError } from '../bytes/diagnostic.ts';

/** Where the schemas are that ship with this package. */
export const schemaFolder = new URL('../../schemas/', import.meta.url);

/** An entry of schemas/index.json: the tables of one QEMU that ship with this package. */
export interface BuiltinSchema {
  readonly file: string;
  readonly qemuVersion: string;
  readonly target: string;
  readonly machineTypes: readonly string[];
}

/** All of them; none where the package was installed without its data. */
export async function builtinSchemas(): Promise<readonly BuiltinSchema[]> {
  return JSON.parse(await readFile(new URL('index.json', schemaFolder), 'utf8')) as BuiltinSchema[];
}

/** What a built-in schema is called: `7.2-x86_64`. */
export function builtinSchemaName({ file }: Pick<BuiltinSchema, 'file'>): string {
  return file.slice(0, file.indexOf('.json'));
}

/**
 * The file that `name` means: one of that name, or else the built-in schema that is called so. Throws DecodeError `io`
 * where a name is like that of a built-in schema and there is none.
 */
export async function schemaPath(name: string): Promise<string> {
  const [, version] = /^(\d+\.\d+)-\w+$/.exec(name) ?? [];
  if (version === undefined || existsSync(name)) return name;
  const all = await builtinSchemas();
  const entry = all.find((candidate) => builtinSchemaName(candidate) === name);
  if (entry) return fileURLToPath(new URL(entry.file, schemaFolder));
  const names = all.map(builtinSchemaName);
  const ofVersion = names.filter((other) => other.startsWith(`${version}-`));
  const which =
    ofVersion.length > 0
      ? `those of ${version} are ${ofVersion.join(', ')}`
      : `their versions are ${[...new Set(names.map((other) => other.slice(0, other.indexOf('-'))))].join(', ')}`;
  throw new DecodeError({
    severity: 'error',
    code: 'io',
    message: `${name} is neither a file nor a built-in schema; ${which}`,
  });
}
