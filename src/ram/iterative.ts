import { type BlockSummary, createBlockScanner } from './block.ts';
import { createDirtyBitmapScanner, type DirtyBitmapSummary } from './dirty-bitmap.ts';
import { createHtabScanner, type HtabSummary } from './htab.ts';
import { createRamScanner, type RamSummary } from './ram.ts';
import { createS390SkeysScanner, type S390SkeysSummary } from './s390-skeys.ts';
import { createS390StattribScanner, type S390StattribSummary } from './s390-stattrib.ts';
import type { IterativeContext, SectionReader } from './scanner.ts';
import { createSlirpScanner, type SlirpSummary } from './slirp.ts';
import { createTodClockScanner, type TodClockSummary } from './todclock.ts';
import { createVfioScanner, type VfioSummary } from './vfio.ts';

/** What a scanner has seen, as plain data; `kind` tells which scanner. */
export type IterativeSummary =
  | RamSummary
  | HtabSummary
  | S390StattribSummary
  | S390SkeysSummary
  | TodClockSummary
  | DirtyBitmapSummary
  | BlockSummary
  | SlirpSummary
  | VfioSummary;

export type IterativeScanner = SectionReader<IterativeSummary>;

/** What was seen of RAM: a summary for each of these sections that is of RAM. */
export function ramSummaries(
  sections: readonly { readonly scanner: IterativeScanner | undefined }[],
): readonly RamSummary[] {
  return sections.flatMap(({ scanner }) => {
    const summary = scanner?.summary();
    return summary?.kind === 'ram' ? [summary] : [];
  });
}

/** Makes the scanner of a section, once its header has been read. */
type CreateIterativeScanner = (context: IterativeContext) => IterativeScanner;

/** Sections that no VMSD describes and whose idstr is fixed, by idstr. */
const iterativeScanners: ReadonlyMap<string, CreateIterativeScanner> = new Map<
  string,
  CreateIterativeScanner
>([
  ['ram', createRamScanner],
  ['spapr/htab', createHtabScanner],
  ['s390-storage_attributes', createS390StattribScanner],
  ['s390-skeys', createS390SkeysScanner],
  ['todclock', createTodClockScanner],
  ['dirty-bitmap', createDirtyBitmapScanner],
  ['block', createBlockScanner],
  ['slirp', createSlirpScanner],
]);

/**
 * The scanner for a section by its idstr; undefined for sections that a VMSD describes, or nobody knows. VFIO devices
 * are called after their place: `0000:00:04.0/vfio` (hw/vfio/migration.c, vfio_migration_init).
 */
export function findIterativeScanner(idstr: string): CreateIterativeScanner | undefined {
  return iterativeScanners.get(idstr) ?? (/(^|\/)vfio$/.test(idstr) ? createVfioScanner : undefined);
}
