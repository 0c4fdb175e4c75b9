import type { Container } from './container.ts';

/** All containers, in the order in which they are tried. */
export const containers: readonly Container[] = [];
