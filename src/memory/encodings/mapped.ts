import { type ByteSource, readExactly } from '../../bytes/source.ts';
import { presentPages } from '../../ram/mapped-ram.ts';
import type { MappedRam, RamBlock } from '../../ram/ram-block.ts';

/**
 * Fills `into` with what a block that mapped-ram keeps at its place in the source has from `offset` on; the bitmap says
 * which pages are there, and the others are zeros. Tells in order how many bytes are of which. Throws DecodeError
 * `truncated`, and what the source throws.
 */
export async function readMapped(
  source: ByteSource,
  block: RamBlock,
  mapped: MappedRam,
  offset: number,
  into: Uint8Array,
  note: (state: 'content' | 'zero', bytes: number) => void,
): Promise<void> {
  const { pageSize, pagesOffset } = mapped;
  const end = offset + into.length;
  let at = offset;
  const [first, last] = [Math.floor(offset / pageSize), Math.ceil(end / pageSize)];
  for await (const { page, count } of presentPages(source, block, mapped, first, last)) {
    const from = Math.max(offset, page * pageSize);
    const to = Math.min(end, (page + count) * pageSize);
    note('zero', from - at);
    into.set(await readExactly(source, pagesOffset + from, to - from), from - offset);
    note('content', to - from);
    at = to;
  }
  note('zero', end - at);
}
