import type { Stats } from 'node:fs';
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { isIPv4, type Socket } from 'node:net';
import { endianness } from 'node:os';
import { basename, join } from 'node:path';

/** Bytes that are read of a table of the kernel. */
const MAX_TABLE = 64 << 20;
/** Network namespaces whose tables are read: a host has one for each container. */
const MAX_NAMESPACES = 4096;

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
  for await (const table of tablesOf(['unix'])) {
    const inodes = new Map<string, string>();
    for (const line of table.split('\n')) {
      const [, inode, bound] = /^\S+: \S+ \S+ \S+ \S+ \S+ +(\d+) (.+)$/.exec(line) ?? [];
      if (inode !== undefined && bound !== undefined && basename(bound) === basename(file))
        inodes.set(inode, bound);
    }
    /** Of a name that is relative to a folder in which the process is no more (-daemonize). */
    const likely: number[] = [];
    for await (const { pid, name: bound } of holdersOf(inodes)) {
      if (await isSameFile(pid, bound, socket)) return pid;
      if (!bound.startsWith('/') && file.endsWith(join('/', bound))) likely.push(pid);
    }
    const [only] = likely;
    if (likely.length === 1) return only;
  }
  return undefined;
}

/**
 * Ids of the processes that have the other end of a TCP connection, on this host, also in another network namespace. Empty
 * where there is none that can be looked at, and where what is in between has addresses of its own.
 */
export async function pidsOfPeer(socket: Socket): Promise<readonly number[]> {
  const { localAddress, localPort = 0, remoteAddress, remotePort = 0 } = socket;
  const ours = endText(bytesOfAddress(localAddress), localPort);
  const theirs = endText(bytesOfAddress(remoteAddress), remotePort);
  for await (const table of tablesOf(['tcp', 'tcp6'])) {
    const inodes = new Map<string, string>();
    for (const line of table.split('\n')) {
      const [, from, to, inode] = TCP_ROW.exec(line) ?? [];
      if (inode && from && to && rowEnd(from) === theirs && rowEnd(to) === ours) inodes.set(inode, from);
    }
    const pids = new Set<number>();
    for await (const { pid } of holdersOf(inodes)) pids.add(pid);
    if (pids.size > 0) return [...pids];
  }
  return [];
}

/** `0: 0100007F:115C 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000 0 0 4711` */
const TCP_ROW = /^ *\d+: ([0-9A-F]+:[0-9A-F]{4}) ([0-9A-F]+:[0-9A-F]{4}) \S+ \S+ \S+ \S+ +\d+ +\d+ (\d+)/;
const ADDRESS_BYTES = 16;

/** An end of a connection as the kernel prints it: words of 32 bits in the host's byte order. */
function rowEnd(end: string): string {
  const [digits = '', port = ''] = end.split(':');
  const words = (digits.match(/.{8}/g) ?? []).map((word) => {
    const bytes = Buffer.from(word, 'hex');
    return endianness() === 'LE' ? bytes.reverse() : bytes;
  });
  return endText(Buffer.concat(words), Number.parseInt(port, 16));
}

/** Of an IPv4 address four bytes, else 16; none of what is no address. */
function bytesOfAddress(address = ''): Uint8Array {
  const [plain = ''] = address.split('%');
  if (isIPv4(plain)) return Uint8Array.from(plain.split('.'), Number);
  const tail = plain.slice(plain.lastIndexOf(':') + 1);
  if (isIPv4(tail)) return bytesOfAddress(tail);
  const [front = [], back = []] = plain
    .split('::')
    .map((part) => part.split(':').flatMap((word) => (word === '' ? [] : [Number.parseInt(word, 16)])));
  const words = [...front, ...new Array(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

/** The same for an IPv4 address and what stands for it in IPv6. */
function endText(address: Uint8Array, port: number): string {
  const hex = Buffer.from(address).toString('hex');
  const mapped = address.length === ADDRESS_BYTES ? hex.replace(/^0{20}ffff/, '') : hex;
  return `${mapped}:${port}`;
}

/** What the kernel tells of sockets: of our own network namespace first, then of those of other processes. */
async function* tablesOf(files: readonly string[]): AsyncGenerator<string> {
  const read = async (folder: string) => {
    const texts = files.map((file) => readFile(join(folder, 'net', file), 'utf8').catch(() => ''));
    return (await Promise.all(texts)).map((text) => text.slice(0, MAX_TABLE)).join('\n');
  };
  yield await read('/proc/self');
  const seen = new Set([await readlink('/proc/self/ns/net').catch(() => '')]);
  for (const pid of await processes()) {
    const namespace = await readlink(`/proc/${pid}/ns/net`).catch(() => undefined);
    if (namespace === undefined || seen.has(namespace) || seen.size > MAX_NAMESPACES) continue;
    seen.add(namespace);
    yield await read(`/proc/${pid}`);
  }
}

async function processes(): Promise<readonly number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Processes that have one of these sockets open, by its inode, with what it is called there. */
async function* holdersOf(
  inodes: ReadonlyMap<string, string>,
): AsyncGenerator<{ readonly pid: number; readonly name: string }> {
  if (inodes.size === 0) return;
  for (const pid of await processes()) {
    const folder = `/proc/${pid}/fd`;
    for (const descriptor of await readdir(folder).catch(() => [])) {
      const link = await readlink(`${folder}/${descriptor}`).catch(() => '');
      const name = inodes.get(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? '');
      if (name !== undefined) yield { pid, name };
    }
  }
}

async function isSameFile(pid: number, bound: string, socket: Stats): Promise<boolean> {
  const path = bound.startsWith('/') ? `/proc/${pid}/root${bound}` : join(`/proc/${pid}/cwd`, bound);
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found.ino === socket.ino && found.dev === socket.dev;
}
