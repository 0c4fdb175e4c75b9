import { existsSync } from 'node:fs';
import { DecodeError } from '../bytes/diagnostic.ts';
import { wireOfDump } from '../compat/wire-of-dump.ts';
import { wireOfSchema } from '../compat/wire-of-schema.ts';
import type { WireSide } from '../compat/wire-vmsd.ts';
import { builtinSchemaName, builtinSchemaPath, builtinSchemas } from './builtin-schemas.ts';
import { openSchemaOrDump } from './schema-file.ts';

/**
 * What a QEMU puts on the wire: of its binary, a schema file, a file that `-dump-vmstate` wrote (each compressed or
 * not, told apart by content), or a built-in schema by its name, where no file is called that. Throws DecodeError `io`,
 * `bad-elf`, `not-qemu` or `bad-schema`.
 */
export async function openWireSide(name: string): Promise<WireSide> {
  const opened = await openSchemaOrDump(await pathOf(name));
  return 'devices' in opened ? wireOfDump(opened, name) : wireOfSchema(opened, name);
}

async function pathOf(name: string): Promise<string> {
  if (existsSync(name)) return name;
  const builtin = await builtinSchemaPath(name);
  if (builtin !== undefined) return builtin;
  if (!/^\d+\.\d+-\w+$/.test(name)) return name;
  const names = (await builtinSchemas()).map(builtinSchemaName).sort();
  throw new DecodeError({
    severity: 'error',
    code: 'io',
    message: `${name} is neither a file nor a built-in schema, which are ${names.join(', ')}`,
  });
}
