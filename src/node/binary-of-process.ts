import { readlink, stat } from 'node:fs/promises';
import { failureReason } from './system-error.ts';

/**
 * A path by which the program that a process runs can be opened here: the one that it has in its own root (chroot, a
 * container), where files beside it are found, too; else the link to the file itself. Throws Error with the reason.
 */
export async function binaryOfProcess(pid: number): Promise<string> {
  const link = `/proc/${pid}/exe`;
  const [path, program] = await Promise.all([readlink(link), stat(link)]).catch((error) => {
    throw new Error(`the program of process ${pid} cannot be read: ${failureReason(error)}`);
  });
  for (const candidate of [path, `/proc/${pid}/root${path}`]) {
    const found = await stat(candidate).catch(() => undefined);
    if (found && found.ino === program.ino && found.dev === program.dev) return candidate;
  }
  return link;
}
