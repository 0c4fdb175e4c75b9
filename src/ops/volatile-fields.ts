/** Fields that differ although nothing happened, and why. */
export interface VolatileField {
  /** As `compileSelectors` takes it. */
  readonly selector: string;
  readonly why: string;
}

export const volatileTypes: ReadonlySet<string> = new Set(['timer']);

export const volatileFields: readonly VolatileField[] = [];
