import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { Change } from './diff-layouts.ts';
import type { RamDiff } from './diff-ram.ts';
import type { CommandInfo } from './info.ts';

/** How two streams differ. Offsets and sizes in bytes. */
export interface StreamDiff {
  readonly a: DiffedStream;
  readonly b: DiffedStream;
  readonly structure: boolean;
  /** `undecided`: no difference was found, but not all could be decoded. */
  readonly verdict: 'same' | 'different' | 'undecided';
  /** False when there are selectors, and nothing was compared. */
  readonly anySelected: boolean;
  /** Whether sections end with footers, where that differs. */
  readonly footers: { readonly a: boolean; readonly b: boolean } | undefined;
  readonly commands: readonly CommandChange[];
  /** Sections that differ, in the order of A; those that only B has where B has them. */
  readonly sections: readonly SectionDiff[];
  /** Sections that both have, but in another order among the others. */
  readonly order: readonly SectionName[];
  /** Sections whose content was not read: other iterative ones than RAM, on the way to the device state. */
  readonly unread: readonly SectionName[];
  /** Undefined when neither has a RAM section. */
  readonly ram: RamDiff | undefined;
  readonly unchanged: { readonly sections: number; readonly fields: number };
}

export interface DiffedStream {
  readonly name: string;
  readonly size: number;
  readonly machineType: string | undefined;
  readonly sections: number;
  readonly diagnostics: readonly Diagnostic[];
}

export interface SectionName {
  readonly section: string;
  readonly instanceId: number;
}

export interface CommandChange {
  readonly kind: 'added' | 'removed' | 'value';
  readonly a?: CommandInfo;
  readonly b?: CommandInfo;
}

/** A section on one side. */
export interface SectionSide {
  readonly offset: number;
  readonly size: number;
  readonly versionId: number | undefined;
  readonly vmsdName: string | undefined;
}

export interface SectionDiff extends SectionName {
  /** How many sections before it have the same idstr and instance id. */
  readonly occurrence: number;
  readonly kind: 'changed' | 'added' | 'removed';
  readonly a?: SectionSide;
  readonly b?: SectionSide;
  /** Of a section that only A has, how its counterpart in B differs from it. */
  readonly changes: readonly Change[];
  readonly omitted: number;
  /** Fields that are the same. */
  readonly same: number;
  /** Of a section that only one side has: the likeliest one of the same VMSD that only the other has. */
  readonly counterpart?: SectionName & SectionSide;
  /** Further sections with the same changes, with `structure`. */
  readonly alike?: readonly SectionName[];
}
