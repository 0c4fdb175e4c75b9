import { u64At } from '../bytes/view.ts';
import type { Window } from '../bytes/window.ts';
import type { IterativeContext, SectionReader } from './scanner.ts';
import { requireVersion, sectionError } from './section-error.ts';

const VERSION = 1;
/** s390x pages; flags are in the bits below. */
const PAGE_SIZE = 4096;
const S390_SKEYS_SAVE_FLAG_EOS = 0x01;
const S390_SKEYS_SAVE_FLAG_SKEYS = 0x02;
const S390_SKEYS_SAVE_FLAG_ERROR = 0x04;
/** Runs kept; a guest that gives every page another key does not fill the memory with them. */
const MAX_RUNS = 4096;

/** Consecutive pages with the same storage key. */
export interface StorageKeyRun {
  /** Guest physical address of the first page, bytes. */
  readonly address: number;
  readonly pages: number;
  /** Access control (bits 7 to 4), fetch protection (3), reference (2), change (1). */
  readonly key: number;
}

/** Storage keys of a s390x guest. */
export interface S390SkeysSummary {
  readonly kind: 's390-skeys';
  /** The guest's memory as it was sent; empty when the guest does not use storage keys. */
  readonly ranges: readonly { readonly address: number; readonly pages: number }[];
  /** The keys, in the order of the ranges; not more than the first 4096 runs. */
  readonly runs: readonly StorageKeyRun[];
  /** Pages by key value. */
  readonly keys: Readonly<Record<number, number>>;
  /** The source could not read its keys and sent zeros in their place (S390_SKEYS_SAVE_FLAG_ERROR). */
  readonly failed: boolean;
}

/**
 * Scanner of the section `s390-skeys`, version 1 (hw/s390x/s390-skeys.c, s390_storage_keys_load): u64 words with flags
 * below the page size: SKEYS, whose upper bits are an address, and which a u64 count of pages and a byte for each
 * follow (one such range for all of RAM before QEMU 6.1, later one for each contiguous range); EOS or ERROR at the
 * end. Throws DecodeError `bad-iterative`, `truncated`, `unsupported`.
 */
export function createS390SkeysScanner(context: IterativeContext): SectionReader<S390SkeysSummary> {
  const ranges: { address: number; pages: number }[] = [];
  const runs: StorageKeyRun[] = [];
  const counts = new Float64Array(256);
  let failed = false;

  /** Counts the keys of a range, window by window. */
  async function scanKeys(window: Window, address: number, pages: number): Promise<void> {
    let run = 0;
    let key = -1;
    const endRun = (end: number) => {
      if (run < end && runs.length < MAX_RUNS) {
        runs.push({ address: address + run * PAGE_SIZE, pages: end - run, key });
      }
    };
    let page = 0;
    while (page < pages) {
      if (window.limit === window.pos) await window.require(1, 'the storage keys');
      const { bytes, pos } = window;
      const end = Math.min(window.limit, pos + pages - page);
      for (let index = pos; index < end; index++) {
        const next = bytes[index] ?? 0;
        if (next !== key) {
          endRun(page + index - pos);
          run = page + index - pos;
          key = next;
        }
        counts[next] = (counts[next] ?? 0) + 1;
      }
      page += end - pos;
      window.pos = end;
    }
    endRun(pages);
  }

  async function scan(window: Window): Promise<void> {
    requireVersion(context, VERSION, window.offset);
    for (;;) {
      if (window.limit - window.pos < 8) await window.require(8, 'the storage keys');
      const { view, pos } = window;
      const start = window.offset;
      const low = view.getUint32(pos + 4);
      const flags = low & (PAGE_SIZE - 1);
      const address = view.getUint32(pos) * 2 ** 32 + (low - flags);
      window.pos += 8;
      if (flags === S390_SKEYS_SAVE_FLAG_EOS) return;
      if (flags === S390_SKEYS_SAVE_FLAG_ERROR) {
        // The source writes nothing more after this, as after EOS.
        failed = true;
        return;
      }
      if (flags !== S390_SKEYS_SAVE_FLAG_SKEYS || address > Number.MAX_SAFE_INTEGER) {
        const message = `storage keys with flags 0x${flags.toString(16)} at 0x${address.toString(16)}; expected SKEYS, EOS or ERROR`;
        throw sectionError(context, 'bad-iterative', message, start, start + 8);
      }
      await window.require(8, 'the storage keys');
      const pages = u64At(window.view, window.pos);
      const claimed = window.view.getBigUint64(window.pos);
      window.pos += 8;
      if (!(await window.reaches(window.offset + pages))) {
        const message = `the stream ends inside the storage keys of ${claimed} pages`;
        throw sectionError(context, 'truncated', message, start, window.end);
      }
      if (ranges.length < MAX_RUNS) ranges.push({ address, pages });
      await scanKeys(window, address, pages);
    }
  }

  function summary(): S390SkeysSummary {
    const keys: Record<number, number> = {};
    for (const [key, count] of counts.entries()) if (count > 0) keys[key] = count;
    return { kind: 's390-skeys', ranges: [...ranges], runs: [...runs], keys, failed };
  }

  return { scan, summary };
}
