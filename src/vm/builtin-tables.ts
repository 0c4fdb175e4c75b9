import { printable } from '../bytes/diagnostic.ts';
import type { Infos } from '../infos/info.ts';
import { builtInInfos } from '../infos/infos.ts';
import { configurationOf, type OpenedStream, undescribedSections } from '../layout/open.ts';
import { SchemaTables } from '../layout/tables.ts';
import {
  type DescribedDevices,
  describedDevices,
  fitTables,
  possibleFit,
  type TablesFit,
} from '../ops/fit-tables.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { versionNumber } from '../schema/qemu-version.ts';
import type { Schema, StructSchema } from '../schema/schema.ts';
import type { SchemaEntry, SchemaProvider } from './schema-provider.ts';

/** How many schemas of a tier are tried on all sections, where any that explains them will do. */
const MAX_TRIED = 4;

/** Targets whose machine types another target has, too, on which most VMs run: they are tried when that does not fit. */
const SECOND_TIER: ReadonlySet<string> = new Set(['i386']);

/** Built-in tables, and how well they fit a stream. */
interface ChosenTables extends TablesFit {
  readonly entry: SchemaEntry;
  readonly tables: SchemaTables;
}

/**
 * Gives a stream without a description, or with one that leaves sections out, the built-in tables that fit it best. What
 * was chosen, and how well it fits, is a diagnostic.
 */
export async function useBuiltinTables(opened: OpenedStream, schemas: SchemaProvider): Promise<OpenedStream> {
  if (opened.tables) return opened;
  const undescribed = undescribedSections(opened);
  if (undescribed.length === 0) return opened;
  const all = await schemas.list();
  const machineType = configurationOf(opened)?.machineType;
  const knowing = all.filter(({ machineTypes }) => machineTypes.includes(machineType ?? ''));
  // What is described of it tells the QEMUs apart that would have written the same bytes.
  const [chosen] = await chooseTables(opened, schemas, all, knowing, opened.schema !== undefined);
  if (!chosen) return opened;
  const { entry, tables, fitting, sections, layouts } = chosen;
  const among =
    machineType === undefined
      ? 'as no machine type is sent, of those of all targets'
      : knowing.length > 0
        ? `of those that have ${printable(machineType)}`
        : `as none have ${printable(machineType)}, of those of all targets`;
  const what = opened.schema
    ? `what the vmdesc does not describe, ${undescribed.length} of ${sections} sections, is read by`
    : 'device state is read by';
  const message =
    `${what} the built-in tables of QEMU ${entry.qemuVersion}, ${entry.target}: ${among} ` +
    `they fit best, ${fitting} of ${sections} sections. --qemu names the QEMU that wrote it`;
  const diagnostics = opened.diagnostics.filter(({ code }) => code !== 'no-schema');
  return {
    ...opened,
    tables,
    resolved: opened.schema ? undefined : layouts,
    diagnostics: [...diagnostics, { severity: 'note', code: 'builtin-schema', message }],
  };
}

/** Built-in tables of a QEMU that may have written a stream. */
interface WriterTables {
  readonly tables: SchemaTables;
  /** Undefined where QEMUs of several versions would have written the same. */
  readonly qemuVersion: string | undefined;
}

/**
 * The built-in tables of the QEMU that most likely wrote a stream, which may describe itself: those that fit its bytes
 * best, and of equals those that would have described it as it is; of equals again the newest.
 */
export async function builtinTablesOfWriter(
  opened: OpenedStream,
  schemas: SchemaProvider,
): Promise<WriterTables | undefined> {
  const all = await schemas.list();
  const machineType = configurationOf(opened)?.machineType ?? '';
  const knowing = all.filter(({ machineTypes }) => machineTypes.includes(machineType));
  const equals = await chooseTables(opened, schemas, all, knowing, true);
  const [newest] = [...equals].sort((a, b) => versionOf(b.entry) - versionOf(a.entry));
  if (!newest) return undefined;
  const isCertain = equals.every(({ entry }) => versionOf(entry) === versionOf(newest.entry));
  return { tables: newest.tables, qemuVersion: isCertain ? newest.entry.qemuVersion : undefined };
}

/**
 * Of `knowing`, the QEMUs that have the machine type, or of the likeliest target where there are none, those that fit
 * best, of which the first is of the machine type's own version, which most VMs run on, else the newest. Unless all are
 * to be found, one that explains all sections is enough.
 */
async function chooseTables(
  opened: OpenedStream,
  schemas: SchemaProvider,
  all: readonly SchemaEntry[],
  knowing: readonly SchemaEntry[],
  findAll: boolean,
): Promise<readonly ChosenTables[]> {
  const entries = knowing.length > 0 ? knowing : await ofLikeliestTargets(opened, schemas, all);
  const isSecond = ({ target }: SchemaEntry) => SECOND_TIER.has(target);
  const described = describedDevices(opened);
  let best: readonly ChosenTables[] = [];
  for (const tier of [entries.filter((entry) => !isSecond(entry)), entries.filter(isSecond)]) {
    best = await chooseOf(tier, opened, schemas, described, best, findAll);
    if (best[0] && best[0].explained === best[0].sections) break;
  }
  return best;
}

/** The best of some and of those that were known before. */
async function chooseOf(
  entries: readonly SchemaEntry[],
  opened: OpenedStream,
  schemas: SchemaProvider,
  described: DescribedDevices,
  known: readonly ChosenTables[],
  findAll: boolean,
): Promise<readonly ChosenTables[]> {
  const machineType = configurationOf(opened)?.machineType ?? '';
  const named = versionOf({ qemuVersion: /\d+\.\d+$/.exec(machineType)?.[0] ?? '' });
  const isNamed = (entry: SchemaEntry) => Number(versionOf(entry) === named);
  const inOrder = [...entries].sort((a, b) => isNamed(b) - isNamed(a) || versionOf(b) - versionOf(a));
  const tried: TriedSchema[] = [];
  for (const entry of inOrder) {
    const candidate = await tryEntry(opened, schemas, entry);
    tried.push(candidate);
    if (findAll || candidate.possible < opened.stream.sections.filter(({ scanner }) => !scanner).length)
      continue;
    // The first that explains all is the one that would be found first among all, too: they need not be loaded.
    const fit = (await fitTables(opened, candidate.tables, described))!;
    if (fit.explained === fit.sections) return [chosenOf(candidate, fit)];
    candidate.fit = fit;
  }
  // The order is kept where as many can fit.
  tried.sort((a, b) => b.possible - a.possible);
  let best = known;
  for (const candidate of findAll ? tried : tried.slice(0, MAX_TRIED)) {
    const least = best[0]?.fitting ?? 0;
    const fit = candidate.fit ?? (await fitTables(opened, candidate.tables, described, least));
    if (!fit) continue;
    const chosen = chosenOf(candidate, fit);
    const [leader] = best;
    const lead = leader ? chosen.fitting - leader.fitting || chosen.alike - leader.alike : 1;
    if (lead > 0) best = [chosen];
    else if (lead === 0) best = [...best, chosen];
  }
  return best;
}

function chosenOf({ entry, tables }: TriedSchema, fit: TablesFit): ChosenTables {
  return { ...fit, entry, tables };
}

interface TriedSchema {
  readonly entry: SchemaEntry;
  readonly tables: SchemaTables;
  /** Sections that can fit. */
  readonly possible: number;
  /** How well they do, once that was tried. */
  fit?: TablesFit | undefined;
}

async function tryEntry(
  opened: OpenedStream,
  schemas: SchemaProvider,
  entry: SchemaEntry,
): Promise<TriedSchema> {
  const tables = new SchemaTables(await schemas.load(entry));
  return { entry, tables, possible: possibleFit(opened, tables) };
}

/**
 * Schemas of the targets whose newest QEMU has most of the stream's sections, of which there are several where one has
 * all that another has: for a machine type that none knows.
 */
async function ofLikeliestTargets(
  opened: OpenedStream,
  schemas: SchemaProvider,
  all: readonly SchemaEntry[],
): Promise<readonly SchemaEntry[]> {
  const newest = Math.max(...all.map(versionOf));
  let most = 0;
  let targets = new Set<string>();
  for (const entry of all.filter((candidate) => versionOf(candidate) === newest)) {
    const { possible } = await tryEntry(opened, schemas, entry);
    if (possible > most) targets = new Set();
    if (possible > 0 && possible >= most) targets.add(entry.target);
    most = Math.max(most, possible);
  }
  return all.filter(({ target }) => targets.has(target));
}

/**
 * Tables for the infos that the vmdesc of a stream leaves closed (`virtio` …): those of the QEMUs that have its machine
 * type, the newest first. They are loaded when a field asks for them, where the platform can do that.
 */
export async function infoTables(
  { stream, schema, infos = builtInInfos }: OpenedStream,
  schemas: SchemaProvider,
): Promise<Iterable<SchemaTables> | undefined> {
  const machineType = stream.configuration?.machineType;
  if (machineType === undefined || !schema) return undefined;
  const knowing = (entries: readonly SchemaEntry[]) =>
    entries
      .filter(({ machineTypes }) => machineTypes.includes(machineType))
      .sort((a, b) => versionOf(b) - versionOf(a));
  const { now } = schemas;
  if (now) return new LoadedTables(() => knowing(now.list()).map((entry) => () => now.load(entry)));
  if (!hasClosedInfo(schema, infos)) return undefined;
  const loaded = await Promise.all(knowing(await schemas.list()).map((entry) => schemas.load(entry)));
  return loaded.map((each) => new SchemaTables(each));
}

/** Does a description have fields that only tables open up? */
function hasClosedInfo({ devices }: Schema, infos: Infos): boolean {
  const isClosed = ({ fields, subsections }: StructSchema): boolean =>
    fields.some(({ type, struct }) => infos.get(type)?.read || (struct && isClosed(struct))) ||
    subsections.some(isClosed);
  return devices.some(isClosed);
}

/** Loads one schema after another, each once. */
class LoadedTables implements Iterable<SchemaTables> {
  readonly #all: () => (() => QemuSchema)[];
  readonly #loaded: SchemaTables[] = [];
  #left: (() => QemuSchema)[] | undefined;

  constructor(all: () => (() => QemuSchema)[]) {
    this.#all = all;
  }

  *[Symbol.iterator](): Generator<SchemaTables> {
    for (let i = 0; ; i++) {
      const next = this.#loaded[i] ?? this.#load();
      if (!next) return;
      yield next;
    }
  }

  #load(): SchemaTables | undefined {
    this.#left ??= this.#all();
    const load = this.#left.shift();
    if (!load) return undefined;
    const tables = new SchemaTables(load());
    this.#loaded.push(tables);
    return tables;
  }
}

function versionOf({ qemuVersion }: Pick<SchemaEntry, 'qemuVersion'>): number {
  return versionNumber(qemuVersion) ?? 0;
}
