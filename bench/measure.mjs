/**
 * Runs commands and measures them from outside, as whole processes.
 */

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * @typedef {object} Run
 * @property {number} wall           Seconds.
 * @property {number | undefined} cpu   User and system seconds; undefined where nothing tells.
 * @property {number | undefined} peak  Peak resident set in MB (10^6 bytes); undefined where nothing tells.
 */

/** Milliseconds between two looks at /proc/PID/status. */
const LOOK_EVERY = 5;

/** Alike on all machines: settings such as NODE_OPTIONS or NODE_EXTRA_CA_CERTS change how long each start of Node takes. */
const environment = { PATH: process.env.PATH, LANG: 'C.UTF-8' };

/** Is there GNU time? It has the kernel's own account of a finished process. */
const hasGnuTime = spawnSync('/usr/bin/time', ['-f', '%U', 'true']).status === 0;

/**
 * Runs a command to its end, with its output thrown away.
 *
 * @param {readonly string[]} command
 * @returns {Promise<Run>}
 */
export async function measure(command) {
  return hasGnuTime ? measureByTime(command) : measureByProc(command);
}

/**
 * @param {readonly string[]} command
 * @returns {Promise<Run>}
 */
async function measureByTime(command) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  try {
    const report = join(folder, 'time');
    const wall = await runToEnd(['/usr/bin/time', '-o', report, '-f', '%U %S %M', ...command]);
    // A line about the exit status may stand before.
    const [user, system, peak] = (readFileSync(report, 'utf8').trim().split('\n').at(-1) ?? '')
      .split(' ')
      .map(Number);
    return { wall, cpu: user + system, peak: (peak * 1024) / 1e6 };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Without GNU time: the high-water mark of Linux as it was shortly before the end, and no CPU time.
 *
 * @param {readonly string[]} command
 * @returns {Promise<Run>}
 */
async function measureByProc(command) {
  let peak;
  const wall = await runToEnd(command, (pid) => {
    const look = () => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const kibibytes = /^VmHWM:\s*(\d+) kB/m.exec(status)?.[1];
        if (kibibytes !== undefined) peak = (Number(kibibytes) * 1024) / 1e6;
      } catch {
        // It has ended, or this is no Linux.
      }
    };
    return setInterval(look, LOOK_EVERY);
  });
  return { wall, cpu: undefined, peak };
}

/**
 * Seconds until a command ends. Throws when it cannot be started or is killed; an exit status is the command's own
 * business.
 *
 * @param {readonly string[]} command
 * @param {(pid: number | undefined) => NodeJS.Timeout} [watch]
 */
async function runToEnd([program, ...args], watch) {
  const started = performance.now();
  const child = spawn(program, args, { stdio: 'ignore', env: environment });
  const timer = watch?.(child.pid);
  try {
    const [, signal] = await once(child, 'exit');
    if (signal !== null) throw new Error(`${program} was ended by ${signal}`);
    return (performance.now() - started) / 1000;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Seconds until a command prints its first byte.
 *
 * @param {readonly string[]} command
 */
export async function timeToFirstOutput([program, ...args]) {
  const started = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], env: environment });
  const exit = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), exit]);
  const seconds = (performance.now() - started) / 1000;
  child.stdout.destroy();
  await exit;
  return seconds;
}

/**
 * SHA-256 of what a command prints, in hex.
 *
 * @param {readonly string[]} command
 */
export async function outputHash([program, ...args]) {
  const hash = createHash('sha256');
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], env: environment });
  const exit = once(child, 'exit');
  for await (const chunk of child.stdout) hash.update(chunk);
  await exit;
  return hash.digest('hex');
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
