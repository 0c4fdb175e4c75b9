import { viewOf } from '../../../src/bytes/view.ts';
import { decodeText } from '../../../src/bytes/window.ts';

/** Where a section header of a little-endian ELF64 file is, and what it says. */
export interface SectionHeader {
  readonly name: string;
  readonly header: number;
  readonly offset: number;
  readonly size: number;
}

export function sectionHeaders(bytes: Uint8Array): SectionHeader[] {
  const view = viewOf(bytes);
  const number = (at: number) => Number(view.getBigUint64(at, true));
  const table = number(40);
  const rows = Array.from({ length: view.getUint16(60, true) }, (_, i) => table + 64 * i);
  const strings = number(rows[view.getUint16(62, true)]! + 24);
  return rows.map((header) => {
    const start = strings + view.getUint32(header, true);
    const name = decodeText(bytes.subarray(start, bytes.indexOf(0, start)));
    return { name, header, offset: number(header + 24), size: number(header + 32) };
  });
}

export function sectionOf(bytes: Uint8Array, name: string): SectionHeader {
  const found = sectionHeaders(bytes).find((section) => section.name === name);
  if (!found) throw new Error(`no section ${name}`);
  return found;
}

/** The file with other content in some sections, which is put behind its end. */
export function withSections(
  bytes: Uint8Array,
  contents: ReadonlyMap<string, { readonly content: Uint8Array; readonly flags: number }>,
): Uint8Array<ArrayBuffer> {
  const size = [...contents.values()].reduce(
    (sum, { content }) => sum + content.byteLength,
    bytes.byteLength,
  );
  const file = new Uint8Array(size);
  file.set(bytes);
  const view = viewOf(file);
  let end = bytes.byteLength;
  for (const [name, { content, flags }] of contents) {
    const { header } = sectionOf(bytes, name);
    file.set(content, end);
    view.setBigUint64(header + 8, BigInt(flags), true);
    view.setBigUint64(header + 24, BigInt(end), true);
    view.setBigUint64(header + 32, BigInt(content.byteLength), true);
    end += content.byteLength;
  }
  return file;
}

/** The file as it is when strip has taken the sections with these names away. */
export function withoutSections(bytes: Uint8Array, names: RegExp): Uint8Array<ArrayBuffer> {
  const file = Uint8Array.from(bytes);
  for (const { name, header } of sectionHeaders(bytes)) {
    // A section of no size is as good as none.
    if (names.test(name)) viewOf(file).setBigUint64(header + 32, 0n, true);
  }
  return file;
}
