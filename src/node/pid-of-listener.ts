import type { Stats } from 'node:fs';
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** Bytes that are read of a table of the kernel. */
const MAX_TABLE = 64 << 20;

/**
 * Id of the process that listens on a UNIX socket, by its path here: of those that have a socket of such a name open,
 * the one in whose root that path is this very file (the kernel tells the name that was bound, as that process calls it).
 * A name that is relative to where the process was is taken where only one has it. Undefined where there is none that can
 * be looked at.
 */
export async function pidOfListener(path: string): Promise<number | undefined> {
  const file = await realpath(path).catch(() => path);
  const socket = await stat(file).catch(() => undefined);
  if (!socket) return undefined;
  const inodes = new Map<string, string>();
  const table = (await readFile('/proc/net/unix', 'utf8').catch(() => '')).slice(0, MAX_TABLE);
  for (const line of table.split('\n')) {
    const [, inode, bound] = /^\S+: \S+ \S+ \S+ \S+ \S+ +(\d+) (.+)$/.exec(line) ?? [];
    if (inode !== undefined && bound !== undefined && basename(bound) === basename(file))
      inodes.set(inode, bound);
  }
  if (inodes.size === 0) return undefined;
  /** Of a name that is relative to a folder in which the process is no more (-daemonize). */
  const likely: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    for (const bound of await boundBy(name, inodes)) {
      if (await isSameFile(name, bound, socket)) return Number(name);
      if (!bound.startsWith('/') && file.endsWith(join('/', bound))) likely.push(Number(name));
    }
  }
  const [only] = likely;
  return likely.length === 1 ? only : undefined;
}

/** Names that a process has bound of those sockets. */
async function boundBy(pid: string, inodes: ReadonlyMap<string, string>): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const descriptors = await readdir(folder).catch(() => []);
  const found: string[] = [];
  for (const descriptor of descriptors) {
    const link = await readlink(`${folder}/${descriptor}`).catch(() => '');
    const bound = inodes.get(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? '');
    if (bound !== undefined) found.push(bound);
  }
  return found;
}

async function isSameFile(pid: string, bound: string, socket: Stats): Promise<boolean> {
  const path = bound.startsWith('/') ? `/proc/${pid}/root${bound}` : join(`/proc/${pid}/cwd`, bound);
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found.ino === socket.ino && found.dev === socket.dev;
}
