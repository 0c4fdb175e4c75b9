import type { Range } from '../../src/bytes/range.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { walk } from '../../src/layout/children.ts';
import { layouts, type OpenedStream, openStream } from '../../src/layout/open.ts';
import type { SchemaTables } from '../../src/layout/tables.ts';
import { withoutRamPages } from '../../src/ops/without-ram-pages.ts';
import type { StreamRecord } from '../../src/stream/records.ts';
import { type Fixture, readFixture } from '../fixtures.ts';
import { bytes as joined } from '../ram/section-bytes.ts';
import { readTables, specimens, tabled } from '../robustness/specimens.ts';

/** Longer sections are arrays of much the same. */
const MAX_SECTION = 20_000;

/** A stream of one device, with the description of that device. */
export interface DeviceStream {
  readonly fixture: Fixture;
  readonly bytes: Uint8Array;
}

let devices: Promise<readonly DeviceStream[]> | undefined;

/** Of each device of the specimens a stream of its own, which is decoded in no time. */
export function deviceStreams(): Promise<readonly DeviceStream[]> {
  devices ??= Promise.all(specimens.map(devicesOf)).then((lists) => lists.flat());
  return devices;
}

async function devicesOf(fixture: Fixture): Promise<DeviceStream[]> {
  const bytes = readFixture(fixture.name);
  const { stream, vmdesc } = await openStream(memorySource(bytes));
  const described = vmdesc?.['devices'];
  const head = stream.records.filter(({ kind }) => kind === 'header' || kind === 'configuration');
  const seen = new Set<string>();
  return stream.sections.flatMap(({ idstr, instanceId, scanner, records: [record] }) => {
    if (scanner || !record || record.range.end - record.range.start > MAX_SECTION) return [];
    // Devices of a kind write the same.
    const kind = idstr.slice(idstr.lastIndexOf('/') + 1);
    const entry = Array.isArray(described)
      ? described.find((one) => Object(one)['name'] === idstr && Object(one)['instance_id'] === instanceId)
      : undefined;
    if (seen.has(kind) || !entry) return [];
    seen.add(kind);
    return [{ fixture, bytes: streamOf(bytes, [...head, record], { ...vmdesc, devices: [entry] }) }];
  });
}

function streamOf(bytes: Uint8Array, records: readonly StreamRecord[], vmdesc: object): Uint8Array {
  const parts = records.map(({ range }) => bytes.subarray(range.start, range.end));
  return withLength(joined(...parts, Uint8Array.of(0, 6, 0, 0, 0, 0), Buffer.from(JSON.stringify(vmdesc))));
}

/** The specimens without the pages of their RAM. */
export async function thinStreams(): Promise<readonly Uint8Array[]> {
  return Promise.all(
    specimens.map(async ({ name }) => withoutRamPages(await openStream(memorySource(readFixture(name))))),
  );
}

/** A description's length made that of what follows it; streams without one stay as they are. */
export function withLength(bytes: Uint8Array): Uint8Array {
  const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).lastIndexOf('"page_size"');
  const start = bytes.lastIndexOf(0x7b, Math.max(0, found));
  if (found < 0 || start < 5 || bytes[start - 5] !== 6) return bytes;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(start - 4, bytes.length - start);
  return bytes;
}

/** What steers the decoding of a stream: headers, footers, short leaves, whole records, tokens of the description. */
export async function streamPlaces(bytes: Uint8Array, tables?: SchemaTables): Promise<Range[]> {
  let opened: OpenedStream;
  try {
    opened = await openStream(memorySource(bytes), tables ? { tables, ignoreVmdesc: true } : {});
  } catch {
    return [];
  }
  const places: Range[] = opened.stream.records.flatMap((record) => recordPlaces(record, bytes));
  for await (const { root } of layouts(opened)) {
    for (const { node } of walk(root)) if (node.kind === 'leaf') places.push(node);
  }
  return places;
}

function recordPlaces(record: StreamRecord, bytes: Uint8Array): Range[] {
  const { range } = record;
  const places = [range];
  if (record.kind === 'section') {
    const { start } = range;
    places.push({ start, end: start + 1 }, { start: start + 1, end: start + 5 });
    if (record.body.start > start + 5) {
      places.push({ start: start + 5, end: start + 6 }, { start: start + 6, end: record.body.start - 8 });
      places.push({ start: record.body.start - 8, end: record.body.start - 4 });
      places.push({ start: record.body.start - 4, end: record.body.start });
    }
    places.push(record.body);
    if (record.footer) places.push(record.footer, { start: record.footer.start + 1, end: record.footer.end });
  } else if (record.kind === 'command') {
    const { start } = range;
    places.push({ start: start + 1, end: start + 3 }, { start: start + 3, end: start + 5 }, record.payload);
  } else if (record.kind === 'vmdescription') {
    const text = Buffer.from(bytes.subarray(record.json.start, record.json.end)).toString('latin1');
    for (const { index, 0: token } of text.matchAll(/"[^"]*"|\d+|\{[^{}]*\},?/g)) {
      const start = record.json.start + index;
      places.push({ start, end: start + token.length });
    }
  }
  return places;
}

/** The tables that a number stands for, as the first byte of an input that is read by tables has it. */
export function tablesByNumber(number: number): Promise<SchemaTables> {
  const fixture = tabled[number % tabled.length]!;
  const known = loaded.get(fixture.name) ?? readTables(fixture);
  loaded.set(fixture.name, known);
  return known;
}

const loaded = new Map<string, Promise<SchemaTables>>();

/** The number of the tables of the QEMU that wrote a fixture; undefined where it has none. */
export function tablesNumber({ name }: Fixture): number | undefined {
  const number = tabled.findIndex((fixture) => fixture.name === name);
  return number < 0 ? undefined : number;
}
