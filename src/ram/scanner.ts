import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { Window } from '../bytes/window.ts';
import type { SectionType } from '../stream/records.ts';
import type { RamChannels } from './channels.ts';
import type { PageSink } from './page-sink.ts';

/** What the framer knows about a section when its first record is met. */
export interface IterativeContext {
  readonly idstr: string;
  readonly instanceId: number;
  readonly versionId: number;
  /** TARGET_PAGE_SIZE in bytes, where the configuration or the vmdesc blob tells it. */
  readonly pageSize: number | undefined;
  /** Migration capabilities that are known to be on, by QEMU's names: `x-ignore-shared`, `mapped-ram`, … */
  readonly capabilities: ReadonlySet<string>;
  /** Whether a footer follows each section; undefined where nothing tells. */
  readonly footers: boolean | undefined;
  readonly sectionId: number;
  report(diagnostic: Diagnostic): void;
  /** Takes the pages of RAM. */
  readonly sink?: PageSink;
  /** The further connections of the migration, where they are at hand. */
  readonly channels?: RamChannels;
  /** The stream had pages of RAM, and they were taken out on purpose. */
  readonly pagesLeftOut?: boolean;
}

/** Reads the records of one section without a VMSD, which belong together: START, PART …, END, or a lone FULL. */
export interface SectionReader<Summary> {
  /**
   * Scans the body of one record. The window stands at its first byte (after the section header), and afterwards
   * behind its last one, where the footer is. Throws DecodeError, with the place in its range, on bytes that cannot be.
   *
   * @internal
   */
  scan(window: Window, type: SectionType): Promise<void>;
  /** Takes pages of a RAMBlock back that were sent: ranges in bytes. They have to come again. */
  discard?(block: string, ranges: readonly { readonly start: bigint; readonly length: bigint }[]): void;
  /** Reads what does not come in records of the section. Called once, when the stream has ended. */
  finish?(): Promise<void>;
  /** What was seen so far. */
  summary(): Summary;
}
