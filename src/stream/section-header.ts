import { ByteWriter } from '../bytes/byte-writer.ts';
import type { Window } from '../bytes/window.ts';
import {
  QEMU_VM_SECTION_END,
  QEMU_VM_SECTION_FOOTER,
  QEMU_VM_SECTION_FULL,
  QEMU_VM_SECTION_PART,
  QEMU_VM_SECTION_START,
  type SectionType,
} from './records.ts';

/** Bytes of a footer: type byte and section id. */
export const FOOTER_LENGTH = 5;

const TYPE_BYTES: Readonly<Record<SectionType, number>> = {
  SECTION_START: QEMU_VM_SECTION_START,
  SECTION_PART: QEMU_VM_SECTION_PART,
  SECTION_END: QEMU_VM_SECTION_END,
  SECTION_FULL: QEMU_VM_SECTION_FULL,
};

/** What the header of a START or FULL record says of its section; later records have the id alone. */
export interface SectionIdentity {
  readonly id: number;
  readonly idstr: string;
  readonly instanceId: number;
  readonly versionId: number;
}

/** Reads what follows the id in the header of a START or FULL record. */
export async function readSectionIdentity(window: Window, id: number): Promise<SectionIdentity> {
  const idstr = await window.readText8('a section header');
  const instanceId = await window.readU32('a section header');
  return { id, idstr, instanceId, versionId: await window.readU32('a section header') };
}

/**
 * The header of a section record: type byte, u32 section id, and, in START and FULL records, the length of the idstr in
 * a byte, the idstr, u32 instance id, u32 version (migration/savevm.c, save_section_header).
 */
export function writeSectionHeader(type: SectionType, section: SectionIdentity): Uint8Array {
  const { id, idstr, instanceId, versionId } = section;
  const writer = new ByteWriter().u8(TYPE_BYTES[type]).u32(id);
  if (type === 'SECTION_START' || type === 'SECTION_FULL') writer.text8(idstr).u32(instanceId).u32(versionId);
  return writer.finish();
}

/** What ends a section record of machine types since 2.4 (migration/savevm.c, save_section_footer). */
export function writeSectionFooter(id: number): Uint8Array {
  return new ByteWriter(FOOTER_LENGTH).u8(QEMU_VM_SECTION_FOOTER).u32(id).finish();
}
