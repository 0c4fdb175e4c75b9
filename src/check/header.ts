import type { FinishedSource } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import { QEMU_VM_FILE_MAGIC, QEMU_VM_FILE_VERSION } from '../stream/records.ts';
import { type CheckReport, report } from './finding.ts';

const HEADER_LENGTH = 8;
/** Bytes of the header that must be right to call it a damaged one. */
const RECOGNIZED = 5;
/** How far behind its place a header is looked for. */
const MAX_SHIFT = 4096;

/** The report on a source that is no stream only because its beginning is damaged; undefined for anything else. */
export async function checkHeader(source: FinishedSource): Promise<CheckReport | undefined> {
  const wanted = new DataView(new ArrayBuffer(HEADER_LENGTH));
  wanted.setUint32(0, QEMU_VM_FILE_MAGIC);
  wanted.setUint32(4, QEMU_VM_FILE_VERSION);
  const start = await source.read(0, MAX_SHIFT);
  if (start.length < HEADER_LENGTH) {
    if (start.some((byte, i) => byte !== wanted.getUint8(i))) return undefined;
    const message = `the stream has ${start.length} bytes, and its header ${HEADER_LENGTH}`;
    const says = 'Not a migration stream';
    const fix = 'a complete copy of the stream';
    return report(
      source.name,
      [{ rule: 'truncated-stream', severity: 'blocks', message, says, fix }],
      undefined,
    );
  }
  const wrongAt = (shift: number) =>
    Array.from({ length: HEADER_LENGTH }, (_, i) => i).filter((i) => start[shift + i] !== wanted.getUint8(i));
  const wrong = wrongAt(0);
  if (wrong.length === 0) return undefined;
  const isRecognized = HEADER_LENGTH - wrong.length >= RECOGNIZED;
  const shift = isRecognized ? 0 : [...start.keys()].find((at) => wrongAt(at).length === 0);
  if (shift === undefined) return undefined;
  const isMagic = shift > 0 || wrong.some((i) => i < 4);
  const part = isMagic ? 'magic' : 'version';
  return report(
    source.name,
    [
      {
        rule: 'damaged-stream',
        severity: 'blocks',
        message:
          shift > 0 ? `${shift} bytes are in front of the stream` : `the ${part} of the stream is damaged`,
        range: { start: 0, end: HEADER_LENGTH },
        says: isMagic ? 'Not a migration stream' : versionWords(start),
        fix: 'an undamaged copy of the stream',
      },
    ],
    undefined,
  );
}

/** migration/savevm.c, qemu_loadvm_state_header. */
function versionWords(header: Uint8Array): string {
  const version = viewOf(header).getUint32(4);
  return version === 2 ? 'SaveVM v2 format is obsolete and …' : 'Unsupported migration stream version';
}
