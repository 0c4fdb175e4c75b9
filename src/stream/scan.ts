import { DecodeError, type Diagnostic, problemIn } from '../bytes/diagnostic.ts';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { type Range, rangeLength } from '../bytes/range.ts';
import type { ByteSource } from '../bytes/source.ts';
import { Window } from '../bytes/window.ts';
import { SectionBoundaries } from './boundaries.ts';
import { readCommand } from './commands.ts';
import { readConfigurationRecord } from './configuration.ts';
import { readHeader } from './header.ts';
import { type PlausibilityContext, searchFooter } from './plausible.ts';
import {
  type CommandRecord,
  type ConfigurationRecord,
  QEMU_VM_COMMAND,
  QEMU_VM_CONFIGURATION,
  QEMU_VM_EOF,
  QEMU_VM_SECTION_END,
  QEMU_VM_SECTION_FOOTER,
  QEMU_VM_SECTION_FULL,
  QEMU_VM_SECTION_PART,
  QEMU_VM_SECTION_START,
  QEMU_VM_VMDESCRIPTION,
  type StreamRecord,
  type VmDescriptionRecord,
} from './records.ts';
import { FOOTER_LENGTH, type SectionIdentity } from './section-header.ts';
import { Sections } from './sections.ts';
import { deviceStateStart, isDueBehindRam, skippedMessage } from './skip-ram.ts';
import type { ScanOptions, SectionScanner, Stream } from './stream.ts';
import { readVmDescription } from './vmdescription.ts';

const OPENING_BRACE = 0x7b;

/** A package holds device state and commands; QEMU never nests one in another. */
const MAX_PACKAGE_DEPTH = 1;

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

class StreamScan<Scanner extends SectionScanner> {
  readonly #options: ScanOptions<Scanner>;
  readonly #source: ByteSource;
  readonly #diagnostics = new DiagnosticList();
  readonly #records: StreamRecord[] = [];
  readonly #sections: Sections<Scanner>;
  readonly #boundaries: SectionBoundaries;
  #configuration: ConfigurationRecord | undefined;
  #vmdescription: VmDescriptionRecord | undefined;
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
    const report = (diagnostic: Diagnostic) => this.#diagnostics.add(diagnostic);
    this.#boundaries = new SectionBoundaries(
      ({ idstr, instanceId, occurrence }) => options.bodyLength?.(idstr, instanceId, occurrence),
      report,
    );
    this.#sections = new Sections(this.#boundaries, (identity) => this.#scannerFor(identity), report);
    this.#records.push({ kind: 'header', range: { start: 0, end: window.offset } });
  }

  result(): Stream<Scanner> {
    const found = this.#diagnostics;
    return {
      source: this.#source,
      records: this.#records,
      sections: this.#sections.all,
      configuration: this.#configuration,
      vmdescription: this.#vmdescription,
      footers: this.#boundaries.footers,
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
    await this.#source.end();
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
    const { vmdescription } = this.#options;
    return (
      this.#diagnostics.hasProblems ||
      this.#vmdescription?.range.start !== vmdescription?.start ||
      this.#records.some((record) => record.range.start >= start && !isDueBehindRam(record))
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
        this.#diagnostics.add(problemIn(error).diagnostic);
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
        records.push(await this.#sections.readFurther(window, type, start, this.#plausibility()));
        return false;
      case QEMU_VM_SECTION_START:
      case QEMU_VM_SECTION_FULL:
        records.push(await this.#sections.readFirst(window, type, start, this.#plausibility()));
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
    if (!this.#boundaries.footers || this.#diagnostics.hasProblems || !this.#isConfigurationDescribed())
      return false;
    const end = await deviceStateStart(
      this.#source,
      vmdescription.start - 1,
      skipRam.described,
      this.#sections,
    );
    if (end === undefined || end - start <= skipRam.over) return false;
    const started = [...this.#sections.started.values()];
    this.#unscanned = { start, end };
    for (const section of started) section.unscanned = this.#unscanned;
    records.push({ kind: 'unscanned', range: this.#unscanned });
    this.#report('note', 'not-scanned', skippedMessage(this.#unscanned, started), this.#unscanned);
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
    if (offset <= start && (await window.ensure(1))) window.pos++;
    const footer = await searchFooter(window, undefined, this.#plausibility());
    const end = footer === undefined ? window.end : footer + FOOTER_LENGTH;
    window.seek(end);
    records.push({ kind: 'gap', range: { start, end } });
  }

  #scannerFor({ id, idstr, instanceId, versionId }: SectionIdentity): Scanner | undefined {
    const bits = this.#configuration?.targetPageBits;
    return this.#options.scannerFor?.({
      idstr,
      instanceId,
      versionId,
      sectionId: id,
      pageSize: this.#options.pageSize ?? (bits === undefined ? undefined : 2 ** bits),
      capabilities: this.#capabilities,
      footers: this.#boundaries.footers,
      report: (diagnostic) => this.#diagnostics.add({ section: idstr, instanceId, ...diagnostic }),
    });
  }

  async #readConfiguration(records: StreamRecord[], start: number): Promise<void> {
    const window = this.#window;
    const described = this.#options.bodyLength?.('configuration', 0, 0);
    const record = await readConfigurationRecord(window, start, described);
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
    const record = await readCommand(window, start, (diagnostic) => this.#diagnostics.add(diagnostic));
    const { name, payload } = record;
    if (name !== undefined) this.#options.onCommand?.(name, record.detail);
    if (name === 'PACKAGED' && rangeLength(payload) === 4) {
      const detail = await this.#readPackage(payload);
      records.push({ ...record, range: { start, end: detail.range.end }, detail });
      return;
    }
    window.seek(payload.end);
    records.push(record);
  }

  /** Reads the records of a PACKAGED command: its payload is the u32 length of the package, which follows. */
  async #readPackage(payload: Range): Promise<Extract<CommandRecord['detail'], { command: 'PACKAGED' }>> {
    const outer = this.#window;
    outer.seek(payload.start);
    const length = await outer.readU32('MIG_CMD_PACKAGED');
    const isWhole = await outer.reaches(payload.end + length);
    const range = { start: payload.end, end: isWhole ? payload.end + length : outer.end };
    if (!isWhole) {
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
    const record = await readVmDescription(window, (diagnostic) => this.#diagnostics.add(diagnostic));
    if (!record) return;
    this.#vmdescription = record;
    this.#records.push(record);
  }

  #plausibility(): PlausibilityContext {
    return { knownIds: this.#sections.started, packaged: this.#packageDepth > 0 };
  }

  #here(): Range {
    return { start: this.#window.offset, end: this.#window.offset };
  }

  #report(severity: Diagnostic['severity'], code: Diagnostic['code'], message: string, range: Range): void {
    this.#diagnostics.add({ severity, code, message, range });
  }
}
