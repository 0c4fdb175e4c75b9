import type * as Iced from 'iced-x86';

/** What of Node is used here, where it is there. */
interface NodeGlobals {
  readonly process?: { getBuiltinModule?(name: 'node:module'): NodeModule };
}

interface NodeModule {
  createRequire(from: string): (name: string) => unknown;
}

/**
 * The library. Node's `import` of a CommonJS module reads through it twice more than `require` does, to guess its exports:
 * a tenth of a second for the library's 0.9 MB.
 */
export async function loadIced(): Promise<typeof Iced> {
  const module = (globalThis as NodeGlobals).process?.getBuiltinModule?.('node:module');
  if (!module) return import('iced-x86');
  return module.createRequire((import.meta as { url?: string }).url ?? '')('iced-x86') as typeof Iced;
}
