/**
 * Starts QEMU, on this system or inside a chroot that holds another Debian suite, in a working directory of its own.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectQmp } from './qmp.mjs';

/**
 * Where the programs of one suite are found: "" is this system.
 *
 * @typedef {string} Root
 */

/**
 * @typedef {object} Workspace
 * @property {Root} root
 * @property {string} inside   The directory as programs inside the root see it.
 * @property {string} outside  The same directory as this process sees it.
 */

/**
 * @typedef {object} Qemu
 * @property {import("./qmp.mjs").QmpClient} qmp
 * @property {() => string} stderr
 * @property {() => string | undefined} ended  Exit status or signal; undefined while it runs.
 * @property {() => Promise<void>} quit
 */

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

/** The codename of the Debian suite this system runs, or "" when it is something else. */
export function hostSuite() {
  try {
    return /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}

/**
 * @param {Root} root
 * @returns {Workspace}
 */
export function makeWorkspace(root) {
  if (root === '') {
    const directory = mkdtempSync(join(tmpdir(), 'capture-'));
    return { root, inside: directory, outside: directory };
  }
  if (!existsSync(join(root, 'tmp'))) throw new Error(`${root} is not a root file system: it has no /tmp`);
  const outside = mkdtempSync(join(root, 'tmp', 'capture-'));
  return { root, inside: outside.slice(root.length), outside };
}

/** @param {Workspace} workspace */
export function removeWorkspace(workspace) {
  rmSync(workspace.outside, { recursive: true, force: true });
}

/**
 * A command line that runs `program` in the workspace.
 *
 * @param {Workspace} workspace
 * @param {string} program
 * @param {string[]} args
 * @returns {[string, string[]]}
 */
export function commandIn(workspace, program, args) {
  if (workspace.root === '') return [program, args];
  return ['chroot', [workspace.root, 'env', '-C', workspace.inside, program, ...args]];
}

/**
 * Runs a program to its end and returns what it printed.
 *
 * @param {Workspace} workspace
 * @param {string} program
 * @param {string[]} args
 */
export function runIn(workspace, program, args) {
  const [command, commandArgs] = commandIn(workspace, program, args);
  const result = spawnSync(command, commandArgs, {
    cwd: workspace.outside,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.stderr.trim()}`);
  return result.stdout;
}

/**
 * Starts QEMU with its CPUs stopped and connects to its monitor.
 *
 * @param {Workspace} workspace
 * @param {string} target  The suffix of the program's name: `x86_64`, `ppc64`, …
 * @param {string[]} args
 * @param {{ role?: string, timeoutMs: number }} options  `role` keeps two QEMUs in one workspace apart.
 * @returns {Promise<Qemu>}
 */
export async function startQemu(workspace, target, args, { role = 'source', timeoutMs }) {
  const monitor = `${role}.sock`;
  const own = ['-S', '-display', 'none', '-qmp', `unix:${monitor},server=on,wait=off`];
  const [command, commandArgs] = commandIn(workspace, `qemu-system-${target}`, [...args, ...own]);
  const child = spawn(command, commandArgs, { cwd: workspace.outside, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  /** @type {string | undefined} */
  let ended;
  running.add(child);
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  child.on('error', (error) => {
    stderr += String(error);
    ended = 'not started';
  });
  child.on('exit', (status, signal) => {
    ended = signal ?? `exit status ${status}`;
    if (signal !== null && signal !== 'SIGKILL') stderr += `ended by ${signal}\n`;
    running.delete(child);
  });

  const closed = once(child, 'close');

  async function kill() {
    if (ended !== undefined) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  try {
    const qmp = await connectQmp(join(workspace.outside, monitor), {
      timeoutMs,
      alive: () => ended === undefined,
    });
    return {
      qmp,
      stderr: () => stderr,
      ended: () => ended,
      quit: async () => {
        const asked = qmp.execute('quit').catch(() => {});
        await Promise.race([asked, sleep(2000)]);
        for (let waited = 0; ended === undefined && waited < 3000; waited += 20) await sleep(20);
        await kill();
        await closed;
        qmp.close();
      },
    };
  } catch (error) {
    await kill();
    throw new Error(lastLines(stderr) || String(error));
  }
}

/** @param {string} stderr */
export function lastLines(stderr) {
  return stderr.trim().split('\n').slice(-3).join(' | ');
}
