import { printable } from '../bytes/diagnostic.ts';
import type { Side } from '../compat/side.ts';
import { sideOfDump } from '../compat/side-of-dump.ts';
import { sideOfSchema } from '../compat/side-of-schema.ts';
import { askMachines } from './ask-machines.ts';
import { isElf, openSchemaOrDump } from './schema-file.ts';
import type { StartOptions } from './start-qemu.ts';

export interface SideOptions extends StartOptions {
  /** Starts a binary, without a machine, to ask what its machine types set; nothing is run without it. */
  readonly run?: boolean | undefined;
}

/**
 * A side to compare: of a QEMU binary, a schema file, a file that `-dump-vmstate` wrote (each compressed or
 * not, told apart by content), or a built-in schema by its name, where no file is called that. Throws DecodeError `io`,
 * `bad-elf`, `not-qemu` or `bad-schema`. A binary that does not tell what its machine types set, as it does not start or
 * is older than QEMU 9.1, is what it is without asking; a remark says so.
 */
export async function openSide(name: string, { run = false, ...options }: SideOptions = {}): Promise<Side> {
  const opened = await openSchemaOrDump(name);
  if ('devices' in opened) return sideOfDump(opened, name);
  if (!run || !(await isElf(name))) return sideOfSchema(opened, name);
  try {
    return sideOfSchema({ ...opened, ...(await askMachines(name, options)) }, name);
  } catch (error) {
    options.signal?.throwIfAborted();
    const side = sideOfSchema(opened, name);
    const reason = error instanceof Error ? error.message : String(error);
    const remark = `asked what machine types set, it did not tell: ${printable(reason)}`;
    return { ...side, facts: { ...side.facts, remarks: [...side.facts.remarks, remark] } };
  }
}
