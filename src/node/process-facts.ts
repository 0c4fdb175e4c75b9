import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { binaryOfProcess } from './binary-of-process.ts';
import type { RunningProcess } from './running-vm.ts';
import { extractSchemaOfFile } from './schema-file.ts';
import { failureReason } from './system-error.ts';

/** What the kernel tells of a process that can be looked at. Throws Error with the reason where it cannot. */
export async function factsOfProcess(pid: number): Promise<RunningProcess> {
  const words = (await readProcess(pid, 'cmdline')).split('\0').slice(0, -1);
  return {
    pid,
    commandLine: words,
    schema: async () => extractSchemaOfFile(await binaryOfProcess(pid)),
  };
}

export interface ProcessOwner {
  readonly uid: number;
  readonly gid: number;
}

/** User and group by which the kernel judges what a process opens. Throws Error. */
export async function ownerOfProcess(pid: number): Promise<ProcessOwner> {
  const status = await readProcess(pid, 'status');
  const last = (name: string) => new RegExp(`^${name}:\\s+(?:\\d+\\s+){3}(\\d+)$`, 'm').exec(status)?.[1];
  const [uid, gid] = [last('Uid'), last('Gid')];
  if (uid === undefined || gid === undefined) throw new Error(`/proc/${pid}/status has no user and group`);
  return { uid: Number(uid), gid: Number(gid) };
}

/** Whether a signal or a debugger has stopped a process; false where it cannot be looked at. At once. */
export function isStopped(pid: number): boolean {
  try {
    return /^State:\s+[Tt]\b/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function readProcess(pid: number, file: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    throw new Error(`process ${pid} cannot be looked at: ${failureReason(error)}`);
  }
}
