#!/usr/bin/env node
import module from 'node:module';

// What is imported from here on is compiled once for many runs, where Node can do so (22.1 and later).
(module as { enableCompileCache?(): unknown }).enableCompileCache?.();
await import('./program.ts');
