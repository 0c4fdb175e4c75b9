import { DecodeError, printable } from '../bytes/diagnostic.ts';
import { eachMark } from '../bytes/json-excess.ts';
import {
  asArray,
  asInt32,
  asObject,
  asString,
  type CheckedObject,
  InvalidJson,
  JsonProblem,
  parseCheckedJson,
} from './checked-json.ts';

/**
 * What `qemu-system-X -dump-vmstate FILE` prints (migration/savevm.c, dump_vmstate_json_to_file): for each QOM type of a
 * device the VMSD of its class, with names, versions and sizes in memory, but no types, flags, offsets or tests. A VMSD
 * that no class has (timers, the RTC of a board, `cpu_common` …) is not in it.
 */
export interface DumpVmstate {
  /** Name of the machine type that QEMU was started with; `none` mostly. */
  readonly machineType: string | undefined;
  /** QEMU 8.0 and later print how many elements an array has; before, nothing tells an array from a single member. */
  readonly hasCounts: boolean;
  /** QEMU crashed while it printed (5.2 does for ppc64): only the devices before that are there. */
  readonly isCut: boolean;
  readonly devices: readonly DumpedDevice[];
}

export interface DumpedDevice {
  /** QOM type. */
  readonly type: string;
  readonly versionId: number;
  readonly minimumVersionId: number;
  readonly vmsd: DumpedVmsd;
}

export interface DumpedVmsd {
  /** Undefined for one that gets its name at run time, and where a dump has no description. */
  readonly name: string | undefined;
  readonly versionId: number;
  readonly minimumVersionId: number;
  readonly fields: readonly DumpedField[];
  readonly subsections: readonly DumpedVmsd[];
}

export interface DumpedField {
  readonly name: string;
  readonly versionId: number;
  readonly fieldExists: boolean;
  /** Elements, of an array of fixed length. Signed. */
  readonly num: number | undefined;
  /** Bytes of one element in memory. */
  readonly size: number;
  readonly vmsd: DumpedVmsd | undefined;
}

/** Brackets inside each other; real dumps have some 20. */
const MAX_DEPTH = 256;
const MACHINE = 'vmschkmachine';
/** What printf makes of the name of a VMSD that has none. */
const NO_NAME = '(null)';

/** Is a text one of QEMU's dumps, as far as can be told without reading it? */
export function isDumpVmstate(text: string): boolean {
  return text.includes(`"${MACHINE}"`);
}

/**
 * Reads a dump, which may come from anybody: depth, types and ranges are checked. `name` is for messages. Throws
 * DecodeError `bad-schema`.
 */
export function parseDumpVmstate(text: string, name = '<dump>'): DumpVmstate {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw new DecodeError({
      severity: 'error',
      code: 'bad-schema',
      message: `${printable(name)} is no usable -dump-vmstate file: ${error.message}`,
    });
  }
}

function parse(text: string): DumpVmstate {
  let value: unknown;
  let isCut = false;
  try {
    value = parseCheckedJson(text, MAX_DEPTH);
  } catch (error) {
    const whole = error instanceof InvalidJson ? wholeEntries(text) : undefined;
    if (whole === undefined) throw error;
    value = whole;
    isCut = true;
  }
  const json = asObject(value, 'the file');
  let machineType: string | undefined;
  const devices: DumpedDevice[] = [];
  const reader = new DumpReader();
  for (const [type, member] of Object.entries(json)) {
    const entry = asObject(member, type);
    if (type === MACHINE) {
      if (typeof entry['Name'] === 'string')
        machineType = asString(entry['Name'], 'the name of the machine type');
    } else devices.push(reader.device(type, entry));
  }
  return { machineType, hasCounts: reader.hasCounts, isCut, devices };
}

/**
 * The devices before the place where a dump breaks off. Undefined where it does not break off, but is no JSON: it ends
 * at another level than it should, or has no complete device.
 */
function wholeEntries(text: string): unknown {
  let depth = 0;
  let end = 0;
  eachMark(text, (_mark, behind, offset) => {
    if (behind === 1 && behind < depth) end = offset + 1;
    depth = behind;
  });
  if (depth < 1 || end === 0) return undefined;
  try {
    return JSON.parse(`${text.slice(0, end)}}`);
  } catch {
    return undefined;
  }
}

class DumpReader {
  hasCounts = false;

  device(type: string, json: CheckedObject): DumpedDevice {
    const description = json['Description'];
    const versionId = asInt32(json['version_id'], `${type}.version_id`);
    const minimumVersionId = asInt32(json['minimum_version_id'], `${type}.minimum_version_id`);
    return {
      type: asString(type, 'the name of a device'),
      versionId,
      minimumVersionId,
      vmsd:
        description === undefined
          ? { name: undefined, versionId, minimumVersionId, fields: [], subsections: [] }
          : this.#vmsd(description, type),
    };
  }

  #vmsd(value: unknown, path: string): DumpedVmsd {
    const json = asObject(value, path);
    const name = asString(json['name'], `${path}.name`);
    return {
      name: name === NO_NAME ? undefined : name,
      versionId: asInt32(json['version_id'], `${path}.version_id`),
      minimumVersionId: asInt32(json['minimum_version_id'], `${path}.minimum_version_id`),
      fields: asOptionalArray(json['Fields'], `${path}.Fields`).map((field, i) =>
        this.#field(field, `${path}.Fields[${i}]`),
      ),
      subsections: asOptionalArray(json['Subsections'], `${path}.Subsections`).map((subsection, i) =>
        this.#vmsd(subsection, `${path}.Subsections[${i}]`),
      ),
    };
  }

  #field(value: unknown, path: string): DumpedField {
    const json = asObject(value, path);
    const { num, size, field_exists: fieldExists, Description: description } = json;
    if (typeof fieldExists !== 'boolean') throw new JsonProblem(`"${path}.field_exists" is no boolean`);
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw new JsonProblem(`"${path}.size" is no size`);
    if (num !== undefined) this.hasCounts = true;
    return {
      name: asString(json['field'], `${path}.field`),
      versionId: asInt32(json['version_id'], `${path}.version_id`),
      fieldExists,
      num: num === undefined ? undefined : asInt32(num, `${path}.num`),
      size,
      vmsd: description === undefined ? undefined : this.#vmsd(description, `${path}.Description`),
    };
  }
}

/** What is not there has no elements. */
function asOptionalArray(value: unknown, path: string): readonly unknown[] {
  return value === undefined ? [] : asArray(value, path);
}
