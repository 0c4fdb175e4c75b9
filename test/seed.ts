import fc from 'fast-check';
import { inject } from 'vitest';

// One commit has the same cases wherever it is tested, and the next one has others. A failure is repeated by the seed
// that it prints: VMWALK_SEED=SEED npx vitest run FILE.
fc.configureGlobal({ seed: inject('seed') });
