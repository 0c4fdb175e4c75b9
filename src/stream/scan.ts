import { DecodeError, type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { type Range, rangeLength } from '../bytes/range.ts';
import type { ByteSource } from '../bytes/source.ts';
import { Window } from '../bytes/window.ts';
import { readCommandDetail, readCommandHeader } from './commands.ts';
import { readConfiguration } from './configuration.ts';
import { type DescribedSection, deviceStateStart } from './device-state.ts';
import { describeForeignFormat } from './foreign-format.ts';
import { footerAhead, plausibleRecord, searchFooter, searchHeader } from './plausible.ts';
import {
  type BoundaryOrigin,
  type CommandRecord,
  type ConfigurationRecord,
  type MigrationCommand,
  QEMU_VM_COMMAND,
  QEMU_VM_CONFIGURATION,
  QEMU_VM_EOF,
  QEMU_VM_FILE_MAGIC,
  QEMU_VM_FILE_VERSION,
  QEMU_VM_SECTION_END,
  QEMU_VM_SECTION_FOOTER,
  QEMU_VM_SECTION_FULL,
  QEMU_VM_SECTION_PART,
  QEMU_VM_SECTION_START,
  QEMU_VM_VMDESCRIPTION,
  type SectionRecord,
  type SectionType,
  type StreamRecord,
  type VmDescriptionRecord,
} from './records.ts';

const SECTION_TYPES: Readonly<Record<number, SectionType>> = {
  [QEMU_VM_SECTION_START]: 'SECTION_START',
  [QEMU_VM_SECTION_PART]: 'SECTION_PART',
  [QEMU_VM_SECTION_END]: 'SECTION_END',
  [QEMU_VM_SECTION_FULL]: 'SECTION_FULL',
};

const OPENING_BRACE = 0x7b;
/** Begins each of the further connections that carry pages (migration/multifd.h). */
const MULTIFD_MAGIC = 0x11223344;

/** A package holds device state and commands; QEMU never nests one in another. */
const MAX_PACKAGE_DEPTH = 1;

/** Scans the bodies of one iterative section (RAM and the like), record by record. */
export interface SectionScanner {
  /** The window stands at the first byte of the body, and afterwards behind its last. Throws DecodeError. */
  scan(window: Window, type: SectionType): Promise<void>;
}

export interface SectionScannerContext {
  readonly idstr: string;
  readonly instanceId: number;
  readonly versionId: number;
  readonly sectionId: number;
  /** Bytes; undefined when neither the description nor the configuration gave it. */
  readonly pageSize: number | undefined;
  readonly capabilities: ReadonlySet<string>;
  /** Undefined until the first section's end has been seen. */
  readonly footers: boolean | undefined;
  report(diagnostic: Diagnostic): void;
}

/** All records of one section id. */
export interface Section<Scanner extends SectionScanner = SectionScanner> {
  readonly id: number;
  readonly idstr: string;
  readonly instanceId: number;
  readonly versionId: number;
  /** How many sections before this one have the same idstr and instance id: 0 but for a few devices. */
  readonly occurrence: number;
  readonly records: SectionRecord[];
  /** Where the rest of its records is, among those of other iterative sections, when all of them were skipped. */
  unscanned?: Range;
  /** Present for sections whose format is known and is no VMSD. */
  readonly scanner: Scanner | undefined;
}

/** The framing of a migration stream: what is where. Offsets are absolute in the source. */
export interface Stream<Scanner extends SectionScanner = SectionScanner> {
  readonly source: ByteSource;
  /** In stream order, without gaps between them; a package's records are inside its command. */
  readonly records: readonly StreamRecord[];
  /** In order of their first record, those of packages included. */
  readonly sections: readonly Section<Scanner>[];
  readonly configuration: ConfigurationRecord | undefined;
  readonly vmdescription: VmDescriptionRecord | undefined;
  /** Do sections end with footers? Undefined when there is no section. */
  readonly footers: boolean | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

export interface ScanOptions<Scanner extends SectionScanner = SectionScanner> {
  /** Target page size in bytes, when the description says it. */
  readonly pageSize?: number | undefined;
  /** Where the VMDESCRIPTION record is that ends the source, if one does: the end-of-file record is in front of it. */
  readonly vmdescription?: Range | undefined;
  /** Skips RAM and the like where the description tells where the device state behind them begins. */
  readonly skipRam?: SkipRam | undefined;
  /** Length of the body of a FULL section by its description, to be checked against the bytes. */
  bodyLength?(idstr: string, instanceId: number, occurrence: number): number | undefined;
  /** The scanner for an iterative section, or undefined where its format is not known. */
  scannerFor?(context: SectionScannerContext): Scanner | undefined;
  /** Called at each command that is known, in stream order with what the scanners see. */
  onCommand?(name: MigrationCommand, detail: CommandRecord['detail']): void;
  /** Called with the number of bytes scanned so far, now and then. */
  onProgress?(offset: number): void;
}

export interface SkipRam {
  /** The records of iterative sections behind their START are skipped where they are more bytes than this. */
  readonly over: number;
  /** All FULL sections of the stream, in its order. */
  readonly described: readonly DescribedSection[];
}

/**
 * Splits a stream into records. Problems in the bytes are diagnostics of the result, never exceptions, except that a
 * source which is no migration stream at all throws DecodeError `not-a-stream`.
 *
 * RAM that is skipped changes nothing else of the result: where what is behind it is not sound to the last byte, the
 * stream is scanned anew without skipping.
 */
export async function scanStream<Scanner extends SectionScanner>(
  source: ByteSource,
  options: ScanOptions<Scanner> = {},
): Promise<Stream<Scanner>> {
  const window = new Window(source);
  await readHeader(window);
  const scan = new StreamScan<Scanner>(window, options);
  await scan.run();
  if (scan.hasSkippedInDoubt()) return scanStream(source, { ...options, skipRam: undefined });
  return scan.result();
}

/** Reads magic and version. Throws DecodeError `not-a-stream`. */
async function readHeader(window: Window): Promise<void> {
  const fail = (message: string) =>
    new DecodeError({ severity: 'error', code: 'not-a-stream', message }, { source: window.source.name });
  if (!(await window.ensure(8))) {
    const { size } = window.source;
    throw fail(
      size === 0
        ? 'the file is empty'
        : `too short for a QEMU migration stream: ${size} bytes, magic and version are 8`,
    );
  }
  const magic = await window.readU32('the header');
  if (magic === MULTIFD_MAGIC) {
    throw fail(
      'this is a multifd channel of a migration, not its main stream: open that, and give this with --channel',
    );
  }
  if (magic !== QEMU_VM_FILE_MAGIC) {
    const other = await describeForeignFormat(window.source);
    if (other !== undefined) throw fail(other);
    const found = magic.toString(16).padStart(8, '0');
    throw fail(
      `not a QEMU migration stream: it starts with 0x${found}, expected 0x5145564d ("QEVM"); ` +
        "'vmwalk scan FILE' finds those further in",
    );
  }
  const version = await window.readU32('the header');
  if (version !== QEMU_VM_FILE_VERSION) {
    throw fail(`migration stream version ${version}; only version 3 (QEMU 0.12 and later) is known`);
  }
}

class StreamScan<Scanner extends SectionScanner> {
  readonly #options: ScanOptions<Scanner>;
  readonly #source: ByteSource;
  readonly #diagnostics = new DiagnosticList();
  readonly #records: StreamRecord[] = [];
  readonly #sections: Section<Scanner>[] = [];
  readonly #byId = new Map<number, Section<Scanner>>();
  /** Those that a PART or END record can belong to: begun by a START record. */
  readonly #started = new Map<number, Section<Scanner>>();
  readonly #occurrences = new Map<string, number>();
  #configuration: ConfigurationRecord | undefined;
  #vmdescription: VmDescriptionRecord | undefined;
  #footers: boolean | undefined;
  /** A search for the footer of one section ran to the end in vain: from then on any footer will do. */
  #searchedInVain = false;
  #window: Window;
  #packageDepth = 0;
  #unscanned: Range | undefined;
  /** A PART or END record has come. */
  #isBehindStarts = false;
  #capabilities: ReadonlySet<string> = new Set();

  constructor(window: Window, options: ScanOptions<Scanner>) {
    this.#window = window;
    this.#source = window.source;
    this.#options = options;
    this.#records.push({ kind: 'header', range: { start: 0, end: window.offset } });
  }

  result(): Stream<Scanner> {
    const found = this.#diagnostics;
    return {
      source: this.#source,
      records: this.#records,
      sections: this.#sections,
      configuration: this.#configuration,
      vmdescription: this.#vmdescription,
      footers: this.#footers,
      // What scanners report when they finish is among them, too.
      get diagnostics() {
        return found.list();
      },
    };
  }

  async run(): Promise<void> {
    const ended = await this.#readRecords(this.#records);
    const window = this.#window;
    if (!ended) {
      this.#report('error', 'truncated', 'the stream ends without an end-of-file record', this.#here());
      return;
    }
    if (window.remaining > 0) {
      const range = { start: window.offset, end: window.end };
      this.#records.push({ kind: 'gap', range });
      const message = `${window.remaining} bytes after the end of the stream`;
      if ((await window.ensure(6)) && window.bytes[window.pos + 5] === OPENING_BRACE) {
        this.#report(
          'error',
          'bad-vmdesc',
          `${message} that look like a vmdesc with a damaged header`,
          range,
        );
      } else this.#report('warning', 'trailing-bytes', message, range);
    }
  }

  /** Was RAM skipped, and is what is behind it anything but the sections and the description that are due there? */
  hasSkippedInDoubt(): boolean {
    const { start } = this.#unscanned ?? {};
    if (start === undefined) return false;
    const sound = (record: StreamRecord) =>
      record.kind !== 'section' ||
      (record.type === 'SECTION_FULL' &&
        (record.boundary === 'description' || record.boundary === 'scanner'));
    return !(
      !this.#diagnostics.hasProblems &&
      this.#vmdescription?.range.start === this.#options.vmdescription?.start &&
      this.#records.every((record) => record.range.start < start || sound(record))
    );
  }

  /** Reads records until an EOF record (true) or the end of the window (false). */
  async #readRecords(records: StreamRecord[]): Promise<boolean> {
    const window = this.#window;
    while (await window.ensure(1)) {
      const start = window.offset;
      try {
        if (await this.#readRecord(records, start)) return true;
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#diagnostics.add(error.diagnostic);
        await this.#resynchronise(records, start, window.offset);
      }
      this.#options.onProgress?.(window.offset);
    }
    return false;
  }

  /** Reads one record. True when it was the last one. */
  async #readRecord(records: StreamRecord[], start: number): Promise<boolean> {
    const window = this.#window;
    const type = await window.readU8('a record');
    switch (type) {
      case QEMU_VM_EOF:
        if (await this.#isFalseEof()) {
          const message = 'an end-of-file record that the vmdesc of the stream does not follow';
          const range = { start, end: start + 1 };
          throw new DecodeError({ severity: 'error', code: 'early-end', message, range });
        }
        records.push({ kind: 'eof', range: { start, end: start + 1 } });
        if (this.#packageDepth === 0) await this.#readVmDescription();
        return true;
      case QEMU_VM_SECTION_PART:
      case QEMU_VM_SECTION_END:
        if (await this.#skipRam(records, start)) return false;
        records.push(await this.#readSection(SECTION_TYPES[type]!, start));
        return false;
      case QEMU_VM_SECTION_START:
      case QEMU_VM_SECTION_FULL:
        records.push(await this.#readSection(SECTION_TYPES[type]!, start));
        return false;
      case QEMU_VM_CONFIGURATION:
        await this.#readConfiguration(records, start);
        return false;
      case QEMU_VM_COMMAND:
        await this.#readCommand(records, start);
        return false;
      default: {
        window.seek(start);
        const meaning =
          type === QEMU_VM_SECTION_FOOTER
            ? 'a section footer where a record should begin'
            : type === QEMU_VM_VMDESCRIPTION
              ? 'a VMDESCRIPTION before the end-of-file record'
              : `record type 0x${type.toString(16).padStart(2, '0')} is not known`;
        throw window.error(
          'bad-record',
          `${meaning}; the section before it is longer or shorter than it should be`,
        );
      }
    }
  }

  /**
   * Goes from the first PART or END record to the device state, when that is asked for and there is no doubt where it
   * is. False, with the window where it was, otherwise.
   */
  async #skipRam(records: StreamRecord[], start: number): Promise<boolean> {
    const { skipRam, vmdescription } = this.#options;
    if (this.#isBehindStarts) return false;
    this.#isBehindStarts = true;
    if (!skipRam || !vmdescription || this.#packageDepth > 0) return false;
    const started = [...this.#started.values()];
    // One that is not known to be iterative is read by its description, which is of all that it sent.
    if (started.some(({ scanner }) => !scanner)) return false;
    if (!this.#footers || this.#diagnostics.hasProblems || !this.#isConfigurationDescribed()) return false;
    const before = this.#sections.flatMap((section) => section.records);
    const eof = vmdescription.start - 1;
    const end = await deviceStateStart(this.#source, eof, skipRam.described, before);
    if (end === undefined || end - start <= skipRam.over) return false;
    this.#unscanned = { start, end };
    for (const section of started) section.unscanned = this.#unscanned;
    records.push({ kind: 'unscanned', range: this.#unscanned });
    const names = started.map(({ idstr }) => printable(idstr)).join(', ');
    const message = `${end - start} bytes with records of ${names} were not scanned: what is in them is not counted`;
    this.#report('note', 'not-scanned', message, this.#unscanned);
    this.#window.seek(end);
    return true;
  }

  /** Not so when the description at the end belongs to another stream. */
  #isConfigurationDescribed(): boolean {
    const length = this.#options.bodyLength?.('configuration', 0, 0);
    const body = this.#configuration?.body;
    return length === undefined || (body !== undefined && rangeLength(body) === length);
  }

  /** A zero where a damaged record begins: where there is a VMDESCRIPTION, it follows the EOF record. */
  async #isFalseEof(): Promise<boolean> {
    const window = this.#window;
    if (!this.#options.vmdescription || this.#packageDepth > 0) return false;
    return !((await window.ensure(1)) && window.bytes[window.pos] === QEMU_VM_VMDESCRIPTION);
  }

  /** Goes on behind the next footer that a record follows; what is skipped becomes a gap. */
  async #resynchronise(records: StreamRecord[], start: number, offset: number): Promise<void> {
    const window = this.#window;
    window.seek(Math.max(start, Math.min(offset, window.end)));
    if (offset <= start) window.skip(Math.min(1, window.remaining), 'a record');
    const footer = await searchFooter(window, undefined, this.#plausibility());
    const end = footer === undefined ? window.end : footer + 5;
    window.seek(end);
    records.push({ kind: 'gap', range: { start, end } });
  }

  async #readSection(type: SectionType, start: number): Promise<SectionRecord> {
    const window = this.#window;
    const id = await window.readU32('a section header');
    let section: Section<Scanner> | undefined;
    if (type === 'SECTION_START' || type === 'SECTION_FULL') {
      const idstr = await window.readText8('a section header');
      const instanceId = await window.readU32('a section header');
      const versionId = await window.readU32('a section header');
      section = this.#addSection({ id, idstr, instanceId, versionId }, start);
      if (type === 'SECTION_START') this.#started.set(id, section);
    } else {
      section = this.#started.get(id);
      if (!section) throw window.error('bad-record', `${type} of section ${id}, which was never started`);
    }
    const bodyStart = window.offset;
    const { bodyEnd, boundary } = await this.#findBodyEnd(section, type, bodyStart);
    window.seek(bodyEnd);
    const footer = await this.#readFooter(section, boundary);
    const { idstr, instanceId, versionId } = section;
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

  #addSection(
    header: { id: number; idstr: string; instanceId: number; versionId: number },
    start: number,
  ): Section<Scanner> {
    const { id, idstr, instanceId, versionId } = header;
    const range = { start, end: this.#window.offset };
    if (this.#byId.has(id)) {
      this.#report('warning', 'duplicate-section', `section id ${id} appeared before`, range, header);
    }
    const key = `${instanceId}/${idstr}`;
    const occurrence = this.#occurrences.get(key) ?? 0;
    this.#occurrences.set(key, occurrence + 1);
    if (occurrence > 0) {
      const message =
        'this idstr and instance id appeared before; on load, QEMU gives all of them to one device';
      this.#report('note', 'duplicate-section', message, range, header);
    }
    const scanner = this.#options.scannerFor?.({
      idstr,
      instanceId,
      versionId,
      sectionId: id,
      pageSize: this.#pageSize(),
      capabilities: this.#capabilities,
      footers: this.#footers,
      report: (diagnostic) => this.#diagnostics.add({ section: idstr, instanceId, ...diagnostic }),
    });
    const section: Section<Scanner> = { id, idstr, instanceId, versionId, occurrence, records: [], scanner };
    this.#byId.set(id, section);
    this.#sections.push(section);
    return section;
  }

  #pageSize(): number | undefined {
    const bits = this.#configuration?.targetPageBits;
    return this.#options.pageSize ?? (bits === undefined ? undefined : 2 ** bits);
  }

  async #findBodyEnd(
    section: Section<Scanner>,
    type: SectionType,
    bodyStart: number,
  ): Promise<{ bodyEnd: number; boundary: BoundaryOrigin }> {
    const window = this.#window;
    if (section.scanner) {
      try {
        await section.scanner.scan(window, type);
        const bodyEnd = window.offset;
        if (await this.#endsHere(section)) return { bodyEnd, boundary: 'scanner' };
        window.seek(bodyEnd);
        this.#reportIn(
          section,
          'bad-iterative',
          'the section should end here, but no footer or record follows',
          this.#here(),
        );
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        const { idstr, instanceId } = section;
        this.#diagnostics.add({ section: idstr, instanceId, ...error.diagnostic });
        if (error.code === 'truncated') return { bodyEnd: window.end, boundary: 'truncated' };
      }
    } else {
      const length = this.#options.bodyLength?.(section.idstr, section.instanceId, section.occurrence);
      if (length !== undefined && length <= window.end - bodyStart) {
        window.seek(bodyStart + length);
        if (await this.#endsHere(section)) return { bodyEnd: bodyStart + length, boundary: 'description' };
      }
    }
    const found = await this.#searchBodyEnd(section, bodyStart);
    if (found !== undefined) {
      return { bodyEnd: found, boundary: this.#footers === false ? 'header-search' : 'footer-search' };
    }
    return { bodyEnd: window.end, boundary: 'truncated' };
  }

  /** Does the section end where the window stands? Learns from the first section whether there are footers. */
  async #endsHere(section: Section<Scanner>): Promise<boolean> {
    const window = this.#window;
    if (this.#footers !== false && (await footerAhead(window, section.id))) {
      this.#footers = true;
      return true;
    }
    if (this.#footers === true) return this.#damagedFooterAhead();
    const here = window.offset;
    const plausibility = await plausibleRecord(window, this.#plausibility());
    window.seek(here);
    if (plausibility !== 'no') this.#footers = false;
    return plausibility !== 'no';
  }

  /** Five bytes that are no footer, but behind which a record begins: a footer with damage in it. */
  async #damagedFooterAhead(): Promise<boolean> {
    const window = this.#window;
    const here = window.offset;
    if (window.remaining < 5) return false;
    window.seek(here + 5);
    const plausibility = await plausibleRecord(window, this.#plausibility());
    window.seek(here);
    return plausibility === 'yes';
  }

  async #searchBodyEnd(section: Section<Scanner>, bodyStart: number): Promise<number | undefined> {
    const window = this.#window;
    if (this.#footers === false) {
      window.seek(bodyStart);
      return searchHeader(window, section.id, this.#plausibility());
    }
    if (!this.#searchedInVain) {
      window.seek(bodyStart);
      const found = await searchFooter(window, section.id, this.#plausibility());
      if (found !== undefined) {
        this.#footers = true;
        return found;
      }
      this.#searchedInVain = true;
    }
    window.seek(bodyStart);
    return searchFooter(window, undefined, this.#plausibility());
  }

  /** Reads the footer, where there should be one; the window stands at the end of the body. */
  async #readFooter(section: Section<Scanner>, boundary: BoundaryOrigin): Promise<Range | undefined> {
    const window = this.#window;
    if (boundary === 'truncated') {
      this.#reportIn(section, 'truncated', 'the stream ends inside this section', this.#here());
      return undefined;
    }
    if (this.#footers !== true) return undefined;
    const footer = { start: window.offset, end: window.offset + 5 };
    if (!(await footerAhead(window, section.id))) {
      const message =
        'missing section footer: the bytes here are not its footer, though a record follows them';
      this.#reportIn(section, 'bad-footer', message, footer);
    }
    window.skip(5, 'a section footer');
    return footer;
  }

  async #readConfiguration(records: StreamRecord[], start: number): Promise<void> {
    const window = this.#window;
    const bodyStart = window.offset;
    const { complete, ...configuration } = await readConfiguration(window);
    if (!complete) {
      const length = this.#options.bodyLength?.('configuration', 0, 0);
      if (length === undefined || bodyStart + length < window.offset) {
        throw window.error('bad-configuration', 'a configuration subsection that nothing describes');
      }
      window.seek(bodyStart);
      window.skip(length, 'the configuration');
    }
    const end = window.offset;
    const record: ConfigurationRecord = {
      kind: 'configuration',
      ...configuration,
      range: { start, end },
      body: { start: bodyStart, end },
    };
    if (this.#configuration) {
      this.#report('warning', 'bad-configuration', 'a second CONFIGURATION record', record.range);
    }
    if (!this.#configuration) {
      this.#configuration = record;
      this.#capabilities = new Set(record.capabilities);
    }
    records.push(record);
  }

  async #readCommand(records: StreamRecord[], start: number): Promise<void> {
    const window = this.#window;
    const header = await readCommandHeader(window, start);
    const { command, name, payload } = header;
    const record = (end: number, detail: CommandRecord['detail']): CommandRecord => ({
      kind: 'command',
      range: { start, end },
      command,
      name,
      payload,
      detail,
    });
    if (name === undefined) {
      const message = `MIG_CMD number ${command} is not known; its ${payload.end - payload.start} bytes were skipped`;
      this.#report('warning', 'unknown-command', message, { start, end: payload.end });
    }
    let detail: CommandRecord['detail'];
    try {
      detail = await readCommandDetail(window, header);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#diagnostics.add(error.diagnostic);
    }
    if (name !== undefined) this.#options.onCommand?.(name, detail);
    if (name === 'PACKAGED' && payload.end - payload.start === 4) {
      detail = await this.#readPackage(payload);
      records.push(record(detail.range.end, detail));
      return;
    }
    window.seek(payload.end);
    records.push(record(payload.end, detail));
  }

  /** Reads the records of a PACKAGED command: its payload is the u32 length of the package, which follows. */
  async #readPackage(payload: Range): Promise<Extract<CommandRecord['detail'], { command: 'PACKAGED' }>> {
    const outer = this.#window;
    outer.seek(payload.start);
    const length = await outer.readU32('MIG_CMD_PACKAGED');
    const range = { start: payload.end, end: Math.min(payload.end + length, outer.end) };
    if (payload.end + length > outer.end) {
      this.#report('error', 'truncated', `the stream ends inside a package of ${length} bytes`, range);
    }
    const records: StreamRecord[] = [];
    if (this.#packageDepth >= MAX_PACKAGE_DEPTH) {
      this.#report('error', 'bad-command', 'a package inside a package', range);
      records.push({ kind: 'gap', range });
    } else {
      this.#packageDepth++;
      this.#window = new Window(this.#source, range.start, range.end);
      await this.#readRecords(records);
      if (this.#window.remaining > 0) {
        records.push({ kind: 'gap', range: { start: this.#window.offset, end: range.end } });
      }
      this.#window = outer;
      this.#packageDepth--;
    }
    outer.seek(range.end);
    return { command: 'PACKAGED', range, records };
  }

  /** Reads the VMDESCRIPTION record that may follow the EOF record. */
  async #readVmDescription(): Promise<void> {
    const window = this.#window;
    if (!(await window.ensure(1)) || window.bytes[window.pos] !== QEMU_VM_VMDESCRIPTION) return;
    const start = window.offset;
    if (!(await window.ensure(5))) {
      this.#report('error', 'truncated', 'the stream ends inside the header of the vmdesc', this.#here());
      return;
    }
    const length = window.view.getUint32(window.pos + 1);
    const json = { start: start + 5, end: start + 5 + length };
    if (json.end > window.end) {
      const message = `the vmdesc should be ${length} bytes long, but the stream ends ${json.end - window.end} bytes before`;
      this.#report('error', 'truncated', message, { start, end: window.end });
      json.end = window.end;
    }
    this.#vmdescription = { kind: 'vmdescription', range: { start, end: json.end }, json };
    this.#records.push(this.#vmdescription);
    window.seek(json.end);
  }

  #plausibility(): { knownIds: ReadonlyMap<number, unknown>; packaged: boolean } {
    return { knownIds: this.#started, packaged: this.#packageDepth > 0 };
  }

  #here(): Range {
    return { start: this.#window.offset, end: this.#window.offset };
  }

  #report(
    severity: Diagnostic['severity'],
    code: Diagnostic['code'],
    message: string,
    range: Range,
    section?: { idstr: string; instanceId: number },
  ): void {
    const where = section ? { section: section.idstr, instanceId: section.instanceId } : {};
    this.#diagnostics.add({ severity, code, message, range, ...where });
  }

  #reportIn(section: Section<Scanner>, code: Diagnostic['code'], message: string, range: Range): void {
    this.#report('error', code, message, range, section);
  }
}
