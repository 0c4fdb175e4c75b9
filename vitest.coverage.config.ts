import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/**
 * Which lines that read untrusted bytes are run by the tests that need no programs and little time, among them the
 * kept and some new inputs of the fuzzer. Percent of lines; `npm run coverage` fails below them.
 */
const LINES = {
  'src/bytes/**': 90,
  'src/containers/**': 84,
  'src/elf/**': 97,
  'src/layout/**': 81,
  'src/machine-code/**': 93,
  'src/ram/**': 94,
  'src/stream/**': 95,
  'src/node/{qmp,qmp-message,ask-destination,qom-devices,device-paths,monitor-text,virtio-status}.ts': 90,
  'src/node/{gunzip,inflater}.ts': 88,
};

export default defineConfig({
  test: {
    ...base.test,
    include: [
      'test/{bytes,stream,ram,elf,machine-code,infos}/*.test.ts',
      'test/fuzz/fuzz.test.ts',
      'test/node/{qmp,ask-destination}.test.ts',
      'test/walk/{readers,virtio}.test.ts',
    ],
    // What runs in other processes is not counted.
    testNamePattern: /^(?!.*command-line)/,
    coverage: {
      provider: 'v8',
      include: Object.keys(LINES).map((glob) => glob.replace(/\*\*$/, '**/*.ts')),
      exclude: ['src/**/index.ts'],
      reporter: ['text-summary', 'json-summary'],
      reportsDirectory: 'coverage',
      thresholds: Object.fromEntries(Object.entries(LINES).map(([glob, lines]) => [glob, { lines }])),
    },
  },
});
