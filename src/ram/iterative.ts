import { createBlockScanner } from './block.ts';
import { createDirtyBitmapScanner } from './dirty-bitmap.ts';
import { createHtabScanner } from './htab.ts';
import { createRamScanner } from './ram.ts';
import { createS390SkeysScanner } from './s390-skeys.ts';
import { createS390StattribScanner } from './s390-stattrib.ts';
import type { IterativeContext, IterativeScanner } from './scanner.ts';
import { createSlirpScanner } from './slirp.ts';
import { createTodClockScanner } from './todclock.ts';
import { createVfioScanner } from './vfio.ts';

export type { IterativeContext, IterativeScanner, IterativeSummary, SectionType } from './scanner.ts';

/** Makes the scanner of a section, once its header has been read. */
export type CreateIterativeScanner = (context: IterativeContext) => IterativeScanner;

/** Sections that no VMSD describes and whose idstr is fixed, by idstr. */
export const iterativeScanners: ReadonlyMap<string, CreateIterativeScanner> = new Map([
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
