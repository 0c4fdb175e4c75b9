import { type Diagnostic, problemIn } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import { Window } from '../bytes/window.ts';
import type { PageDelivery } from './multifd/channel.ts';
import { BLOCK_LIST, createPageLoop, putBlock, scanLoaded } from './page-loop.ts';
import {
  RAM_SAVE_FLAG_CONTINUE,
  RAM_SAVE_FLAG_EOS,
  RAM_SAVE_FLAG_PAGE,
  RAM_SAVE_FLAG_ZERO,
} from './ram-flags.ts';

/** What was met in a postcopy preempt channel. */
export interface PreemptChannelSummary {
  readonly kind: 'preempt';
  readonly name: string;
  /** Bytes of the channel. */
  readonly size: number;
  readonly pages: number;
}

/** What the page records of a preempt channel begin with, before their page offset. */
const firstFlags: readonly number[] = [RAM_SAVE_FLAG_PAGE, RAM_SAVE_FLAG_ZERO, RAM_SAVE_FLAG_EOS];

/**
 * Whether a channel begins as a postcopy preempt channel does, which has no magic: with a page record that names its
 * RAMBlock, or an EOS record; or it is empty, when the destination asked for no page.
 */
export function looksLikePreempt(head: Uint8Array, size: number): boolean {
  if (size === 0) return true;
  if (head.byteLength < 8) return false;
  const view = viewOf(head);
  // The smallest pages leave 8 bits for flags, and all flags but those of multifd are in them.
  const flags = view.getUint32(4) & 0xff;
  if (!firstFlags.includes(flags & ~RAM_SAVE_FLAG_CONTINUE) || view.getUint32(0) >= 2 ** 20) return false;
  return flags === RAM_SAVE_FLAG_EOS ? view.getUint32(4) === flags : (head[8] ?? 0) > 0;
}

/**
 * Reads a postcopy preempt channel (QEMU 7.2 and later; migration/ram.c, ram_load_postcopy with
 * RAM_CHANNEL_POSTCOPY): page records as in the section `ram`, of pages that the destination asked for after the
 * switch-over, then EOS or nothing. Problems are reported.
 */
export async function readPreemptChannel(
  source: FinishedSource,
  pageSize: number,
  { blocks, sink }: PageDelivery,
  report: (diagnostic: Diagnostic) => void,
): Promise<PreemptChannelSummary> {
  const loop = createPageLoop({ idstr: 'ram', instanceId: 0 }, pageSize, sink);
  for (const block of blocks.values()) putBlock(loop, block);
  const window = new Window(source);
  try {
    while (await window.ensure(1)) {
      const needed = scanLoaded(loop, window);
      await sink?.drain?.();
      if (needed === BLOCK_LIST) throw window.error('bad-ram', 'a block list, which no preempt channel has');
      // From QEMU 8.0 or so on the channel just ends.
      if (needed > 0 && window.remaining > 0) await window.require(needed, 'a RAM record');
    }
  } catch (error) {
    const { code, message, range } = problemIn(error).diagnostic;
    const place = `channel ${source.name}, offset ${hexOffset(range?.start ?? window.offset)}`;
    report({ severity: 'error', code, message: `${place}: ${message}` });
  }
  return { kind: 'preempt', name: source.name, size: source.size, pages: loop.pageCount };
}
