import { forEachPointer, type Image } from '../elf/image.ts';
import { baseInfoNames, type RawInfo } from './find-infos.ts';
import { knownTableLayouts, type TableLayout } from './table-layout.ts';
import { type RawVmsd, TableReader } from './table-reader.ts';

/**
 * The known layout that reads most VMStateDescriptions, or undefined when none reads any. Layouts that put the lists
 * at the same place are told apart by what is rare in a right one (a priority) and frequent (a subsection with
 * `needed`).
 */
export function fitKnownLayout(image: Image, infos: ReadonlySet<number>): TableLayout | undefined {
  let best: { readonly layout: TableLayout; readonly score: number } | undefined;
  const families = new Map(knownTableLayouts.map((layout) => [layout.field, layout]));
  for (const [family, first] of families) {
    const heads = listHeads(new TableReader(image, first, infos));
    for (const layout of knownTableLayouts) {
      if (layout.field !== family) continue;
      const score = layoutScore(new TableReader(image, layout, infos), heads);
      if (score > (best?.score ?? 0)) best = { layout, score };
    }
  }
  return best?.layout;
}

/** Addresses of the words that point to a VMStateField. */
function listHeads(reader: TableReader): readonly number[] {
  const heads: number[] = [];
  forEachPointer(reader.image, (place, target) => {
    if (reader.isField(target)) heads.push(place);
  });
  return heads;
}

function layoutScore(reader: TableReader, heads: readonly number[]): number {
  const { image, layout } = reader;
  const { vmsd } = layout;
  const needed = vmsd.callbacks.get('needed');
  let score = 0;
  for (const head of heads) {
    const address = head - vmsd.fields;
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
export function coverage(
  image: Image,
  layout: TableLayout,
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
