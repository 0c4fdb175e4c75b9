import { hexOffset } from '../bytes/range.ts';
import type { Window } from '../bytes/window.ts';
import type { IterativeContext, SectionReader } from './scanner.ts';
import { requireVersion, sectionError } from './section-error.ts';

const VERSION = 1;
/** Bytes of a hash page table entry (HASH_PTE_SIZE_64). */
const HPTE_SIZE = 16;
/** In place of the shift: the guest has no hash page table (it uses radix translation). */
const NO_HPT = 0xffffffff;
/** The architecture allows hash page tables of 2^18 to 2^46 bytes. */
const MIN_SHIFT = 18;
const MAX_SHIFT = 46;

/** The hash page table of a pseries guest. */
export interface HtabSummary {
  readonly kind: 'htab';
  /** Base-2 logarithm of the table's size in bytes; undefined without a table. */
  readonly shift: number | undefined;
  readonly chunks: number;
  /** Entries that were sent, 16 bytes each, and entries that were sent as being invalid, without bytes. */
  readonly valid: number;
  readonly invalid: number;
}

/**
 * Scanner of the section `spapr/htab`, version 1 (hw/ppc/spapr.c, htab_load). A record begins with a u32: -1 where
 * there is no table, the shift in the first record, 0 in the others, in which chunks follow: u32 index, u16 valid and
 * u16 invalid entries, the valid ones; all three 0 at the end. Throws DecodeError `bad-iterative`, `truncated`,
 * `unsupported`.
 */
export function createHtabScanner(context: IterativeContext): SectionReader<HtabSummary> {
  let shift: number | undefined;
  let chunks = 0;
  let valid = 0;
  let invalid = 0;

  async function scan(window: Window): Promise<void> {
    requireVersion(context, VERSION, window.offset);
    const header = await window.readU32('the hash page table');
    if (header === NO_HPT) return;
    if (header !== 0) {
      // QEMU shifts without a look at the number: of that, hosts take the lowest six bits.
      shift = header & 63;
      if (header < MIN_SHIFT || header > MAX_SHIFT) {
        const message = `a hash page table of 2^${header} bytes; expected a shift of ${MIN_SHIFT} to ${MAX_SHIFT}`;
        const error = sectionError(context, 'bad-iterative', message, window.offset - 4, window.offset);
        if (shift > MAX_SHIFT) throw error;
        context.report({ ...error.diagnostic, severity: 'warning' });
      }
      return;
    }
    const entries = shift === undefined ? Number.POSITIVE_INFINITY : 2 ** shift / HPTE_SIZE;
    for (;;) {
      if (window.limit - window.pos < 8) await window.require(8, 'the hash page table');
      const { view, pos } = window;
      const index = view.getUint32(pos);
      const validHere = view.getUint16(pos + 4);
      const invalidHere = view.getUint16(pos + 6);
      if (index + validHere + invalidHere > entries) {
        const message = `a chunk of ${validHere} + ${invalidHere} entries at index ${hexOffset(index)} of a hash page table with ${hexOffset(entries)}`;
        throw sectionError(context, 'bad-iterative', message, window.offset, window.offset + 8);
      }
      window.pos += 8;
      if (index === 0 && validHere === 0 && invalidHere === 0) return;
      await window.skip(validHere * HPTE_SIZE, 'the hash page table');
      chunks++;
      valid += validHere;
      invalid += invalidHere;
    }
  }

  return { scan, summary: () => ({ kind: 'htab', shift, chunks, valid, invalid }) };
}
