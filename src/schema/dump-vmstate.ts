import { DecodeError, printable } from '../bytes/diagnostic.ts';
import { nestingDepth } from './vmdesc.ts';

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

/** Characters; real dumps have up to 2.2 million. */
const MAX_TEXT = 64 << 20;
/** Brackets inside each other; real dumps have some 20. */
const MAX_DEPTH = 256;
const MAX_NAME = 1024;
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
    if (!(error instanceof DumpProblem)) throw error;
    throw new DecodeError({
      severity: 'error',
      code: 'bad-schema',
      message: `${printable(name)} is no usable -dump-vmstate file: ${printable(error.message)}`,
    });
  }
}

/** Turned into a DecodeError with the name of the file. */
class DumpProblem extends Error {}

type JsonObject = Readonly<Record<string, unknown>>;

function parse(text: string): DumpVmstate {
  if (text.length > MAX_TEXT) throw new DumpProblem(`it has ${text.length} characters, more than can be`);
  if (nestingDepth(text) > MAX_DEPTH) throw new DumpProblem(`it nests deeper than ${MAX_DEPTH} levels`);
  let value: unknown;
  let isCut = false;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const whole = wholeEntries(text);
    if (whole === undefined)
      throw new DumpProblem(`it is not valid JSON (${error instanceof Error ? error.message : ''})`);
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
      if (typeof entry['Name'] === 'string') machineType = entry['Name'].slice(0, MAX_NAME);
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
  let inString = false;
  let end = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) i++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) depth++;
    else if ((code === 0x7d || code === 0x5d) && --depth === 1) end = i + 1;
  }
  if (depth < 1 || end === 0) return undefined;
  try {
    return JSON.parse(`${text.slice(0, end)}}`);
  } catch {
    return undefined;
  }
}

class DumpReader {
  hasCounts = false;

  device(type: string, json: JsonObject): DumpedDevice {
    const description = json['Description'];
    const versionId = asInt32(json['version_id'], `${type}.version_id`);
    const minimumVersionId = asInt32(json['minimum_version_id'], `${type}.minimum_version_id`);
    return {
      type: asName(type, 'the name of a device'),
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
    const name = asName(json['name'], `${path}.name`);
    return {
      name: name === NO_NAME ? undefined : name,
      versionId: asInt32(json['version_id'], `${path}.version_id`),
      minimumVersionId: asInt32(json['minimum_version_id'], `${path}.minimum_version_id`),
      fields: asArray(json['Fields'], `${path}.Fields`).map((field, i) =>
        this.#field(field, `${path}.Fields[${i}]`),
      ),
      subsections: asArray(json['Subsections'], `${path}.Subsections`).map((subsection, i) =>
        this.#vmsd(subsection, `${path}.Subsections[${i}]`),
      ),
    };
  }

  #field(value: unknown, path: string): DumpedField {
    const json = asObject(value, path);
    const { num, size, field_exists: fieldExists, Description: description } = json;
    if (typeof fieldExists !== 'boolean') throw new DumpProblem(`"${path}.field_exists" is no boolean`);
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw new DumpProblem(`"${path}.size" is no size`);
    if (num !== undefined) this.hasCounts = true;
    return {
      name: asName(json['field'], `${path}.field`),
      versionId: asInt32(json['version_id'], `${path}.version_id`),
      fieldExists,
      num: num === undefined ? undefined : asInt32(num, `${path}.num`),
      size,
      vmsd: description === undefined ? undefined : this.#vmsd(description, `${path}.Description`),
    };
  }
}

function asObject(value: unknown, path: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DumpProblem(`"${path}" is no object`);
  return value as JsonObject;
}

/** What is not there has no elements. */
function asArray(value: unknown, path: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new DumpProblem(`"${path}" is no array`);
  return value;
}

function asInt32(value: unknown, path: string): number {
  if (typeof value !== 'number' || (value | 0) !== value)
    throw new DumpProblem(`"${path}" is no 32-bit integer`);
  return value;
}

function asName(value: unknown, path: string): string {
  if (typeof value !== 'string' || value.length > MAX_NAME)
    throw new DumpProblem(`"${path}" is no text of up to ${MAX_NAME} characters`);
  return value;
}
