import { ByteWriter } from '../bytes/byte-writer.ts';
import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import type { Window } from '../bytes/window.ts';
import { QEMU_VM_VMDESCRIPTION, type VmDescriptionRecord } from './records.ts';

/** Larger blobs are refused: 1024 vCPUs make about 40 MiB, and parsing takes several times the size in memory. */
export const MAX_VMDESC_LENGTH = 48 << 20;
/** Type byte and u32 length. */
export const VMDESC_HEADER_LENGTH = 5;
const STEP = 256 << 10;

/**
 * Finds the VMDESCRIPTION record from the end of the source, so that sections can be framed by their description
 * before the scan has come to it. Returns the range of the whole record, or undefined when the source does not end
 * with one (no blob, a cut stream, bytes behind the end): a forward scan then finds it, if it is there.
 *
 * The record is recognised by its own framing alone: JSON has no control characters, so the last one before the end
 * lies in the record's 5-byte header, and the length there must reach exactly to the end of the source. (A brace is
 * never looked for: the length field may hold the byte of one.)
 */
export async function locateVmDescription(source: FinishedSource): Promise<Range | undefined> {
  const limit = Math.max(0, source.size - MAX_VMDESC_LENGTH - VMDESC_HEADER_LENGTH);
  for (let end = source.size; end > limit; end -= STEP) {
    const start = Math.max(limit, end - STEP);
    const bytes = await source.read(start, end - start);
    for (let i = bytes.byteLength - 1; i >= 0; i--) {
      if (bytes[i]! >= 0x20) continue;
      return checkHeader(source, start + i);
    }
  }
  return undefined;
}

/** The record whose header holds the control character at `offset`, if its length reaches the end of the source. */
async function checkHeader(source: FinishedSource, offset: number): Promise<Range | undefined> {
  const first = Math.max(0, offset - VMDESC_HEADER_LENGTH + 1);
  const bytes = await source.read(first, offset + VMDESC_HEADER_LENGTH - first);
  const view = viewOf(bytes);
  for (let i = offset - first; i >= 0; i--) {
    if (bytes[i] !== QEMU_VM_VMDESCRIPTION || i + VMDESC_HEADER_LENGTH > bytes.byteLength) continue;
    const start = first + i;
    if (view.getUint32(i + 1) === source.size - start - VMDESC_HEADER_LENGTH)
      return { start, end: source.size };
  }
  return undefined;
}

/** Reads the VMDESCRIPTION record at whose type byte the window stands; one that is cut as far as it goes. */
export async function readVmDescription(
  window: Window,
  report: (diagnostic: Diagnostic) => void,
): Promise<VmDescriptionRecord | undefined> {
  const start = window.offset;
  const truncated = (message: string, range: Range) =>
    report({ severity: 'error', code: 'truncated', message, range });
  if (!(await window.ensure(VMDESC_HEADER_LENGTH))) {
    truncated('the stream ends inside the header of the vmdesc', { start, end: start });
    return undefined;
  }
  const length = window.view.getUint32(window.pos + 1);
  const json = { start: start + VMDESC_HEADER_LENGTH, end: start + VMDESC_HEADER_LENGTH + length };
  if (!(await window.reaches(json.end))) {
    const message = `the vmdesc should be ${length} bytes long, but the stream ends ${json.end - window.end} bytes before`;
    truncated(message, { start, end: window.end });
    json.end = window.end;
  }
  window.seek(json.end);
  return { kind: 'vmdescription', range: { start, end: json.end }, json };
}

/** What stands in front of the JSON text in a VMDESCRIPTION record: type byte and the text's length in bytes. */
export function writeVmDescriptionHeader(length: number): Uint8Array {
  return new ByteWriter(VMDESC_HEADER_LENGTH).u8(QEMU_VM_VMDESCRIPTION).u32(length).finish();
}
