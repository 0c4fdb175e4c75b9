import { decodeText } from '../../bytes/window.ts';
import { QEMU_VM_SUBSECTION } from '../../stream/records.ts';
import type { SectionBytes } from '../section-bytes.ts';

/** Name of the leaf that holds a subsection's own header: type byte, len8 and name, u32 version. */
export const SUBSECTION_HEADER = '(header)';

/** Reads a subsection header at `start`, if there is one before `end`; offsets are absolute in the stream. */
export function readSubsectionHeader(
  { bytes, view, base }: SectionBytes,
  start: number,
  end: number,
): { readonly name: string; readonly versionId: number; readonly end: number } | undefined {
  const pos = start - base;
  if (start + 2 > end || bytes[pos] !== QEMU_VM_SUBSECTION) return undefined;
  const length = bytes[pos + 1]!;
  if (start + 2 + length + 4 > end) return undefined;
  const name = decodeText(bytes.subarray(pos + 2, pos + 2 + length));
  return { name, versionId: view.getUint32(pos + 2 + length), end: start + 6 + length };
}
