import { fileURLToPath } from 'node:url';
import { type RecordedLoad, readLoads } from '../../scripts/truth/read-loads.mjs';
import { memorySource } from '../../src/bytes/source.ts';
import { checkStream } from '../../src/check/check.ts';
import { Destination, type DestinationFacts } from '../../src/check/destination.ts';
import type { CheckReport, Finding } from '../../src/check/finding.ts';
import { SchemaTables } from '../../src/layout/tables.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { openVm, type Vm } from '../../src/vm/vm.ts';

const schemas = new URL('../../schemas/', import.meta.url);

/** What real QEMUs made of streams. */
export const loads: readonly RecordedLoad[] = readLoads(
  fileURLToPath(new URL('../../fixtures/loads/', import.meta.url)),
);

const byId = new Map(loads.map((load) => [load.id, load]));

/** One of them. Fails where there is none of that name. */
export function recorded(id: string): RecordedLoad {
  const found = byId.get(id);
  if (!found) throw new Error(`no load is recorded as ${id}`);
  return found;
}

const tables = new Map<string, Promise<SchemaTables>>();

/** The built-in tables of a QEMU: `7.2`, `x86_64`. */
export function tablesOf(version: string, target: string): Promise<SchemaTables> {
  const file = `${version}-${target}.json.gz`;
  const known =
    tables.get(file) ??
    openSchema(fileURLToPath(new URL(file, schemas))).then((schema) => new SchemaTables(schema));
  tables.set(file, known);
  return known;
}

/** A stream in memory, with built-in tables for what it does not describe. */
export function openBytes(bytes: Uint8Array): Promise<Vm> {
  return openVm(memorySource(bytes), { schemas: packagedSchemas });
}

export interface Known {
  /** Without tables when false. */
  readonly tables?: boolean;
  /** What its monitor told. */
  readonly facts?: DestinationFacts;
  readonly commandLine?: readonly string[] | undefined;
  /** What is set for the load. */
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly parameters?: Readonly<Record<string, string>>;
}

/** A monitor that told nothing. */
export const NO_FACTS: DestinationFacts = {
  ramBlocks: [],
  capabilities: [],
  devices: () => [],
  barSizes: () => undefined,
  virtioFeatures: () => undefined,
};

/** A destination by a stream of its own, `own`, and the tables of its QEMU. */
export async function destinationOf(
  own: Uint8Array,
  version: string,
  target: string,
  known: Known = {},
): Promise<Destination> {
  const opened = known.tables === false ? undefined : await tablesOf(version, target);
  return new Destination({
    tables: opened,
    own: await openVm(memorySource(own), opened ? { tables: opened } : {}),
    facts: known.facts,
    commandLine: known.commandLine,
    capabilities: known.capabilities,
    parameters: known.parameters,
    qemuVersion: version,
  });
}

/** Destinations without facts: what is worked out for one is kept for its next load. */
const destinations = new Map<string, Promise<Destination>>();

export async function checkLoad(load: RecordedLoad, known: Known = {}): Promise<CheckReport> {
  const { version, target, args } = load.destination;
  const make = () => destinationOf(load.profile(), version, target, { commandLine: args, ...known });
  const key = `${load.profileName} ${version} ${known.tables ?? true}`;
  const destination = known.facts ? make() : (destinations.get(key) ?? make());
  if (!known.facts) destinations.set(key, destination);
  return checkStream(await openBytes(load.stream()), await destination);
}

/** Those of a report that block. */
export function blocking({ findings }: CheckReport): readonly Finding[] {
  return findings.filter(({ severity }) => severity === 'blocks');
}

/** Is a line of QEMU's what a finding says that it will be? `…` stands for anything. */
export function hasSaid(words: readonly string[], says: string): boolean {
  const pattern = says
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return words.some((line) => new RegExp(pattern).test(line));
}
