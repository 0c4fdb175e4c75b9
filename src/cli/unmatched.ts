import type { OpenedStream } from '../layout/open.ts';
import { say } from './output.ts';

/** Says which of these selectors match nothing, and what may have been meant. */
export async function reportUnmatched(
  streams: readonly OpenedStream[],
  selectors: readonly string[],
): Promise<void> {
  if (selectors.length === 0) return;
  // Loaded only here: they mostly match.
  const { unmatchedSelectors } = await import('../ops/nearest-names.ts');
  for (const { selector, nearest } of await unmatchedSelectors(streams, selectors)) {
    const advice = nearest.length === 0 ? 'info lists the sections' : `did you mean ${nearest.join(', ')}?`;
    say(`nothing matches '${selector}'; ${advice}`);
  }
}
