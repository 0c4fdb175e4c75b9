import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import type { Window } from '../bytes/window.ts';
import type { SectionBoundaries } from './boundaries.ts';
import type { PlausibilityContext } from './plausible.ts';
import {
  QEMU_VM_SECTION_PART,
  QEMU_VM_SECTION_START,
  type SectionRecord,
  type SectionType,
} from './records.ts';
import { readSectionIdentity, type SectionIdentity } from './section-header.ts';
import type { Section, SectionScanner } from './stream.ts';

/** Reads section records, and keeps the sections that they belong to. */
export class Sections<Scanner extends SectionScanner> {
  /** In order of their first record. */
  readonly all: Section<Scanner>[] = [];
  /** Those that a PART or END record can belong to: begun by a START record. */
  readonly started = new Map<number, Section<Scanner>>();
  readonly #ids = new Set<number>();
  readonly #occurrences = new Map<string, number>();
  readonly #boundaries: SectionBoundaries;
  readonly #scannerFor: (identity: SectionIdentity) => Scanner | undefined;
  readonly #report: (diagnostic: Diagnostic) => void;

  constructor(
    boundaries: SectionBoundaries,
    scannerFor: (identity: SectionIdentity) => Scanner | undefined,
    report: (diagnostic: Diagnostic) => void,
  ) {
    this.#boundaries = boundaries;
    this.#scannerFor = scannerFor;
    this.#report = report;
  }

  /** Reads the START or FULL record that begins at `start`; the window stands behind its type byte. Throws DecodeError. */
  async readFirst(
    window: Window,
    typeByte: number,
    start: number,
    context: PlausibilityContext,
  ): Promise<SectionRecord> {
    const type = typeByte === QEMU_VM_SECTION_START ? 'SECTION_START' : 'SECTION_FULL';
    const identity = await readSectionIdentity(window, await window.readU32('a section header'));
    const section = this.#add(identity, { start, end: window.offset });
    if (type === 'SECTION_START') this.started.set(section.id, section);
    return this.#readBody(window, section, type, start, context);
  }

  /** The same for a PART or END record. Throws DecodeError `bad-record` where no START record is in front of it. */
  async readFurther(
    window: Window,
    typeByte: number,
    start: number,
    context: PlausibilityContext,
  ): Promise<SectionRecord> {
    const type = typeByte === QEMU_VM_SECTION_PART ? 'SECTION_PART' : 'SECTION_END';
    const id = await window.readU32('a section header');
    const section = this.started.get(id);
    if (!section) throw window.error('bad-record', `${type} of section ${id}, which was never started`);
    return this.#readBody(window, section, type, start, context);
  }

  #add(identity: SectionIdentity, range: Range): Section<Scanner> {
    const { id, idstr, instanceId } = identity;
    const report = (severity: Diagnostic['severity'], message: string) =>
      this.#report({ severity, code: 'duplicate-section', message, range, section: idstr, instanceId });
    if (this.#ids.has(id)) report('warning', `section id ${id} appeared before`);
    this.#ids.add(id);
    const key = `${instanceId}/${idstr}`;
    const occurrence = this.#occurrences.get(key) ?? 0;
    this.#occurrences.set(key, occurrence + 1);
    if (occurrence > 0) {
      report(
        'note',
        'this idstr and instance id appeared before; on load, QEMU gives all of them to one device',
      );
    }
    const section = { ...identity, occurrence, records: [], scanner: this.#scannerFor(identity) };
    this.all.push(section);
    return section;
  }

  async #readBody(
    window: Window,
    section: Section<Scanner>,
    type: SectionType,
    start: number,
    context: PlausibilityContext,
  ): Promise<SectionRecord> {
    const bodyStart = window.offset;
    const { bodyEnd, boundary } = await this.#boundaries.findBodyEnd(window, section, type, context);
    window.seek(bodyEnd);
    const footer = await this.#boundaries.readFooter(window, section, boundary);
    const { id, idstr, instanceId, versionId } = section;
    const record: SectionRecord = {
      kind: 'section',
      type,
      id,
      idstr,
      instanceId,
      versionId,
      range: { start, end: window.offset },
      body: { start: bodyStart, end: bodyEnd },
      footer,
      boundary,
    };
    section.records.push(record);
    return record;
  }
}
