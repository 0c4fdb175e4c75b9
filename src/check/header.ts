import type { ByteSource } from '../bytes/source.ts';
import { QEMU_VM_FILE_MAGIC, QEMU_VM_FILE_VERSION } from '../stream/records.ts';
import { type CheckReport, report } from './finding.ts';

const HEADER_LENGTH = 8;
/** Bytes of the header that must be right to call it a damaged one. */
const RECOGNIZED = 5;

/** The report on a source that is no stream only because its first bytes are damaged; undefined for anything else. */
export async function checkHeader(source: ByteSource): Promise<CheckReport | undefined> {
  if (source.size < HEADER_LENGTH) return undefined;
  const wanted = new DataView(new ArrayBuffer(HEADER_LENGTH));
  wanted.setUint32(0, QEMU_VM_FILE_MAGIC);
  wanted.setUint32(4, QEMU_VM_FILE_VERSION);
  const found = await source.read(0, HEADER_LENGTH);
  const wrong = [...found].flatMap((byte, i) => (byte === wanted.getUint8(i) ? [] : i));
  if (wrong.length === 0 || HEADER_LENGTH - wrong.length < RECOGNIZED) return undefined;
  const isMagic = wrong.some((i) => i < 4);
  return report(
    source.name,
    [
      {
        rule: 'damaged-stream',
        severity: 'blocks',
        message: `the ${isMagic ? 'magic' : 'version'} of the stream is damaged`,
        range: { start: 0, end: HEADER_LENGTH },
        says: isMagic ? 'Not a migration stream' : 'Unsupported migration stream version',
        fix: 'an undamaged copy of the stream',
      },
    ],
    undefined,
  );
}
