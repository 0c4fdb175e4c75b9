/**
 * Measures `convert` beside `cp` and beside `ram extract`, which decodes the same pages and writes them.
 */

import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure, median } from './measure.mjs';
import { benchStream } from './stream.mjs';

const ROUNDS = 3;
const root = fileURLToPath(new URL('..', import.meta.url));
const vmwalk = [process.execPath, join(root, 'dist/cli/main.js')];
const folder = join(root, '.bench');
mkdirSync(folder, { recursive: true });
const stream = process.argv[2] === undefined ? await benchStream(folder) : resolve(process.argv[2]);
const channels = process.argv.slice(3);
const given = channels.length > 0 ? ['--channel', ...channels] : [];
const out = join(folder, 'converted');

/** @type {Readonly<Record<string, readonly string[]>>} */
const commands = {
  cp: ['cp', '--reflink=never', stream, out],
  'ram extract': [...vmwalk, 'ram', 'extract', stream, ...given, '-o', out],
  convert: [...vmwalk, 'convert', stream, ...given, '-o', out],
  'convert --to mapped-ram': [...vmwalk, 'convert', stream, ...given, '--to', 'mapped-ram', '-o', out],
};
/** @type {Map<string, import('./measure.mjs').Run[]>} */
const runs = new Map(Object.keys(commands).map((name) => [name, []]));
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, command] of Object.entries(commands)) {
    rmSync(out, { recursive: true, force: true });
    const run = await measure(command);
    if (!existsSync(out)) throw new Error(`${name} wrote nothing`);
    // The first warms up.
    if (round > 0) runs.get(name)?.push(run);
  }
}
rmSync(out, { recursive: true, force: true });
console.log(
  `${stream}: ${statSync(stream).size} bytes; ${ROUNDS} rounds, medians of wall and CPU time, peak memory`,
);
for (const [name, list] of runs) {
  const peak = median(list.map((run) => run.peak ?? 0)).toFixed(0);
  const [wall, cpu] = [median(list.map((run) => run.wall)), median(list.map((run) => run.cpu ?? 0))];
  const times = [wall, cpu].map((seconds) => `${seconds.toFixed(2).padStart(7)} s`).join('');
  console.log(`${name.padEnd(24)}${times}${peak.padStart(6)} MB`);
}
