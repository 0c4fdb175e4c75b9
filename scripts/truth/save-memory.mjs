/** What a QEMU has in its guest's memory. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A part of guest physical memory, and the memory region that is there.
 *
 * @typedef {{ region: string, offset: number, bytes: Buffer }} Saved
 */

/**
 * @param {import("../capture/qmp.mjs").QmpClient} qmp
 * @param {import("../capture/qemu.mjs").Workspace} workspace
 * @returns {Promise<Saved[]>}
 */
export async function saveMemory(qmp, workspace) {
  const views = (await qmp.monitor('info mtree -f')).split(/^FlatView #/m);
  const view = views.find((text) => /^ AS "memory"/m.test(text)) ?? '';
  const line =
    /^ {2}([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, (?:ram|rom|romd)\): (\S+)(?: @([0-9a-f]{16}))?/gm;
  /** @type {Saved[]} */
  const saved = [];
  for (const [, first, last, region = '', offset = '0'] of view.matchAll(line)) {
    const start = Number.parseInt(first ?? '', 16);
    const size = Number.parseInt(last ?? '', 16) + 1 - start;
    await qmp.execute('pmemsave', { val: start, size, filename: 'memory.bin' });
    const bytes = readFileSync(join(workspace.outside, 'memory.bin'));
    if (bytes.length !== size) throw new Error(`pmemsave wrote ${bytes.length} of ${size} bytes`);
    saved.push({ region, offset: Number.parseInt(offset, 16), bytes });
  }
  return saved;
}
