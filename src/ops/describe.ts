import { appendTo } from '../bytes/append-to.ts';
import type { Diagnostic } from '../bytes/diagnostic.ts';
import { type OpenedStream, undescribedSections } from '../layout/open.ts';
import { deviceKey, findDevice } from '../schema/schema.ts';
import { deviceEntries, type JsonObject } from '../schema/vmdesc.ts';
import { streamPageSize } from './page-size.ts';
import { vmdescForm, writeVmdesc } from './write-vmdesc.ts';

export interface Description {
  /** Undefined where there is neither a vmdesc nor anything to make one of. */
  readonly vmdesc: JsonObject | undefined;
  /** Sections that the description has to leave out, or may have wrong. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The vmdesc of a stream: what QEMU appended, or, by the tables of that QEMU, what it would have appended. Where it
 * leaves out sections, it is completed.
 */
export async function describe(opened: OpenedStream): Promise<Description> {
  const { vmdesc, tables, schema } = opened;
  if (!tables || (vmdesc && undescribedSections(opened).length === 0)) return { vmdesc, diagnostics: [] };
  const pageSize = streamPageSize(opened)?.bytes ?? 4096;
  const made = await writeVmdesc(opened, vmdescForm(tables.schema.qemuVersion), pageSize);
  if (!vmdesc || !schema) return made;
  const own = new Map<string, JsonObject[]>();
  for (const device of deviceEntries(vmdesc)) appendTo(own, deviceKey(device), device.entry);
  const seen = new Map<string, number>();
  const devices = deviceEntries(made.vmdesc).map((device) => {
    const key = deviceKey(device);
    const occurrence = seen.get(key) ?? 0;
    seen.set(key, occurrence + 1);
    const isDescribed = findDevice(schema, device.idstr, device.instanceId, occurrence);
    return (isDescribed && own.get(key)?.[occurrence]) ?? device.entry;
  });
  return { ...made, vmdesc: { ...vmdesc, ...made.vmdesc, devices } };
}
