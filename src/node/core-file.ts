import { ftruncateSync, readSync } from 'node:fs';
import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { encodeCoreHeader } from '../core/elf-core.ts';
import { type Note, parseNote } from '../core/notes.ts';
import type { CorePlan } from '../core/plan.ts';
import { type OpenOptions, openStream } from '../layout/open.ts';
import { nodeInflater } from './inflater.ts';
import { OutputFile, writeFully } from './output.ts';
import { PageWriter } from './page-writer.ts';

export interface WrittenCore {
  /** Those of the plan, and the guest's own where it has one. */
  readonly notes: readonly Note[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Writes the core that was planned from a stream: reads the stream once more, for its pages. The file is sparse, and
 * appears when it is whole. Throws OutputError, and when the file exists already.
 */
export async function writeCore(
  source: FinishedSource,
  plan: CorePlan,
  path: string,
  options: OpenOptions = {},
): Promise<WrittenCore> {
  const file = new OutputFile(path, 'keep');
  try {
    ftruncateSync(file.fd, plan.fileLength);
    const pages = new PageWriter(({ idstr }) => {
      const start = plan.blockOffsets.get(idstr);
      return start === undefined ? undefined : { fd: file.fd, start };
    });
    await openStream(source, { inflater: nodeInflater, ...options, sink: pages });
    pages.flush();
    const { note, diagnostics } = readGuestNote(file.fd, plan);
    const notes = note ? [...plan.notes, note] : plan.notes;
    writeFully(file.fd, encodeCoreHeader(plan.format, notes, plan.segments), 0);
    file.finish();
    return { notes, diagnostics: [...pages.diagnostics, ...diagnostics] };
  } catch (error) {
    throw file.fail(error);
  }
}

/** The note that the guest's kernel keeps in its memory, which is in the file by now. */
function readGuestNote(
  fd: number,
  { guestNote, segments, format }: CorePlan,
): { note?: Note; diagnostics: readonly Diagnostic[] } {
  if (!guestNote) return { diagnostics: [] };
  const { address, length } = guestNote;
  const segment = segments.find(
    (candidate) => candidate.address <= address && address + length <= candidate.address + candidate.length,
  );
  const bytes = new Uint8Array(segment ? length : 0);
  if (segment) readSync(fd, bytes, 0, length, segment.fileOffset + address - segment.address);
  const note = parseNote(bytes, format.littleEndian);
  if (note) return { note, diagnostics: [] };
  const message = `the guest's vmcoreinfo is not in the core: there is no ELF note at 0x${address.toString(16)}`;
  return { diagnostics: [{ severity: 'warning', code: 'incomplete-core', message, section: 'vmcoreinfo' }] };
}
