import type { OpenedStream } from '../layout/open.ts';
import type { SectionRecord } from '../stream/records.ts';
import { QEMU_VM_SECTION_FOOTER } from '../stream/records.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import { unknownTypeWords } from './version.ts';

/**
 * migration/savevm.c, check_section_footer: either all sections have a footer or none has, and a QEMU loads only what
 * it would write itself.
 */
export function checkFooters(opened: OpenedStream, { own, qemuVersion }: Destination): Finding[] {
  const record = firstSection(opened);
  const ownRecord = own && firstSection(own);
  if (!record || !ownRecord || (record.footer === undefined) === (ownRecord.footer === undefined)) return [];
  const { idstr, instanceId, range, footer } = record;
  const place = { rule: 'section-footers', severity: 'blocks', section: idstr, instanceId } as const;
  if (footer) {
    const message = 'the sections end with footers, and the destination expects none';
    const says = unknownTypeWords(QEMU_VM_SECTION_FOOTER, qemuVersion);
    const fix = '-global migration.send-section-footer=on at the destination, too';
    return [{ ...place, range: footer, message, says, fix }];
  }
  const message = 'the sections have no footers, and the destination expects them';
  const says = `Missing section footer for ${idstr}`;
  const fix = '-global migration.send-section-footer=off at the destination, too';
  return [{ ...place, range, message, says, fix }];
}

/** The first section of a stream that is framed as its writer framed it. */
function firstSection({ stream, diagnostics }: OpenedStream): SectionRecord | undefined {
  const record = stream.sections[0]?.records[0];
  const isDamaged = diagnostics.some(
    ({ severity, range }) => severity === 'error' && record && range && range.start <= record.range.end,
  );
  return isDamaged ? undefined : record;
}
