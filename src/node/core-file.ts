import { ftruncateSync } from 'node:fs';
import type { Diagnostic } from '../bytes/diagnostic.ts';
import { encodeCoreHeader } from '../core/elf-core.ts';
import { type Note, parseNote } from '../core/notes.ts';
import { PhysicalMemory } from '../core/physical-memory.ts';
import type { CorePlan } from '../core/plan.ts';
import { memoryOf, type OpenedStream } from '../layout/open.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import { BlockWriter } from './block-writer.ts';
import { OutputFile, writeFully } from './output.ts';

export interface WrittenCore {
  /** Those of the plan, and the guest's own where it has one. */
  readonly notes: readonly Note[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Writes the core that was planned of a VM which was opened with its memory. The file is sparse, and appears when it is
 * whole. `onProgress` is called with the bytes of memory that were read. Throws OutputError, also when the file exists
 * already; DecodeError `bad-argument` where the memory was not asked for.
 */
export async function writeCore(
  vm: OpenedStream,
  plan: CorePlan,
  path: string,
  onProgress?: (bytes: number) => void,
): Promise<WrittenCore> {
  const memory = memoryOf(vm);
  const file = new OutputFile(path, 'keep');
  try {
    ftruncateSync(file.fd, plan.fileLength);
    const writer = new BlockWriter(({ idstr }) => {
      const start = plan.blockOffsets.get(idstr);
      return start === undefined ? undefined : { fd: file.fd, start };
    });
    const damage = await memory.visit(writer, onProgress);
    writer.flush();
    const { note, diagnostics } = await readGuestNote(memory, plan);
    const notes = note ? [...plan.notes, note] : plan.notes;
    writeFully(file.fd, encodeCoreHeader(plan.format, notes, plan.segments), 0);
    file.finish();
    return { notes, diagnostics: [...damage, ...diagnostics] };
  } catch (error) {
    throw file.fail(error);
  }
}

/** The note that the guest's kernel keeps in its memory. */
async function readGuestNote(
  memory: GuestMemory,
  { guestNote, segments, format }: CorePlan,
): Promise<{ note?: Note; diagnostics: readonly Diagnostic[] }> {
  if (!guestNote) return { diagnostics: [] };
  const { address, length } = guestNote;
  const { bytes } = await new PhysicalMemory(memory, segments).read(address, length);
  const note = parseNote(bytes, format.littleEndian);
  if (note) return { note, diagnostics: [] };
  const message = `the guest's vmcoreinfo is not in the core: there is no ELF note at 0x${address.toString(16)}`;
  return { diagnostics: [{ severity: 'warning', code: 'incomplete-core', message, section: 'vmcoreinfo' }] };
}
