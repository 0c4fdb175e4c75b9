import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { memoryOf, type OpenedStream, openStream } from '../../src/layout/open.ts';
import { nodeInflater } from '../../src/node/inflater.ts';
import { conversionProblem } from '../../src/ops/conversion-problem.ts';
import { type Conversion, type ConvertOptions, convertStream } from '../../src/ops/convert.ts';
import type { CommandRecord } from '../../src/stream/records.ts';
import { fixtures, readFixture } from '../fixtures.ts';
import {
  channelSources,
  memoryFixture,
  memoryFixtures,
  readChannels,
  readMain,
  wrongRanges,
} from '../ram/memory-fixtures.ts';
import { wholeMemory } from '../ram/whole-memory.ts';

interface Converted {
  readonly from: OpenedStream;
  readonly bytes: Uint8Array;
  readonly conversion: Conversion;
  readonly to: OpenedStream;
}

function open(bytes: Uint8Array, channels: readonly Uint8Array[] = []): Promise<OpenedStream> {
  const options = channels.length > 0 ? { channels: channelSources(channels) } : {};
  return openStream(memorySource(bytes), { memory: { inflater: nodeInflater }, ...options });
}

async function convert(
  bytes: Uint8Array,
  channels: readonly Uint8Array[] = [],
  options: ConvertOptions = {},
): Promise<Converted> {
  const from = await open(bytes, channels);
  const pieces: Uint8Array[] = [];
  const conversion = await convertStream(from, (piece) => void pieces.push(piece.slice()), options);
  const written = new Uint8Array(Buffer.concat(pieces));
  return { from, bytes: written, conversion, to: await open(written) };
}

function commandsOf({ stream }: OpenedStream): readonly (string | undefined)[] {
  return stream.records
    .filter((record): record is CommandRecord => record.kind === 'command')
    .map(({ name }) => name);
}

/** Those with all that belongs to them in one file, of little memory. */
const small = fixtures.filter(
  ({ name, target }) => !/^qemu-[\d.]+-multifd/.test(name) && (target === 'x86_64' || !/64$/.test(target)),
);

describe.each(memoryFixtures)('$name', (fixture) => {
  test('has the memory of the QEMU that loaded it, in one connection, and its devices', async () => {
    const { from, to, conversion } = await convert(readMain(fixture), readChannels(fixture));
    const { blocks } = await wholeMemory(memoryOf(to));
    expect(wrongRanges(fixture, (block) => blocks.get(block))).toEqual([]);
    expect(await conversionProblem(from, to, conversion)).toBeUndefined();
    expect(to.diagnostics.filter(({ code }) => code !== 'no-schema')).toEqual([]);
    expect(conversion.diagnostics).toEqual([]);
    expect(commandsOf(to).filter((name) => name !== 'SWITCHOVER_START')).toEqual([]);
  });
});

describe.each(small)('$name', ({ name }) => {
  test('has its memory and its devices, and is written anew as it is', async () => {
    const { from, to, bytes, conversion } = await convert(readFixture(name));
    const [before, after] = [await wholeMemory(memoryOf(from)), await wholeMemory(memoryOf(to))];
    expect([...after.blocks.keys()].sort()).toEqual([...before.blocks.keys()].sort());
    for (const [idstr, content] of before.blocks)
      expect(Buffer.from(content).equals(after.blocks.get(idstr)!), idstr).toBe(true);
    expect(await conversionProblem(from, to, conversion)).toBeUndefined();
    expect(
      to.diagnostics.filter(({ severity, code }) => severity === 'error' || code === 'vmdesc-mismatch'),
    ).toEqual([]);
    expect(Buffer.from((await convert(bytes)).bytes).equals(bytes)).toBe(true);
  });
});

describe('the configuration', () => {
  test('has no mapped-ram any more, nor does its description', async () => {
    const { to } = await convert(readFixture('qemu-10.0-mapped-ram'));
    expect(to.stream.configuration?.capabilities).toBeUndefined();
    expect(to.vmdesc?.['configuration']).not.toHaveProperty('subsections');
  });

  test('keeps x-ignore-shared where memory is missing, which is said', async () => {
    for (const name of ['qemu-7.2-ignore-shared-uuid', 'qemu-11.1-ignore-shared']) {
      const { from, to, conversion } = await convert(readFixture(name));
      expect(to.stream.configuration?.capabilities).toEqual(['x-ignore-shared']);
      expect(to.stream.configuration?.uuid).toBe(from.stream.configuration?.uuid);
      expect(memoryOf(to).blocks).toEqual(memoryOf(from).blocks);
      expect(conversion.diagnostics.map(({ message }) => message)).toEqual([
        "no page of RAMBlock 'ram' (1048576 bytes) is in the stream: it was shared (x-ignore-shared), which the destination has to have on, too, with the same memory",
      ]);
    }
  });
});

test('commands of postcopy and the return path are left out, and all else of a package is not', async () => {
  const { conversion, to, from } = await convert(readFixture('qemu-5.2-postcopy'));
  expect(conversion.commandsLeftOut).toEqual([
    ...['OPEN_RETURN_PATH', 'PING', 'POSTCOPY_ADVISE', 'POSTCOPY_RAM_DISCARD'],
    ...['PACKAGED', 'POSTCOPY_LISTEN', 'POSTCOPY_RUN'],
  ]);
  expect(to.stream.sections.map(({ idstr }) => idstr)).toEqual(
    from.stream.sections.map(({ idstr }) => idstr),
  );
  const types = to.stream.records.map((record) => (record.kind === 'section' ? record.type : record.kind));
  expect(types.lastIndexOf('SECTION_END')).toBeLessThan(types.indexOf('SECTION_FULL'));
});

describe('what cannot be converted is refused, with the place:', () => {
  const name = 'qemu-7.2-xbzrle-live';
  const sound = readMain(memoryFixture(name));
  const refusal = async (bytes: Uint8Array, channels?: readonly Uint8Array[]) => {
    const error = await convert(bytes, channels).then(
      () => undefined,
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(DecodeError);
    return error as DecodeError;
  };

  test('a stream that is cut anywhere', async () => {
    for (const part of [0.1, 0.5, 0.9, 0.999]) {
      const { code, range } = await refusal(sound.subarray(0, sound.length * part));
      expect([code, range?.start]).toEqual(['truncated', expect.any(Number)]);
    }
  });

  test('a page that is damaged; with --partial all others are written', async () => {
    const damaged = await damagedDelta(sound);
    expect((await refusal(damaged)).message).toMatch(/^section ram: xbzrle page of \S+ at 0x\w+ is damaged/);
    const { conversion, to } = await convert(damaged, [], { partial: true });
    expect(conversion.diagnostics[0]).toMatchObject({ severity: 'warning', code: 'bad-ram' });
    expect(conversion.pages.plain + conversion.pages.zero).toBe(337);
    expect(to.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  test('channels that are missing', async () => {
    const fixture = memoryFixture('qemu-7.2-multifd-zlib-live');
    const channels = readChannels(fixture);
    expect((await refusal(readMain(fixture))).code).toBe('missing-pages');
    expect((await refusal(readMain(fixture), channels.slice(1))).code).toBe('bad-channel');
    const cut = channels[2]!.subarray(0, channels[2]!.length / 2);
    expect((await refusal(readMain(fixture), [...channels.slice(0, 2), cut])).message).toMatch(
      /^channel ch2/,
    );
  });

  test('pages that postcopy took back, and that went over a channel that is missing', async () => {
    const fixture = memoryFixture('qemu-10.0-postcopy-preempt');
    const { code, message } = await refusal(readMain(fixture));
    expect([code, message]).toEqual([
      'missing-pages',
      expect.stringMatching(/discarded at the switch to postcopy/),
    ]);
  });

  test('another section that is damaged, however partial it may be', async () => {
    const bytes = readFixture('qemu-10.0-dirty-bitmaps');
    const { stream } = await open(bytes);
    const { body } = stream.sections.find(({ idstr }) => idstr === 'dirty-bitmap')!.records[0]!;
    const damaged = Uint8Array.from(bytes);
    damaged.fill(0x55, body.start, body.start + 8);
    await expect(convert(damaged, [], { partial: true })).rejects.toThrow(/section dirty-bitmap/);
  });

  test('a gap between records, however partial it may be', async () => {
    const bytes = readFixture('qemu-7.2-pc-devices');
    const { stream } = await open(bytes);
    const record = stream.sections.at(-3)!.records[0]!;
    const damaged = Uint8Array.from(bytes);
    damaged[record.range.start] = 0x55;
    expect((await refusal(damaged)).code).toBe('bad-record');
    await expect(convert(damaged, [], { partial: true })).rejects.toThrow(/record type 0x55/);
  });
});

/** A stream one of whose last XBZRLE deltas says that it is of another encoding. */
async function damagedDelta(sound: Uint8Array): Promise<Uint8Array> {
  const damaged = Uint8Array.from(sound);
  let last = 0;
  await openStream(memorySource(sound), {
    sink: {
      needsContent: true,
      pages(_block, _offset, _count, kind, _pageSize, value) {
        if (kind === 'xbzrle') last = value;
      },
    },
  });
  // Behind the encoding and the length: runs that go beyond the page.
  damaged.fill(0xff, last + 3, last + 5);
  return damaged;
}

test('a stream that was written wrongly is noticed', async () => {
  const { from, to, bytes, conversion } = await convert(readFixture('qemu-7.2-rounds'));
  const more = { pages: { ...conversion.pages, zero: conversion.pages.zero + 1 } };
  expect(await conversionProblem(from, to, more)).toMatch(/it has 133 pages and 205 zero pages; 133 and 206/);
  const changed = Uint8Array.from(bytes);
  const { body, idstr } = to.stream.sections.at(-2)!.records[0]!;
  changed[body.end - 1]! ^= 1;
  expect(await conversionProblem(from, await open(changed), conversion)).toBe(
    `section ${idstr} is not what it was`,
  );
  expect(await conversionProblem(from, await open(bytes.subarray(0, -9)), conversion)).toMatch(/stream ends/);
});
