import type { PathComponent } from '../bytes/diagnostic.ts';
import type { RuleCode } from '../check/rules.ts';
import type { LayoutNode } from '../layout/node.ts';

/**
 * What a change does to the guest: `harmless` takes nothing away from it; `loses` drops state, or gives it state that only
 * the destination has; `refuse` takes from under it what it may rely on, and is made only where its rule is allowed.
 */
export type FixClass = 'harmless' | 'loses' | 'refuse';
/** Classes of which all changes can be allowed. */
export const ALLOWED_CLASSES = ['harmless', 'loses'] as const;

/** Values of one kind that are listed for a change. */
export const MAX_LISTED = 1000;

/** A value that is not in the stream any more. */
export interface LostField {
  /** Path inside of the section. */
  readonly path: readonly PathComponent[];
  /** A register, where that says more than the path. */
  readonly name?: string | undefined;
  /** What it was; the place is that in the stream as it was when the change was made. */
  readonly node: LayoutNode;
}

/** A field that the destination has under another name, or elsewhere in the section. Paths inside of it. */
export interface RenamedField {
  /** In the stream. */
  readonly from: readonly PathComponent[];
  /** At the destination. */
  readonly to: readonly PathComponent[];
}

/** A change that makes a destination accept a stream. */
export interface FixChange {
  readonly class: FixClass;
  /** What the destination would refuse without it. */
  readonly rule: RuleCode;
  /** idstr of the section. */
  readonly section?: string | undefined;
  readonly instanceId?: number | undefined;
  readonly path?: readonly PathComponent[] | undefined;
  /** What is done, in a line, without the place. */
  readonly message: string;
  /** What should be set at the destination in the place of this change: it is only made where its rule is allowed. */
  readonly instead?: string | undefined;
  /** Values that are not in the stream any more; of very many the first `MAX_LISTED`. */
  readonly lost: readonly LostField[];
  /** How many there are, those included that are not listed. */
  readonly lostCount: number;
  /** Fields that the source did not have: they are as the destination has them before a load. */
  readonly taken: readonly (readonly PathComponent[])[];
  readonly takenCount: number;
  /** Fields whose values were kept under other names: of very many the first `MAX_LISTED`. */
  readonly renamed: readonly RenamedField[];
}
