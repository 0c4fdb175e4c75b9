import { DecodeError, printable } from '../bytes/diagnostic.ts';
import { asArray, asObject, asString, JsonProblem, parseCheckedJson } from './checked-json.ts';
import type { GlobalProperty, QemuSchema } from './qemu-schema.ts';

/** Brackets inside each other: those of an answer, with a few members that are not looked at. */
const MAX_DEPTH = 16;
/** Real QEMUs have some 120. */
const MAX_MACHINES = 10_000;
/** Properties that one machine type sets; real ones have some 250. */
const MAX_PROPERTIES = 10_000;

/** What machine types set, as a schema has it. */
export type MachineTables = Pick<QemuSchema, 'globalPropertyLists' | 'machineProperties'>;

/**
 * Reads what a QEMU answered to `query-machines {"compat-props": true}` (QEMU 9.1 and later): the list of machine
 * types, in order of what each sets. Throws JsonProblem, also where the answer is that of an older QEMU.
 */
export function readQueryMachines(value: unknown, path: string): MachineTables {
  const machines = asArray(value, path);
  if (machines.length > MAX_MACHINES) throw new JsonProblem(`it has ${machines.length} machine types`);
  const read = machines.map((each, i) => {
    const machine = asObject(each, `[${i}]`);
    const properties = machine['compat-props'];
    return {
      machineType: asString(machine['name'], `[${i}].name`),
      properties: properties === undefined ? undefined : readProperties(properties, `[${i}].compat-props`),
    };
  });
  const names = new Set<string>();
  for (const [i, { machineType }] of read.entries()) {
    if (names.has(machineType))
      throw new JsonProblem(`"[${i}].name": ${printable(machineType).slice(0, 50)} is in it twice`);
    names.add(machineType);
  }
  // QEMU leaves the member out where a machine type sets nothing; one that does not know the argument refuses it.
  if (read.every(({ properties }) => properties === undefined))
    throw new JsonProblem('no machine type in it has "compat-props"');
  return machineTables(read.map(({ machineType, properties = [] }) => ({ machineType, properties })));
}

function readProperties(value: unknown, path: string): GlobalProperty[] {
  const properties = asArray(value, path);
  if (properties.length > MAX_PROPERTIES)
    throw new JsonProblem(`"${path}" has ${properties.length} elements`);
  return properties.map((each, i) => {
    const at = `${path}[${i}]`;
    const property = asObject(each, at);
    return {
      driver: asString(property['qom-type'], `${at}.qom-type`),
      property: asString(property['property'], `${at}.property`),
      value: asString(property['value'], `${at}.value`),
    };
  });
}

/** Machine types with all that each sets: what begins as another one goes on from there. */
function machineTables(
  machines: readonly { readonly machineType: string; readonly properties: readonly GlobalProperty[] }[],
): MachineTables {
  const globalPropertyLists: GlobalProperty[][] = [];
  const made = new Map<string, { readonly keys: readonly string[]; readonly lists: readonly number[] }>();
  const sorted = [...machines].sort((a, b) => a.properties.length - b.properties.length);
  for (const { machineType, properties } of sorted) {
    const keys = properties.map(({ driver, property, value }) => JSON.stringify([driver, property, value]));
    let start: { readonly keys: readonly string[]; readonly lists: readonly number[] } = {
      keys: [],
      lists: [],
    };
    for (const each of made.values())
      if (each.keys.length > start.keys.length && each.keys.every((key, i) => key === keys[i])) start = each;
    const lists = [...start.lists];
    if (keys.length > start.keys.length) {
      lists.push(globalPropertyLists.length);
      globalPropertyLists.push(properties.slice(start.keys.length));
    }
    made.set(machineType, { keys, lists });
  }
  return {
    globalPropertyLists,
    machineProperties: machines.map(({ machineType }) => ({
      machineType,
      globalPropertyLists: made.get(machineType)?.lists ?? [],
    })),
  };
}

/**
 * The same of a file with the answer: the list alone, the object that QMP sends (`{"return": […]}`), or a session of
 * QMP with that among its lines. `name` is for messages. Throws DecodeError `bad-schema`.
 */
export function parseQueryMachines(text: string, name = '<answer>'): MachineTables {
  try {
    return readQueryMachines(answerIn(text), 'the file');
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    const message = `${printable(name)} is no answer to query-machines {"compat-props": true}: ${error.message}`;
    throw new DecodeError({ severity: 'error', code: 'bad-schema', message });
  }
}

function answerIn(text: string): unknown {
  const lines = text
    .split('\n')
    .filter((line) => line.includes('"compat-props"') && line.trim().startsWith('{"return"'));
  const value = parseCheckedJson(lines.length === 1 ? lines[0]! : text, MAX_DEPTH);
  if (Array.isArray(value)) return value;
  const answer = asObject(value, 'the file');
  if (answer['error'] !== undefined) {
    const { desc } = asObject(answer['error'], 'error');
    throw new JsonProblem(`QEMU refused it (${printable(asString(desc, 'error.desc'))})`);
  }
  return asArray(answer['return'], 'return');
}
