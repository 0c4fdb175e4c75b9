import { readlink, stat } from 'node:fs/promises';

/**
 * A path by which the program that a process runs can be opened here: the one that it has in its own root (chroot, a
 * container), where files beside it are found, too; else the link to the file itself.
 */
export async function binaryOfProcess(pid: number): Promise<string> {
  const link = `/proc/${pid}/exe`;
  const path = await readlink(link);
  const program = await stat(link);
  for (const candidate of [path, `/proc/${pid}/root${path}`]) {
    const found = await stat(candidate).catch(() => undefined);
    if (found && found.ino === program.ino && found.dev === program.dev) return candidate;
  }
  return link;
}
