import type { Window } from '../bytes/window.ts';
import {
  QEMU_VM_COMMAND,
  QEMU_VM_EOF,
  QEMU_VM_SECTION_END,
  QEMU_VM_SECTION_FOOTER,
  QEMU_VM_SECTION_FULL,
  QEMU_VM_SECTION_PART,
  QEMU_VM_SECTION_START,
  QEMU_VM_VMDESCRIPTION,
} from './records.ts';
import { FOOTER_LENGTH } from './section-header.ts';

/** A section header is at most 1 + 4 + 1 + 255 + 4 + 4 bytes; nothing looks further ahead than this. */
const LOOKAHEAD = 272;
/** QEMU numbers sections from 0 up; a real VM has some hundreds. */
const MAX_SECTION_ID = 1 << 20;
const MAX_COMMAND = 0x40;
const OPENING_BRACE = 0x7b;

/** Types of the records that begin a section. */
const HEADERS: ReadonlySet<number | undefined> = new Set([QEMU_VM_SECTION_START, QEMU_VM_SECTION_FULL]);

/** What may follow at this place: surely a record, perhaps one (an EOF with unexplained bytes behind it), or none. */
type Plausibility = 'yes' | 'weak' | 'no';

export interface PlausibilityContext {
  /** Ids of the sections that a PART or END record can name. */
  readonly knownIds: ReadonlyMap<number, unknown>;
  /** Inside a PACKAGED command the records end with the package, without an EOF record. */
  readonly packaged: boolean;
}

/** Does a record begin at the place where the window stands? Does not move the window. */
export async function plausibleRecord(window: Window, context: PlausibilityContext): Promise<Plausibility> {
  await window.ensure(LOOKAHEAD);
  return plausibleRecordAt(window, window.pos, context);
}

/** The same for another place in what is loaded. */
async function plausibleRecordAt(
  window: Window,
  pos: number,
  context: PlausibilityContext,
): Promise<Plausibility> {
  const verdict = judge(window, pos, context);
  if (typeof verdict === 'string') return verdict;
  return (await window.reaches(window.offset + (pos - window.pos) + verdict)) ? 'yes' : 'no';
}

/** What is said of a place by the bytes that are loaded; where a record must end in the stream, how long it is. */
function judge(window: Window, pos: number, context: PlausibilityContext): Plausibility | number {
  const { view, bytes } = window;
  const available = window.limit - pos;
  const remaining = window.remaining - (pos - window.pos);
  if (remaining === 0) return context.packaged ? 'yes' : 'weak';
  switch (bytes[pos]) {
    case QEMU_VM_EOF:
      if (remaining === 1) return 'yes';
      if (available >= 6 && bytes[pos + 1] === QEMU_VM_VMDESCRIPTION) {
        // A vmdesc that is cut short is recognised by its text, unless there is none.
        if (remaining === 6) return 'weak';
        return available >= 7 && bytes[pos + 6] === OPENING_BRACE ? 'yes' : 6 + view.getUint32(pos + 2);
      }
      return 'weak';
    case QEMU_VM_SECTION_START:
    case QEMU_VM_SECTION_FULL: {
      if (available < 6) return 'no';
      const length = bytes[pos + 5]!;
      if (length === 0 || available < 6 + length + 8 || view.getUint32(pos + 1) >= MAX_SECTION_ID)
        return 'no';
      for (let i = 0; i < length; i++) {
        const byte = bytes[pos + 6 + i]!;
        if (byte < 0x20 || byte > 0x7e) return 'no';
      }
      return 'yes';
    }
    case QEMU_VM_SECTION_PART:
    case QEMU_VM_SECTION_END:
      return available >= 5 && context.knownIds.has(view.getUint32(pos + 1)) ? 'yes' : 'no';
    case QEMU_VM_COMMAND:
      return available >= 5 && view.getUint16(pos + 1) < MAX_COMMAND ? 5 + view.getUint16(pos + 3) : 'no';
    default:
      return 'no';
  }
}

/** Is there, where the window stands, the footer of section `id`? Does not move the window. */
export async function footerAhead(window: Window, id: number): Promise<boolean> {
  return (
    (await window.ensure(FOOTER_LENGTH)) &&
    window.bytes[window.pos] === QEMU_VM_SECTION_FOOTER &&
    window.view.getUint32(window.pos + 1) === id
  );
}

/**
 * Searches forward for a section footer that a plausible record follows, of section `id` or, when `id` is
 * undefined, of any section. Returns the offset of the footer, or undefined; the window's place is then undefined.
 *
 * In every real stream tried, the first such footer was the true end; an EOF that unexplained bytes follow, or
 * the header of a section that is damaged, counts only when nothing better comes.
 */
export async function searchFooter(
  window: Window,
  id: number | undefined,
  context: PlausibilityContext,
): Promise<number | undefined> {
  let weak: number | undefined;
  while (await window.ensure(FOOTER_LENGTH)) {
    await window.ensure(FOOTER_LENGTH + LOOKAHEAD);
    const { bytes, view } = window;
    // Candidates whose lookahead is not loaded wait for the next window, unless the stream ends with this one.
    const atEnd = window.limit - window.pos === window.remaining;
    const last = window.limit - FOOTER_LENGTH - (atEnd ? 0 : LOOKAHEAD);
    let pos = window.pos;
    for (; pos <= last; pos++) {
      pos = bytes.indexOf(QEMU_VM_SECTION_FOOTER, pos);
      if (pos < 0 || pos > last) {
        pos = last + 1;
        break;
      }
      const found = view.getUint32(pos + 1);
      if (id === undefined ? found >= MAX_SECTION_ID : found !== id) continue;
      const plausibility = await plausibleRecordAt(window, pos + FOOTER_LENGTH, context);
      if (plausibility === 'yes') return window.offset + (pos - window.pos);
      // Behind a footer of this very section, a header whose id or idstr cannot be is a damaged one.
      const isDamagedHeader = id !== undefined && HEADERS.has(bytes[pos + FOOTER_LENGTH]);
      if (plausibility === 'weak' || isDamagedHeader) weak ??= window.offset + (pos - window.pos);
    }
    window.pos = pos;
    if (atEnd) break;
  }
  return weak;
}

/** Ids of sections that follow each other in a stream differ by less than this; iterative ones come first. */
const MAX_ID_STEP = 256;

/**
 * Searches forward for the header of a FULL section with an id above `lastId`, for streams without footers. Returns
 * its offset; when there is none, that of an EOF record which is the last byte; else undefined.
 */
export async function searchHeader(
  window: Window,
  lastId: number,
  context: PlausibilityContext,
): Promise<number | undefined> {
  while (await window.ensure(1)) {
    await window.ensure(2 * LOOKAHEAD);
    const { bytes, view } = window;
    const atEnd = window.limit - window.pos === window.remaining;
    const last = window.limit - (atEnd ? 1 : LOOKAHEAD);
    for (let pos = window.pos; pos <= last; pos++) {
      pos = bytes.indexOf(QEMU_VM_SECTION_FULL, pos);
      if (pos < 0 || pos > last) break;
      if (window.limit - pos < 5) continue;
      const step = view.getUint32(pos + 1) - lastId;
      if (step <= 0 || step >= MAX_ID_STEP) continue;
      if ((await plausibleRecordAt(window, pos, context)) === 'yes')
        return window.offset + (pos - window.pos);
    }
    if (atEnd) return bytes[window.limit - 1] === QEMU_VM_EOF ? window.end - 1 : undefined;
    window.pos = last + 1;
  }
  return undefined;
}
