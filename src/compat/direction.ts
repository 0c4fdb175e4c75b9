export type Direction = 'old-to-new' | 'new-to-old';
/** Both, in order. */
export const directions: readonly Direction[] = ['old-to-new', 'new-to-old'];
