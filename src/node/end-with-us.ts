import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';

/** In the environment of QEMU, and so of all that is started on the way to it. */
const MARKER = 'VMWALK_PROFILE';
/** setpriv of util-linux: the kernel kills what it runs when the thread that started it ends, even by SIGKILL. */
const SETPRIV = ['setpriv', '--pdeathsig', 'KILL'] as const;

/**
 * What the guard does when its standard input ends, which this process alone holds open: it asks QEMU to end by its
 * monitor, which works where it may not be killed (sudo), kills what has the marker, and removes the folder.
 */
const GUARD = `
trap '' HUP INT TERM PIPE
read -r _
[ "$3" = monitor ] && printf '{"execute":"qmp_capabilities"}\\n{"execute":"quit"}\\n' >&3
kill -9 $(grep -ls "${MARKER}=$1" /proc/[0-9]*/environ | cut -d/ -f3)
rm -rf -- "$2"
`;

/** The environment of processes that belong to a run. */
export function markedEnvironment(marker: string): NodeJS.ProcessEnv {
  return { ...process.env, [MARKER]: marker };
}

/**
 * The words in front of a command with which it ends when this process does, and none where there is no such program.
 * Throws nothing.
 */
export async function deathSignalWords(): Promise<readonly string[]> {
  const [program, ...options] = SETPRIV;
  return promisify(execFile)(program, [...options, 'true']).then(
    () => SETPRIV,
    () => [],
  );
}

/**
 * A process that ends those of a run when this one is gone, however: also those that a signal at the death of their
 * parent does not reach, as they have another parent (a script, sudo) or have changed their user.
 */
export class Guard {
  readonly #child: ChildProcess;

  /**
   * `folder` is what the run has in the temporary folder, `monitor` a connection to QEMU's. A folder that is relative is in
   * `place`, which the guard keeps hold of, however it was reached.
   */
  constructor(marker: string, folder: string, monitor?: Socket, place = '/') {
    const { PATH } = process.env;
    this.#child = spawn(
      '/bin/sh',
      ['-c', GUARD, 'vmwalk-guard', marker, folder, monitor ? 'monitor' : 'none'],
      {
        stdio: ['pipe', 'ignore', 'ignore', monitor ?? 'ignore'],
        env: { ...(PATH === undefined ? {} : { PATH }) },
        cwd: place,
      },
    );
    // Where there is no shell, what else ends QEMU has to do.
    this.#child.on('error', () => {});
    this.#child.stdin?.on('error', () => {});
  }

  /** Ends the guard, when there is nothing to be guarded any more. */
  async end(): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null) return;
    const gone = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

/** Kills all processes of a run that may be killed. */
export async function killMarked(marker: string): Promise<void> {
  for (const name of await readdir('/proc').catch(() => [])) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (!environment.includes(`${MARKER}=${marker}`)) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile, or belongs to somebody else.
    }
  }
}
