import type { Range } from '../bytes/range.ts';

/** `QEVM`, the first four bytes of every migration stream (migration/savevm.c, QEMU_VM_FILE_MAGIC). */
export const QEMU_VM_FILE_MAGIC = 0x5145564d;
/** The only stream version that QEMU since 0.12 writes. */
export const QEMU_VM_FILE_VERSION = 3;

/** Record types: the first byte of each record (migration/savevm.h). */
export const QEMU_VM_EOF = 0x00;
export const QEMU_VM_SECTION_START = 0x01;
export const QEMU_VM_SECTION_PART = 0x02;
export const QEMU_VM_SECTION_END = 0x03;
export const QEMU_VM_SECTION_FULL = 0x04;
export const QEMU_VM_SUBSECTION = 0x05;
export const QEMU_VM_VMDESCRIPTION = 0x06;
export const QEMU_VM_CONFIGURATION = 0x07;
export const QEMU_VM_COMMAND = 0x08;
export const QEMU_VM_SECTION_FOOTER = 0x7e;

/** `MIG_CMD_*` by their number on the wire, without the prefix (migration/savevm.c, enum qemu_vm_cmd). */
export const MIGRATION_COMMANDS = [
  'INVALID',
  'OPEN_RETURN_PATH',
  'PING',
  'POSTCOPY_ADVISE',
  'POSTCOPY_LISTEN',
  'POSTCOPY_RUN',
  'POSTCOPY_RAM_DISCARD',
  'PACKAGED',
  'ENABLE_COLO',
  'POSTCOPY_RESUME',
  'RECV_BITMAP',
  'SWITCHOVER_START',
] as const;
export type MigrationCommand = (typeof MIGRATION_COMMANDS)[number];

export type SectionType = 'SECTION_START' | 'SECTION_PART' | 'SECTION_END' | 'SECTION_FULL';

/** How the end of a section's body was found; all but the first two are findings, not knowledge. */
export type BoundaryOrigin =
  | 'description' // the sizes of its description add up to a footer
  | 'scanner' // the format of this iterative section says where it ends
  | 'footer-search' // the first footer with the right id that a plausible record follows
  | 'header-search' // no footers: the next header of a section with a higher id
  | 'truncated'; // the stream ends inside it

/** One START, PART, END or FULL record. */
export interface SectionRecord {
  readonly kind: 'section';
  readonly type: SectionType;
  readonly id: number;
  readonly idstr: string;
  readonly instanceId: number;
  /** Version that the section header carries (START and FULL), or that of the section's START (PART and END). */
  readonly versionId: number;
  /** Type byte to footer, both included. */
  readonly range: Range;
  /** What the device wrote: between header and footer. */
  readonly body: Range;
  /** Undefined where there is none: machine types up to 2.3, or a damaged stream. */
  readonly footer: Range | undefined;
  readonly boundary: BoundaryOrigin;
}

/** The content of the CONFIGURATION record, as far as it could be read. */
export interface Configuration {
  readonly machineType: string;
  /** `configuration/capabilities`: the migration capabilities that were on. */
  readonly capabilities: readonly string[] | undefined;
  /** `configuration/target-page-bits`: log2 of the target's page size. */
  readonly targetPageBits: number | undefined;
  /** `configuration/uuid`: 16 bytes as 32 hex digits. */
  readonly uuid: string | undefined;
}

export interface ConfigurationRecord extends Configuration {
  readonly kind: 'configuration';
  readonly range: Range;
  /** Without the type byte. */
  readonly body: Range;
}

export interface CommandRecord {
  readonly kind: 'command';
  readonly range: Range;
  /** Number on the wire. */
  readonly command: number;
  /** Undefined for a command that is not known. */
  readonly name: MigrationCommand | undefined;
  /** The bytes after the length field; for PACKAGED these are the package's length. */
  readonly payload: Range;
  readonly detail: CommandDetail | undefined;
}

/** What a command carries. 64-bit quantities are bigint. */
export type CommandDetail =
  | { readonly command: 'PING'; readonly value: number }
  | { readonly command: 'POSTCOPY_ADVISE'; readonly pageSizeSummary: bigint; readonly targetPageSize: bigint }
  | {
      readonly command: 'POSTCOPY_RAM_DISCARD';
      readonly block: string;
      readonly ranges: readonly { readonly start: bigint; readonly length: bigint }[];
    }
  /** `range` holds records like those of the stream itself; they are in `records`. */
  | { readonly command: 'PACKAGED'; readonly range: Range; readonly records: readonly StreamRecord[] }
  | { readonly command: 'RECV_BITMAP'; readonly block: string };

/** Magic and version: the first 8 bytes. */
export interface HeaderRecord {
  readonly kind: 'header';
  readonly range: Range;
}

export interface EofRecord {
  readonly kind: 'eof';
  readonly range: Range;
}

export interface VmDescriptionRecord {
  readonly kind: 'vmdescription';
  readonly range: Range;
  /** The JSON text. */
  readonly json: Range;
}

/** Bytes between records that nothing explains: only in a damaged stream, or behind its end. */
export interface GapRecord {
  readonly kind: 'gap';
  readonly range: Range;
}

/** Records of RAM and other iterative sections, and commands between them, that were skipped. */
export interface UnscannedRecord {
  readonly kind: 'unscanned';
  readonly range: Range;
}

export type StreamRecord =
  | HeaderRecord
  | SectionRecord
  | ConfigurationRecord
  | CommandRecord
  | EofRecord
  | VmDescriptionRecord
  | GapRecord
  | UnscannedRecord;
