// Takes a schema apart from all that some devices do not need: node scripts/truth/thin-schema.mjs IN OUT VMSD…
// Kept are VMSDs of these names and what is in them, QOM types that have them, with their parents and properties, and what
// machine types set of those.
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parseSchema, serializeSchema } from '../../dist/index.js';

const [from, to, ...names] = process.argv.slice(2);
if (names.length === 0) throw new Error('usage: thin-schema.mjs IN OUT VMSD…');
const read = readFileSync(from);
const schema = parseSchema(String(from.endsWith('.gz') ? gunzipSync(read) : read), from);

/** Numbers the rows of a table that are kept, in their order. */
class Kept {
  constructor(rows) {
    this.rows = rows;
    this.wanted = new Set();
  }
  add(index) {
    if (index === undefined || this.wanted.has(index)) return false;
    this.wanted.add(index);
    return true;
  }
  number(index) {
    return index === undefined ? undefined : this.order.indexOf(index);
  }
  finish(map) {
    this.order = [...this.wanted].sort((a, b) => a - b);
    return () => this.order.map((index) => map(this.rows[index]));
  }
}

const vmsds = new Kept(schema.vmsds);
const infos = new Kept(schema.infos);
const functions = new Kept(schema.functions);
const lists = new Kept(schema.propertyLists);
const types = new Set();

function keepVmsd(index) {
  if (!vmsds.add(index)) return;
  const { callbacks, fields, subsections } = schema.vmsds[index];
  for (const callback of Object.values(callbacks)) functions.add(callback);
  for (const { info, vmsd, fieldExists } of fields) {
    functions.add(fieldExists);
    if (infos.add(info))
      for (const name of ['get', 'put', 'load', 'save']) functions.add(schema.infos[info][name]);
    if (vmsd !== undefined) keepVmsd(vmsd);
  }
  for (const subsection of subsections) keepVmsd(subsection);
}

for (const [index, { name }] of schema.vmsds.entries()) if (names.includes(name)) keepVmsd(index);
const byName = new Map(schema.types.map((type) => [type.name, type]));
for (const type of schema.types) {
  if (!type.vmsds.some((index) => vmsds.wanted.has(index))) continue;
  for (let one = type; one && !types.has(one); one = byName.get(one.parent)) {
    types.add(one);
    for (const list of one.propertyLists) lists.add(list);
  }
}
const properties = new Set(
  [...lists.wanted].flatMap((list) => schema.propertyLists[list].properties.map(({ name }) => name)),
);
const pinned = schema.globalPropertyLists?.map((list) =>
  list.filter(({ property }) => properties.has(property)),
);

const made = [
  functions.finish((row) => row),
  infos.finish((row) => ({
    ...row,
    ...Object.fromEntries(['get', 'put', 'load', 'save'].map((name) => [name, functions.number(row[name])])),
  })),
  vmsds.finish((row) => ({
    ...row,
    callbacks: Object.fromEntries(
      Object.entries(row.callbacks).map(([name, at]) => [name, functions.number(at)]),
    ),
    fields: row.fields.map((field) => ({
      ...field,
      info: infos.number(field.info),
      vmsd: vmsds.number(field.vmsd),
      fieldExists: functions.number(field.fieldExists),
    })),
    subsections: row.subsections.map((index) => vmsds.number(index)),
  })),
  lists.finish((row) => row),
].map((rows) => rows());
const thin = {
  ...schema,
  functions: made[0],
  infos: made[1],
  vmsds: made[2],
  propertyLists: made[3],
  expressions: schema.expressions
    .filter((row) => functions.wanted.has(row.function))
    .map((row) => ({ ...row, function: functions.number(row.function) })),
  types: [...types].map((type) => ({
    ...type,
    vmsds: type.vmsds.filter((index) => vmsds.wanted.has(index)).map((index) => vmsds.number(index)),
    propertyLists: type.propertyLists.map((index) => lists.number(index)),
  })),
  ...(pinned ? { globalPropertyLists: pinned } : {}),
};
const text = serializeSchema(thin);
parseSchema(text, to);
writeFileSync(to, to.endsWith('.gz') ? gzipSync(text, { level: 9 }) : text);
