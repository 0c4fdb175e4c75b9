import type { ByteSource } from '../bytes/source.ts';
import { bytesElsewhere, type RamSummary } from '../ram/ram.ts';
import { GuestMemory } from './guest-memory.ts';
import type { MemoryOptions, PageIndexBuilder } from './page-index-builder.ts';

/**
 * The memory of a stream that was scanned with `builder` as a sink, by what its RAM sections then say. Throws what the
 * spool throws.
 */
export async function finishMemory(
  source: ByteSource,
  builder: PageIndexBuilder,
  summaries: readonly RamSummary[],
  { inflater, openSpool }: MemoryOptions,
): Promise<GuestMemory> {
  const pageSize = summaries.find((summary) => summary.pageSize !== undefined)?.pageSize;
  const index = await builder.finish(
    pageSize,
    summaries.flatMap(({ blocks }) => blocks),
  );
  const isElsewhere = summaries.some((summary) => !summary.channels && bytesElsewhere(summary) > 0);
  return new GuestMemory(source, index, { inflater, openSpool, isElsewhere });
}
