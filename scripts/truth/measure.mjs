#!/usr/bin/env node
/**
 * Measures how well streams are read without their vmdesc: the truth is the vmdesc of the same bytes. Prints a table
 * for the README.
 */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { memorySource, openVm, walk } from '../../dist/index.js';
import { layoutOf } from '../../dist/layout/open.js';
import { SchemaTables } from '../../dist/layout/tables.js';
import { builtinSchemas } from '../../dist/node/builtin-schema-index.js';
import { openSchema } from '../../dist/node/schema-file.js';
import { learnSchema } from '../../dist/ops/schema-learn.js';

const HELP = `Usage: node scripts/truth/measure.mjs [--details] [--learn] STREAM…

STREAM is a migration stream with a vmdesc, plain or .gz. Its QEMU version is taken from the part of its name that
looks like one (qemu-7.2-…, v72-…), its target from the machine type. Run "npm run build" first.

--learn: of the streams of each version and target every second one is read by a schema learned from the others, as far
as its VMSDs were in them.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { details: { type: 'boolean' }, learn: { type: 'boolean' }, help: { type: 'boolean' } },
});
if (values.help || positionals.length === 0) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 2);
}

const index = await builtinSchemas();
const tablesByName = new Map();
const rows = new Map();
const problems = new Map();

for (const file of values.learn ? await learnFromOthers(positionals) : positionals) {
  const opened = await open(file);
  const entry = entryOf(file, opened);
  if (!entry) continue;
  const version = streamVersion(basename(file));
  const tables = await tablesOf(entry.name);
  const seen = values.learn && new Set(tables.schema.vmsds.map(({ name }) => name));
  const row = rows.get(version) ?? {
    streams: 0,
    sections: 0,
    identical: 0,
    chosenRight: 0,
    chosenWrong: 0,
    gaps: 0,
    leaves: 0,
    leavesRight: 0,
    exactWrong: 0,
    vmsds: new Set(),
    slowest: 0,
  };
  rows.set(version, row);
  row.streams++;
  for (const section of opened.stream.sections) {
    if (section.scanner) continue;
    const truth = await layoutOf(opened, section);
    if (truth.root.vmsdName === undefined || (seen && !seen.has(truth.root.vmsdName))) continue;
    const start = performance.now();
    const layout = await layoutOf({ ...opened, schema: undefined, tables }, section);
    row.slowest = Math.max(row.slowest, performance.now() - start);
    const expected = valueLines(truth.root);
    const found = valueLines(layout.root);
    const right = [...expected].filter(([key, value]) => found.get(key) === value).length;
    const identical = right === expected.size && found.size === expected.size;
    const chosen = layout.diagnostics.some(({ code }) => code === 'chosen-reading');
    const failed =
      layout.diagnostics.some(({ severity }) => severity === 'error') || layout.root.vmsdName === undefined;
    row.sections++;
    row.leaves += expected.size;
    row.leavesRight += right;
    for (const { node } of walk(truth.root))
      if (node.kind === 'struct' && node.vmsdName) row.vmsds.add(node.vmsdName);
    if (identical) row.identical++;
    if (chosen) row[identical ? 'chosenRight' : 'chosenWrong']++;
    else if (failed) row.gaps++;
    else if (!identical) row.exactWrong++;
    if (!identical) {
      const what = `${section.idstr.split('/').at(-1)} ${version} ${chosen ? 'chosen' : failed ? 'gap' : 'WRONG'}: ${layout.diagnostics[0]?.message.slice(0, 90) ?? ''}`;
      problems.set(what, (problems.get(what) ?? 0) + 1);
    }
  }
}

process.stdout.write(
  '| QEMU | streams | VMSDs | sections | identical | chosen rightly | chosen wrongly | not read | wrong, said to be exact | leaves identical |\n',
);
process.stdout.write('|---|---|---|---|---|---|---|---|---|---|\n');
for (const [version, row] of [...rows].sort()) {
  const share = ((100 * row.leavesRight) / row.leaves).toFixed(2);
  process.stdout.write(
    `| ${version} | ${row.streams} | ${row.vmsds.size} | ${row.sections} | ${row.identical} | ${row.chosenRight} | ${row.chosenWrong} | ${row.gaps} | ${row.exactWrong} | ${share} % of ${row.leaves} |\n`,
  );
}
if (values.details) {
  for (const [what, count] of [...problems].sort((a, b) => b[1] - a[1]))
    process.stderr.write(`${count} ${what}\n`);
  for (const [version, { slowest }] of rows)
    process.stderr.write(`slowest section of ${version}: ${slowest.toFixed(0)} ms\n`);
}

async function open(file) {
  const raw = readFileSync(file);
  return openVm(memorySource(file.endsWith('.gz') ? gunzipSync(raw) : raw, file));
}

/** The built-in schema of the QEMU that wrote a stream with a vmdesc. */
function entryOf(file, { schema, stream }) {
  const version = streamVersion(basename(file));
  const entries = index.filter(
    ({ qemuVersion, machineTypes }) =>
      qemuVersion.startsWith(`${version}.`) && machineTypes.includes(stream.configuration?.machineType),
  );
  const entry = entries.find(({ target }) => basename(file).includes(`-${target}-`)) ?? entries.at(-1);
  return schema && entry;
}

/** Learns from every second stream of each version and target. Returns the others. */
async function learnFromOthers(files) {
  const builds = new Map();
  for (const file of files) {
    const entry = entryOf(file, await open(file));
    if (entry) builds.set(entry.name, [...(builds.get(entry.name) ?? []), file]);
  }
  const others = [];
  for (const [build, streams] of builds) {
    if (streams.length < 2) continue;
    const { schema } = await learnSchema(opened(streams.filter((_, i) => i % 2 === 0)));
    tablesByName.set(build, new SchemaTables(schema));
    others.push(...streams.filter((_, i) => i % 2 === 1));
  }
  return others;
}

async function* opened(files) {
  for (const file of files) yield open(file);
}

function streamVersion(name) {
  const [, major, minor] = /(?:^v|-)(\d{1,2})\.?(\d)-/.exec(name) ?? [];
  return `${major}.${minor}`;
}

async function tablesOf(name) {
  let tables = tablesByName.get(name);
  if (!tables) {
    tables = new SchemaTables(await openSchema(name));
    tablesByName.set(name, tables);
  }
  return tables;
}

/** Values by path, type and place; a field with a custom info counts as one value, whatever is inside. */
function valueLines(root) {
  const lines = new Map();
  let covered = -1;
  for (const { node, path } of walk(root)) {
    if (node.kind === 'array' || node.start < covered) continue;
    const value = node.kind === 'leaf' || node.value ? node.value : undefined;
    if (value === undefined || value === null) continue;
    if (node.kind === 'struct') covered = node.end;
    const text = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
    lines.set(`${path.join('\u0000')} ${node.type} ${node.start} ${node.end}`, text);
  }
  return lines;
}
