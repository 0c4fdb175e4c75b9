import type { Range } from '../bytes/range.ts';

/** Fields that differ although nothing happened to the VM that a person would ask for, and why. */
export interface VolatileField {
  /** As `compileSelectors` takes it. */
  readonly selector: string;
  /** Of a buffer, only these bytes of it. */
  readonly bytes?: readonly Range[];
  readonly why: VolatileReason;
}

/** `leftover`: what QEMU allocates and does not set before it sends it. */
export type VolatileReason = 'clock' | 'timer' | 'counter' | 'leftover';

/** Types of such fields, whatever their names. */
export const volatileTypes: ReadonlySet<string> = new Set(['timer']);

export const volatileFields: readonly VolatileField[] = [];
