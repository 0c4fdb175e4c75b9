import { type Diagnostic, type DiagnosticCode, problemIn } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import type { Window } from '../bytes/window.ts';
import {
  footerAhead,
  type PlausibilityContext,
  plausibleRecord,
  searchFooter,
  searchHeader,
} from './plausible.ts';
import type { BoundaryOrigin, SectionType } from './records.ts';
import { FOOTER_LENGTH } from './section-header.ts';
import type { Section, SectionScanner } from './stream.ts';

/** Where the bodies of sections end: by their format or description, checked against the bytes, or by a search. */
export class SectionBoundaries {
  /** Do sections end with footers? Undefined until the first section's end has been seen. */
  footers: boolean | undefined;
  /** A search for the footer of one section ran to the end in vain: from then on any footer will do. */
  #searchedInVain = false;
  readonly #bodyLength: (section: Section) => number | undefined;
  readonly #report: (diagnostic: Diagnostic) => void;

  /** `bodyLength` is the length of the body of a FULL section by its description. */
  constructor(
    bodyLength: (section: Section) => number | undefined,
    report: (diagnostic: Diagnostic) => void,
  ) {
    this.#bodyLength = bodyLength;
    this.#report = report;
  }

  /** Finds the end of the body that begins where the window stands; the window's place is undefined afterwards. */
  async findBodyEnd(
    window: Window,
    section: Section<SectionScanner>,
    type: SectionType,
    context: PlausibilityContext,
  ): Promise<{ bodyEnd: number; boundary: BoundaryOrigin }> {
    const bodyStart = window.offset;
    if (section.scanner) {
      try {
        await section.scanner.scan(window, type);
        const bodyEnd = window.offset;
        if (await this.#endsHere(window, section, context)) return { bodyEnd, boundary: 'scanner' };
        window.seek(bodyEnd);
        const message = 'the section should end here, but no footer or record follows';
        this.#reportIn(section, 'bad-iterative', message, here(window));
      } catch (error) {
        const { code, diagnostic } = problemIn(error);
        const { idstr, instanceId } = section;
        this.#report({ section: idstr, instanceId, ...diagnostic });
        if (code === 'truncated') return { bodyEnd: window.end, boundary: 'truncated' };
      }
    } else {
      const length = this.#bodyLength(section);
      if (length !== undefined && (await window.reaches(bodyStart + length))) {
        window.seek(bodyStart + length);
        if (await this.#endsHere(window, section, context))
          return { bodyEnd: bodyStart + length, boundary: 'description' };
      }
    }
    const found = await this.#searchBodyEnd(window, section, bodyStart, context);
    if (found !== undefined)
      return { bodyEnd: found, boundary: this.footers === false ? 'header-search' : 'footer-search' };
    return { bodyEnd: window.end, boundary: 'truncated' };
  }

  /** Reads the footer, where there should be one; the window stands at the end of the body. */
  async readFooter(
    window: Window,
    section: Section<SectionScanner>,
    boundary: BoundaryOrigin,
  ): Promise<Range | undefined> {
    if (boundary === 'truncated') {
      this.#reportIn(section, 'truncated', 'the stream ends inside this section', here(window));
      return undefined;
    }
    if (this.footers !== true) return undefined;
    const footer = { start: window.offset, end: window.offset + FOOTER_LENGTH };
    if (!(await footerAhead(window, section.id))) {
      const message =
        'missing section footer: the bytes here are not its footer, though a record follows them';
      this.#reportIn(section, 'bad-footer', message, footer);
    }
    await window.skip(FOOTER_LENGTH, 'a section footer');
    return footer;
  }

  /** Does the section end where the window stands? Learns from the first section whether there are footers. */
  async #endsHere(window: Window, { id }: Section, context: PlausibilityContext): Promise<boolean> {
    if (this.footers !== false && (await footerAhead(window, id))) {
      this.footers = true;
      return true;
    }
    if (this.footers === true) return damagedFooterAhead(window, context);
    const start = window.offset;
    const plausibility = await plausibleRecord(window, context);
    window.seek(start);
    if (plausibility !== 'no') this.footers = false;
    return plausibility !== 'no';
  }

  async #searchBodyEnd(
    window: Window,
    { id }: Section,
    bodyStart: number,
    context: PlausibilityContext,
  ): Promise<number | undefined> {
    if (this.footers === false) {
      window.seek(bodyStart);
      return searchHeader(window, id, context);
    }
    if (!this.#searchedInVain) {
      window.seek(bodyStart);
      const found = await searchFooter(window, id, context);
      if (found !== undefined) {
        this.footers = true;
        return found;
      }
      this.#searchedInVain = true;
    }
    window.seek(bodyStart);
    return searchFooter(window, undefined, context);
  }

  #reportIn({ idstr, instanceId }: Section, code: DiagnosticCode, message: string, range: Range): void {
    this.#report({ severity: 'error', code, message, range, section: idstr, instanceId });
  }
}

/** Bytes of a footer's length that are none, but behind which a record begins: a footer with damage in it. */
async function damagedFooterAhead(window: Window, context: PlausibilityContext): Promise<boolean> {
  const start = window.offset;
  if (!(await window.reaches(start + FOOTER_LENGTH))) return false;
  window.seek(start + FOOTER_LENGTH);
  const plausibility = await plausibleRecord(window, context);
  window.seek(start);
  return plausibility === 'yes';
}

function here({ offset }: Window): Range {
  return { start: offset, end: offset };
}
