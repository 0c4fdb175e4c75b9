/** Has a QEMU that waits for a stream load one, and says how that ends. */

import { setTimeout as sleep } from 'node:timers/promises';

export const LOAD_TIMEOUT_MS = 30_000;

/**
 * Loads `incoming.qevm` of the workspace, and says how that ended: `loaded`, `failed`, `no end`, or the exit status or
 * signal of a QEMU that ended.
 *
 * @param {import("../capture/qemu.mjs").Qemu} qemu  Started with `-incoming defer`.
 * @param {Pick<import("./loads.mjs").Machine, 'capabilities' | 'setup'>} machine
 * @returns {Promise<string>}
 */
export async function loadStream({ qmp, ended }, { capabilities = [], setup = [] }) {
  for (const step of setup) {
    if ('execute' in step) await qmp.execute(step.execute, step.arguments);
  }
  await qmp.execute('migrate-set-capabilities', {
    capabilities: capabilities.map((capability) => ({ capability, state: true })),
  });
  try {
    await qmp.execute('migrate-incoming', { uri: 'exec:cat incoming.qevm' });
    for (const deadline = Date.now() + LOAD_TIMEOUT_MS; Date.now() < deadline; await sleep(20)) {
      const { status } = await qmp.execute('query-migrate');
      if (status === 'failed') return 'failed';
      if (status !== 'completed') continue;
      // The block devices are activated behind that; a QEMU that cannot ends.
      if ((await qmp.execute('query-status')).status !== 'inmigrate') return 'loaded';
    }
    return 'no end';
  } catch (error) {
    for (let waited = 0; ended() === undefined && waited < 2000; waited += 20) await sleep(20);
    const end = ended();
    if (end === undefined) throw error;
    return end;
  }
}

/**
 * What it printed, but for what is known.
 *
 * @param {string} stderr
 * @param {readonly string[]} known
 */
export function newLines(stderr, known) {
  return linesOf(stderr).filter((line) => !known.includes(line));
}

/** @param {string} text */
export function linesOf(text) {
  return [...new Set(text.split('\n').map((line) => line.trim()))].filter((line) => line !== '');
}
