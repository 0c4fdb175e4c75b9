import { createRamScanner } from './ram.ts';
import type { IterativeContext, IterativeScanner } from './scanner.ts';

export type { IterativeContext, IterativeScanner, IterativeSummary, SectionType } from './scanner.ts';

/** Makes the scanner of a section whose header has just been read. */
export type CreateIterativeScanner = (context: IterativeContext) => IterativeScanner;

/** Sections that no VMSD describes, by idstr. */
export const iterativeScanners: ReadonlyMap<string, CreateIterativeScanner> = new Map([
  ['ram', createRamScanner],
]);

/** The scanner for a section by its idstr; undefined for sections that a VMSD describes, or nobody knows. */
export function findIterativeScanner(idstr: string): CreateIterativeScanner | undefined {
  return iterativeScanners.get(idstr);
}
