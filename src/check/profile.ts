import { decodeBase64, encodeBase64 } from '../bytes/base64.ts';
import { DecodeError, printable } from '../bytes/diagnostic.ts';
import { decodeText } from '../bytes/window.ts';
import { PROFILE_START } from '../containers/profile.ts';
import type { QueueRings, RingsUnread } from '../layout/open.ts';
import {
  asArray,
  asBoolean,
  asInteger,
  asObject,
  asText,
  type CheckedObject,
  JsonProblem,
  parseCheckedJson,
  quoted,
} from '../schema/checked-json.ts';
import { MAX_SCHEMA_DEPTH, schemaOfJson } from '../schema/parse-schema.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { schemaToJson } from '../schema/serialize-schema.ts';

/** The version of the format: a reader of profiles would take a capture for a whole stream. */
const VERSIONS = { profile: 1, capture: 2 } as const;
export const RINGS_VERSION = 1;
/** Brackets inside each other: those of a schema, and the one around it. */
const MAX_DEPTH = MAX_SCHEMA_DEPTH + 1;
const MAX_DEVICES = 100_000;
const MAX_PROPERTIES = 10_000;
const MAX_ROWS = 10_000;
const MAX_RANGES = 1_000_000;
/** Virtqueues of a VM whose rings are looked at. */
export const MAX_RING_QUEUES = 1 << 14;
/** An idstr has its length in a byte. */
const MAX_IDSTR = 255;
/** Virtqueues of a device. */
const MAX_QUEUES = 1024;
const RINGS_UNREAD: ReadonlySet<unknown> = new Set<RingsUnread>(['moved', 'untold', 'refused']);

/** What is known of a VM: docs/profile.md has it member by member. */
export interface Profile {
  /** `profile`: of one that was started for it. `capture`: of one that runs, whose stream is the state of devices alone. */
  readonly kind: 'profile' | 'capture';
  readonly qemu: {
    /** `11.1.3` */
    readonly version: string;
    /** What a distribution adds: `Debian 1:11.1.3+ds-1`; empty where there is nothing. */
    readonly package: string;
  };
  /** `x86_64`, `aarch64`, … */
  readonly target: string;
  /** As a stream has it: `pc-q35-11.1`. */
  readonly machineType: string;
  readonly kvm: boolean;
  /** Of the VM, as 32 hex digits; all zero where none was given. Absent in older profiles. */
  readonly uuid?: string;
  /** As it was given, with the options that were left out. */
  readonly commandLine: readonly string[];
  /** Lines that QEMU printed on standard error. */
  readonly messages: readonly string[];
  /** Migration capabilities by name, on or off. */
  readonly capabilities: Readonly<Record<string, boolean>>;
  readonly ramBlocks: readonly ProfileRamBlock[];
  /** CPUs that can be in the machine, those that are included. Absent in older profiles, and where none can be plugged. */
  readonly possibleCpus?: number;
  /** Names of block nodes, and of the back ends that they are the root of. Absent in older profiles. */
  readonly blockNodes?: readonly string[];
  /** The machine, and all devices in it. */
  readonly devices: readonly ProfileDevice[];
  /** Tables of the binary that ran; undefined where they could not be read. */
  readonly schema: QemuSchema | undefined;
  /** The VM's own migration stream, without pages of RAM; of a capture what `xen-save-devices-state` writes. */
  readonly stream: Uint8Array;
  /** Of a capture: how far guest and device were with virtqueues. Absent where the rings were not asked for. */
  readonly rings?: ProfileRings;
  /** Of a redacted capture: where its stream has zeros in place of what it had, in order, half open. */
  readonly redacted?: { readonly ranges: readonly (readonly [start: number, end: number])[] };
}

/** What was read of the rings of virtqueues, in memory, behind the capture. */
export interface ProfileRings {
  /** Of this part of the format. */
  readonly version: typeof RINGS_VERSION;
  readonly queues: readonly QueueRings[];
}

/** Lengths in bytes. */
export interface ProfileRamBlock {
  readonly name: string;
  /** Of the host's memory behind it. */
  readonly pageSize: number;
  readonly usedLength: number;
  /** What a resizable block can grow to. */
  readonly maxLength: number;
}

/** A value of a QOM property; an integer that is no exact number in JSON is its decimal text. */
export type PropertyValue = boolean | number | string;

export interface ProfileDevice {
  /** Of the object in QEMU's tree: `/machine/peripheral-anon/device[0]/virtio-backend`. */
  readonly path: string;
  /** QOM type: `virtio-net-device`. */
  readonly type: string;
  /** QOM path of the bus that the device sits on. */
  readonly bus?: string;
  /** What idstrs of its sections have in front of the last `/` (qdev_get_dev_path); absent where QEMU has none, or it is not known. */
  readonly devicePath?: string;
  readonly properties: Readonly<Record<string, PropertyValue>>;
  readonly pci?: ProfilePci;
  readonly virtio?: ProfileVirtio;
}

export interface ProfilePci {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly subsystemVendorId: number;
  readonly subsystemId: number;
  readonly regions: readonly ProfilePciRegion[];
}

export interface ProfilePciRegion {
  /** 0 to 5; 6 is the ROM. */
  readonly bar: number;
  readonly type: 'io' | 'memory';
  /** Bytes. */
  readonly size: number;
}

export interface ProfileVirtio {
  /** Device type of the virtio specification: 1 for network, … */
  readonly deviceId: number;
  readonly queues: number;
  /** Features that the device offers, as a set of bits. */
  readonly hostFeatures: bigint;
  /** Further ones by QEMU's name for them, whose bit is not known. */
  readonly unnumberedFeatures: readonly string[];
}

/** The published JSON of a profile, one line for each device. */
export function serializeProfile(profile: Profile): string {
  const { kind, schema, stream, devices, ...facts } = profile;
  const members: string[] = [`"version":${VERSIONS[kind]}`];
  if (kind !== 'profile') members.push(`"kind":${JSON.stringify(kind)}`);
  for (const [name, value] of Object.entries(facts)) members.push(`"${name}":${JSON.stringify(value)}`);
  members.push(
    `"devices":[\n${devices.map((device) => JSON.stringify(deviceToJson(device))).join(',\n')}\n]`,
  );
  if (schema) members.push(`"schema":${JSON.stringify(schemaToJson(schema))}`);
  members.push(`"stream":"${encodeBase64(stream)}"`);
  return `${PROFILE_START},\n${members.join(',\n')}\n}\n`;
}

function deviceToJson(device: ProfileDevice): object {
  const { virtio } = device;
  if (!virtio) return device;
  return { ...device, virtio: { ...virtio, hostFeatures: `0x${virtio.hostFeatures.toString(16)}` } };
}

/**
 * Reads the published JSON of a profile, which may come from anybody: every type and range is checked. Members that are
 * not known are ignored. `name` is for messages. Throws DecodeError `bad-profile`.
 */
export function parseProfile(json: string | Uint8Array, name = '<profile>'): Profile {
  try {
    const text = typeof json === 'string' ? json : decodeText(json);
    return readProfile(asObject(parseCheckedJson(text, MAX_DEPTH), 'the file'), name);
  } catch (error) {
    const isKnown =
      error instanceof JsonProblem || (error instanceof DecodeError && error.code === 'bad-schema');
    if (!isKnown) throw error;
    const message = `${printable(name)} is no usable profile: ${error.message}`;
    throw new DecodeError({ severity: 'error', code: 'bad-profile', message });
  }
}

function readProfile(json: CheckedObject, name: string): Profile {
  if (json['format'] !== 'vmwalk-profile') throw new JsonProblem('"format" is not "vmwalk-profile"');
  const { version, kind = 'profile' } = json;
  if (version !== VERSIONS.profile && version !== VERSIONS.capture) {
    const found = printable(String(version)).slice(0, 20);
    throw new JsonProblem(
      `"version" is ${found}, this program reads ${VERSIONS.profile} and ${VERSIONS.capture}`,
    );
  }
  if (kind !== 'profile' && kind !== 'capture')
    throw new JsonProblem('"kind" is neither "profile" nor "capture"');
  const qemu = asObject(json['qemu'], 'qemu');
  const bytes = decodeBase64(asText(json['stream'], 'stream'));
  if (!bytes) throw new JsonProblem('"stream" is no base64 text');
  return {
    kind,
    qemu: {
      version: asText(qemu['version'], 'qemu.version'),
      package: asText(qemu['package'], 'qemu.package'),
    },
    target: asText(json['target'], 'target'),
    machineType: asText(json['machineType'], 'machineType'),
    kvm: asBoolean(json['kvm'], 'kvm'),
    ...(json['uuid'] === undefined ? {} : { uuid: asText(json['uuid'], 'uuid') }),
    commandLine: asList(json['commandLine'], 'commandLine', MAX_ROWS, asText),
    messages: asList(json['messages'], 'messages', MAX_ROWS, asText),
    capabilities: asRecord(json['capabilities'], 'capabilities', asBoolean),
    ramBlocks: asList(json['ramBlocks'], 'ramBlocks', MAX_ROWS, readRamBlock),
    ...(json['possibleCpus'] === undefined
      ? {}
      : { possibleCpus: asSize(json['possibleCpus'], 'possibleCpus') }),
    ...(json['blockNodes'] === undefined
      ? {}
      : { blockNodes: asList(json['blockNodes'], 'blockNodes', MAX_ROWS, asText) }),
    devices: asList(json['devices'], 'devices', MAX_DEVICES, readDevice),
    schema: json['schema'] === undefined ? undefined : schemaOfJson(json['schema'], `${name} schema`),
    stream: bytes,
    ...(json['rings'] === undefined ? {} : { rings: readRings(json['rings']) }),
    ...(json['redacted'] === undefined ? {} : { redacted: readRedacted(json['redacted'], bytes.byteLength) }),
  };
}

function readRings(value: unknown): ProfileRings {
  const { version, queues } = asObject(value, 'rings');
  if (version !== RINGS_VERSION)
    throw new JsonProblem(`"rings.version" is not ${RINGS_VERSION}, which this program reads`);
  return { version, queues: asList(queues, 'rings.queues', MAX_RING_QUEUES, readQueueRings) };
}

function readQueueRings(value: unknown, path: string): QueueRings {
  const { section, instanceId, queue, indexes } = asObject(value, path);
  const idstr = asText(section, `${path}.section`);
  if (idstr.length > MAX_IDSTR)
    throw new JsonProblem(`"${path}.section" has more than ${MAX_IDSTR} characters`);
  return {
    section: idstr,
    instanceId: asInteger(instanceId, 0, 0xffff_ffff, `${path}.instanceId`),
    queue: asInteger(queue, 0, MAX_QUEUES - 1, `${path}.queue`),
    indexes: readIndexes(indexes, `${path}.indexes`),
  };
}

function readIndexes(value: unknown, path: string): QueueRings['indexes'] {
  if (typeof value === 'string') {
    if (!RINGS_UNREAD.has(value)) throw new JsonProblem(`${quoted(path)} is no reason that is known`);
    return value as RingsUnread;
  }
  const { available, used } = asObject(value, path);
  return {
    available: asInteger(available, 0, 0xffff, `${path}.available`),
    used: asInteger(used, 0, 0xffff, `${path}.used`),
  };
}

function readRedacted(value: unknown, size: number): NonNullable<Profile['redacted']> {
  const path = 'redacted.ranges';
  let last = 0;
  const ranges = asList(asObject(value, 'redacted')['ranges'], path, MAX_RANGES, (element, at) => {
    const [from, to] = asArray(element, at);
    const start = asInteger(from, last, size, `${at}[0]`);
    last = asInteger(to, start, size, `${at}[1]`);
    return [start, last] as const;
  });
  return { ranges };
}

function readRamBlock(value: unknown, path: string): ProfileRamBlock {
  const block = asObject(value, path);
  return {
    name: asText(block['name'], `${path}.name`),
    pageSize: asSize(block['pageSize'], `${path}.pageSize`),
    usedLength: asSize(block['usedLength'], `${path}.usedLength`),
    maxLength: asSize(block['maxLength'], `${path}.maxLength`),
  };
}

function readDevice(value: unknown, path: string): ProfileDevice {
  const device = asObject(value, path);
  const { bus, devicePath, pci, virtio } = device;
  return {
    path: asText(device['path'], `${path}.path`),
    type: asText(device['type'], `${path}.type`),
    ...(bus === undefined ? {} : { bus: asText(bus, `${path}.bus`) }),
    ...(devicePath === undefined ? {} : { devicePath: asText(devicePath, `${path}.devicePath`) }),
    properties: asRecord(device['properties'], `${path}.properties`, asPropertyValue),
    ...(pci === undefined ? {} : { pci: readPci(pci, `${path}.pci`) }),
    ...(virtio === undefined ? {} : { virtio: readVirtio(virtio, `${path}.virtio`) }),
  };
}

function readPci(value: unknown, path: string): ProfilePci {
  const pci = asObject(value, path);
  const id = (name: string) => asInteger(pci[name], 0, 0xffff, `${path}.${name}`);
  return {
    vendorId: id('vendorId'),
    deviceId: id('deviceId'),
    subsystemVendorId: id('subsystemVendorId'),
    subsystemId: id('subsystemId'),
    regions: asList(pci['regions'], `${path}.regions`, MAX_ROWS, readRegion),
  };
}

function readRegion(value: unknown, path: string): ProfilePciRegion {
  const region = asObject(value, path);
  const { type } = region;
  if (type !== 'io' && type !== 'memory')
    throw new JsonProblem(`"${path}.type" is neither "io" nor "memory"`);
  return {
    bar: asInteger(region['bar'], 0, 6, `${path}.bar`),
    type,
    size: asSize(region['size'], `${path}.size`),
  };
}

function readVirtio(value: unknown, path: string): ProfileVirtio {
  const virtio = asObject(value, path);
  const features = asText(virtio['hostFeatures'], `${path}.hostFeatures`);
  if (!/^0x[0-9a-f]{1,32}$/.test(features))
    throw new JsonProblem(`"${path}.hostFeatures" is no number of up to 128 bits in hexadecimal`);
  return {
    deviceId: asInteger(virtio['deviceId'], 0, 0xffff, `${path}.deviceId`),
    queues: asInteger(virtio['queues'], 0, 0xffff, `${path}.queues`),
    hostFeatures: BigInt(features),
    unnumberedFeatures: asList(virtio['unnumberedFeatures'], `${path}.unnumberedFeatures`, MAX_ROWS, asText),
  };
}

type Read<T> = (value: unknown, path: string) => T;

function asList<T>(value: unknown, path: string, most: number, read: Read<T>): T[] {
  const elements = asArray(value, path);
  if (elements.length > most)
    throw new JsonProblem(`${quoted(path)} has ${elements.length} elements, more than ${most}`);
  return elements.map((element, i) => read(element, `${path}[${i}]`));
}

/** An object as a dictionary. It has no prototype: its names come from outside. */
function asRecord<T>(value: unknown, path: string, read: Read<T>): Record<string, T> {
  const entries = Object.entries(asObject(value, path));
  if (entries.length > MAX_PROPERTIES)
    throw new JsonProblem(`"${path}" has ${entries.length} members, more than ${MAX_PROPERTIES}`);
  const record: Record<string, T> = Object.create(null);
  for (const [name, member] of entries)
    record[name] = read(member, `${path}.${printable(name).slice(0, 50)}`);
  return record;
}

function asSize(value: unknown, path: string): number {
  return asInteger(value, 0, Number.MAX_SAFE_INTEGER, path);
}

function asPropertyValue(value: unknown, path: string): PropertyValue {
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return value;
  throw new JsonProblem(`"${path}" is neither a boolean, a number nor a string`);
}
