import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import type { ByteSource } from '../bytes/source.ts';
import type { Window } from '../bytes/window.ts';
import type {
  CommandRecord,
  ConfigurationRecord,
  MigrationCommand,
  SectionRecord,
  SectionType,
  StreamRecord,
  VmDescriptionRecord,
} from './records.ts';

/** Scans the bodies of one iterative section (RAM and the like), record by record. */
export interface SectionScanner {
  /** The window stands at the first byte of the body, and afterwards behind its last. Throws DecodeError. @internal */
  scan(window: Window, type: SectionType): Promise<void>;
}

interface SectionScannerContext {
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

/** A FULL section as the stream's description of itself has it. */
export interface DescribedSection {
  readonly idstr: string;
  readonly instanceId: number;
  /** Bytes between header and footer. */
  readonly bodyLength: number;
}

export interface SkipRam {
  /** The records of iterative sections behind their START are skipped where they are more bytes than this. */
  readonly over: number;
  /** All FULL sections of the stream, in its order. */
  readonly described: readonly DescribedSection[];
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
