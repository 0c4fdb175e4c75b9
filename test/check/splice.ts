import { memorySource } from '../../src/bytes/source.ts';
import { walk } from '../../src/layout/children.ts';
import type { LayoutNode } from '../../src/layout/node.ts';
import { layoutOf, openStream } from '../../src/layout/open.ts';
import type { SectionRecord } from '../../src/stream/records.ts';

/** Bytes with others in the place of `[start, end)`. */
export function splice(
  bytes: Uint8Array,
  start: number,
  end: number,
  ...inserted: readonly Uint8Array[]
): Uint8Array {
  return Buffer.concat([bytes.subarray(0, start), ...inserted, bytes.subarray(end)]);
}

/** Bytes with those at `at` replaced by hexadecimal digits. */
export function patch(bytes: Uint8Array, at: number, hex: string): Uint8Array {
  const digits = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return splice(bytes, at, at + digits.length, digits);
}

/** QEMU_VM_COMMAND with its number, length and payload (migration/savevm.c, qemu_savevm_command_send). */
export function command(number: number, payload: Uint8Array = new Uint8Array()): Uint8Array {
  const header = Buffer.alloc(5);
  header[0] = 8;
  header.writeUInt16BE(number, 1);
  header.writeUInt16BE(payload.length, 3);
  return Buffer.concat([header, payload]);
}

/** The first record of a section. Fails where there is none. */
export async function sectionRecord(
  bytes: Uint8Array,
  idstr: string,
  instanceId = 0,
): Promise<SectionRecord> {
  const { stream } = await openStream(memorySource(bytes));
  const found = stream.sections.find(
    (section) => section.idstr === idstr && section.instanceId === instanceId,
  );
  if (!found) throw new Error(`there is no section ${idstr}@${instanceId}`);
  return found.records[0]!;
}

/** The first node of that name in the first section of a device. Fails where there is none. */
export async function nodeNamed(
  bytes: Uint8Array,
  device: string,
  name: string | number,
): Promise<LayoutNode> {
  const opened = await openStream(memorySource(bytes));
  const section = opened.stream.sections.find(({ idstr }) => idstr.endsWith(device));
  if (!section) throw new Error(`there is no ${device}`);
  for (const { node } of walk((await layoutOf(opened, section)).root)) if (node.name === name) return node;
  throw new Error(`there is no ${name} in ${device}`);
}

/** Offset of the first section record: commands stand in front of it. */
export async function firstSection(bytes: Uint8Array): Promise<number> {
  const { stream } = await openStream(memorySource(bytes));
  return stream.records.find(({ kind }) => kind === 'section')!.range.start;
}

/** A FULL section with a footer, as savevm_state writes it. */
export function fullSection(
  id: number,
  idstr: string,
  instanceId: number,
  versionId: number,
  body: Uint8Array,
): Uint8Array {
  const header = Buffer.alloc(6 + idstr.length + 8);
  header[0] = 4;
  header.writeUInt32BE(id, 1);
  header[5] = idstr.length;
  header.write(idstr, 6, 'latin1');
  header.writeUInt32BE(instanceId, 6 + idstr.length);
  header.writeUInt32BE(versionId, 10 + idstr.length);
  const footer = Buffer.alloc(5, 0x7e);
  footer.writeUInt32BE(id, 1);
  return Buffer.concat([header, body, footer]);
}
