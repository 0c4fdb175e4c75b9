import { printable } from '../bytes/diagnostic.ts';
import { u64At } from '../bytes/view.ts';
import type { Window } from '../bytes/window.ts';
import { readMappedRamHeader } from './mapped-ram.ts';
import type { RamBlock } from './ram-block.ts';
import { RAM_SAVE_FLAGS } from './ram-flags.ts';
import { type NamedSection, sectionError } from './section-error.ts';

/** More RAMBlocks than any machine has; a list that goes on longer is not a list. */
export const MAX_BLOCKS = 4096;
/** Smallest page size that a host has: what is below is a flag, not a size. */
const MIN_HOST_PAGE_SIZE = 4096;
/** Larger than any huge page (16 GiB on ppc64). */
const MAX_HOST_PAGE_SIZE = 2 ** 40;
/** After the length of a block at most: page size, address, and then the next entry or record. */
const LOOKAHEAD = 8 + 8 + 1 + 255 + 8;

interface BlockListContext extends NamedSection {
  readonly capabilities: ReadonlySet<string>;
  /** TARGET_PAGE_SIZE in bytes where it is known: mapped-ram must agree with it. */
  readonly pageSize: number | undefined;
}

/**
 * Reads the RAMBlock list behind a RAM_SAVE_FLAG_MEM_SIZE record: entries until their lengths add up to
 * `totalLength` bytes (migration/ram.c, ram_save_setup). The window stands behind the u64 of the record, and
 * afterwards behind the list.
 *
 * Each entry is a name and a u64 length, then (postcopy-ram, where the block's page size is not the host's) a u64
 * page size, then (x-ignore-shared) a u64 address, then (mapped-ram) a header, after which the stream goes on behind
 * the pages of the block. The page size is not announced: it is there if what follows only makes sense with it.
 *
 * Throws DecodeError `bad-ram`, `truncated`, or `unsupported` for a newer mapped-ram.
 */
export async function readBlockList(
  window: Window,
  totalLength: number,
  context: BlockListContext,
): Promise<RamBlock[]> {
  const blocks: RamBlock[] = [];
  const names = new Set<string>();
  let left = totalLength;
  let fileOffset: number | undefined;
  while (left > 0) {
    const start = window.offset;
    if (blocks.length === MAX_BLOCKS) {
      const message = `the block list has more than ${MAX_BLOCKS} entries and ${left} of ${totalLength} bytes are still missing`;
      throw sectionError(context, 'bad-ram', message, start);
    }
    const idstr = await window.readText8('a RAMBlock name');
    if (idstr === '' || names.has(idstr)) {
      const found = idstr === '' ? 'an empty name' : `'${printable(idstr)}' a second time`;
      const message = `the block list has ${found} after ${blocks.length} blocks, with ${left} of ${totalLength} bytes missing`;
      throw sectionError(context, 'bad-ram', message, start, window.offset);
    }
    await window.require(8, 'the length of a RAMBlock');
    const length = u64At(window.view, window.pos);
    window.pos += 8;
    if (length > left) {
      const message = `RAMBlock '${printable(idstr)}' has ${window.view.getBigUint64(window.pos - 8)} bytes, but only ${left} of the ${totalLength} in the block list are left`;
      throw sectionError(context, 'bad-ram', message, window.offset - 8, window.offset);
    }
    left -= length;
    const extra = await readExtra(window, left, idstr, context);
    let block: RamBlock = { idstr, length, ...extra };
    if (context.capabilities.has('mapped-ram')) {
      const header = await readMappedRamHeader(window, block, fileOffset, context);
      fileOffset = header.fileOffset;
      if (header.mapped) {
        block = { ...block, mapped: header.mapped };
        window.seek(header.mapped.pagesOffset + length);
      }
    }
    names.add(idstr);
    blocks.push(block);
  }
  return blocks;
}

/** Page size and address of the entry, of which only the presence of the address is known beforehand. */
async function readExtra(
  window: Window,
  left: number,
  idstr: string,
  context: BlockListContext,
): Promise<Pick<RamBlock, 'pageSize' | 'address'>> {
  await window.ensure(LOOKAHEAD);
  const { view, pos } = window;
  const mapped = context.capabilities.has('mapped-ram');
  const shared = context.capabilities.has('x-ignore-shared') ? 8 : 0;
  const available = window.limit - pos;
  let sizeBytes = 0;
  if (!looksLikeNext(window, shared, left, mapped)) {
    if (available < shared + 8)
      throw window.error('truncated', 'the stream ends inside the block list', window.end);
    const value = u64At(view, pos);
    if (!isHostPageSize(value) || !looksLikeNext(window, shared + 8, left, mapped)) {
      const message = `what follows RAMBlock '${printable(idstr)}' (0x${view.getBigUint64(pos).toString(16)}) is neither a page size nor ${
        left > 0 ? 'another RAMBlock' : 'the next RAM record'
      }`;
      throw sectionError(context, 'bad-ram', message, window.offset, window.offset + 8);
    }
    sizeBytes = 8;
  }
  const extra: { pageSize?: number; address?: bigint } = {};
  if (sizeBytes > 0) extra.pageSize = u64At(view, pos);
  if (shared > 0) {
    await window.require(sizeBytes + 8, 'the address of a RAMBlock');
    extra.address = view.getBigUint64(pos + sizeBytes);
  }
  window.pos += sizeBytes + shared;
  return extra;
}

/** Whether the bytes at `pos + skip` can be what follows an entry, `left` bytes of blocks before the list is complete. */
function looksLikeNext(window: Window, skip: number, left: number, mapped: boolean): boolean {
  const { bytes, view, limit } = window;
  const pos = window.pos + skip;
  if (mapped) {
    // MappedRamHeader: u32 version, u64 page size. As a u64 page size this would be 4 GiB and more.
    if (limit - pos < 12) return false;
    const size = view.getUint32(pos + 8);
    return (
      view.getUint32(pos) === 1 && view.getUint32(pos + 4) === 0 && size !== 0 && (size & (size - 1)) === 0
    );
  }
  if (left === 0) return limit - pos >= 8 && (view.getUint32(pos + 4) & RAM_SAVE_FLAGS) !== 0;
  const nameLength = bytes[pos] ?? 0;
  if (nameLength === 0 || limit - pos < 1 + nameLength + 8) return false;
  const length = pos + 1 + nameLength;
  return u64At(view, length) <= left;
}

function isHostPageSize(value: number): boolean {
  return value >= MIN_HOST_PAGE_SIZE && value <= MAX_HOST_PAGE_SIZE && Number.isInteger(Math.log2(value));
}
