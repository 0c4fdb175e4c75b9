/**
 * Runs the analysis script that comes with QEMU's sources over a stream and keeps what it printed.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';

/**
 * @typedef {object} ReferenceRun
 * @property {Buffer} [stdout]   When the script succeeded.
 * @property {string} [sha256]   Of stdout.
 * @property {string} [error]    The exception it ended with, when it did not.
 */

/**
 * @param {string} script  Path of analyze-migration.py.
 * @param {string} stream
 * @param {"state" | "desc"} dump
 * @returns {Promise<ReferenceRun>}
 */
export function runReference(script, stream, dump) {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', [script, '-f', stream, '-d', dump], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 600_000,
    });
    /** @type {Buffer[]} */
    const stdout = [];
    let stderr = '';
    child.stdout.on('data', (chunk) => stdout.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status) => {
      if (status !== 0) return resolve({ error: firstException(stderr) || `exit status ${status}` });
      const bytes = Buffer.concat(stdout);
      resolve({ stdout: bytes, sha256: createHash('sha256').update(bytes).digest('hex') });
    });
  });
}

/**
 * Of a chain of exceptions, the one all others came from; the script wraps it in one that quotes the whole description.
 *
 * @param {string} stderr
 */
function firstException(stderr) {
  const lines = stderr.trim().split('\n');
  const line = lines.find((text) => /^[\w.]+(Error|Exception|Interrupt)?: /.test(text)) ?? lines.at(-1) ?? '';
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
