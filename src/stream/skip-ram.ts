import { printable } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import type { ByteSource } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import { QEMU_VM_SECTION_FOOTER, type StreamRecord } from './records.ts';
import { FOOTER_LENGTH } from './section-header.ts';
import type { DescribedSection, Section } from './stream.ts';

/** Sections that begin in front of the first PART or END record. */
interface SectionsMet {
  readonly all: readonly Section[];
  /** Those that a START record began, by their ids. */
  readonly started: ReadonlyMap<number, Section>;
}

/** Type byte, id and length of the idstr in front of it, instance id and version behind it. */
const HEADER_LENGTH = 1 + 4 + 1 + 4 + 4;

/**
 * Where the FULL sections begin that end a stream with footers, counted back from the end-of-file record at `end` by
 * the lengths in its description. `met` are the sections that begin in front of the first PART or END record: FULL
 * ones among them (of devices with early_setup, see qemu_savevm_state_setup in migration/savevm.c) are the first in the
 * description, too.
 *
 * Undefined in doubt: a section is started that is not known to be iterative, whose description is of all that it sent,
 * the description does not begin with those that were met, or in front of the place there is no footer of an iterative
 * section. That all records behind the place are sound is left to the caller.
 */
export async function deviceStateStart(
  source: ByteSource,
  end: number,
  described: readonly DescribedSection[],
  met: SectionsMet,
): Promise<number | undefined> {
  for (const { scanner } of met.started.values()) if (!scanner) return undefined;
  const early = met.all.filter(({ records }) => records[0]?.type === 'SECTION_FULL');
  for (const [i, { idstr, instanceId }] of early.entries()) {
    const section = described[i];
    if (section?.idstr !== idstr || section.instanceId !== instanceId) return undefined;
  }
  let start = end;
  for (const { idstr, bodyLength } of described.slice(early.length))
    start -= HEADER_LENGTH + idstr.length + bodyLength + FOOTER_LENGTH;
  // What a description claims may be of any size.
  if (!Number.isSafeInteger(start) || start < FOOTER_LENGTH) return undefined;
  const footer = await source.read(start - FOOTER_LENGTH, FOOTER_LENGTH);
  if (footer[0] !== QEMU_VM_SECTION_FOOTER) return undefined;
  const found = viewOf(footer).getUint32(1);
  return met.started.has(found) ? start : undefined;
}

/** What is said of a range with records of these sections that is skipped. */
export function skippedMessage({ start, end }: Range, sections: readonly Section[]): string {
  const names = sections.map(({ idstr }) => printable(idstr)).join(', ');
  return `${end - start} bytes with records of ${names} were not scanned: what is in them is not counted`;
}

/** Is a record behind what was skipped one that is due there: no section, or one that its description or format frames? */
export function isDueBehindRam(record: StreamRecord): boolean {
  if (record.kind !== 'section') return true;
  const { type, boundary } = record;
  return type === 'SECTION_FULL' && (boundary === 'description' || boundary === 'scanner');
}
