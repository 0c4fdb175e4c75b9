import { encodeText } from '../bytes/byte-writer.ts';
import { DecodeError, type PathComponent, printable } from '../bytes/diagnostic.ts';
import type { ArrayNode } from '../layout/node.ts';
import { NULL_POINTER_FORMS, type VmdescForm } from '../ops/write-vmdesc.ts';
import {
  asArray,
  asBoolean,
  asInteger,
  asObject,
  asText,
  type CheckedObject,
  JsonProblem,
  parseCheckedJson,
} from '../schema/checked-json.ts';
import type { WrittenValue } from './leaf-value.ts';

/** A node of a decoded section, as somebody has left it. */
export type DecodedNode = DecodedLeaf | DecodedStruct | DecodedArray;

export interface DecodedLeaf {
  readonly kind: 'leaf' | 'gap';
  readonly name: PathComponent;
  readonly type: string;
  readonly value: WrittenValue;
  /** Hex digits of what is written where the value stays as it was. */
  readonly bytes?: string | undefined;
}

export interface DecodedStruct {
  readonly kind: 'struct';
  readonly name: PathComponent;
  readonly type: string;
  readonly vmsdName: string | undefined;
  readonly versionId: number | undefined;
  /** Hex digits: the bytes of a custom info that was opened up, which are those of its fields. */
  readonly value?: string | undefined;
  readonly children: readonly DecodedNode[];
}

export interface DecodedArray {
  readonly kind: 'array';
  readonly name: PathComponent;
  readonly type: string;
  readonly length: number;
  readonly described: ArrayNode['described'];
  readonly children: readonly DecodedNode[];
  /** Integers beside each other, where they stand so in the file; `children` are made of them when they are asked for. */
  readonly values?: readonly WrittenValue[] | undefined;
}

/** An array of values, of which there can be millions. */
class DecodedValues implements DecodedArray {
  readonly kind = 'array';
  readonly name: PathComponent;
  readonly type: string;
  readonly length: number;
  readonly described: ArrayNode['described'];
  readonly values: readonly WrittenValue[];
  #children: readonly DecodedNode[] | undefined;

  constructor(
    { name, type, length, described }: Omit<DecodedArray, 'children'>,
    values: readonly WrittenValue[],
  ) {
    this.name = name;
    this.type = type;
    this.length = length;
    this.described = described;
    this.values = values;
  }

  get children(): readonly DecodedNode[] {
    const { type } = this;
    this.#children ??= this.values.map((value, i) => ({ kind: 'leaf', name: i, type, value }));
    return this.#children;
  }
}

/** A section, by its identity, and what is in it. */
export interface DecodedSection {
  readonly section: string;
  readonly instanceId: number;
  /** Id of the section in its stream, where that is known. */
  readonly id?: number;
  readonly root: DecodedStruct;
  /** The file and the line of a place in its JSON, for a message. */
  readonly where?: (path: readonly (string | number)[]) => Promise<string>;
}

/** Where a node stands in the JSON of its section; undefined for one that is not in it. */
export function placeInJson(root: DecodedNode, node: DecodedNode): (string | number)[] | undefined {
  if (root === node) return [];
  if (!('children' in root)) return undefined;
  for (const [i, child] of root.children.entries()) {
    const below = placeInJson(child, node);
    if (!below) continue;
    if (root.kind === 'struct') return ['fields', i, ...below];
    return [root.values ? 'values' : 'elements', i, ...below];
  }
  return undefined;
}

/** Levels of a file: two for each of the tree, which no walk makes deeper than 128. */
const MAX_DEPTH = 300;
/** Of an idstr, a type, a name. */
const MAX_NAME = 4096;
const DESCRIBED = ['first', 'each', 'pointers', 'markers'] as const;

/**
 * Reads what `decodedSectionJson` wrote, and what was done to it since. Throws DecodeError `bad-argument`.
 */
export function parseDecodedSection(text: string, file: string): DecodedSection {
  return parseFile(text, file, (value) => {
    const object = asObject(value, 'the file');
    return {
      section: idstrText(object['section'], 'section'),
      instanceId: asInteger(object['instance'], 0, 0xffff_ffff, 'instance'),
      root: {
        kind: 'struct',
        name: '',
        type: 'section',
        vmsdName: optional(object['vmsd'], (each) => nameText(each, 'vmsd')),
        versionId: optional(object['version'], (each) => version(each, 'version')),
        children: nodes(object['fields'], 'fields'),
      },
    };
  });
}

/** Parses JSON and reads it; what is wrong is said with the file. */
export function parseFile<T>(text: string, file: string, read: (value: unknown) => T): T {
  try {
    return read(parseCheckedJson(text, MAX_DEPTH));
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw new DecodeError(
      { severity: 'error', code: 'bad-argument', message: error.message },
      { cause: error, source: file },
    );
  }
}

export function nameText(value: unknown, path: string): string {
  const text = asText(value, path);
  if (text.length > MAX_NAME) throw new JsonProblem(`"${path}" has ${text.length} characters`);
  return text;
}

/** Of a section: a byte has its length. */
export function idstrText(value: unknown, path: string): string {
  const text = asText(value, path);
  const { byteLength } = encodeText(text);
  if (byteLength < 1 || byteLength > 255)
    throw new JsonProblem(`"${path}" has ${byteLength} bytes; 1 to 255 are possible`);
  return text;
}

export function version(value: unknown, path: string): number {
  return asInteger(value, -0x8000_0000, 0xffff_ffff, path);
}

export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}

function nodes(value: unknown, path: string): DecodedNode[] {
  return asArray(value, path).map((each, i) => node(asObject(each, `${path}[${i}]`), `${path}[${i}]`));
}

function node(object: CheckedObject, path: string): DecodedNode {
  const name = component(object['name'], `${path}.name`);
  const type = nameText(object['type'], `${path}.type`);
  if (object['fields'] !== undefined) {
    return {
      kind: 'struct',
      name,
      type,
      vmsdName: optional(object['vmsd'], (each) => nameText(each, `${path}.vmsd`)),
      versionId: optional(object['version'], (each) => version(each, `${path}.version`)),
      value: optional(object['value'], (each) => asText(each, `${path}.value`)),
      children: nodes(object['fields'], `${path}.fields`),
    };
  }
  const { elements, values } = object;
  if (elements !== undefined || values !== undefined) return array(object, name, type, path);
  return {
    kind: object['kind'] === 'gap' ? 'gap' : 'leaf',
    name,
    type,
    value: writtenValue(object['value'], `${path}.value`),
    bytes: optional(object['bytes'], (each) => asText(each, `${path}.bytes`)),
  };
}

function array(object: CheckedObject, name: PathComponent, type: string, path: string): DecodedArray {
  const { elements, values } = object;
  if (elements !== undefined && values !== undefined)
    throw new JsonProblem(`"${printable(path)}" has both "elements" and "values"`);
  const written =
    elements === undefined
      ? asArray(values, `${path}.values`).map((each, i) => writtenValue(each, `${path}.values[${i}]`))
      : undefined;
  const children = written ? [] : nodes(elements, `${path}.elements`);
  const count = written?.length ?? children.length;
  const facts = {
    kind: 'array' as const,
    name,
    type,
    length: asInteger(object['length'] ?? count, 0, 0xffff_ffff, `${path}.length`),
    described: optional(object['described'], (each) => oneOf(DESCRIBED, each, `${path}.described`)),
  };
  return written ? new DecodedValues(facts, written) : { ...facts, children };
}

function oneOf<T extends string>(words: readonly T[], value: unknown, path: string): T {
  const found = words.find((word) => word === value);
  if (found === undefined) throw new JsonProblem(`"${printable(path)}" is none of ${words.join(', ')}`);
  return found;
}

export function component(value: unknown, path: string): PathComponent {
  return typeof value === 'number' ? asInteger(value, 0, 0xffff_ffff, path) : nameText(value, path);
}

export function writtenValue(value: unknown, path: string): WrittenValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number')
    return asInteger(value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, path);
  throw new JsonProblem(`"${printable(path)}" is no value`);
}

/** A record of a manifest: what the stream consists of, in its order. */
export type ManifestRecord =
  | {
      readonly kind: 'section';
      readonly id: number;
      readonly idstr: string;
      readonly instanceId: number;
      readonly versionId: number;
      /** Name of the file with what is in it; undefined for RAM and the like, which only the base has. */
      readonly file: string | undefined;
    }
  | { readonly kind: 'configuration'; readonly file: string }
  | { readonly kind: 'command'; readonly name: string };

export interface ManifestVmdesc {
  readonly qemuVersion: string | undefined;
  /** Bytes. */
  readonly pageSize: number;
  readonly form: VmdescForm;
}

export interface Manifest {
  readonly base: { readonly size: number; readonly sha256: string };
  readonly footers: boolean;
  /** How the vmdesc of the base is written; undefined where it had none. */
  readonly vmdesc: ManifestVmdesc | undefined;
  readonly records: readonly ManifestRecord[];
}

export const MANIFEST_FORMAT = 'vmwalk-decoded';
const MANIFEST_VERSION = 1;
/** Names of files inside the folder, as they are written. */
const FILE_NAME = /^(?:sections\/)?[^/\\\0]{1,255}\.json$/;

/** Reads `manifest.json` of a decoded stream. Throws DecodeError `bad-argument`. */
export function parseManifest(text: string, file: string): Manifest {
  return parseFile(text, file, (value) => {
    const object = asObject(value, 'the file');
    if (object['format'] !== MANIFEST_FORMAT) throw new JsonProblem(`it is no manifest of "vmwalk decode"`);
    if (object['formatVersion'] !== MANIFEST_VERSION)
      throw new JsonProblem(
        `another vmwalk wrote it: format version ${String(object['formatVersion']).slice(0, 20)}`,
      );
    const base = asObject(object['base'], 'base');
    const records = asArray(object['records'], 'records').map((each, i) =>
      manifestRecord(each, `records[${i}]`),
    );
    const files = records.flatMap((record) =>
      'file' in record && record.file !== undefined ? [record.file] : [],
    );
    if (new Set(files).size < files.length) throw new JsonProblem('"records" has a file twice');
    const ids = records.flatMap((record) => (record.kind === 'section' ? [record.id] : []));
    if (new Set(ids).size < ids.length) throw new JsonProblem('"records" has a section twice');
    return {
      base: {
        size: asInteger(base['size'], 0, Number.MAX_SAFE_INTEGER, 'base.size'),
        sha256: asText(base['sha256'], 'base.sha256'),
      },
      footers: asBoolean(object['footers'], 'footers'),
      vmdesc: optional(object['vmdesc'], (each) => {
        const vmdesc = asObject(each, 'vmdesc');
        const qemuVersion = optional(vmdesc['qemuVersion'], (text) => nameText(text, 'vmdesc.qemuVersion'));
        return {
          qemuVersion,
          pageSize: asInteger(vmdesc['pageSize'], 1, 1 << 30, 'vmdesc.pageSize'),
          form: {
            configuration: asBoolean(vmdesc['configuration'], 'vmdesc.configuration'),
            nullPointer: oneOf(NULL_POINTER_FORMS, vmdesc['nullPointer'], 'vmdesc.nullPointer'),
          },
        };
      }),
      records,
    };
  });
}

function manifestRecord(value: unknown, path: string): ManifestRecord {
  const record = asObject(value, path);
  const file = optional(record['file'], (each) => {
    const name = asText(each, `${path}.file`);
    if (!FILE_NAME.test(name)) throw new JsonProblem(`"${path}.file" is no name of a file in the folder`);
    return name;
  });
  switch (record['kind']) {
    case 'section':
      return {
        kind: 'section',
        id: asInteger(record['id'], 0, 0xffff_ffff, `${path}.id`),
        idstr: idstrText(record['section'], `${path}.section`),
        instanceId: asInteger(record['instance'], 0, 0xffff_ffff, `${path}.instance`),
        versionId: asInteger(record['version'], 0, 0xffff_ffff, `${path}.version`),
        file,
      };
    case 'configuration':
      if (file === undefined) throw new JsonProblem(`"${path}" has no "file"`);
      return { kind: 'configuration', file };
    case 'command':
      return { kind: 'command', name: nameText(record['name'], `${path}.name`) };
    default:
      throw new JsonProblem(`"${path}.kind" is none of section, configuration and command`);
  }
}
