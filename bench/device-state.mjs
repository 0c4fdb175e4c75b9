/**
 * Measures how long it takes to print the device state of the fixtures, beside QEMU's own script: whole processes, in
 * turn, user and system time. See README.md beside this file.
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { measure, median, outputHash } from './measure.mjs';
import { fetchScript } from './qemu-script.mjs';

const USAGE = `Usage: node bench/device-state.mjs [options] [STREAM…]

  --script FILE   QEMU's scripts/analyze-migration.py, instead of the one of Debian's source package
  --python FILE   the interpreter itself (python3)
  --rounds N      times that each command is run (3)

STREAM is a migration stream, plain or .gz; without one, those of fixtures/. Streams of which the script
prints something else, or fails, are named and left out.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    script: { type: 'string' },
    python: { type: 'string', default: '/usr/bin/python3' },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
  process.exit();
}

const root = fileURLToPath(new URL('..', import.meta.url));
const vmwalk = [process.execPath, join(root, 'dist/cli/main.js')];
const fixtures = join(root, 'fixtures/streams');
const given =
  positionals.length > 0 ? positionals : readdirSync(fixtures).map((name) => join(fixtures, name));
const cache = join(root, '.bench');
mkdirSync(cache, { recursive: true });
const script = values.script ?? fetchScript(cache);
const folder = mkdtempSync(join(tmpdir(), 'bench-'));
/** Ratios to the time of the script, over all streams. */
const ratios = { exactly: [], opened: [] };
try {
  process.stdout.write(`${'stream'.padEnd(40)} script s  --analyze-migration  dump\n`);
  for (const file of given) await compare(file);
} finally {
  rmSync(folder, { recursive: true });
}
const worst = (list) => Math.max(...list).toFixed(2);
process.stdout.write(
  `${ratios.exactly.length} streams: --analyze-migration takes ${median(ratios.exactly).toFixed(2)} times the script's CPU time ` +
    `(at most ${worst(ratios.exactly)}), dump ${median(ratios.opened).toFixed(2)} (at most ${worst(ratios.opened)})\n`,
);

/** @param {string} file */
async function compare(file) {
  const name = basename(file).replace(/(\.qevm)?\.gz$/, '');
  if (!/\.qevm(\.gz)?$/.test(file)) return;
  const stream = join(folder, name);
  const bytes = readFileSync(file);
  writeFileSync(stream, file.endsWith('.gz') ? gunzipSync(bytes) : bytes);
  const commands = {
    script: [values.python, script, '-f', stream],
    exactly: [...vmwalk, 'dump', '--analyze-migration', stream],
    opened: [...vmwalk, 'dump', stream],
  };
  const [said, printed] = [await outputHash(commands.script), await outputHash(commands.exactly)];
  if (said !== printed) {
    // The script gives up on some streams, and on those without a vmdesc.
    process.stdout.write(
      `${name.padEnd(40)} not the same as what the script prints, which may have failed\n`,
    );
    return;
  }
  const taken = { script: [], exactly: [], opened: [] };
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [key, command] of Object.entries(commands)) taken[key].push((await measure(command)).cpu ?? 0);
  const base = median(taken.script);
  const row = [median(taken.exactly), median(taken.opened)].map((seconds) => seconds / base);
  ratios.exactly.push(row[0]);
  ratios.opened.push(row[1]);
  process.stdout.write(
    `${name.padEnd(40)} ${base.toFixed(2).padStart(8)}  ${row[0].toFixed(2).padStart(19)}  ${row[1].toFixed(2).padStart(4)}\n`,
  );
}
