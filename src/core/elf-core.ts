import { encodeNote, type Note, StructWriter } from './notes.ts';
import type { CoreFormat } from './registers/architecture.ts';

const ELFCLASS32 = 1;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const ELFDATA2MSB = 2;
const EV_CURRENT = 1;
const ET_CORE = 4;
const PT_LOAD = 1;
const PT_NOTE = 4;

/** Bytes of the file header, and of a program header. */
const LENGTHS = { 32: { file: 52, program: 32 }, 64: { file: 64, program: 56 } } as const;

/** Memory in the file: PT_LOAD. All in bytes. */
export interface LoadSegment {
  /** Guest physical. */
  readonly address: number;
  readonly length: number;
  readonly fileOffset: number;
}

/** Bytes in front of the memory: file header, program headers and notes. */
export function coreHeaderLength(format: CoreFormat, notes: readonly Note[], segments: number): number {
  const { file, program } = LENGTHS[format.bits];
  return file + (1 + segments) * program + notesLength(notes, format.littleEndian);
}

/**
 * The head of an ELF core, which ends with the notes. As in the cores that QEMU writes (`dump-guest-memory` without
 * paging) virtual addresses are the physical ones, and no alignment is given, by which tools know this kind.
 */
export function encodeCoreHeader(
  format: CoreFormat,
  notes: readonly Note[],
  segments: readonly LoadSegment[],
): Uint8Array {
  const { file, program } = LENGTHS[format.bits];
  const { littleEndian } = format;
  const notesOffset = file + (1 + segments.length) * program;
  const writer = new StructWriter(coreHeaderLength(format, notes, segments.length), littleEndian);
  const word = (...values: readonly number[]) =>
    format.bits === 64 ? writer.u64(...values) : writer.u32(...values);
  const ENTRY = 0;
  const SECTION_HEADERS = 0;
  const FLAGS = 0;
  writer
    .copy(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, format.bits === 64 ? ELFCLASS64 : ELFCLASS32))
    .copy(Uint8Array.of(littleEndian ? ELFDATA2LSB : ELFDATA2MSB, EV_CURRENT))
    .skip(9)
    .u16(ET_CORE, format.machine)
    .u32(EV_CURRENT);
  word(ENTRY, file, SECTION_HEADERS);
  writer
    .u32(FLAGS)
    .u16(file, program, 1 + segments.length)
    .skip(6);

  const programHeader = (type: number, offset: number, address: number, length: number) => {
    writer.u32(type);
    if (format.bits === 64) writer.u32(FLAGS);
    word(offset, address, address, length, length);
    if (format.bits === 32) writer.u32(FLAGS);
    const ALIGNMENT = 0;
    word(ALIGNMENT);
  };
  programHeader(PT_NOTE, notesOffset, 0, notesLength(notes, littleEndian));
  for (const { address, length, fileOffset } of segments) programHeader(PT_LOAD, fileOffset, address, length);
  for (const note of notes) writer.copy(encodeNote(note, littleEndian));
  return writer.bytes;
}

function notesLength(notes: readonly Note[], littleEndian: boolean): number {
  return notes.reduce((sum, note) => sum + encodeNote(note, littleEndian).length, 0);
}
