import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { memorySource } from '../../src/bytes/source.ts';
import { serializeProfile } from '../../src/check/profile.ts';
import type { CompressionFormat } from '../../src/containers/container.ts';
import { extractSchema } from '../../src/extract/extract-schema.ts';
import { schemaToJson } from '../../src/schema/serialize-schema.ts';
import { compress } from '../containers/environment.ts';
import { FakeQemu, plainQemu, plainVmsds } from '../extract/fake-qemu.ts';
import { bytes, footer, hex, text8, u8, u16, u32, u64 } from '../ram/section-bytes.ts';

/** An input that is made to be slow or to take memory, in any size, and the commands that read it. */
export interface GrowingInput {
  readonly name: string;
  /** The files of an input of about `size` bytes in all, by name. */
  make(size: number): Readonly<Record<string, Uint8Array>>;
  /** Arguments of `vmwalk`; `@NAME` is the path of a file, `%` one of a name that is free. */
  readonly commands: readonly string[];
}

const MAGIC = hex('5145564d00000003');
const MACHINE = 'pc-q35-7.2';
const configuration = (capabilities: readonly string[] = []): Uint8Array => {
  const machine = bytes(u8(7), u32(MACHINE.length), Buffer.from(MACHINE));
  if (capabilities.length === 0) return machine;
  const name = text8('configuration/capabilities');
  const names = capabilities.map((capability) => text8(capability));
  return bytes(machine, u8(5), name, u32(1), u32(capabilities.length), ...names);
};
const EOF_RECORD = u8(0);
const EOS = u64(0x10);
const PAGE = 4096;

/** As many as fit: `part(i)` is the i-th, all of about the same length. */
function fill(size: number, part: (i: number) => Uint8Array): Uint8Array {
  const one = part(1000).length;
  return bytes(...Array.from({ length: Math.max(1, Math.floor(size / one)) }, (_, i) => part(i)));
}

/** The same as text. */
function fillText(size: number, part: (i: number) => string): string {
  const count = Math.max(1, Math.floor(size / part(1000).length));
  return Array.from({ length: count }, (_, i) => part(i)).join('');
}

function full(id: number, idstr: string, instanceId: number, version: number, body: Uint8Array): Uint8Array {
  return bytes(u8(4), u32(id), text8(idstr), u32(instanceId), u32(version), body, footer(id));
}

function stream(...records: readonly Uint8Array[]): Uint8Array {
  return bytes(MAGIC, configuration(), ...records, EOF_RECORD);
}

function described(records: Uint8Array, devices: string): Uint8Array {
  const text = Buffer.from(`{"page_size":4096,"devices":[${devices}]}`);
  return bytes(stream(records), u8(6), u32(text.length), text);
}

function device(name: string, fields: string, more = ''): string {
  return `{"name":"${name}","instance_id":0,"vmsd_name":"${name}","version":1,"fields":[${fields}]${more}}`;
}

const uint8 = (name: string) => `{"name":"${name}","type":"uint8","size":1}`;
const without = (text: string) => text.slice(0, -1);

interface Block {
  readonly name: string;
  readonly length: number;
}

/** A section `ram` with one record of pages. */
function ram(blocks: readonly Block[], pages: Uint8Array): Uint8Array {
  const total = blocks.reduce((sum, { length }) => sum + length, 0);
  const list = blocks.map(({ name, length }) => bytes(text8(name), u64(length)));
  const start = bytes(u8(1), u32(2), text8('ram'), u32(0), u32(4), u64(total + 4), ...list, EOS, footer(2));
  return bytes(start, bytes(u8(2), u32(2), pages, EOS, footer(2)), u8(3), u32(2), EOS, footer(2));
}

const zeroPage = (block: string, offset: number) => bytes(u64(offset + 2), text8(block), u8(0));
const zeroPageMore = (offset: number) => bytes(u64(offset + 0x22), u8(0));

function command(type: number, payload: Uint8Array): Uint8Array {
  return bytes(u8(8), u16(type), u16(payload.length), payload);
}

const RAM_COMMANDS = [
  'info @in',
  'ram @in',
  'ram --map %.svg @in',
  'ram extract @in -o %',
  'convert @in -o %',
  'diff --ram @in @in',
];
const STREAM_COMMANDS = ['info @in', 'dump @in', 'dump --ndjson @in', 'describe @in', 'extract @in -o %'];
const CHECK = 'check @in --schema 7.2-x86_64';
const OWN_CHECK = 'check @in --profile @in';
const ALL_COMMANDS = [...STREAM_COMMANDS, 'dump --analyze-migration @in', 'diff @in @in', CHECK, OWN_CHECK];

const streams: readonly GrowingInput[] = [
  {
    name: 'sections that nothing describes',
    make: (size) => ({ in: stream(fill(size, (i) => full(i + 3, 'x', i, 1, new Uint8Array(0)))) }),
    commands: [...ALL_COMMANDS, 'ram @in', 'scan @in'],
  },
  {
    name: 'sections of one name that nothing describes',
    make: (size) => ({ in: stream(fill(size, (i) => full(i + 3, 'cpu_common', 0, 1, u64(0)))) }),
    commands: ALL_COMMANDS,
  },
  {
    name: 'sections of a device, without a vmdesc',
    make: (size) => ({
      in: stream(fill(size, (i) => full(i + 3, `${i}/virtio-net`, 0, 11, new Uint8Array(8)))),
    }),
    commands: ALL_COMMANDS,
  },
  {
    name: 'sections without footers',
    make: (size) => ({
      in: stream(fill(size, (i) => bytes(u8(4), u32(i), text8('a'), u32(i), u32(1), u8(9)))),
    }),
    commands: ['info @in', 'dump @in'],
  },
  {
    name: 'records of sections that were never begun',
    make: (size) => ({ in: stream(fill(size, (i) => bytes(u8(2), u32(i + 9), footer(i + 9)))) }),
    commands: ['info @in', 'dump @in'],
  },
  {
    name: 'commands',
    make: (size) => ({ in: stream(fill(size, (i) => command(4, u32(i)))) }),
    commands: ['info @in', CHECK],
  },
  {
    name: 'capabilities',
    make: (size) => ({
      in: bytes(
        MAGIC,
        configuration(
          Array.from({ length: Math.floor(size / 8) }, (_, i) => i.toString(36).padStart(7, '0')),
        ),
        EOF_RECORD,
      ),
    }),
    commands: ['info @in', 'dump @in', CHECK],
  },
  {
    name: 'a record that is searched for its end',
    make: (size) => ({
      in: stream(
        full(
          3,
          'a',
          0,
          1,
          fill(size, (i) => footer(i + 77)),
        ),
      ),
    }),
    commands: ['info @in', 'dump @in'],
  },
  {
    name: 'starts of streams',
    make: (size) => ({ in: fill(size, () => bytes(MAGIC, configuration())) }),
    commands: ['scan @in', 'scan --json @in', 'info @in'],
  },
];

/** Fields of `size` bytes of description in all, and a section with a byte for each. */
function fields(size: number, field: (i: number) => string): Uint8Array {
  const text = fillText(size, (i) => `${field(i)},`);
  const count = text.split('},{').length;
  return described(full(3, 'a', 0, 1, new Uint8Array(count)), device('a', without(text)));
}

const descriptions: readonly GrowingInput[] = [
  {
    name: 'vmdesc: fields',
    make: (size) => ({ in: fields(size, () => uint8('a')) }),
    commands: ALL_COMMANDS,
  },
  {
    name: 'vmdesc: fields of names of their own',
    make: (size) => ({ in: fields(size, (i) => uint8(i.toString(36))) }),
    commands: ALL_COMMANDS,
  },
  {
    name: 'vmdesc: long names',
    make: (size) => ({ in: fields(size, (i) => uint8(`${i}${'x'.repeat(240)}`)) }),
    commands: ['info @in', 'dump @in', 'describe @in'],
  },
  {
    name: 'vmdesc: devices',
    make: (size) => {
      const devices = fillText(size / 2, (i) => `${device(`d${i}`, uint8('a'))},`);
      const count = devices.split('"instance_id"').length - 1;
      const sections = Array.from({ length: count }, (_, i) => full(i + 3, `d${i}`, 0, 1, u8(0)));
      return { in: described(bytes(...sections), without(devices)) };
    },
    commands: ALL_COMMANDS,
  },
  {
    name: 'vmdesc: devices that are not in the stream, and it is cut',
    make: (size) => {
      const whole = described(
        full(3, 'a', 0, 1, u8(0)),
        fillText(size, (i) => `${device(`d${i}`, '')},`),
      );
      return { in: whole.subarray(0, whole.length - 3) };
    },
    commands: ['info @in', 'dump @in', 'describe @in'],
  },
  {
    name: 'vmdesc: structs in each other',
    make: (size) => {
      const nested = (depth: number): string =>
        depth === 0
          ? uint8('a')
          : `{"name":"s","type":"struct","size":1,"struct":{"vmsd_name":"s","version":1,"fields":[${nested(depth - 1)}]}}`;
      return { in: fields(size, () => nested(60)) };
    },
    commands: ALL_COMMANDS,
  },
  {
    name: 'vmdesc: arrays in each other',
    make: (size) => {
      const nested = (depth: number): string =>
        depth === 0
          ? uint8('a')
          : `{"name":"s","type":"struct","size":1,"array_len":1,"struct":{"vmsd_name":"s","version":1,"fields":[${nested(depth - 1)}]}}`;
      return { in: fields(size, () => nested(60)) };
    },
    commands: ALL_COMMANDS,
  },
  {
    name: 'vmdesc: an array of structs with fields of no bytes',
    make: (size) => {
      const inner = fillText(size / 2, () => '{"name":"z","type":"buffer","size":0},');
      const array = `{"name":"s","type":"struct","size":1,"array_len":${size / 2},"struct":{"fields":[${inner}${uint8('a')}]}}`;
      return { in: described(full(3, 'a', 0, 1, new Uint8Array(size / 2)), device('a', array)) };
    },
    commands: ALL_COMMANDS,
  },
  {
    name: 'vmdesc: arrays of pointers that begin with NULL',
    make: (size) => ({
      in: fields(
        size,
        (i) => `{"name":"p${i}","type":"struct","size":1,"array_len":1,"struct":{"fields":[]}}`,
      ),
    }),
    commands: ALL_COMMANDS,
  },
  {
    name: 'vmdesc: arrays of pointers in parts',
    make: (size) => ({
      in: fields(
        size,
        (i) =>
          `{"name":"p${i}","type":"uint8","size":1,"array_len":1},{"name":"p${i}","type":"nullptr","size":1}`,
      ),
    }),
    commands: ALL_COMMANDS,
  },
  {
    name: 'vmdesc: subsections',
    make: (size) => {
      const one = (i: number) => `{"vmsd_name":"s${i}","version":1,"fields":[]},`;
      const text = fillText(size / 1.3, one);
      const count = text.split('},{').length;
      const headers = Array.from({ length: count }, (_, i) => bytes(u8(5), text8(`s${i}`), u32(1)));
      const body = bytes(u8(0), ...headers);
      return {
        in: described(full(3, 'a', 0, 1, body), device('a', uint8('a'), `,"subsections":[${without(text)}]`)),
      };
    },
    commands: ALL_COMMANDS,
  },
  {
    name: 'vmdesc: brackets',
    make: (size) => ({ in: described(u8(8), '{},'.repeat(size / 3)) }),
    commands: ['info @in', 'dump @in'],
  },
  {
    name: 'vmdesc: numbers',
    make: (size) => ({ in: described(new Uint8Array(0), '0,'.repeat(size / 2)) }),
    commands: ['info @in', 'dump @in'],
  },
  {
    name: 'vmdesc in gzip: fields, 30 times the size',
    make: (size) => ({ in: gzipSync(fields(size * 30, () => uint8('a'))) }),
    commands: ['info @in', 'dump @in', 'describe @in'],
  },
];

/** Packets of a multifd channel whose pages are compressed, each of as many bytes of memory as there can be. */
function multifd(size: number): { readonly main: Uint8Array; readonly channel: Uint8Array } {
  const pages = 128;
  const block = 'pc.ram';
  const payload = Buffer.concat(
    Array.from({ length: pages }, () => deflateSync(new Uint8Array(PAGE), { finishFlush: 2 })),
  ).subarray(0, 0);
  const stream = deflateRawSync(new Uint8Array(pages * PAGE));
  const zlib = Buffer.concat([Buffer.of(0x78, 0x9c), stream, Buffer.from('00000001', 'hex')]);
  const content = payload.length > 0 ? payload : zlib;
  const name = Buffer.alloc(256);
  name.write(block);
  const packet = (i: number) =>
    bytes(
      bytes(hex('11223344'), u32(1), u32(2), u32(pages), u32(pages), u32(content.length), u64(i), u32(0)),
      bytes(new Uint8Array(28), name),
      ...Array.from({ length: pages }, (_, page) => u64(page * PAGE)),
      content,
    );
  const init = bytes(hex('11223344'), u32(1), new Uint8Array(56));
  return {
    main: stream2([{ name: block, length: 2 ** 30 }]),
    channel: bytes(init, fill(size, packet)),
  };
}

function stream2(blocks: readonly Block[]): Uint8Array {
  return bytes(MAGIC, configuration(['multifd']), ram(blocks, new Uint8Array(0)), EOF_RECORD);
}

/** A stream of mapped-ram with blocks of one bitmap each, all pages present. */
function mapped(length: number, set: number): Uint8Array {
  const head = bytes(MAGIC, configuration(['mapped-ram']), u8(1), u32(2), text8('ram'), u32(0), u32(4));
  const list = bytes(u64(length + 4), text8('pc.ram'), u64(length));
  const at = head.length + list.length + 28;
  const bitmap = Math.ceil(length / PAGE / 8);
  const pages = Math.ceil((at + bitmap) / PAGE) * PAGE;
  const header = bytes(u32(1), u64(PAGE), u64(at), u64(pages));
  const rest = bytes(EOS, footer(2), EOF_RECORD);
  const whole = new Uint8Array(pages + length + rest.length);
  whole.set(bytes(head, list, header, new Uint8Array(bitmap).fill(set)));
  whole.set(rest, pages + length);
  return whole;
}

const memory: readonly GrowingInput[] = [
  {
    name: 'RAM: a page in each 4 MiB',
    make: (size) => {
      const count = Math.floor(size / 9);
      const pages = [zeroPage('pc.ram', 0)];
      for (let i = 1; i < count; i++) pages.push(zeroPageMore(i * 2 ** 22));
      return { in: stream(ram([{ name: 'pc.ram', length: count * 2 ** 22 }], bytes(...pages))) };
    },
    commands: [...RAM_COMMANDS, 'ram core @in -o %'],
  },
  {
    name: 'RAM: every second page',
    make: (size) => {
      const count = Math.floor(size / 9);
      const pages = [zeroPage('pc.ram', 0)];
      for (let i = 1; i < count; i++) pages.push(zeroPageMore(2 * i * PAGE));
      return { in: stream(ram([{ name: 'pc.ram', length: 2 * count * PAGE }], bytes(...pages))) };
    },
    commands: [...RAM_COMMANDS, 'ram core @in -o %'],
  },
  {
    name: 'RAM: blocks, a page of each in turn',
    make: (size) => {
      const count = Math.min(4096, Math.floor(size / 2 / 15));
      const blocks = Array.from({ length: count }, (_, i) => ({
        name: `block${i.toString(36).padStart(3, '0')}`,
        length: 2 ** 32,
      }));
      const pages = fill(size - 16 * count, (i) =>
        zeroPage(blocks[i % count]!.name, (i * 7919 * PAGE) % 2 ** 32),
      );
      return { in: stream(ram(blocks, pages)) };
    },
    commands: [...RAM_COMMANDS, 'ram core @in -o %', CHECK, OWN_CHECK],
  },
  {
    name: 'RAM: pages outside of their block',
    make: (size) => ({
      in: stream(
        ram(
          [{ name: 'a', length: PAGE }],
          fill(size, (i) => zeroPage('a', (i + 9) * PAGE)),
        ),
      ),
    }),
    commands: RAM_COMMANDS,
  },
  {
    name: 'RAM: records of pages',
    make: (size) => ({
      in: stream(
        ram([{ name: 'a', length: PAGE }], zeroPage('a', 0)),
        fill(size, () => bytes(u8(2), u32(2), EOS, footer(2))),
      ),
    }),
    commands: [...RAM_COMMANDS, 'dump @in', CHECK],
  },
  {
    name: 'RAM: XBZRLE',
    make: (size) => {
      const delta = (i: number) => bytes(u64((i % 256) * PAGE + 0x60), u8(1), u16(3), hex('000161'));
      return {
        in: stream(ram([{ name: 'a', length: 256 * PAGE }], bytes(zeroPage('a', 0), fill(size, delta)))),
      };
    },
    commands: RAM_COMMANDS,
  },
  {
    name: 'RAM: compressed pages',
    make: (size) => {
      const page = deflateSync(new Uint8Array(PAGE));
      const record = (i: number) => bytes(u64((i % 4096) * PAGE + 0x120), u32(page.length), page);
      return {
        in: stream(ram([{ name: 'a', length: 4096 * PAGE }], bytes(zeroPage('a', 0), fill(size, record)))),
      };
    },
    commands: RAM_COMMANDS,
  },
  {
    name: 'postcopy: discarded pages, each in a command',
    make: (size) => {
      const discard = (i: number) =>
        command(6, bytes(u8(0), text8('a'), u8(0), u64((2 * i + 1) * PAGE), u64(PAGE)));
      const setup = ram([{ name: 'a', length: 2 ** 40 }], zeroPage('a', 0));
      return { in: stream(setup, fill(size, discard), bytes(u8(2), u32(2), EOS, footer(2))) };
    },
    commands: RAM_COMMANDS,
  },
  {
    name: 'postcopy: discarded pages, one range over the other, and pages sent',
    make: (size) => {
      const ranges = (i: number) => bytes(u64(PAGE), u64(2 ** 39 - i * PAGE));
      const one = (_: number) => command(6, bytes(u8(0), text8('a'), u8(0), fill(60_000, ranges)));
      const setup = ram([{ name: 'a', length: 2 ** 40 }], zeroPage('a', 0));
      const pages = fill(size / 2, (i) => zeroPage('a', i * 2 ** 22));
      return { in: stream(setup, fill(size / 2, one), bytes(u8(2), u32(2), pages, EOS, footer(2))) };
    },
    commands: RAM_COMMANDS,
  },
  {
    name: 'multifd: packets of 512 KiB of zeros each',
    make: (size) => {
      const { main, channel } = multifd(size);
      return { in: main, channel };
    },
    commands: [
      'info @in --channel @channel',
      'ram @in --channel @channel',
      'ram extract @in --channel @channel -o %',
      'convert @in --channel @channel -o %',
      'diff --ram @in @in --channel-a @channel --channel-b @channel',
    ],
  },
  {
    name: 'multifd: packets without pages',
    make: (size) => {
      const packet = (i: number) =>
        bytes(hex('11223344'), u32(1), u32(1), u32(0), u32(0), u32(0), u64(i), u32(0), new Uint8Array(284));
      return {
        in: stream2([{ name: 'a', length: PAGE }]),
        channel: bytes(hex('11223344'), u32(1), new Uint8Array(56), fill(size, packet)),
      };
    },
    commands: ['info @in --channel @channel', 'ram @in --channel @channel'],
  },
  {
    name: 'mapped-ram in gzip: all pages, 400 times the size',
    make: (size) => ({ in: gzipSync(mapped(size * 400, 0xff), { level: 9 }) }),
    commands: ['info @in', 'ram @in', 'ram --map %.svg @in', 'ram extract @in -o %'],
  },
  {
    name: 'mapped-ram in gzip: every second page',
    make: (size) => ({ in: gzipSync(mapped(size * 400, 0x55), { level: 9 }) }),
    commands: [
      'info @in',
      'ram @in',
      'ram --map %.svg @in',
      'ram extract @in -o %',
      'convert @in --to mapped-ram -o %',
      'diff --ram @in @in',
    ],
  },
  {
    name: 'mapped-ram: a bitmap for what is not there',
    make: (size) => {
      const whole = mapped(0, 0);
      const list = bytes(u64(2 ** 52 + 4), text8('pc.ram'), u64(2 ** 52));
      const head = whole.subarray(0, whole.length - 14);
      return { in: bytes(head.subarray(0, 60), list, new Uint8Array(size)) };
    },
    commands: ['info @in', 'ram @in'],
  },
  {
    name: 'dirty bitmaps',
    make: (size) => {
      const one = (i: number) => bytes(u8(0x1c), text8('n'), text8(i.toString(36)), u32(512), u8(1));
      const body = bytes(fill(size, one), u8(1));
      return {
        in: stream(bytes(u8(1), u32(4), text8('dirty-bitmap'), u32(0), u32(1), body, footer(4))),
      };
    },
    commands: ['info @in', 'dump @in', CHECK, OWN_CHECK],
  },
];

/** A qcow2 image of clusters of `2 ** bits` bytes, with snapshots; `clusters` begin behind the header, each at its place. */
function qcow2(
  bits: number,
  snapshots: Uint8Array,
  count: number,
  clusters: readonly Uint8Array[],
): Uint8Array {
  const size = 2 ** bits;
  const padded = (part: Uint8Array) => {
    const result = new Uint8Array(Math.ceil(part.length / size) * size);
    result.set(part);
    return result;
  };
  const before = clusters.map(padded);
  const offset = size + before.reduce((sum, part) => sum + part.length, 0);
  const header = new Uint8Array(size);
  const view = new DataView(header.buffer);
  header.set(hex('514649fb'));
  view.setUint32(4, 3);
  view.setUint32(20, bits);
  view.setBigUint64(24, BigInt(size));
  view.setUint32(60, count);
  view.setBigUint64(64, BigInt(offset));
  view.setUint32(96, 4);
  view.setUint32(100, 104);
  return bytes(header, ...before, padded(snapshots));
}

function snapshotEntry(l1Offset: number, l1Size: number, name: string, stateSize: number): Uint8Array {
  const entry = bytes(
    bytes(u64(l1Offset), u32(l1Size), u16(1), u16(name.length), new Uint8Array(16), u32(0), u32(16)),
    bytes(u64(stateSize), u64(512), Buffer.from('1'), Buffer.from(name)),
  );
  const result = new Uint8Array(Math.ceil(entry.length / 8) * 8);
  result.set(entry);
  return result;
}

/** An image whose VM state is two compressed clusters in turn, as often as its L2 tables have entries. */
function compressedState(size: number): Uint8Array {
  const bits = 16;
  const cluster = 2 ** bits;
  const data = deflateRawSync(new Uint8Array(cluster), { windowBits: 12 });
  const both = new Uint8Array(4096 + data.length);
  both.set(data);
  both.set(data, 4096);
  // Header, L1 table, data, and then the L2 tables: a cluster each.
  const dataAt = 2 * cluster;
  const entry = (i: number) => {
    const sectors = BigInt(Math.ceil(data.length / 512)) << BigInt(62 - (bits - 8));
    return u64((1n << 62n) | sectors | BigInt(dataAt + 4096 * (i % 2)));
  };
  const table = bytes(...Array.from({ length: cluster / 8 }, (_, i) => entry(i)));
  const tables = Array.from({ length: Math.max(1, Math.floor(size / cluster) - 3) }, () => table);
  const l1 = bytes(u64(0), ...tables.map((_, i) => u64((3 + i) * cluster)));
  const stateSize = (tables.length * cluster * cluster) / 8;
  return qcow2(bits, snapshotEntry(cluster, 1 + tables.length, 'a', stateSize), 1, [l1, both, ...tables]);
}

function saveImage(format: number, xml: Uint8Array, content: Uint8Array): Uint8Array {
  const header = Buffer.alloc(92);
  header.write('LibvirtQemudSave');
  for (const [i, word] of [2, xml.length, 1, format, 0].entries()) header.writeUInt32LE(word, 16 + 4 * i);
  return bytes(header, xml, content);
}

const smallStream = () => stream(full(3, 'a', 0, 1, u8(0)));

/** A stream, and zeros behind it that take `size` bytes when they are compressed. */
function bomb(format: CompressionFormat, times: number): GrowingInput {
  return {
    name: `${format}: zeros, ${times} times the size`,
    make: (size) => {
      const zeros = new Uint8Array(Math.min(size * times, 2 ** 30));
      zeros.set(smallStream());
      const part = compress(format, zeros);
      return { in: bytes(...Array.from({ length: Math.ceil((size * times) / zeros.length) }, () => part)) };
    },
    commands: ['info @in', 'scan @in'],
  };
}

const containers: readonly GrowingInput[] = [
  {
    name: 'qcow2: snapshots',
    make: (size) => {
      const entries = fill(size, (i) => snapshotEntry(512, 1, `s${i}`, 100));
      const count = Math.floor(size / snapshotEntry(512, 1, 's1000', 100).length);
      return { in: qcow2(9, entries, count, [new Uint8Array(512)]) };
    },
    commands: ['snapshots @in', 'snapshots --json @in', 'info @in', 'info @in#nix'],
  },
  {
    name: 'qcow2: one L2 table for all of the L1 table, and it names itself',
    make: (size) => {
      const entries = Math.floor(size / 8);
      const tableAt = 512 + Math.ceil((8 * entries) / 512) * 512;
      const l1 = bytes(...Array.from({ length: entries }, () => u64(tableAt)));
      const table = bytes(...Array.from({ length: 64 }, () => u64(tableAt)));
      return { in: qcow2(9, snapshotEntry(512, entries, 'a', 2 ** 40), 1, [l1, table]) };
    },
    commands: ['snapshots @in', 'info @in', 'scan @in'],
  },
  {
    name: 'qcow2: a state of zeros',
    make: (size) => {
      const l1 = new Uint8Array(size);
      return { in: qcow2(9, snapshotEntry(512, size / 8, 'a', 2 ** 40), 1, [l1]) };
    },
    commands: ['info @in'],
  },
  {
    name: 'qcow2: compressed clusters that are used again and again',
    make: (size) => ({ in: compressedState(size) }),
    commands: ['info @in'],
  },
  {
    name: 'libvirt: domain XML',
    make: (size) => ({
      in: saveImage(0, Buffer.from(`<domain><name>${'&lt;'.repeat(size / 4)}</name>\0`), smallStream()),
    }),
    commands: ['info @in', 'info --json @in', 'info --xml @in'],
  },
  {
    name: 'libvirt: zeros in gzip',
    make: (size) => {
      const zeros = new Uint8Array(size * 1000);
      zeros.set(smallStream());
      return { in: saveImage(1, Buffer.from('<domain/>\0'), gzipSync(zeros)) };
    },
    commands: ['info @in'],
  },
  bomb('gzip', 1000),
  bomb('bzip2', 16_000),
  bomb('xz', 6000),
  bomb('lzop', 200),
  bomb('zstd', 16_000),
  {
    name: 'gzip in gzip: zeros',
    make: (size) => {
      const part = gzipSync(gzipSync(new Uint8Array(2 ** 28)));
      return { in: bytes(...Array.from({ length: Math.ceil(size / part.length) }, () => part)) };
    },
    commands: ['info @in'],
  },
  {
    name: 'gzip: members',
    make: (size) => {
      const empty = gzipSync(new Uint8Array(0));
      return {
        in: bytes(
          gzipSync(smallStream()),
          fill(size, () => empty),
        ),
      };
    },
    commands: ['info @in'],
  },
  {
    name: 'zstd: frames',
    make: (size) => {
      const empty = compress('zstd', new Uint8Array(0));
      return {
        in: bytes(
          compress('zstd', smallStream()),
          fill(size, () => empty),
        ),
      };
    },
    commands: ['info @in'],
  },
];

const smallSchema = schemaToJson(
  await extractSchema({ binary: memorySource(plainQemu({ layout: '11.1' }), 'qemu'), modules: [] }),
);
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** A schema with `count` rows of VMSDs. */
function schema(vmsds: readonly object[], more: object = {}): Uint8Array {
  return json({ ...smallSchema, ...more, vmsds });
}

const row = (i: number, more: object = {}) => ({
  name: 0,
  at: [0, 4096 + 256 * i],
  versionId: 1,
  minimumVersionId: 1,
  ...more,
});

const COMPARE = ['schema list @in', 'compat @in @in', 'compat @in 7.2-x86_64'];

const tables: readonly GrowingInput[] = [
  {
    name: 'schema: VMSDs of one name',
    make: (size) => ({
      in: schema(
        Array.from({ length: Math.floor(size / 75) }, (_, i) => row(i, { fields: [[0, 0, 4, 1, 1]] })),
      ),
      stream: stream(full(3, smallSchema.strings[0]!, 0, 1, new Uint8Array(400))),
    }),
    commands: [...COMPARE, 'dump --schema @in @stream'],
  },
  {
    name: 'schema: fields of one VMSD',
    make: (size) => ({
      in: schema([
        row(0, { fields: Array.from({ length: Math.floor(size / 14) }, (_, i) => [0, i, 1, 1, 1]) }),
      ]),
      stream: stream(full(3, smallSchema.strings[0]!, 0, 1, new Uint8Array(size / 14))),
    }),
    commands: [...COMPARE, 'dump --schema @in @stream'],
  },
  {
    name: 'schema: VMSDs that each contain the next twice',
    make: (size) => {
      const chains = Math.floor(size / 60 / 90);
      const rows = Array.from({ length: 60 * chains }, (_, i) => {
        const next = i % 60 === 59 ? 0 : i + 2;
        const field = next === 0 ? [0, 0, 4, 1, 1] : [0, 0, 4, 8, 0, next];
        return row(i, { fields: [field, field] });
      });
      return {
        in: schema(rows),
        stream: stream(full(3, smallSchema.strings[0]!, 0, 1, new Uint8Array(400))),
      };
    },
    commands: [...COMPARE, 'dump --schema @in @stream'],
  },
  {
    name: 'schema: types',
    make: (size) => ({
      in: schema([], {
        types: Array.from({ length: Math.floor(size / 22) }, () => ({ name: 0, parent: 1 })),
      }),
    }),
    commands: COMPARE,
  },
  {
    name: '-dump-vmstate: devices',
    make: (size) => {
      const one = (i: number) =>
        `"d${i}":{"Name":"d","version_id":1,"minimum_version_id":1,"Description":{"name":"d","version_id":1,"minimum_version_id":1}},`;
      const text = fillText(size, one);
      return { in: Buffer.from(`{"vmschkmachine":{"Name":"none"},${without(text)}}`) };
    },
    commands: ['compat @in @in', 'compat @in 7.2-x86_64'],
  },
  {
    name: '-dump-vmstate: fields',
    make: (size) => {
      const dump = (letter: string) => {
        const one = (i: number) =>
          `{"field":"${letter}${i}","version_id":0,"field_exists":false,"size":${1 + (i % 7)}},`;
        const text = fillText(size / 2, one);
        return Buffer.from(
          `{"vmschkmachine":{"Name":"none"},"d":{"Name":"d","version_id":1,"minimum_version_id":1,"Description":{"name":"d","version_id":1,"minimum_version_id":1,"Fields":[${without(text)}]}}}`,
        );
      };
      return { in: dump('f'), other: dump('g') };
    },
    commands: ['compat @in @in', 'compat @in @other'],
  },
  {
    name: 'profile: devices',
    make: (size) => ({ in: profile(Math.floor(size / 90), 0), stream: smallStream() }),
    commands: ['check @stream --profile @in', 'info @in'],
  },
  {
    name: 'profile: properties',
    make: (size) => ({ in: profile(1, Math.min(10_000, Math.floor(size / 12))), stream: smallStream() }),
    commands: ['check @stream --profile @in', 'info @in'],
  },
  {
    name: 'ELF: VMSDs and relocations',
    make: (size) => ({ in: elf('vmsds', size) }),
    commands: ['schema extract @in -o %.json', 'compat @in @in'],
  },
  {
    name: 'ELF: fields of overlapping lists',
    make: (size) => ({ in: elf('fields', size) }),
    commands: ['schema extract @in -o %.json', 'compat @in @in'],
  },
  {
    name: 'ELF: symbols',
    make: (size) => ({ in: elf('symbols', size) }),
    commands: ['schema extract @in -o %.json'],
  },
  {
    name: 'ELF: names that overlap',
    make: (size) => ({ in: elf('strings', size) }),
    commands: ['schema extract @in -o %.json'],
  },
  {
    name: 'ELF: code',
    make: (size) => ({ in: elf('code', size) }),
    commands: ['schema extract @in -o %.json'],
  },
];

/** Bytes of a binary of `FakeQemu` as it is otherwise. */
const SMALL_ELF = 0x38000;

/** A QEMU that has room for `size` bytes. */
function fakeQemu(size: number): { readonly qemu: FakeQemu; readonly scale: number } {
  const scale = Math.max(1, Math.floor(size / SMALL_ELF));
  const qemu = new FakeQemu({ scale, layout: '11.1' });
  qemu.add(plainVmsds);
  return { qemu, scale };
}

function elf(kind: 'vmsds' | 'fields' | 'symbols' | 'strings' | 'code', size: number): Uint8Array {
  const { qemu, scale } = fakeQemu(size);
  const { elf: builder, layout } = qemu;
  const uint32 = (offset: number) => ({ name: 'f', offset, size: 4, flags: 1, info: 'uint32' });
  if (kind === 'vmsds') {
    qemu.add(
      Array.from({ length: 130 * scale }, (_, i) => ({ name: `v${i}`, fields: [uint32(0), uint32(4)] })),
    );
  } else if (kind === 'fields') {
    const count = 380 * scale;
    const list = qemu.fields(Array.from({ length: count }, (_, i) => uint32(4 * i)));
    for (let i = 0; i < 150 * scale; i++) {
      const vmsd = builder.data(layout.vmsd.size);
      builder.pointer(vmsd, builder.string(`v${i % 100}`));
      builder.u32(vmsd + layout.vmsd.versionId, 1);
      builder.pointer(vmsd + layout.vmsd.fields, list + i * layout.field.stride);
    }
  } else if (kind === 'symbols') {
    const symbols = Array.from({ length: 500 * scale }, (_, i) =>
      builder.symbol(`symbol_${i}`, builder.code()),
    );
    const data = builder.data(8 * symbols.length);
    for (const [i, symbol] of symbols.entries()) builder.symbolPointer(data + 8 * i, symbol);
  } else if (kind === 'strings') {
    const text = builder.string('x'.repeat(14_000 * scale));
    const count = 3000 * scale;
    const data = builder.data(8 * count);
    for (let i = 0; i < count; i++) builder.pointer(data + 8 * i, text + i);
  } else {
    // Functions of many branches, each of which begins at a byte of its own in the same code.
    const branches = Array.from({ length: 400 * scale }, (_, i) => [
      0x80,
      0x7f,
      i & 0x7f,
      0,
      0x74,
      0x02,
    ]).flat();
    const code = builder.code([...branches, 0x31, 0xc0, 0xc3]);
    for (let i = 0; i < 200 * scale; i++) {
      const vmsd = builder.data(layout.vmsd.size);
      builder.pointer(vmsd, builder.string(`v${i % 100}`));
      builder.u32(vmsd + layout.vmsd.versionId, 1);
      builder.pointer(vmsd + layout.vmsd.fields, qemu.fields([uint32(0)]));
      builder.pointer(vmsd + layout.vmsd.callbacks.get('needed')!, code + 6 * i);
    }
  }
  return builder.build();
}

function profile(devices: number, properties: number): Uint8Array {
  return Buffer.from(
    serializeProfile({
      kind: 'profile',
      qemu: { version: '7.2.22', package: '' },
      target: 'x86_64',
      machineType: MACHINE,
      kvm: false,
      commandLine: ['qemu-system-x86_64'],
      messages: [],
      capabilities: {},
      ramBlocks: [],
      devices: Array.from({ length: devices }, (_, i) => ({
        path: `/machine/d${i}`,
        type: 'virtio-net-device',
        bus: '/machine/bus',
        devicePath: `0000:00:${i}`,
        properties: Object.fromEntries(Array.from({ length: properties }, (_, p) => [`p${p}`, p])),
      })),
      schema: undefined,
      stream: smallStream(),
    }),
  );
}

/** Two streams of the same sections in another order, and two of nothing in common. */
function different(size: number, letter: string): Uint8Array {
  return fields(size / 2, (i) => uint8(`${letter}${(i * 7919) % 1_000_003}`));
}

const words: readonly GrowingInput[] = [
  {
    name: 'diff: fields that have nothing in common',
    make: (size) => ({ in: different(size, 'a'), other: different(size, 'b') }),
    commands: ['diff @in @other', 'diff --structure @in @other', 'diff --json @in @other'],
  },
  {
    name: 'diff: sections in another order',
    make: (size) => {
      const count = Math.floor(size / 2 / 40);
      const section = (i: number, n: number) => full(n + 3, `s${(i * 7919) % count}`, 0, 1, u8(i & 255));
      const order = Array.from({ length: count }, (_, i) => i);
      return {
        in: stream(...order.map((i) => section(i, i))),
        other: stream(...order.map((i) => section(count - i, i))),
      };
    },
    commands: ['diff @in @other', 'diff --structure @in @other'],
  },
  {
    name: 'diff: bytes',
    make: (size) => {
      const one = (seed: number) =>
        described(
          full(
            3,
            'a',
            0,
            1,
            Uint8Array.from({ length: size / 2 }, (_, i) => (i * seed * 31) >>> 3),
          ),
          device('a', `{"name":"b","type":"buffer","size":${size / 2}}`),
        );
      return { in: one(3), other: one(5) };
    },
    commands: ['diff @in @other', 'diff --full @in @other', 'dump --full @in', 'dump --raw @in'],
  },
  {
    name: 'selectors',
    make: (size) => ({ in: fields(size, (i) => uint8(`aaaaaaaaaaaaaaaaaaaa${i}`)) }),
    commands: [
      'dump @in **a**a**a**a**a**b',
      `dump @in ${'*a'.repeat(500)}b`,
      'dump @in nothing-like-it',
      'diff @in @in --only **a*a*a*a*b',
    ],
  },
];

export const growingInputs: readonly GrowingInput[] = [
  ...streams,
  ...descriptions,
  ...memory,
  ...containers,
  ...tables,
  ...words,
];
