import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { OpenedStream } from '../layout/open.ts';
import type { JsonObject } from '../schema/vmdesc.ts';
import { streamPageSize } from './page-size.ts';
import { vmdescForm, writeVmdesc } from './write-vmdesc.ts';

export interface Description {
  /** Undefined where there is neither a vmdesc nor anything to make one of. */
  readonly vmdesc: JsonObject | undefined;
  /** Sections that the description has to leave out, or may have wrong. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The vmdesc of a stream: what QEMU appended, or, by the tables of that QEMU, what it would have appended. */
export async function describe(opened: OpenedStream): Promise<Description> {
  if (opened.vmdesc) return { vmdesc: opened.vmdesc, diagnostics: [] };
  const { tables } = opened;
  if (!tables) return { vmdesc: undefined, diagnostics: [] };
  return writeVmdesc(opened, vmdescForm(tables.schema.qemuVersion), streamPageSize(opened)?.bytes ?? 4096);
}
