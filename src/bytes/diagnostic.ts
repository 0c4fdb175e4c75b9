import { moreLikeIt } from './bounded-list.ts';
import { printable } from './printable.ts';
import { hexOffset, type Range } from './range.ts';

export { printable };

/** One component of a field path: a field or subsection name, or an array index. */
export type PathComponent = string | number;

/** Every kind of problem that the project reports. The set is closed, so that a program can switch over it. */
export type DiagnosticCode =
  | 'not-a-stream' // no QEVM magic, or a stream version that nobody writes
  | 'truncated' // the bytes end before a record, section or field does
  | 'bad-record' // a record type or header that cannot be
  | 'early-end' // an end-of-file record that more of the stream follows
  | 'bad-footer' // the footer of a section is missing or names another section
  | 'unknown-section' // nothing describes this section: its end was searched for, its content is a gap
  | 'unknown-command' // a MIG_CMD_* that is not known; skipped by its length
  | 'bad-command' // a known MIG_CMD_* with an impossible payload
  | 'bad-configuration' // the CONFIGURATION record does not parse
  | 'bad-vmdesc' // the vmdesc blob is not valid JSON, or has the wrong shape, size or depth
  | 'not-elf' // no ELF file
  | 'bad-elf' // an ELF file whose headers or tables cannot be, or of a kind that is not read
  | 'not-qemu' // an ELF file that is no QEMU system emulator
  | 'bad-schema' // a schema file, or tables, that cannot be
  | 'bad-profile' // a profile of a destination that cannot be
  | 'vmdesc-mismatch' // the bytes of a section disagree with its description
  | 'vmdesc-incomplete' // the description is known to leave out bytes that QEMU wrote
  | 'bad-ram' // a RAM record that cannot be
  | 'bad-iterative' // another iterative section (htab, dirty-bitmap …) that does not parse
  | 'bad-channel' // a further connection of the migration that is missing, doubled, or does not belong to the stream
  | 'missing-pages' // pages of RAM that are not in the stream
  | 'bad-container' // a qcow2 image, libvirt save image or compressed file that cannot be, or is damaged
  | 'no-snapshot' // the image has no such snapshot, none with a VM state, or several to choose from
  | 'chosen-snapshot' // which snapshot of an image was opened, as none was named
  | 'duplicate-section' // the same idstr and instance id twice
  | 'not-scanned' // RAM and the like that were skipped on the way to the device state
  | 'no-schema' // the stream carries no description of its device state
  | 'not-described' // the vmdesc leaves out this section, which is read by VMSD tables
  | 'schema-mismatch' // the VMSD tables do not fit the bytes of a section
  | 'chosen-reading' // bytes and tables leave several readings; the likeliest is shown
  | 'builtin-schema' // which built-in tables were taken
  | 'not-learned' // a schema that is learned from streams leaves this out, or has it in two forms
  | 'unknown-layout' // the guest physical addresses of RAM are not known
  | 'incomplete-core' // a core lacks registers or memory that it should have
  | 'trailing-bytes' // bytes after the end of the stream
  | 'unsupported' // a valid encoding that this version does not read
  | 'bad-argument' // what a caller asks for in words, such as a memory layout, cannot be
  | 'edit-refused' // a change that cannot be placed for certain, or that would be read as something else
  | 'changed' // what is read is not what it was when reading began
  | 'io'; // the source could not be read

export type Severity = 'error' | 'warning' | 'note';

/** A problem in the bytes, as data. It never stops the decoding of what can still be decoded. */
export interface Diagnostic {
  readonly severity: Severity;
  readonly code: DiagnosticCode;
  /** What was found, what was expected, what it usually means; one line, without the place. */
  readonly message: string;
  /** Where, as absolute offsets in the stream. */
  readonly range?: Range;
  /** idstr of the section. */
  readonly section?: string;
  readonly instanceId?: number;
  /** Path of the field inside the section. */
  readonly path?: readonly PathComponent[];
  /** How many more of this severity and code there were behind this one, the last that is kept. */
  readonly more?: number;
}

/** Thrown for I/O failure, misuse, strict mode, and inside a parser to give up a section. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly diagnostic: Diagnostic;
  /** Name of the source, where one is to blame and the message does not have it. */
  readonly source: string | undefined;

  constructor(diagnostic: Diagnostic, options?: { cause?: unknown; source?: string }) {
    super(formatDiagnostic(diagnostic), options);
    this.diagnostic = diagnostic;
    this.source = options?.source;
  }
  get code(): DiagnosticCode {
    return this.diagnostic.code;
  }
  get range(): Range | undefined {
    return this.diagnostic.range;
  }
  get section(): string | undefined {
    return this.diagnostic.section;
  }
  get path(): readonly PathComponent[] | undefined {
    return this.diagnostic.path;
  }
}

/** A caught error as what it says of the bytes. Throws it where it is none of that: the source cannot be read, or is another. */
export function problemIn(error: unknown): DecodeError {
  if (error instanceof DecodeError && error.code !== 'io' && error.code !== 'changed') return error;
  throw error;
}

/** What a caller passed cannot be: `message` says what is wrong with it. */
export function badArgument(message: string): DecodeError {
  return new DecodeError({ severity: 'error', code: 'bad-argument', message });
}

/** A change that is not made unless it is forced: `message` says why. */
export function editRefused(message: string): DecodeError {
  return new DecodeError({ severity: 'error', code: 'edit-refused', message });
}

/** `env.regs[3]`, `virtio/64bit_features/…`: a path for people. */
export function formatPath(path: readonly PathComponent[]): string {
  let text = '';
  for (const component of path) {
    if (typeof component === 'number') text += `[${component}]`;
    else text += text === '' ? component : `/${component}`;
  }
  return text;
}

/** One line, safe to show: place, then message. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { range, section, instanceId, path, more } = diagnostic;
  const place = [
    range ? `offset ${hexOffset(range.start)}` : '',
    section !== undefined
      ? `section ${printable(section)}${instanceId ? ` instance ${instanceId}` : ''}`
      : '',
    path && path.length > 0 ? `field ${printable(formatPath(path))}` : '',
  ].filter((part) => part !== '');
  return `${place.length > 0 ? `${place.join(', ')}: ` : ''}${printable(diagnostic.message)}${moreLikeIt(more)}`;
}
