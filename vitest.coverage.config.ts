import { defineConfig } from 'vitest/config';
import base, { COVERED } from './vitest.config.ts';

/**
 * How many of the lines that read untrusted bytes the quick tests run, in percent: `npm run coverage` fails below. What
 * runs in other processes is not counted.
 */
const LINES = {
  'src/bytes/**': 90,
  'src/containers/**': 84,
  'src/extract/elf/**': 97,
  'src/extract/dwarf/**': 80,
  'src/layout/**': 84,
  'src/{infos,pci}/**': 81,
  'src/memory/**': 92,
  'src/vmsd/**': 85,
  'src/{expressions,extract/code,extract/x86-64}/**': 93,
  'src/ram/**': 97,
  'src/stream/**': 95,
  'src/node/{qmp,qmp-message,ask-destination,qom-devices,device-paths,monitor-text,virtio-status}.ts': 90,
  'src/node/{gunzip,inflater}.ts': 97,
};

export default defineConfig({
  test: {
    ...base.test,
    include: COVERED,
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
