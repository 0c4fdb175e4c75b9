import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/build-command-line.ts',
    // Real QEMU starts in some tests, and mutation tests run thousands of cases.
    testTimeout: 120_000,
    maxWorkers: 2,
  },
});
