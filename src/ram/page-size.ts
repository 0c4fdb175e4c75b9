import { DecodeError } from '../bytes/diagnostic.ts';
import type { Window } from '../bytes/window.ts';
import {
  BLOCK_LIST,
  commonOffset,
  createTrialLoop,
  END_OF_SECTION,
  ENOUGH_PAGES,
  MULTIFD_FLUSH,
  type PageLoop,
  scanLoaded,
} from './page-loop.ts';
import { pageKinds } from './page-sink.ts';
import { targetPageSizes } from './target-page-size.ts';

/** Pages after which a page size that they show is believed without having seen the end of the record. */
const ENOUGH = 4096;
/** Pages whose offsets alone show their size: that all of so many are multiples of twice the size is no chance. */
const ENOUGH_OFFSETS = 64;
const PLAIN = pageKinds.indexOf('plain');

interface PageSizeContext {
  readonly footers: boolean | undefined;
  readonly sectionId: number;
}

interface FoundPageSize {
  /** In bytes. */
  readonly pageSize: number;
  /** Whether pages have shown it. While there are only markers, or few pages of zeros, other sizes fit as well. */
  readonly certain: boolean;
}

/**
 * Finds TARGET_PAGE_SIZE from the records at the window's position, which it restores: the first size under which
 * they run up to EOS, followed by the section's footer (or by what can begin a record, where footers are known not to
 * be sent). If the bytes are damaged or cut and no size does, the one that gets furthest: its scan then reports where
 * they are.
 */
export async function findPageSize(
  window: Window,
  loop: PageLoop,
  context: PageSizeContext,
): Promise<FoundPageSize> {
  const start = window.offset;
  let best: { found: FoundPageSize; records: number } | undefined;
  for (const pageSize of targetPageSizes) {
    const trial = createTrialLoop(loop, pageSize, ENOUGH);
    const fits = await tryPageSize(window, trial, context);
    window.seek(start);
    const found = { pageSize, certain: isShown(trial) };
    if (fits) return found;
    if (!best || trial.records > best.records)
      best = { found: { pageSize, certain: false }, records: trial.records };
  }
  return best?.found ?? { pageSize: 4096, certain: false };
}

async function tryPageSize(window: Window, trial: PageLoop, context: PageSizeContext): Promise<boolean> {
  let shown = false;
  try {
    for (;;) {
      const result = scanLoaded(trial, window);
      if (result === BLOCK_LIST) return true;
      if (result === MULTIFD_FLUSH) continue;
      if (result === ENOUGH_PAGES) {
        // Not at once: the last page may be the first that shows it, and what follows it is the proof.
        if (shown) return true;
        shown = isShown(trial);
        trial.pageLimit = ENOUGH;
        continue;
      }
      if (result === END_OF_SECTION) return await isSectionEnd(window, context);
      if (!(await window.ensure(result))) return false;
    }
  } catch (error) {
    if (error instanceof DecodeError && error.code === 'bad-ram') return false;
    throw error;
  }
}

/** Whether the pages that were met leave no doubt of their size. */
function isShown(trial: PageLoop): boolean {
  if ((trial.pages[PLAIN] ?? 0) > 0) return true;
  return trial.pageCount >= ENOUGH_OFFSETS && commonOffset(trial) === trial.pageSize;
}

/** Whether a footer of the section stands here, or what can follow a section without one. */
async function isSectionEnd(window: Window, context: PageSizeContext): Promise<boolean> {
  const enough = await window.ensure(5);
  if (enough && window.view.getUint8(window.pos) === 0x7e) {
    if (window.view.getUint32(window.pos + 1) === context.sectionId) return true;
  }
  if (context.footers === true) return false;
  if (context.footers === undefined && enough) return false;
  return window.remaining === 0 || (window.bytes[window.pos] ?? 0xff) <= 8;
}
