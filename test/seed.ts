import fc from 'fast-check';
import { inject } from 'vitest';

// A failure is repeated by the seed that it prints: VMWALK_SEED=SEED npx vitest run FILE.
fc.configureGlobal({ seed: inject('seed') });
