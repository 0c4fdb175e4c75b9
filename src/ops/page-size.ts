import type { OpenedStream } from '../layout/open.ts';
import { ramSummaries } from '../ram/iterative.ts';

export interface PageSize {
  readonly bytes: number;
  /** The stream's description, its configuration, the RAM pages in it, or what this target has. */
  readonly origin: 'vmdesc' | 'configuration' | 'found' | 'target';
}

/** TARGET_PAGE_SIZE of targets whose pages are not of 4 KiB (target/ARCH/cpu-param.h). */
const TARGET_PAGE_SIZES: Readonly<Record<string, number>> = {
  alpha: 8192,
  avr: 256,
  cris: 8192,
  or1k: 8192,
  sparc64: 8192,
  tricore: 16384,
};

/** The page size of the target that a stream comes from, from the best source there is. */
export function streamPageSize({ schema, stream, tables }: OpenedStream): PageSize | undefined {
  if (schema?.pageSize !== undefined) return { bytes: schema.pageSize, origin: 'vmdesc' };
  const bits = stream.configuration?.targetPageBits;
  if (bits !== undefined) return { bytes: 2 ** bits, origin: 'configuration' };
  const target = tables?.schema.target;
  if (target !== undefined) return { bytes: TARGET_PAGE_SIZES[target] ?? 4096, origin: 'target' };
  const found = ramSummaries(stream.sections).find(({ pageSize }) => pageSize !== undefined)?.pageSize;
  return found === undefined ? undefined : { bytes: found, origin: 'found' };
}
