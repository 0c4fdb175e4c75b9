import type { MemoryOptions } from '../memory/page-index-builder.ts';
import { nodeInflater } from './inflater.ts';
import { openPageSpool } from './spool.ts';

/** How memory is opened here: decompressed by node:zlib, with temporary files in a folder, else $TMPDIR, else /var/tmp. */
export function nodeMemory(spool?: string): MemoryOptions {
  return { inflater: nodeInflater, openSpool: (bytes) => openPageSpool(bytes, spool) };
}
