import { execFileSync } from 'node:child_process';
import { defineConfig } from 'vitest/config';

/** What property tests begin with: VMWALK_SEED, or the commit that is tested; any where that is not known. */
function seed(): number {
  const given = process.env['VMWALK_SEED'];
  if (given !== undefined) return Number(given);
  try {
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return Number.parseInt(commit.slice(0, 7), 16);
  } catch {
    return Math.floor(Math.random() * 2 ** 31);
  }
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
