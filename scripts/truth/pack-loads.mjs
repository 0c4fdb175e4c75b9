#!/usr/bin/env node
/**
 * Turns what loads.mjs recorded into the fixtures that tests read: a table, and compressed archives of the streams and
 * profiles, of which each is nearly the same as many others.
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants } from 'node:zlib';

const HELP = `Usage: node scripts/truth/pack-loads.mjs --from DIR [--to DIR]

  --from DIR   the output directory of loads.mjs
  --to DIR     where the fixtures go (default: fixtures/loads)

loads.json holds
  machines  command lines: version of QEMU, target, arguments, and what happens before the migration
  files     a name for each stream and profile, the number N of the archive N.br that it is in, and its bytes there
            when that is decompressed
  cases     id, set, kind; source and destination as indexes into machines; stream and profile as indexes into files;
            splices: damage to the stream (locate-damage.mjs); loaded, words and end: what QEMU made of it
read-loads.mjs reads it.
`;

/** Bytes in an archive, decompressed: not more than brotli's window. */
const ARCHIVE_LENGTH = 2 ** 24 - 16;
/** Nearly as small as the best, in a tenth of the time. */
const QUALITY = 9;

const { values: options } = parseArgs({
  options: {
    from: { type: 'string' },
    to: { type: 'string', default: 'fixtures/loads' },
    help: { type: 'boolean' },
  },
});
if (options.help || options.from === undefined) {
  process.stdout.write(HELP);
  process.exit(options.help ? 0 : 2);
}
const { to } = options;

/** @type {import("./loads.mjs").Row[]} */
const rows = JSON.parse(readFileSync(join(options.from, 'loads.json'), 'utf8'));

/** @type {Map<string, number>} */
const machines = new Map();
/** By path. @type {Map<string, number>} */
const files = new Map();
const cases = rows.map(({ id, set, kind, source, destination, splices, verdict, base, profile }) => ({
  ...{ id, set, kind, source: machine(source), destination: machine(destination) },
  ...{ stream: indexOf(files, base), profile: indexOf(files, profile) },
  ...(splices ? { splices } : {}),
  ...verdict,
}));

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
/** @type {{ name: string, archive: number, start: number, end: number }[]} */
const places = [];
/** @type {Buffer[]} */
let parts = [];
let archive = 0;
let length = 0;
// By name, so that those that are alike are next to each other.
for (const [path, index] of [...files].sort(([one], [other]) => (basename(one) < basename(other) ? -1 : 1))) {
  const bytes = readFileSync(path);
  if (length + bytes.length > ARCHIVE_LENGTH) writeArchive();
  places[index] = { name: basename(path, '.qevm'), archive, start: length, end: length + bytes.length };
  parts.push(bytes);
  length += bytes.length;
}
writeArchive();
const table = { machines: [...machines.keys()].map((text) => JSON.parse(text)), files: places, cases };
const lists = Object.entries(table).map(
  ([name, list]) => `"${name}": [\n${list.map((one) => JSON.stringify(one)).join(',\n')}\n]`,
);
writeFileSync(join(to, 'loads.json'), `{${lists.join(',\n')}}\n`);

/** @param {import("./loads.mjs").Machine} one */
function machine(one) {
  return indexOf(machines, JSON.stringify(one));
}

function writeArchive() {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
  };
  writeFileSync(join(to, `${archive}.br`), brotliCompressSync(Buffer.concat(parts), { params }));
  archive++;
  parts = [];
  length = 0;
}

/** @param {Map<string, number>} map @param {string} key */
function indexOf(map, key) {
  const index = map.get(key) ?? map.size;
  map.set(key, index);
  return index;
}
