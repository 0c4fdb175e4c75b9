import { layoutOf, type OpenedStream } from '../layout/open.ts';
import type { SchemaTables } from '../layout/tables.ts';

/** How well VMSD tables fit the device state of a stream. */
export interface TablesFit {
  /** Sections of device state. */
  readonly sections: number;
  /** Those that the tables explain to the last byte. */
  readonly fitting: number;
}

/** Sections whose name and version the tables have: quick, and the most that can fit. */
export function possibleFit({ stream }: OpenedStream, tables: SchemaTables): number {
  let possible = 0;
  for (const { idstr, versionId, scanner } of stream.sections) {
    if (
      !scanner &&
      tables.candidates(idstr, versionId, stream.sections).some(({ vmsd }) => vmsd.versionId === versionId)
    )
      possible++;
  }
  return possible;
}

/** Reads every section by the tables. */
export async function fitTables(opened: OpenedStream, tables: SchemaTables): Promise<TablesFit> {
  let sections = 0;
  let fitting = 0;
  for (const section of opened.stream.sections) {
    if (section.scanner) continue;
    sections++;
    const { root, diagnostics } = await layoutOf({ ...opened, schema: undefined, tables }, section);
    if (root.vmsdName !== undefined && !diagnostics.some(({ severity }) => severity === 'error')) fitting++;
  }
  return { sections, fitting };
}
