import { forEachPointer, type Image } from './elf/image.ts';
import type { LoadedProgram } from './elf/load.ts';
import { baseInfoNames, type RawInfo } from './find-infos.ts';
import { findVmsds } from './find-vmsds.ts';
import { inferLayout } from './infer-layout.ts';
import { knownTableLayouts, type TableLayout } from './table-layout.ts';
import { type RawVmsd, TableReader } from './table-reader.ts';

/** A known layout that explains this part of the fields is right; with less, another is tried to be worked out. */
const CONVINCING = 0.9;

/** Tables, read with the layout that fits them. */
interface Fit {
  /** There was a described layout, and another one explains more of the fields. */
  readonly contradictsDescription: boolean;
  readonly reader: TableReader;
  readonly vmsds: readonly RawVmsd[];
}

/**
 * Finds the tables with the layout that debug information describes, if it does; else, or if that is not theirs, with
 * the known one that fits best, or with one that is worked out from the binary itself.
 */
export function fitLayout(
  program: LoadedProgram,
  infos: ReadonlyMap<number, RawInfo>,
  version: readonly [number, number] | undefined,
  layout: TableLayout | undefined,
): Fit | undefined {
  const { image } = program;
  const addresses = new Set(infos.keys());
  const readWith = (reader: TableReader): Read => {
    const vmsds = findVmsds(program, reader);
    return { reader, vmsds, explained: coverage(reader, infos, vmsds) };
  };
  const described = layout && readWith(new TableReader(image, layout, addresses));
  if (described && described.explained >= CONVINCING) return { ...described, contradictsDescription: false };
  const other = fitUndescribed(image, infos, version, readWith);
  if (described && described.explained >= (other?.explained ?? 0))
    return { ...described, contradictsDescription: false };
  return other && { ...other, contradictsDescription: described !== undefined };
}

/** Tables, and the part of the fields that a layout explains. */
interface Read extends Omit<Fit, 'contradictsDescription'> {
  readonly explained: number;
}

function fitUndescribed(
  image: Image,
  infos: ReadonlyMap<number, RawInfo>,
  version: readonly [number, number] | undefined,
  readWith: (reader: TableReader) => Read,
): Read | undefined {
  const addresses = new Set(infos.keys());
  const fitting = fitKnownLayout(image, addresses, version);
  const known = fitting && readWith(fitting);
  if (known && known.explained >= CONVINCING) return known;
  const layout = inferLayout(image, infos);
  const inferred = layout && readWith(new TableReader(image, layout, addresses));
  return inferred && inferred.explained > (known?.explained ?? 0) ? inferred : known;
}

/**
 * A reader with the known layout that reads most VMStateDescriptions, or undefined when none reads any. Layouts that put the lists
 * at the same place are told apart by what is rare in a right one (a priority) and frequent (a subsection with
 * `needed`); two that differ in nothing that this binary uses by the version that it prints.
 */
export function fitKnownLayout(
  image: Image,
  infos: ReadonlySet<number>,
  version: readonly [number, number] | undefined,
): TableReader | undefined {
  const expected = knownTableLayouts.find(({ since }) => version && isNotBelow(version, since));
  let best: { readonly reader: TableReader; readonly score: number } | undefined;
  const families = new Map(knownTableLayouts.map((layout) => [layout.field, layout]));
  for (const [family, first] of families) {
    const ofFamily = new TableReader(image, first, infos);
    for (const layout of knownTableLayouts) {
      if (layout.field !== family) continue;
      const reader = ofFamily.withLayout(layout);
      const score = layoutScore(reader) + (layout === expected ? 0.25 : 0);
      if (score > (best?.score ?? 0)) best = { reader, score };
    }
  }
  return best?.reader;
}

function isNotBelow(version: readonly [number, number], since: readonly [number, number]): boolean {
  return version[0] > since[0] || (version[0] === since[0] && version[1] >= since[1]);
}

function layoutScore(reader: TableReader): number {
  const { image, layout } = reader;
  const { vmsd } = layout;
  const needed = vmsd.callbacks.get('needed');
  let score = 0;
  for (const place of reader.fieldPointers()) {
    const address = place - vmsd.fields;
    if (image.pointer(address) === 0 || !reader.hasVmsdShape(address)) continue;
    score += 1;
    if (vmsd.priority !== undefined && image.u32(address + vmsd.priority) !== 0) score -= 0.5;
    const list = image.pointer(address + vmsd.subsections);
    const subsection = list === 0 ? 0 : image.pointer(list);
    if (subsection !== 0 && needed !== undefined && image.pointer(subsection + needed) !== 0) score += 0.5;
  }
  return score;
}

/** Which part, 0 to 1, of the pointers to infos of plain types lies in the fields of these VMSDs. */
function coverage(
  { image, layout }: TableReader,
  infos: ReadonlyMap<number, RawInfo>,
  vmsds: readonly RawVmsd[],
): number {
  const used = new Set<number>();
  for (const { fields } of vmsds) for (const field of fields) used.add(field + layout.field.info);
  let all = 0;
  let covered = 0;
  forEachPointer(image, (place, target) => {
    if (!baseInfoNames.has(infos.get(target)?.name ?? '')) return;
    all++;
    if (used.has(place)) covered++;
  });
  return all === 0 ? 0 : covered / all;
}
