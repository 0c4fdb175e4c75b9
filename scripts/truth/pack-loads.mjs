#!/usr/bin/env node
/**
 * Turns what loads.mjs recorded into the fixtures that tests read: a table, and compressed archives of the streams and
 * profiles, of which each is nearly the same as many others.
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants } from 'node:zlib';

const HELP = `Usage: node scripts/truth/pack-loads.mjs --from DIR [--to DIR] [--add]

  --from DIR   the output directory of loads.mjs
  --to DIR     where the fixtures go (default: fixtures/loads)
  --add        keep what is there, and put those behind it whose ids are new

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
    add: { type: 'boolean', default: false },
    help: { type: 'boolean' },
  },
});
if (options.help || options.from === undefined) {
  process.stdout.write(HELP);
  process.exit(options.help ? 0 : 2);
}
const { to } = options;

/** @type {import("./loads.mjs").Row[]} */
const recorded = JSON.parse(readFileSync(join(options.from, 'loads.json'), 'utf8'));
/** @type {{ machines: object[], files: Place[], cases: { id: string }[] }} */
const before = options.add
  ? JSON.parse(readFileSync(join(to, 'loads.json'), 'utf8'))
  : { machines: [], files: [], cases: [] };
const known = new Set(before.cases.map(({ id }) => id));
const rows = recorded.filter(({ id }) => !known.has(id));

/** @type {Map<string, number>} */
const machines = new Map(before.machines.map((one, index) => [JSON.stringify(one), index]));
/** By path. @type {Map<string, number>} */
const files = new Map();
const cases = rows.map(({ id, set, kind, source, destination, splices, verdict, base, profile }) => ({
  ...{ id, set, kind, source: machine(source), destination: machine(destination) },
  ...{ stream: fileOf(base), profile: fileOf(profile) },
  ...(splices ? { splices } : {}),
  ...verdict,
}));

if (!options.add) rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
/** @typedef {{ name: string, archive: number, start: number, end: number }} Place */
/** @type {Place[]} */
const places = [...before.files];
/** @type {Buffer[]} */
let parts = [];
let archive = 1 + Math.max(-1, ...before.files.map((file) => file.archive));
let length = 0;
// By name, so that those that are alike are next to each other.
for (const [path, index] of [...files].sort(([one], [other]) => (basename(one) < basename(other) ? -1 : 1))) {
  const bytes = readFileSync(path);
  if (length + bytes.length > ARCHIVE_LENGTH) writeArchive();
  places[before.files.length + index] = {
    name: basename(path, '.qevm'),
    archive,
    start: length,
    end: length + bytes.length,
  };
  parts.push(bytes);
  length += bytes.length;
}
writeArchive();
const table = {
  machines: [...machines.keys()].map((text) => JSON.parse(text)),
  files: places,
  cases: [...before.cases, ...cases],
};
const lists = Object.entries(table).map(
  ([name, list]) => `"${name}": [\n${list.map((one) => JSON.stringify(one)).join(',\n')}\n]`,
);
writeFileSync(join(to, 'loads.json'), `{${lists.join(',\n')}}\n`);

/** @param {import("./loads.mjs").Machine} one */
function machine(one) {
  return indexOf(machines, JSON.stringify(one));
}

/** @param {string} path */
function fileOf(path) {
  return before.files.length + indexOf(files, path);
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
