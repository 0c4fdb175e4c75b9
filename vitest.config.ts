import { defineConfig } from 'vitest/config';

/**
 * What property tests begin with. The same cases everywhere, so that a change is what makes a test fail;
 * `VMWALK_SEED=random` looks for others, and a number repeats what such a run found.
 */
function seed(): number {
  const given = process.env['VMWALK_SEED'];
  if (given === undefined) return 20_261_124;
  return given === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}

declare module 'vitest' {
  interface ProvidedContext {
    seed: number;
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/build-command-line.ts',
    setupFiles: 'test/seed.ts',
    provide: { seed: seed() },
    // Real QEMU starts in some tests, and mutation tests run thousands of cases.
    testTimeout: 120_000,
    maxWorkers: 2,
  },
});
