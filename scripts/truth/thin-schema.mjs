// Takes a schema apart from all that some devices do not need: node scripts/truth/thin-schema.mjs IN OUT VMSD…
// Kept are VMSDs of these names, what is in them, and others of the same names, from which they could not be told
// otherwise; QOM types that have them, with their parents and properties, and what
// machine types set of those.
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parseSchema, serializeSchema } from '../../dist/index.js';

const [from, to, ...names] = process.argv.slice(2);
if (names.length === 0) throw new Error('usage: thin-schema.mjs IN OUT VMSD…');
const bytes = readFileSync(from);
const schema = parseSchema(String(from.endsWith('.gz') ? gunzipSync(bytes) : bytes), from);

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

const kept = new Set(names);
let size = -1;
while (size !== vmsds.wanted.size) {
  size = vmsds.wanted.size;
  for (const [index, { name }] of schema.vmsds.entries()) if (kept.has(name)) keepVmsd(index);
  for (const index of vmsds.wanted) kept.add(schema.vmsds[index].name);
}
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

const { symbols } = schema;
const structs = new Kept(symbols?.structs ?? []);
function keepStruct(index) {
  if (structs.add(index)) for (const { struct } of symbols.structs[index].members) keepStruct(struct);
}
for (const index of vmsds.wanted) keepStruct(symbols?.vmsds[index]?.struct);
const read = new Set();
for (const row of schema.expressions) if (functions.wanted.has(row.function)) noteGlobals(row.expression);
function noteGlobals(expression) {
  if (!Array.isArray(expression)) return;
  if (expression[0] === 'load' && expression[1] === 'global') read.add(expression[2]);
  for (const part of expression) noteGlobals(part);
}
const variables = (symbols?.variables ?? []).filter(({ offset, size }) =>
  [...read].some((address) => address >= offset && address < offset + size),
);
for (const { struct } of variables) keepStruct(struct);

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
  structs.finish((row) => ({
    ...row,
    members: row.members.map((member) => ({ ...member, struct: structs.number(member.struct) })),
  })),
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
  ...(symbols
    ? {
        symbols: {
          functions: functions.order.map((index) => symbols.functions[index]),
          vmsds: vmsds.order.map((index) => {
            const symbol = symbols.vmsds[index];
            return symbol && { ...symbol, struct: structs.number(symbol.struct) };
          }),
          structs: made[4],
          variables: variables.map((each) => ({ ...each, struct: structs.number(each.struct) })),
        },
      }
    : {}),
};
const text = serializeSchema(thin);
parseSchema(text, to);
writeFileSync(to, to.endsWith('.gz') ? gzipSync(text, { level: 9 }) : text);
