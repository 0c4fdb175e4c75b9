import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { printable } from '../bytes/printable.ts';
import { failureReason } from './system-error.ts';

/** What was done to a VM that runs, for who wants to know afterwards. */
export interface AuditRecord {
  readonly vm: string;
  /** How often each command was sent. */
  readonly commands: Readonly<Record<string, number>>;
  /** Milliseconds from the command to its end, of several the longest; absent where it was not sent. */
  readonly pause?: number | undefined;
  /** `captured`, or why not. */
  readonly result: string;
}

/** Writes the record, the only one. Throws Error. */
export type WriteAudit = (record: AuditRecord) => Promise<void>;

/**
 * Opens a file that only its owner may read, or the journal, for a line of JSON that is appended to it. Throws Error where
 * it cannot be written to.
 */
export async function openAudit(target: string): Promise<WriteAudit> {
  const append = await (target === 'journal' ? openJournal() : openFile(target)).catch(failed);
  return async (record) => append(lineOf(record)).catch(failed);

  function failed(error: unknown): never {
    throw new Error(`cannot write the audit record to ${printable(target)}: ${failureReason(error)}`);
  }
}

function lineOf(record: AuditRecord): string {
  const { SUDO_USER } = process.env;
  return `${JSON.stringify({
    time: new Date().toISOString(),
    host: hostname(),
    user: userNameOrId(),
    ...(SUDO_USER === undefined ? {} : { sudoUser: SUDO_USER }),
    pid: process.pid,
    ...record,
  })}\n`;
}

/** A user without an entry has no name. */
function userNameOrId(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.geteuid?.());
  }
}

type Append = (line: string) => Promise<void>;

async function openFile(path: string): Promise<Append> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  // Without waiting for the reader of a pipe.
  const handle = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  return async (line) => {
    try {
      await handle.writeFile(line);
    } finally {
      await handle.close();
    }
  };
}

async function openJournal(): Promise<Append> {
  const child = spawn('systemd-cat', ['-t', 'vmwalk'], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.on('error', () => {});
  await once(child, 'spawn');
  const closed = once(child, 'close');
  return async (line) => {
    child.stdin.end(line);
    const [status] = (await closed) as [number | null];
    if (status !== 0) throw new Error(`systemd-cat ended with status ${status}`);
  };
}
