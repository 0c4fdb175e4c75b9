import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { walk } from '../../src/layout/children.ts';
import { SchemaTables } from '../../src/layout/tables.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { type Fixture, fixtures, readFixture } from '../fixtures.ts';
import { readBlob } from '../layout/blob-reader.ts';
import { type Decoded, decode } from './decode.ts';

/**
 * How thorough the campaigns of damage are: 1 keeps all of them within a minute, VMWALK_CAMPAIGN=50 tries fifty times
 * as many places and cases.
 */
export const campaign = Number(process.env['VMWALK_CAMPAIGN'] ?? 1);

/** Streams up to this size are small enough to be decoded hundreds of times. */
const SMALL = 140_000;
const MOST = 10;

const bySize = [...fixtures].sort((a, b) => a.size - b.size);

/** The smallest fixture of all, for trying every place. */
export const smallest: Fixture = bySize[0]!;

/** The smallest fixtures of each QEMU version, then of each target. */
export const specimens: readonly Fixture[] = [
  ...new Set([
    ...firstOfEach(bySize, ({ qemuVersion }) => qemuVersion),
    ...firstOfEach(bySize, ({ target }) => target).filter(({ size }) => size <= SMALL),
  ]),
].slice(0, MOST * Math.max(1, campaign));

/** Those whose description is in the stream. */
export const described: readonly Fixture[] = specimens.filter(
  ({ name }) => readBlob(Buffer.from(readFixture(name))) !== undefined,
);

/** Those whose QEMU's tables are shipped. */
export const tabled: readonly Fixture[] = specimens.filter((fixture) => existsSync(tablesFile(fixture)));

/** The tables of a fixture's QEMU. */
export async function readTables(fixture: Fixture): Promise<SchemaTables> {
  return new SchemaTables(await openSchema(tablesFile(fixture)));
}

function tablesFile({ qemuVersion, target }: Fixture): string {
  const version = /^\d+\.\d+/.exec(qemuVersion)?.[0];
  return fileURLToPath(new URL(`../../schemas/${version}-${target}.json.gz`, import.meta.url));
}

function firstOfEach(of: readonly Fixture[], key: (fixture: Fixture) => string): Fixture[] {
  const first = new Map<string, Fixture>();
  for (const fixture of of) if (!first.has(key(fixture))) first.set(key(fixture), fixture);
  return [...first.values()];
}

/** A fixture and what it decodes to as it is. */
export interface Specimen {
  readonly bytes: Uint8Array;
  readonly intact: Decoded;
  /** Offset behind the last record of an iterative section: from there on there are devices. */
  readonly devices: number;
  /** Offset behind the end-of-file record. */
  readonly eof: number;
}

export async function readSpecimen(name: string): Promise<Specimen> {
  const bytes = readFixture(name);
  const intact = await decode(bytes);
  if (!intact) throw new Error(`${name} is no migration stream`);
  const { records, sections } = intact.opened.stream;
  const iterative = sections.filter(({ scanner }) => scanner).flatMap(({ records: own }) => own);
  const eof = records.find(({ kind }) => kind === 'eof');
  if (!eof) throw new Error(`${name} has no end-of-file record`);
  return {
    bytes,
    intact,
    devices: iterative.reduce((end, { range }) => Math.max(end, range.end), 0),
    eof: eof.range.end,
  };
}

/** Leaves that a test may decode of one specimen; a case costs about as much as the stream has leaves. */
const LEAVES = 300_000;

/** How many cases of damage a specimen is worth; all that there are of the smallest. */
export function cases({ bytes, intact }: Specimen): number {
  if (bytes.length === smallest.size) return Number.POSITIVE_INFINITY;
  return campaign * Math.min(150, Math.ceil(LEAVES / leafCount(intact)));
}

function leafCount({ sections }: Decoded): number {
  let count = 1;
  for (const { layout } of sections) {
    for (const { node } of walk(layout.root)) if (node.kind === 'leaf') count++;
  }
  return count;
}

/** Every `step`th number of `[start, end)`, with a larger step where there would be more than `most` of them. */
export function places(start: number, end: number, step: number, most: number): number[] {
  const stride = Math.max(step, Math.ceil((end - start) / most));
  const found: number[] = [];
  for (let place = start; place < end; place += stride) found.push(place);
  return found;
}
