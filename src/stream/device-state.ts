import type { ByteSource } from '../bytes/source.ts';
import { QEMU_VM_SECTION_FOOTER, type SectionRecord } from './records.ts';

/** A FULL section as the stream's description of itself has it. */
export interface DescribedSection {
  readonly idstr: string;
  readonly instanceId: number;
  /** Bytes between header and footer. */
  readonly bodyLength: number;
}

/** Type byte, id and length of the idstr in front of it, instance id and version behind it. */
const HEADER_LENGTH = 1 + 4 + 1 + 4 + 4;
/** Type byte and id. */
const FOOTER_LENGTH = 5;

/**
 * Where the FULL sections begin that end a stream with footers, counted back from the end-of-file record at `end` by
 * the lengths in its description. `before` are the sections that begin in front of the first PART or END record: FULL
 * ones among them (of devices with early_setup, see qemu_savevm_state_setup in migration/savevm.c) are the first in the
 * description, too.
 *
 * Undefined in doubt: the description does not begin with those, or in front of the place there is no footer of an
 * iterative section. That all records behind the place are sound is left to the caller.
 */
export async function deviceStateStart(
  source: ByteSource,
  end: number,
  described: readonly DescribedSection[],
  before: readonly Pick<SectionRecord, 'type' | 'id' | 'idstr' | 'instanceId'>[],
): Promise<number | undefined> {
  const early = before.filter(({ type }) => type === 'SECTION_FULL');
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
  const found = new DataView(footer.buffer, footer.byteOffset, footer.byteLength).getUint32(1);
  return before.some(({ type, id }) => type === 'SECTION_START' && id === found) ? start : undefined;
}
