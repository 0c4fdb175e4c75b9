import { configDefaults, defineConfig } from 'vitest/config';

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

/**
 * Quick tests of what reads untrusted bytes, among them the kept and some new inputs of the fuzzer: `npm run coverage`
 * runs them, and `npm test` these and then the others.
 */
export const COVERED = [
  'test/{bytes,stream,ram,memory,expressions,infos}/*.test.ts',
  'test/extract/{elf,code,dwarf}/*.test.ts',
  'test/extract/{symbols,debug-layouts}.test.ts',
  'test/fuzz/fuzz.test.ts',
  'test/node/{qmp,ask-destination}.test.ts',
  'test/walk/{readers,virtio}.test.ts',
];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(process.env['VMWALK_TESTS'] === 'others' ? COVERED : [])],
    globalSetup: ['test/required-programs.ts', 'test/build-command-line.ts'],
    setupFiles: 'test/seed.ts',
    provide: { seed: seed() },
    // For what hangs only: machines are slow and shared, and no test judges by the clock.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    teardownTimeout: 60_000,
    maxWorkers: 2,
  },
});
