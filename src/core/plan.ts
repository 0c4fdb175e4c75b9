import { DecodeError, type Diagnostic, printable } from '../bytes/diagnostic.ts';
import type { OpenedStream } from '../layout/open.ts';
import { type DeviceState, deviceState } from './device-state.ts';
import { coreHeaderLength, type LoadSegment } from './elf-core.ts';
import type { Fields } from './fields.ts';
import { unknownLayout } from './machines/machine-layout.ts';
import type { Note } from './notes.ts';
import type { Mapping } from './physical-map.ts';
import { type Placement, placeBlocks } from './placement.ts';
import { type Architecture, type CoreFormat, MissingRegister } from './registers/architecture.ts';
import { architectureNames, findArchitecture } from './registers/architectures.ts';
import { type GuestNote, guestNote } from './vmcoreinfo.ts';

/** A PT_LOAD, and which RAMBlock it shows. */
export type CoreSegment = LoadSegment & Mapping;

/** Everything of a core but the content of memory. */
export interface CorePlan {
  readonly architecture: string;
  readonly format: CoreFormat;
  readonly vcpus: number;
  readonly notes: readonly Note[];
  /** By address. */
  readonly segments: readonly CoreSegment[];
  /** Where in the file each block begins that a segment shows. Each is there once and whole. */
  readonly blockOffsets: ReadonlyMap<string, number>;
  /** Bytes in front of the first block that header and notes may take. */
  readonly headerRoom: number;
  readonly fileLength: number;
  /** A note of the guest's own, to be taken out of its memory. */
  readonly guestNote: GuestNote | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

export interface CoreOptions {
  /** Blocks that are placed as the user says, and not by what is known of the machine. */
  readonly layout?: readonly Mapping[];
}

/** Blocks begin at multiples of this, so that a file's holes can be where pages are zero. */
const ALIGNMENT = 4096;
/** Program headers that the 16-bit count in the file header can say. */
const MAX_SEGMENTS = 0xfffe;

/**
 * Lays out the ELF core of a stream: which memory is at which guest physical address, and the registers of the CPUs as
 * notes. Throws DecodeError `unknown-layout` where the machine's memory layout, and `unsupported` where its
 * architecture is not known, or there is no memory; registers that are missing are a diagnostic.
 */
export async function planCore(opened: OpenedStream, options: CoreOptions = {}): Promise<CorePlan> {
  const state = deviceState(opened);
  const cpus = await state.allFields('cpu');
  const architecture = cpus[0] && findArchitecture(cpus[0]);
  if (!architecture) {
    const message = `the stream has no state of a CPU of which a core can be made (${architectureNames})`;
    throw new DecodeError({ severity: 'error', code: 'unsupported', message });
  }
  if (state.blocks.length === 0) {
    const message = "the stream has nothing of the guest's memory";
    throw new DecodeError({ severity: 'error', code: 'unsupported', message });
  }
  const { mappings, leftOut } = await placeBlocks(state, architecture, options.layout ?? []);
  if (mappings.length > MAX_SEGMENTS) throw unknownLayout(state.blocks, `it has ${mappings.length} parts`);
  const lengths = new Map(state.blocks.map(({ idstr, length }) => [idstr, length]));
  const blocks = [...new Set(mappings.map(({ block }) => block))];
  const ends = mappings.map(({ address, length }) => address + length);
  const total = blocks.reduce((sum, block) => sum + align(lengths.get(block) ?? 0), 0);
  const format = architecture.format(cpus[0]!, Math.max(total, ...ends));
  const { notes, problem } = notesOf(architecture, cpus, format);
  const note = guestNote(await state.fields('vmcoreinfo'));
  const headerRoom = align(coreHeaderLength(format, notes, mappings.length) + (note?.length ?? 0));
  const blockOffsets = new Map<string, number>();
  let fileLength = headerRoom;
  for (const block of blocks) {
    blockOffsets.set(block, fileLength);
    fileLength += align(lengths.get(block) ?? 0);
  }
  return {
    architecture: architecture.name,
    format,
    vcpus: cpus.length,
    notes,
    segments: mappings.map((mapping) => ({
      ...mapping,
      fileOffset: (blockOffsets.get(mapping.block) ?? 0) + mapping.offset,
    })),
    blockOffsets,
    headerRoom,
    fileLength,
    guestNote: note,
    diagnostics: [...problem, ...(await missingPages(opened, state, blockOffsets)), ...notPlaced(leftOut)],
  };
}

function align(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

/** The notes; none where a register is missing, as a core with half of them would mislead. */
function notesOf(
  architecture: Architecture,
  cpus: readonly Fields[],
  format: CoreFormat,
): { notes: readonly Note[]; problem: readonly Diagnostic[] } {
  try {
    return { notes: architecture.notes(cpus, format), problem: [] };
  } catch (error) {
    if (!(error instanceof MissingRegister)) throw error;
    const message = `the core has no registers: ${error.message}`;
    return { notes: [], problem: [{ severity: 'error', code: 'incomplete-core', message, section: 'cpu' }] };
  }
}

function notPlaced(blocks: Placement['leftOut']): readonly Diagnostic[] {
  return blocks.map(({ idstr, length }) => ({
    severity: 'warning',
    code: 'incomplete-core',
    message:
      `RAMBlock ${printable(idstr)} (${length} bytes) is not in the core: the stream does not say at which address it ` +
      'is; --layout does',
  }));
}

/** Blocks of which nothing at all was sent: their pages are elsewhere. */
async function missingPages(
  { memory }: OpenedStream,
  { blocks, pagesLeftOut, hasChannels }: DeviceState,
  shown: ReadonlyMap<string, number>,
): Promise<readonly Diagnostic[]> {
  const why = pagesLeftOut
    ? 'it was left out on purpose, as from every profile'
    : 'it was left out (x-ignore-shared) or sent over other channels (multifd)';
  const missing: Diagnostic[] = [];
  for (const { idstr, length, mapped, pages } of blocks) {
    if (length === 0 || mapped || !shown.has(idstr)) continue;
    const isSent = memory
      ? await memory.holds(idstr)
      : hasChannels || Object.values(pages).some(({ pages: count }) => count > 0);
    if (isSent) continue;
    const message = `no page of RAMBlock ${printable(idstr)} is in the stream, so that it reads as zeros: ${why}`;
    missing.push({ severity: 'error', code: 'incomplete-core', message });
  }
  return missing;
}
