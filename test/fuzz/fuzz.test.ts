import { describe, expect, inject, test } from 'vitest';
import { readCrashes } from './crash-corpus.ts';
import { fuzz } from './engine.ts';
import { failuresOf } from './failure.ts';
import { targets } from './targets.ts';

/** As many inputs as a test can try; `npm run fuzz` tries as many as there is time for. */
describe.each(targets)('$name', (target) => {
  test('inputs that nobody wrote', async () => {
    const found: string[] = [];
    const seeds = (await target.seeds()).length;
    const { runs } = await fuzz(target, {
      seed: inject('seed'),
      runs: target.testRuns,
      guided: false,
      onFailure: ({ text }) => found.push(text),
    });
    expect(found).toEqual([]);
    expect(seeds).toBeGreaterThan(0);
    expect(runs).toBe(target.testRuns);
  });

  const crashes = readCrashes(target.name);
  if (crashes.length > 0)
    test.each(crashes)('what once failed: $name', async ({ bytes }) => {
      expect(await failuresOf(target, bytes, true)).toEqual([]);
    });
});
