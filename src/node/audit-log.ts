import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
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

/** Appends a line of JSON to a file that only its owner may read, or to the journal. Throws Error. */
export async function writeAudit(target: string, record: AuditRecord): Promise<void> {
  const { SUDO_USER } = process.env;
  const line = `${JSON.stringify({
    time: new Date().toISOString(),
    host: hostname(),
    user: userNameOrId(),
    ...(SUDO_USER === undefined ? {} : { sudoUser: SUDO_USER }),
    pid: process.pid,
    ...record,
  })}\n`;
  try {
    if (target === 'journal') await writeToJournal(line);
    else await appendLine(target, line);
  } catch (error) {
    throw new Error(`cannot write the audit record to ${target}: ${failureReason(error)}`);
  }
}

/** A user without an entry has no name. */
function userNameOrId(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.geteuid?.());
  }
}

async function appendLine(path: string, line: string): Promise<void> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  const handle = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    await handle.writeFile(line);
  } finally {
    await handle.close();
  }
}

async function writeToJournal(line: string): Promise<void> {
  const child = spawn('systemd-cat', ['-t', 'vmwalk'], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.on('error', () => {});
  child.stdin.end(line);
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`systemd-cat ended with status ${status}`);
}
