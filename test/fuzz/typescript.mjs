import module from 'node:module';

// For `node --import`: TypeScript is run as it is, so that coverage speaks of the sources.
module.register('./typescript-hooks.mjs', import.meta.url);
