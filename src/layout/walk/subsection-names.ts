import { QEMU_VM_SUBSECTION } from '../../stream/records.ts';

/** Names in all places that look like a subsection's header. */
export function subsectionNames(bytes: Uint8Array): ReadonlySet<string> {
  const names = new Set<string>();
  for (
    let pos = bytes.indexOf(QEMU_VM_SUBSECTION);
    pos >= 0;
    pos = bytes.indexOf(QEMU_VM_SUBSECTION, pos + 1)
  ) {
    const length = bytes[pos + 1] ?? 0;
    if (length === 0 || pos + 2 + length + 4 > bytes.length) continue;
    const name = bytes.subarray(pos + 2, pos + 2 + length);
    if (name.every((byte) => byte > 0x20 && byte < 0x7f)) names.add(String.fromCharCode(...name));
  }
  return names;
}
