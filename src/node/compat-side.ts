import type { Side } from '../compat/side.ts';
import { sideOfDump } from '../compat/side-of-dump.ts';
import { sideOfSchema } from '../compat/side-of-schema.ts';
import { openSchemaOrDump } from './schema-file.ts';

/**
 * A side to compare: of a QEMU binary, a schema file, a file that `-dump-vmstate` wrote (each compressed or
 * not, told apart by content), or a built-in schema by its name, where no file is called that. Throws DecodeError `io`,
 * `bad-elf`, `not-qemu` or `bad-schema`.
 */
export async function openSide(name: string): Promise<Side> {
  const opened = await openSchemaOrDump(name);
  return 'devices' in opened ? sideOfDump(opened, name) : sideOfSchema(opened, name);
}
