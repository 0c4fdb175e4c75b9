import type { Window } from '../bytes/window.ts';
import type { IterativeContext, SectionReader } from './scanner.ts';
import { requireVersion, sectionError } from './section-error.ts';

const VERSION = 1;
const S390_TOD_CLOCK_VALUE_MISSING = 0;
const S390_TOD_CLOCK_VALUE_PRESENT = 1;

/** The time-of-day clock of a s390x guest. */
export interface TodClockSummary {
  readonly kind: 'todclock';
  /** Undefined when the source could not read it, or before it was scanned. */
  readonly tod: TodClock | undefined;
}

export interface TodClock {
  /** Epoch index: counts overflows of `low` (multiple-epoch facility). */
  readonly high: number;
  /** The clock: bit 51 (from the left) counts microseconds since 1900. */
  readonly low: bigint;
}

/**
 * Scanner of the section `todclock`, version 1 (hw/s390x/tod.c, s390_tod_load): u8 1, u8 high, u64 low; or u8 0 and
 * nothing more. Throws DecodeError `bad-iterative`, `truncated`, `unsupported`.
 */
export function createTodClockScanner(context: IterativeContext): SectionReader<TodClockSummary> {
  let tod: TodClock | undefined;

  async function scan(window: Window): Promise<void> {
    requireVersion(context, VERSION, window.offset);
    const present = await window.readU8('the TOD clock');
    if (present === S390_TOD_CLOCK_VALUE_MISSING) return;
    if (present !== S390_TOD_CLOCK_VALUE_PRESENT) {
      const message = `the TOD clock begins with 0x${present.toString(16)}; expected 1 (a value follows) or 0 (none)`;
      throw sectionError(context, 'bad-iterative', message, window.offset - 1, window.offset);
    }
    const high = await window.readU8('the TOD clock');
    tod = { high, low: await window.readU64('the TOD clock') };
  }

  return { scan, summary: () => ({ kind: 'todclock', tod }) };
}
