/**
 * Measures how long it takes to read device state by VMSD tables alone, section by section, as for a stream without a
 * vmdesc. See README.md beside this file.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

const USAGE = `Usage: node bench/sections.mjs [options] [STREAM…]

Reads each section of streams (those of fixtures/ where none is given) by the built-in tables that fit best, and prints
what it took: milliseconds of CPU time, runs of the search, bytes.

  --section NAME  only sections of this device (xhci); may be given several times
  --schema FILE   this schema instead of the built-in ones
  --all           each section; else the slowest ten, and for each kind of section how time grows with size
  --rounds N      times that each section is read; the fastest counts (1)
`;

const SLOWEST = 10;
/** Of a kind with a section of this many bytes more than another, growth can be told. */
const FACTOR = 2;

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * @typedef {object} Measured
 * @property {string} file
 * @property {string} kind Last part of the idstr.
 * @property {number} bytes
 * @property {number} ms
 * @property {number} states
 * @property {boolean} chosen
 */

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      section: { type: 'string', multiple: true, default: [] },
      schema: { type: 'string' },
      all: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '1' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return process.stdout.write(USAGE);
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('dist/ is missing: npm run build makes it');
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1');
  const folder = join(root, 'fixtures/streams');
  const files =
    positionals.length > 0
      ? positionals
      : readdirSync(folder)
          .filter((name) => name.endsWith('.qevm.gz'))
          .map((name) => join(folder, name));
  /** @type {Measured[]} */
  const sections = [];
  /** @type {{ file: string, ms: number, bytes: number }[]} */
  const streams = [];
  for (const file of files) {
    const measured = await measureStream(file, values, rounds);
    sections.push(...measured);
    const sum = (/** @type {'ms' | 'bytes'} */ figure) => measured.reduce((all, one) => all + one[figure], 0);
    streams.push({ file: basename(file), ms: sum('ms'), bytes: sum('bytes') });
  }
  console.log(`${sections.length} sections of ${files.length} streams\n`);
  if (values.all) return printSections(sections);
  console.log('slowest streams, all device state:');
  printRows([
    ['ms', 'bytes', 'stream'],
    ...slowest(streams).map(({ file, ms, bytes }) => [ms.toFixed(0), String(bytes), file]),
  ]);
  console.log('\nslowest sections:');
  printSections(slowest(sections));
  console.log('\ngrowth: the smallest and the largest section of a kind');
  printGrowth(sections);
}

/**
 * @param {string} file
 * @param {{ readonly section: string[], readonly schema?: string | undefined }} options
 * @param {number} rounds
 * @returns {Promise<Measured[]>}
 */
async function measureStream(file, { section: wanted, schema }, rounds) {
  const { memorySource, openVm } = await import('../dist/index.js');
  const { layoutOf } = await import('../dist/layout/open.js');
  const { SchemaTables } = await import('../dist/layout/tables.js');
  const { packagedSchemas } = await import('../dist/node/packaged-schemas.js');
  const { openSchema } = await import('../dist/node/schema-file.js');
  const bytes = readFileSync(file);
  const source = memorySource(file.endsWith('.gz') ? gunzipSync(bytes) : bytes, file);
  const options = { ignoreVmdesc: true };
  const opened =
    schema === undefined
      ? await openVm(source, { ...options, schemas: packagedSchemas })
      : await openVm(source, { ...options, tables: new SchemaTables(await openSchema(schema)) });
  if (!opened.tables) return [];
  let states = 0;
  const tables = new SchemaTables(opened.tables.schema, (effort) => {
    states += effort.states;
  });
  const measured = [];
  for (const section of opened.stream.sections) {
    const kind = section.idstr.slice(section.idstr.lastIndexOf('/') + 1);
    if (section.scanner || (wanted.length > 0 && !wanted.includes(kind))) continue;
    let ms = Number.POSITIVE_INFINITY;
    let layout;
    for (let round = 0; round < rounds; round++) {
      states = 0;
      const before = process.cpuUsage();
      layout = await layoutOf({ ...opened, tables, resolved: undefined }, section);
      ms = Math.min(ms, process.cpuUsage(before).user / 1000);
    }
    if (states === 0) continue;
    const { start, end } = layout.root;
    const chosen = layout.diagnostics.some(({ code }) => code === 'chosen-reading');
    measured.push({ file: basename(file), kind, bytes: end - start, ms, states, chosen });
  }
  return measured;
}

/**
 * @template {{ ms: number }} T
 * @param {readonly T[]} rows
 */
function slowest(rows) {
  return [...rows].sort((a, b) => b.ms - a.ms).slice(0, SLOWEST);
}

/** @param {readonly Measured[]} sections */
function printSections(sections) {
  printRows([
    ['ms', 'runs', 'bytes', 'ms/KB', '', 'section'],
    ...sections.map(({ file, kind, bytes, ms, states, chosen }) => [
      ms.toFixed(1),
      String(states),
      String(bytes),
      perKilobyte(ms, bytes),
      chosen ? '?' : '',
      `${kind} of ${file}`,
    ]),
  ]);
}

/** @param {readonly Measured[]} sections */
function printGrowth(sections) {
  const rows = [['bytes', 'ms/KB', 'bytes', 'ms/KB', 'section']];
  for (const kind of new Set(sections.map((section) => section.kind))) {
    const alike = sections.filter((section) => section.kind === kind).sort((a, b) => a.bytes - b.bytes);
    const [first, last] = [alike[0], alike.at(-1)];
    if (last.bytes < FACTOR * first.bytes || last.ms < 10) continue;
    const cells = [first, last].flatMap(({ bytes, ms }) => [String(bytes), perKilobyte(ms, bytes)]);
    rows.push([...cells, kind]);
  }
  printRows(rows);
}

/**
 * @param {number} ms
 * @param {number} bytes
 */
function perKilobyte(ms, bytes) {
  return ((ms * 1000) / Math.max(1, bytes)).toFixed(2);
}

/** @param {readonly (readonly string[])[]} rows */
function printRows(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    const last = row.length - 1;
    console.log(row.map((cell, i) => (i === last ? cell : cell.padStart(widths[i]))).join('  '));
  }
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
