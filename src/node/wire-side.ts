import { wireOfDump } from '../compat/wire-of-dump.ts';
import { wireOfSchema } from '../compat/wire-of-schema.ts';
import type { WireSide } from '../compat/wire-vmsd.ts';
import { openSchemaOrDump } from './schema-file.ts';

/**
 * What a QEMU puts on the wire: of its binary, a schema file, a file that `-dump-vmstate` wrote (each compressed or
 * not, told apart by content), or a built-in schema by its name, where no file is called that. Throws DecodeError `io`,
 * `bad-elf`, `not-qemu` or `bad-schema`.
 */
export async function openWireSide(name: string): Promise<WireSide> {
  const opened = await openSchemaOrDump(name);
  return 'devices' in opened ? wireOfDump(opened, name) : wireOfSchema(opened, name);
}
