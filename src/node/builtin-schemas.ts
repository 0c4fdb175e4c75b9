import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { printable } from '../bytes/diagnostic.ts';
import type { OpenedStream } from '../layout/open.ts';
import { SchemaTables } from '../layout/tables.ts';
import { fitTables, possibleFit, type TablesFit } from '../ops/fit-tables.ts';
import { openSchema } from './schema-file.ts';

const folder = new URL('../../schemas/', import.meta.url);

/** An entry of schemas/index.json: the tables of one QEMU that ship with this package. */
export interface BuiltinSchema {
  readonly file: string;
  readonly qemuVersion: string;
  readonly target: string;
  readonly machineTypes: readonly string[];
}

/** All of them; none where the package was installed without its data. */
export async function builtinSchemas(): Promise<readonly BuiltinSchema[]> {
  return JSON.parse(await readFile(new URL('index.json', folder), 'utf8')) as BuiltinSchema[];
}

/** How many schemas are tried on all sections. */
const MAX_TRIED = 4;

/**
 * Gives a stream without a description the built-in tables that fit it best: those of the QEMUs that have its machine
 * type, the newest of equals. What was chosen, and how well it fits, is a diagnostic.
 */
export async function useBuiltinTables(opened: OpenedStream): Promise<OpenedStream> {
  const machineType = opened.stream.configuration?.machineType;
  if (opened.schema || opened.tables || machineType === undefined) return opened;
  const entries = (await builtinSchemas()).filter(({ machineTypes }) => machineTypes.includes(machineType));
  const candidates = await Promise.all(
    entries.map(async (entry) => {
      const tables = new SchemaTables(await openSchema(fileURLToPath(new URL(entry.file, folder))));
      return { entry, tables, possible: possibleFit(opened, tables) };
    }),
  );
  candidates.sort((a, b) => b.possible - a.possible || versionOf(b.entry) - versionOf(a.entry));
  let best: (TablesFit & { readonly entry: BuiltinSchema; readonly tables: SchemaTables }) | undefined;
  for (const { entry, tables } of candidates.slice(0, MAX_TRIED)) {
    const fit = await fitTables(opened, tables);
    if (!best || fit.fitting > best.fitting) best = { ...fit, entry, tables };
    if (best.fitting === best.sections) break;
  }
  if (!best) return opened;
  const { entry, tables, fitting, sections, layouts } = best;
  const message =
    `device state is read by the built-in tables of QEMU ${entry.qemuVersion}, ${entry.target}: of those that have ` +
    `${printable(machineType)} they fit best, ${fitting} of ${sections} sections. --qemu names the QEMU that wrote it`;
  const diagnostics = opened.diagnostics.filter(({ code }) => code !== 'no-schema');
  return {
    ...opened,
    tables,
    resolved: layouts,
    diagnostics: [...diagnostics, { severity: 'note', code: 'builtin-schema', message }],
  };
}

function versionOf({ qemuVersion }: BuiltinSchema): number {
  const [major, minor] = (qemuVersion.match(/\d+/g) ?? []).map(Number);
  return (major ?? 0) * 1000 + (minor ?? 0);
}
