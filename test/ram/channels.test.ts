import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../src/bytes/diagnostic.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { openStream } from '../../src/layout/open.ts';
import { nodeInflater } from '../../src/node/inflater.ts';
import type { MultifdChannelSummary } from '../../src/ram/channels.ts';
import {
  channelSources,
  memoryFixture,
  memoryFixtures,
  readChannels,
  readMain,
  wrongRanges,
} from './memory-fixtures.ts';
import { wholeMemory } from './whole-memory.ts';

const INIT_SIZE = 64;
const PACKET_SIZE = 320 + 8 * 128;

async function read(main: Uint8Array, channels: readonly Uint8Array[]) {
  const opened = await openStream(memorySource(main, 'main'), {
    memory: { inflater: nodeInflater },
    ...(channels.length > 0 ? { channels: channelSources(channels) } : {}),
  });
  const summary = opened.stream.sections
    .map(({ scanner }) => scanner?.summary())
    .find((each) => each?.kind === 'ram');
  const { blocks, diagnostics } = await wholeMemory(opened.memory!);
  const found = [...opened.diagnostics, ...diagnostics];
  const problems = found.filter(({ severity }) => severity === 'error');
  return { memory: opened.memory!, blocks, problems, summary: summary?.kind === 'ram' ? summary : undefined };
}

function messages(problems: readonly Diagnostic[]): string {
  return problems.map(({ message }) => message).join('\n');
}

/** Offsets of the packets of a channel, by the layout of MultiFDPacket_t; no code of src/ in it. */
function packetsOf(channel: Uint8Array): { start: number; normal: number; zero: number }[] {
  const view = new DataView(channel.buffer, channel.byteOffset, channel.byteLength);
  const packets: { start: number; normal: number; zero: number }[] = [];
  for (let start = INIT_SIZE; start < channel.length; ) {
    const normal = view.getUint32(start + 16);
    packets.push({ start, normal, zero: view.getUint32(start + 32) });
    start += PACKET_SIZE + (normal > 0 ? view.getUint32(start + 20) : 0);
  }
  return packets;
}

describe.each(memoryFixtures)('$name', (fixture) => {
  const main = readMain(fixture);
  const channels = readChannels(fixture);

  test('memory is what the QEMU had that loaded it', async () => {
    const { blocks, problems } = await read(main, channels);
    expect(problems).toEqual([]);
    expect(wrongRanges(fixture, (block) => blocks.get(block))).toEqual([]);
  });

  if (channels.length > 1)
    test('channels can come in any order', async () => {
      const { blocks, problems } = await read(main, [...channels].reverse());
      expect(problems).toEqual([]);
      expect(wrongRanges(fixture, (block) => blocks.get(block))).toEqual([]);
    });

  if (fixture.case.startsWith('multifd'))
    test('without its channels, pages are missing', async () => {
      const { problems } = await read(main, []);
      expect(problems.map(({ code }) => code)).toEqual(['missing-pages']);
    });

  if (fixture.case.startsWith('multifd'))
    test('packets and pages are counted', async () => {
      const { summary } = await read(main, channels);
      const found = summary?.channels?.filter(
        (each): each is MultifdChannelSummary => each.kind === 'multifd',
      );
      const expected = channels.map((channel) => {
        const packets = packetsOf(channel);
        return {
          id: channel[24],
          packets: packets.length,
          normalPages: packets.reduce((sum, { normal }) => sum + normal, 0),
          zeroPages: packets.reduce((sum, { zero }) => sum + zero, 0),
        };
      });
      expected.sort((a, b) => a.id! - b.id!);
      expect(
        found?.map(({ id, packets, normalPages, zeroPages }) => ({ id, packets, normalPages, zeroPages })),
      ).toEqual(expected);
    });
});

test('there are fixtures of both packet layouts, all codecs and preempt', () => {
  const cases = memoryFixtures.map(({ case: kind, qemuVersion }) => `${qemuVersion.split('.')[0]} ${kind}`);
  for (const each of [
    '5 multifd-zlib-live',
    '7 multifd-none-live',
    '10 multifd-zstd-live',
    '10 postcopy-preempt',
  ])
    expect(cases).toContain(each);
});

describe('channels that do not belong together', () => {
  const fixture = memoryFixture('qemu-11.1-multifd-zlib-live');
  const main = readMain(fixture);
  const channels = readChannels(fixture).sort((a, b) => a[24]! - b[24]!);

  test('one in the middle is missing', async () => {
    const { problems } = await read(main, [channels[0]!, channels[2]!]);
    expect(messages(problems)).toMatch(/^multifd channel 1 is missing: there are 0, 2$/m);
  });

  test('the last is missing', async () => {
    const { problems } = await read(main, [channels[0]!, channels[1]!]);
    expect(messages(problems)).toMatch(/^\d+ multifd packets in 2 channels, but the last has number \d+/m);
  });

  test('one comes twice', async () => {
    const { blocks, problems } = await read(main, [...channels, channels[1]!]);
    expect(messages(problems)).toMatch(
      /^channel ch3: multifd channel 1 a second time, after ch1; it is left out$/,
    );
    expect(wrongRanges(fixture, (block) => blocks.get(block))).toEqual([]);
  });

  test('one is of another VM', async () => {
    const other = channels[2]!.slice();
    other[8] = 0xab;
    const { problems } = await read(main, [channels[0]!, channels[1]!, other]);
    expect(messages(problems)).toMatch(/^channel ch2: it belongs to another migration: its VM is ab0{30}/m);
  });

  test('one is of a migration that took longer', async () => {
    const longer = readChannels(memoryFixture('qemu-11.1-multifd-legacy-zero-live'));
    const { problems } = await read(main, [
      channels[0]!,
      longer.find((each) => each[24] === 1)!,
      channels[2]!,
    ]);
    expect(problems.length).toBeGreaterThan(0);
  });

  test('a main stream, and something else', async () => {
    const { blocks, problems } = await read(main, [...channels, main, Buffer.from('no channel at all')]);
    expect(messages(problems)).toBe(
      'channel ch3: this is a main stream (it begins with QEVM), not a channel of one\n' +
        'channel ch4: neither a multifd channel (magic 0x11223344) nor a postcopy preempt channel',
    );
    expect(wrongRanges(fixture, (block) => blocks.get(block))).toEqual([]);
  });

  test('one is cut', async () => {
    const cut = channels[1]!.subarray(0, channels[1]!.length - 100);
    const { problems } = await read(main, [channels[0]!, cut, channels[2]!]);
    expect(messages(problems)).toMatch(
      /^channel ch1, offset 0x[0-9a-f]+: the channel ends inside a packet: /,
    );
  });

  test('a channel in place of the main stream', async () => {
    await expect(read(channels[0]!, [])).rejects.toMatchObject({
      code: 'not-a-stream',
      message: expect.stringMatching(/multifd channel of a migration, not its main stream/),
    });
  });
});

describe('packets that cannot be', () => {
  const fixture = memoryFixture('qemu-7.2-multifd-none-live');
  const main = readMain(fixture);
  const channels = readChannels(fixture);
  const channel = channels[0]!;
  const victim = packetsOf(channel).find(({ normal }) => normal > 2)!;

  /** Reads with u32 values put into a packet with pages. */
  async function damaged(patch: readonly (readonly [offset: number, value: number])[]) {
    const bytes = channel.slice();
    const view = new DataView(bytes.buffer);
    for (const [offset, value] of patch) view.setUint32(victim.start + offset, value);
    return read(main, [bytes, ...channels.slice(1)]);
  }

  test.each([
    ['magic', [[0, 0x11223345]], /no multifd packet begins here: magic 0x11223345, version 1/],
    ['version', [[4, 2]], /no multifd packet begins here: magic 0x11223344, version 2/],
    ['flags of no encoding', [[8, 6]], /a packet with flags 0x6, which no QEMU sets/],
    ['room for too many pages', [[12, 129]], /a packet with room for 129 pages; it can be 128 pages of 4096/],
    ['more pages than room', [[16, 129]], /a packet of 129 pages and 0 zero pages, with room for 128/],
    ['more zero pages than room', [[32, 0xffffffff]], /and 4294967295 zero pages, with room for 128/],
    [
      'a payload that is too large',
      [[20, 0xffffffff]],
      /with 4294967295 bytes of page data \(no compression\)/,
    ],
    [
      'a compressed payload that is too large',
      [
        [8, 2],
        [20, 0x7fffffff],
      ],
      /2147483647 bytes of page data \(zlib\)/,
    ],
  ] as const)('%s', async (_, patch, message) => {
    const { problems } = await damaged(patch);
    expect(problems[0]).toMatchObject({ code: 'bad-ram', message: expect.stringMatching(message) });
    expect(problems[0]?.message).toContain(`channel ch0, offset 0x${victim.start.toString(16)}: `);
  });

  test('a page beyond its block costs that page only', async () => {
    const { problems, summary } = await damaged([[320, 0x7f]]);
    expect(messages(problems)).toMatch(
      new RegExp(
        `^channel ch0, offset 0x${(victim.start + 320).toString(16)}: a page at 0x7f[0-9a-f]{8} of RAMBlock`,
      ),
    );
    expect(problems.length).toBe(1);
    expect(summary?.channels?.length).toBe(3);
  });

  test('a block that is not in the list costs the packet only', async () => {
    const { problems } = await damaged([[64, 0x2f2e2e2f]]);
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/: pages of RAMBlock '\/\.\.\/.*', which is not in the block list$/),
    ]);
  });

  test.each([
    [8, /QPL \(Intel IAA\)/],
    [16, /UADK \(Kunpeng\)/],
  ])('flags 0x%i: an encoding that only hardware reads is named, once', async (flags, name) => {
    const bytes = channel.slice();
    const view = new DataView(bytes.buffer);
    for (const { start, normal } of packetsOf(channel)) {
      if (normal > 0) view.setUint32(start + 8, view.getUint32(start + 8) | flags);
    }
    const { problems } = await read(main, [bytes, ...channels.slice(1)]);
    expect(problems.map(({ code }) => code)).toEqual(['unsupported']);
    expect(messages(problems)).toMatch(name);
  });

  test('device state is counted and skipped', async () => {
    // MultiFDPacketDeviceState_t of QEMU 10.0 and later: header, char idstr[256], u32 instance id, u32 size.
    const packet = new Uint8Array(276 + 1000);
    const view = new DataView(packet.buffer);
    view.setUint32(0, 0x11223344);
    view.setUint32(4, 1);
    view.setUint32(8, 0x40);
    packet.set(Buffer.from('0000:00:04.0/vfio'), 12);
    view.setUint32(268, 3);
    view.setUint32(272, 1000);
    const before = channel.subarray(0, victim.start);
    const bytes = Buffer.concat([before, packet, channel.subarray(victim.start)]);
    const { blocks, problems, summary } = await read(main, [bytes, ...channels.slice(1)]);
    expect(problems).toEqual([]);
    expect(summary?.channels?.[0]).toMatchObject({
      deviceStates: [{ idstr: '0000:00:04.0/vfio', instanceId: 3, packets: 1, bytes: 1000 }],
    });
    expect(wrongRanges(fixture, (block) => blocks.get(block))).toEqual([]);
  });
});

describe('compressed pages that cannot be', () => {
  const fixture = memoryFixture('qemu-5.2-multifd-zlib-live');
  const main = readMain(fixture);
  const channels = readChannels(fixture);

  test('damaged data is reported with its place, and the other channels are read', async () => {
    const largest = channels.reduce((best, each) => (each.length > best.length ? each : best));
    const victim = packetsOf(largest).find(({ normal }) => normal > 100)!;
    const bytes = largest
      .slice()
      .fill(0xff, victim.start + PACKET_SIZE + 10, victim.start + PACKET_SIZE + 40);
    const { problems, summary } = await read(
      main,
      channels.map((each) => (each === largest ? bytes : each)),
    );
    expect(messages(problems)).toMatch(
      new RegExp(
        `^channel ch\\d, offset 0x${victim.start.toString(16)}: pages \\(zlib\\) that do not decompress: `,
      ),
    );
    expect(summary?.channels?.length).toBe(3);
  });

  test('fewer pages than the packet says', async () => {
    const at = channels.findIndex((each) => packetsOf(each).some(({ normal }) => normal > 100));
    const bytes = channels[at]!.slice();
    const victim = packetsOf(bytes).find(({ normal }) => normal > 100)!;
    const view = new DataView(bytes.buffer);
    view.setUint32(victim.start + 16, victim.normal - 1);
    const { problems } = await read(
      main,
      channels.map((each, i) => (i === at ? bytes : each)),
    );
    expect(messages(problems)).toMatch(/that do not decompress: it has more than \d+ bytes/);
  });
});

test('fewer pages than the packet of a zstd channel says', async () => {
  const fixture = memoryFixture('qemu-10.0-multifd-zstd-live');
  const channels = readChannels(fixture);
  const bytes = channels[0]!;
  const victim = packetsOf(bytes).findLast(({ normal }) => normal > 1)!;
  new DataView(bytes.buffer).setUint32(victim.start + 16, victim.normal - 1);
  const { problems } = await read(readMain(fixture), channels);
  // The program tells at the end, node:zlib at once.
  expect(messages(problems)).toMatch(/there are more bytes than pages|it has more than \d+ bytes/);
});

test('whatever a channel holds, reading ends with problems as data', async () => {
  const names = ['qemu-7.2-multifd-zlib-live', 'qemu-11.1-multifd-zlib-live', 'qemu-10.0-postcopy-preempt'];
  const cases = names.map((name) => {
    const fixture = memoryFixture(name);
    return { main: readMain(fixture), channels: readChannels(fixture) };
  });
  await fc.assert(
    fc.asyncProperty(
      fc.nat(cases.length - 1),
      fc.nat(2),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.option(fc.nat()),
      async (which, victim, changes, cut) => {
        const { main, channels } = cases[which]!;
        const at = victim % channels.length;
        let bytes = channels[at]!.slice();
        const headers = packetsOf(bytes).filter(() => names[which]!.includes('multifd'));
        for (const [place, value] of changes) {
          // Mostly in headers, where it hurts.
          const header = headers[place % Math.max(1, headers.length)];
          bytes[header ? header.start + ((place >>> 8) % 340) : place % bytes.length] = value;
        }
        if (cut !== null) bytes = bytes.subarray(0, cut % bytes.length);
        const { summary } = await read(
          main,
          channels.map((each, i) => (i === at ? bytes : each)),
        );
        expect(summary?.blocks.length).toBeGreaterThan(0);
      },
    ),
    { numRuns: 60 },
  );
});
