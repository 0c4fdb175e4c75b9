import { type Diagnostic, formatPath, type PathComponent, printable } from '../bytes/diagnostic.ts';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { eachMark, excessOfJson } from '../bytes/json-excess.ts';
import type { Range } from '../bytes/range.ts';
import { type DeviceSchema, deviceKey, type FieldSchema, type Schema, type StructSchema } from './schema.ts';

/** JSON as it was parsed. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Real blobs nest to about 30; each VMSD level takes three. */
const MAX_DEPTH = 200;

/**
 * Nodes that arrays of a vmdesc may unfold to, beyond NODES_OF_A_BYTE for each byte of an element, and beyond the
 * characters of the vmdesc. Real ones have hardly any.
 */
const MAX_BARE_NODES = 100_000;
const NODES_OF_A_BYTE = 4;

/** Devices that a message names. */
const MAX_NAMED = 20;
/** Characters of a name; that of a subsection has 255 at the most, and the others are C identifiers. */
const MAX_NAME = 255;
/** Characters of a path; of real ones, some 150. */
const MAX_PATH = 1024;

/** The vmdesc blob: its JSON, and the schema made from it. */
interface Vmdesc {
  /** The JSON, or what could be saved of a damaged one. */
  readonly json: JsonObject;
  readonly schema: Schema;
}

/**
 * Makes a schema from the text of a vmdesc blob (migration/vmstate.c, vmsd_desc_field_start). The text is untrusted:
 * whatever is wrong in it becomes a diagnostic, and the devices that are right are kept. Undefined when nothing can be
 * used. `range` is where the text lies in the stream, for the diagnostics.
 */
export function parseVmdesc(
  text: string,
  range: Range,
): { vmdesc: Vmdesc | undefined; diagnostics: readonly Diagnostic[] } {
  const diagnostics = new DiagnosticList();
  const report = (message: string) =>
    diagnostics.add({ severity: 'error', code: 'bad-vmdesc', message, range });
  const excess = excessOfJson(text, MAX_DEPTH);
  if (excess !== undefined) {
    report(`the vmdesc cannot be QEMU's: ${excess}`);
    return { vmdesc: undefined, diagnostics: diagnostics.list() };
  }
  let json: unknown;
  let lostDevices: readonly LostDevice[] | undefined;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const { value, lost } = salvage(text);
    json = value;
    lostDevices = lost;
    const reason = printable(String(error instanceof Error ? error.message : error)).slice(0, 100);
    const named = lost
      .slice(0, MAX_NAMED)
      .map(({ idstr }) => printable(idstr))
      .join(', ');
    const others = lost.length > MAX_NAMED ? ` and ${lost.length - MAX_NAMED} more` : '';
    const names = lost.length === 0 ? '' : `; no description of ${named}${others}`;
    report(`the vmdesc is not valid JSON (${reason})${names}`);
  }
  if (!isJsonObject(json)) {
    report('the vmdesc is not a JSON object');
    return { vmdesc: undefined, diagnostics: diagnostics.list() };
  }
  const schema = new VmdescReader(range, diagnostics, lostDevices, MAX_BARE_NODES + text.length).read(json);
  return { vmdesc: { json, schema }, diagnostics: diagnostics.list() };
}

/** Where the description of a device begins. An idstr has 255 bytes at most, each of which may be written `\uNNNN`. */
const DEVICE_START =
  /\{\s*"name"\s*:\s*"((?:[^"\\]|\\.){0,1530})"\s*,\s*"instance_id"\s*:\s*(-?[0-9]{0,10})/g;

/** A device whose description is damaged, as far as it can be told which one it is. */
type LostDevice = Pick<DeviceSchema, 'idstr' | 'instanceId'>;

/**
 * Reads a damaged blob device by device, so that only those are lost that the damage is in: each begins in a way that
 * nothing else in a blob does.
 */
function salvage(text: string): { value: JsonObject; lost: readonly LostDevice[] } {
  const starts = [...text.matchAll(DEVICE_START)];
  const devices: JsonValue[] = [];
  const lost: LostDevice[] = [];
  for (const [i, match] of starts.entries()) {
    const device = parseDevice(text.slice(match.index, starts[i + 1]?.index));
    if (device === undefined) lost.push({ idstr: match[1] ?? '', instanceId: unsigned(match[2]) });
    else devices.push(device);
  }
  const pageSize = /"page_size"\s*:\s*([0-9]{1,9})\b/.exec(text)?.[1];
  return { value: { ...(pageSize === undefined ? {} : { page_size: Number(pageSize) }), devices }, lost };
}

/** The device that a piece of the text begins with, if it is whole; something else may follow it. */
function parseDevice(text: string): JsonValue | undefined {
  let end: number | undefined;
  eachMark(text, (_, depth, offset) => {
    if (depth === 0) end ??= offset + 1;
  });
  try {
    return end === undefined ? undefined : JSON.parse(text.slice(0, end));
  } catch {
    return undefined;
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The entries of a vmdesc's devices as they are in its JSON, with the device that each is of. */
export function deviceEntries({ devices }: JsonObject): {
  readonly entry: JsonObject;
  readonly idstr: string;
  readonly instanceId: number;
}[] {
  const entries = Array.isArray(devices) ? (devices as readonly JsonValue[]).filter(isJsonObject) : [];
  return entries.map((entry) => ({
    entry,
    idstr: String(entry['name']),
    instanceId: unsigned(entry['instance_id']),
  }));
}

/** QEMU prints the u32 of an instance id as signed in some versions. */
function unsigned(instanceId: unknown): number {
  return Number(instanceId) >>> 0;
}

/** Non-negative safe integers: sizes, counts, versions. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** TARGET_PAGE_SIZE, bytes, with room for targets that do not exist yet. */
function isPageSize(value: unknown): value is number {
  return isCount(value) && value >= 256 && value <= 1 << 20 && Number.isInteger(Math.log2(value));
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_NAME;
}

/** Gives up one device; caught where devices are read. */
class ShapeError extends Error {
  readonly path: readonly PathComponent[];
  constructor(message: string, path: readonly PathComponent[]) {
    super(message);
    this.path = path;
  }
}

/**
 * How many nodes the arrays of a struct unfold to beyond what the bytes of their elements account for: a section has as
 * many of these at the most as it has bytes, whatever the description says.
 */
function bareNodes({ fields, subsections }: StructSchema): number {
  let sum = 0;
  for (const { size, arrayLength, struct } of fields) {
    if (!struct) continue;
    if (arrayLength === undefined) sum += bareNodes(struct);
    else sum += arrayLength * Math.max(0, nodesOf(struct, size) - NODES_OF_A_BYTE * size);
  }
  for (const subsection of subsections) sum += bareNodes(subsection);
  return sum;
}

/** Nodes of a struct of `room` bytes at the most, itself included. */
function nodesOf({ fields, subsections }: StructSchema, room: number): number {
  let nodes = 1;
  for (const { size, arrayLength, struct } of fields) {
    const inner = Math.min(size, room);
    const element = struct ? nodesOf(struct, inner) : 1;
    if (arrayLength === undefined) nodes += element;
    else nodes += 1 + (inner === 0 ? 0 : Math.min(arrayLength, Math.floor(room / inner)) * element);
  }
  for (const subsection of subsections) nodes += 1 + nodesOf(subsection, room);
  return nodes;
}

class VmdescReader {
  readonly #range: Range;
  readonly #diagnostics: DiagnosticList;
  /** Undefined while nothing is known to be. */
  #lost: LostDevice[] | undefined;
  /** Nodes without bytes that are left. */
  #bareNodes: number;

  /** `lost`: what could not be parsed, where the text is damaged. `bareNodes`: see MAX_BARE_NODES. */
  constructor(
    range: Range,
    diagnostics: DiagnosticList,
    lost: readonly LostDevice[] | undefined,
    bareNodes: number,
  ) {
    this.#range = range;
    this.#diagnostics = diagnostics;
    this.#lost = lost && [...lost];
    this.#bareNodes = bareNodes;
  }

  read(json: JsonObject): Schema {
    const pageSize = json['page_size'];
    if (pageSize !== undefined && !isPageSize(pageSize))
      this.#report('"page_size" is no size that a page can have');
    const devices = json['devices'];
    if (!Array.isArray(devices)) this.#report('"devices" is missing or not an array');
    const read = (Array.isArray(devices) ? (devices as unknown[]) : []).flatMap((device, i) => {
      const name =
        isJsonObject(device) && typeof device['name'] === 'string'
          ? device['name'].slice(0, MAX_NAME)
          : `devices[${i}]`;
      const schema = this.#readTop(name, device, (value) => this.#device(value));
      if (!schema) {
        this.#lost ??= [];
        const instanceId = isJsonObject(device) ? unsigned(device['instance_id']) : 0;
        this.#lost.push({ idstr: name, instanceId });
      }
      return schema ?? [];
    });
    // Sections of one name and instance are told apart by their number, which is not known where one is lost.
    const lost = new Set(this.#lost?.map(deviceKey));
    return {
      pageSize: isPageSize(pageSize) ? pageSize : undefined,
      configuration: this.#readTop('configuration', json['configuration'], (value) =>
        this.#struct(value, []),
      ),
      devices: read.filter((device) => !lost.has(deviceKey(device))),
      isDamaged: this.#lost !== undefined || !Array.isArray(devices),
    };
  }

  /** Reads one device or the configuration; when its shape is wrong, it alone is given up. */
  #readTop<T>(section: string, value: unknown, read: (value: JsonObject) => T): T | undefined {
    if (value === undefined) return undefined;
    try {
      if (!isJsonObject(value)) throw new ShapeError('not an object', []);
      return read(value);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      this.#report(`its description in the vmdesc is unusable: ${error.message}`, {
        section,
        path: error.path,
      });
      return undefined;
    }
  }

  #device(json: JsonObject): DeviceSchema {
    const { name, instance_id: instanceId } = json;
    if (!isName(name)) throw new ShapeError('"name" is not a string of up to 255 characters', []);
    if (typeof instanceId !== 'number' || !Number.isSafeInteger(instanceId)) {
      throw new ShapeError('"instance_id" is not an integer', []);
    }
    const struct = this.#struct(json, []);
    const bare = bareNodes(struct);
    if (bare > this.#bareNodes)
      throw new ShapeError(`its arrays unfold to more than ${NODES_OF_A_BYTE} nodes for each byte`, []);
    this.#bareNodes -= bare;
    return { idstr: name, instanceId: unsigned(instanceId), ...struct };
  }

  #struct(json: JsonObject, path: readonly PathComponent[]): StructSchema {
    const { vmsd_name: vmsdName, version, fields, subsections } = json;
    if (formatPath(path).length > MAX_PATH)
      throw new ShapeError(`a path of more than ${MAX_PATH} characters`, path.slice(0, 1));
    if (vmsdName !== undefined && !isName(vmsdName))
      throw new ShapeError('"vmsd_name" is not a string of up to 255 characters', path);
    if (version !== undefined && (typeof version !== 'number' || !Number.isSafeInteger(version))) {
      throw new ShapeError('"version" is not an integer', path);
    }
    if (fields !== undefined && !Array.isArray(fields))
      throw new ShapeError('"fields" is not an array', path);
    if (subsections !== undefined && !Array.isArray(subsections)) {
      throw new ShapeError('"subsections" is not an array', path);
    }
    return {
      vmsdName,
      versionId: version,
      fields: ((fields as JsonValue[] | undefined) ?? []).map((field) => this.#field(field, path)),
      subsections: ((subsections as JsonValue[] | undefined) ?? []).map((subsection) => {
        if (!isJsonObject(subsection)) throw new ShapeError('a subsection is not an object', path);
        const name = subsection['vmsd_name'];
        if (!isName(name)) throw new ShapeError('a subsection without "vmsd_name"', path);
        return this.#struct(subsection, [...path, name]);
      }),
    };
  }

  #field(json: JsonValue, path: readonly PathComponent[]): FieldSchema {
    if (!isJsonObject(json)) throw new ShapeError('a field is not an object', path);
    const { name, type, size, array_len: arrayLength, index, struct } = json;
    if (!isName(name)) throw new ShapeError('a field without "name" of up to 255 characters', path);
    const here = [...path, name];
    if (!isName(type)) throw new ShapeError('"type" is not a string of up to 255 characters', here);
    if (!isCount(size)) throw new ShapeError('"size" is not a non-negative integer', here);
    if (arrayLength !== undefined && !isCount(arrayLength)) {
      throw new ShapeError('"array_len" is not a non-negative integer', here);
    }
    if (index !== undefined && !isCount(index))
      throw new ShapeError('"index" is not a non-negative integer', here);
    let nested: StructSchema | undefined;
    if (struct !== undefined) {
      if (!isJsonObject(struct)) throw new ShapeError('"struct" is not an object', here);
      nested = this.#struct(struct, here);
    } else if (json['fields'] !== undefined) {
      // A vstruct, and infos such as tmp, write the VMSD straight into the field.
      nested = this.#struct(json, here);
    }
    return { name, type, size, arrayLength, index, struct: nested };
  }

  #report(message: string, at: Partial<Diagnostic> = {}): void {
    this.#diagnostics.add({ severity: 'error', code: 'bad-vmdesc', message, range: this.#range, ...at });
  }
}
