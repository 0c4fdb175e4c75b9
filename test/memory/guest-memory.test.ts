import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { type FinishedSource, memorySource } from '../../src/bytes/source.ts';
import { planCore } from '../../src/core/plan.ts';
import { openStream } from '../../src/layout/open.ts';
import type { GuestMemory } from '../../src/memory/guest-memory.ts';
import type { MemoryOptions } from '../../src/memory/page-index-builder.ts';
import { memorySpool } from '../../src/memory/spool.ts';
import { nodeInflater } from '../../src/node/inflater.ts';
import { openFixture } from '../fixtures.ts';
import {
  channelSources,
  type MemoryFixture,
  memoryFixture,
  memoryFixtures,
  readChannels,
  readMain,
  wrongRanges,
} from '../ram/memory-fixtures.ts';
import { wholeMemory } from '../ram/whole-memory.ts';

async function openMemory(fixture: MemoryFixture, options: MemoryOptions = {}): Promise<GuestMemory> {
  const { memory } = await openStream(memorySource(readMain(fixture), 'main'), {
    memory: { inflater: nodeInflater, ...options },
    ...(fixture.channels > 0 ? { channels: channelSources(readChannels(fixture)) } : {}),
  });
  return memory!;
}

/** Whole blocks that the memory of the QEMU is compared with, each read in pieces that begin and end anywhere. */
async function readInPieces(memory: GuestMemory, idstr: string): Promise<Uint8Array> {
  const { length } = memory.blocks.find((block) => block.idstr === idstr)!;
  const whole = new Uint8Array(length);
  for (let offset = 0, size = 1; offset < length; size = (size * 7919) % 1_300_001) {
    const { bytes, isKnown } = await memory.read(idstr, offset, Math.min(size, length - offset));
    expect(isKnown).toBe(true);
    whole.set(bytes, offset);
    offset += bytes.length;
  }
  return whole;
}

describe.each(memoryFixtures)('$name', (fixture) => {
  test('read at any place, memory is what the QEMU had that loaded it', async () => {
    const memory = await openMemory(fixture);
    const names = [...new Set(fixture.memory.map(({ block }) => block))];
    const blocks = new Map<string, Uint8Array>();
    for (const name of names) blocks.set(name, await readInPieces(memory, name));
    expect(wrongRanges(fixture, (block) => blocks.get(block))).toEqual([]);
    await memory.close();
  });

  test('and so with an index that is in a spool, as a whole and at any place', async () => {
    let spools = 0;
    const openSpool = async () => {
      spools++;
      return memorySpool();
    };
    const memory = await openMemory(fixture, { openSpool, indexLimit: 1 });
    expect(memory.index.isSpilled).toBe(true);
    expect(spools).toBeGreaterThan(0);
    const { blocks, diagnostics } = await wholeMemory(memory);
    expect(diagnostics).toEqual([]);
    expect(wrongRanges(fixture, (block) => blocks.get(block))).toEqual([]);
    const [first] = fixture.memory;
    const { bytes } = await memory.read(first!.block, first!.offset, first!.length);
    expect(wrongRanges({ ...fixture, memory: [{ ...first!, offset: 0 }] }, () => bytes)).toEqual([]);
    await memory.close();
  });
});

test('pages at their place in the file are read as the others', async () => {
  const { memory } = await openStream(openFixture('qemu-10.0-mapped-ram'), { memory: {} });
  const { blocks } = await wholeMemory(memory!);
  for (const { idstr, length } of memory!.blocks) {
    if (length > 0) expect(Buffer.compare(await readInPieces(memory!, idstr), blocks.get(idstr)!)).toBe(0);
  }
});

test('what is asked for is decompressed, and no more', async () => {
  const fixture = memoryFixture('qemu-7.2-multifd-zlib-live');
  let needed = 0;
  const openSpool = async (bytes: number) => {
    needed = bytes;
    return memorySpool();
  };
  const memory = await openMemory(fixture, { openSpool });
  const [first] = fixture.memory;
  await memory.prepare([{ block: first!.block, offset: first!.offset, length: 2 }]);
  expect(needed).toBe(0);
  const { isKnown } = await memory.read(first!.block, first!.offset, 2);
  expect(isKnown).toBe(true);
});

test('however often pages are asked for, they are kept together', async () => {
  const fixture = memoryFixture('qemu-7.2-multifd-zlib-live');
  const memory = await openMemory(fixture);
  for (const { block, offset } of fixture.memory.slice(0, 64)) {
    await memory.prepare([{ block, offset, length: 1 }]);
    expect((await memory.read(block, offset, 1)).isKnown).toBe(true);
  }
  expect(memory.index.spools.length).toBe(1);
});

describe('pages of a damaged channel', () => {
  const fixture = memoryFixture('qemu-7.2-multifd-zlib-live');
  const openDamaged = async (options: MemoryOptions) => {
    const channels = readChannels(fixture);
    for (const channel of channels) channel.fill(0x55, channel.length / 2, channel.length / 2 + 64);
    const { memory } = await openStream(memorySource(readMain(fixture), 'main'), {
      memory: { inflater: nodeInflater, ...options },
      channels: channelSources(channels),
    });
    return memory!;
  };

  test('are told, wherever the index is and whenever they were decompressed', async () => {
    const whole = await wholeMemory(await openDamaged({}));
    expect(whole.diagnostics.length).toBeGreaterThan(0);
    const spilled = await wholeMemory(await openDamaged({ indexLimit: 1 }));
    for (const { message } of whole.diagnostics)
      expect(spilled.diagnostics.map((diagnostic) => diagnostic.message)).toContain(message);
    const prepared = await openDamaged({});
    expect(await prepared.prepare()).toEqual(whole.diagnostics);
    const { diagnostics } = await wholeMemory(prepared);
    expect(diagnostics.length).toBeGreaterThan(0);
    for (const { message } of diagnostics)
      expect(message).toMatch(/^pages of \S+ from 0x.* cannot be decoded/);
  });
});

test('a core misses no block whose pages came over channels', async () => {
  const fixture = memoryFixture('qemu-7.2-multifd-zlib-live');
  const open = (memory?: MemoryOptions) =>
    openStream(memorySource(readMain(fixture), 'main'), {
      memory,
      channels: channelSources(readChannels(fixture)),
    });
  for (const opened of [await open({ inflater: nodeInflater }), await open()]) {
    const { diagnostics } = await planCore(opened);
    expect(diagnostics.filter(({ message }) => message.includes('no page of RAMBlock'))).toEqual([]);
  }
  const { diagnostics } = await planCore(await openStream(memorySource(readMain(fixture)), { memory: {} }));
  expect(diagnostics.some(({ message }) => message.includes('no page of RAMBlock'))).toBe(true);
});

test('a channel that cannot be read is no damaged one', async () => {
  const fixture = memoryFixture('qemu-7.2-multifd-zlib-live');
  let isBroken = false;
  const channels = channelSources(readChannels(fixture)).map(
    (channel): FinishedSource => ({
      name: channel.name,
      size: channel.size,
      end: () => channel.end(),
      read: async (offset, length, into) => {
        if (isBroken) throw new DecodeError({ severity: 'error', code: 'io', message: 'the disk is gone' });
        return channel.read(offset, length, into);
      },
    }),
  );
  const { memory } = await openStream(memorySource(readMain(fixture), 'main'), {
    memory: { inflater: nodeInflater },
    channels,
  });
  isBroken = true;
  await expect(memory!.prepare()).rejects.toMatchObject({ code: 'io' });
  await expect(memory!.visit({ pages() {} })).rejects.toMatchObject({ code: 'io' });
  isBroken = false;
  const { blocks, diagnostics } = await wholeMemory(memory!);
  expect(diagnostics).toEqual([]);
  expect(wrongRanges(fixture, (block) => blocks.get(block))).toEqual([]);
});

test('a memory that was closed says so', async () => {
  const fixture = memoryFixture('qemu-7.2-multifd-zlib-live');
  const memory = await openMemory(fixture);
  const { block, offset } = fixture.memory[0]!;
  const pending = memory.read(block, offset, 1);
  await memory.close();
  const closed = { code: 'bad-argument', message: expect.stringContaining('closed') };
  await expect(pending).rejects.toMatchObject(closed);
  await expect(memory.read(block, offset, 1)).rejects.toMatchObject(closed);
  await expect(memory.prepare()).rejects.toMatchObject(closed);
  await expect(memory.visit({ pages() {} })).rejects.toMatchObject(closed);
  await memory.close();
});

test('what is no memory cannot be asked for', async () => {
  const memory = await openMemory(memoryFixture('qemu-7.2-xbzrle-live'));
  const [{ idstr, length }] = memory.blocks as [{ idstr: string; length: number }];
  const wrong = { code: 'bad-argument' };
  await expect(memory.read('no block', 0, 1)).rejects.toMatchObject(wrong);
  await expect(memory.read(idstr, length, 1)).rejects.toMatchObject(wrong);
  await expect(memory.read(idstr, -1, 1)).rejects.toMatchObject(wrong);
  await expect(memory.read(idstr, 0.5, 1)).rejects.toMatchObject(wrong);
  expect(await memory.read(idstr, length, 0)).toMatchObject({ ranges: [], isKnown: true });
});
