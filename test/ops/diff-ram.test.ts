import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { type OpenOptions, openStream } from '../../src/layout/open.ts';
import { hashPages } from '../../src/memory/page-hashes.ts';
import { nodeInflater } from '../../src/node/inflater.ts';
import { diffStreams } from '../../src/ops/diff.ts';
import type { PageRange, RamDiff } from '../../src/ops/diff-ram.ts';
import { openFixture, readFixture } from '../fixtures.ts';
import {
  channelSources,
  memoryFixture,
  readChannels,
  readMain,
  wrongRanges,
} from '../ram/memory-fixtures.ts';
import { wholeMemory } from '../ram/whole-memory.ts';

const PAGE = 4096;

/** A migration whose memory is known: what the QEMU had that loaded it. */
interface Known {
  readonly name: string;
  readonly main: Uint8Array;
  readonly options: OpenOptions;
  readonly blocks: ReadonlyMap<string, Uint8Array>;
}

async function openKnown(name: string): Promise<Known> {
  const fixture = memoryFixture(name);
  const main = readMain(fixture);
  const options = (): OpenOptions => ({
    memory: { inflater: nodeInflater },
    ...(fixture.channels > 0 ? { channels: channelSources(readChannels(fixture)) } : {}),
  });
  const { memory } = await openStream(memorySource(main), options());
  const { blocks } = await wholeMemory(memory!);
  expect(wrongRanges(fixture, (block) => blocks.get(block))).toEqual([]);
  return { name, main, options: options(), blocks };
}

async function openHashed(bytes: Uint8Array, options: OpenOptions = { memory: {} }) {
  const opened = await openStream(memorySource(bytes), options);
  return { opened, ...(await hashPages(opened.memory!)) };
}

async function diffMemory(a: Known, b: Known): Promise<RamDiff> {
  const hashedA = await openHashed(a.main, a.options);
  const hashedB = await openHashed(b.main, b.options);
  const { ram } = await diffStreams(hashedA.opened, hashedB.opened, {
    pages: { a: hashedA.pages, b: hashedB.pages },
  });
  return ram!;
}

function pagesIn(ranges: readonly PageRange[]): number[] {
  return ranges.flatMap(({ start, end }) =>
    Array.from({ length: (end - start) / PAGE }, (_, i) => start / PAGE + i),
  );
}

function differingPages(a: Uint8Array, b: Uint8Array): number[] {
  const page = (bytes: Uint8Array, i: number) => Buffer.from(bytes.subarray(i * PAGE, (i + 1) * PAGE));
  return Array.from({ length: a.length / PAGE }, (_, i) => i).filter((i) => !page(a, i).equals(page(b, i)));
}

test.each([
  ['qemu-7.2-xbzrle-live', 'qemu-5.2-compress-live'],
  ['qemu-7.2-xbzrle-live', 'qemu-7.2-multifd-zlib-live'],
  ['qemu-10.0-multifd-zstd-live', 'qemu-11.1-background-snapshot'],
])('the pages of %s and %s that differ are those of the memories that QEMU had', async (nameA, nameB) => {
  const a = await openKnown(nameA);
  const b = await openKnown(nameB);
  const { blocks, pagesCompared } = await diffMemory(a, b);
  expect(pagesCompared).toBe(true);
  let differing = 0;
  for (const { idstr, kind, pages } of blocks) {
    if (kind === 'added' || kind === 'removed') continue;
    const [bytesA, bytesB] = [a.blocks.get(idstr), b.blocks.get(idstr)];
    if (!bytesA || !bytesB || bytesA.length !== bytesB.length) continue;
    const expected = differingPages(bytesA, bytesB);
    expect({ idstr, pages: pagesIn(pages!.ranges) }).toEqual({ idstr, pages: expected });
    expect(pages!.counts).toMatchObject({
      changed: expected.length,
      same: bytesA.length / PAGE - expected.length,
    });
    differing += expected.length;
  }
  expect(differing).toBeGreaterThan(0);
});

test('a byte that is patched in a page makes it differ, and no other', async () => {
  const bytes = readFixture('qemu-7.2-pc-devices');
  const plain: number[] = [];
  await openStream(memorySource(bytes), {
    sink: {
      needsContent: true,
      pages(_block, _offset, count, kind, pageSize, value) {
        if (kind === 'plain') for (let i = 0; i < count; i++) plain.push(value + i * (pageSize + 8));
      },
    },
  });
  const place = plain[Math.floor(plain.length / 2)]!;
  const patched = Uint8Array.from(bytes);
  patched[place + 1234]! ^= 1;
  const [a, b] = [await openHashed(bytes), await openHashed(patched)];
  const { ram, sections } = await diffStreams(a.opened, b.opened, { pages: { a: a.pages, b: b.pages } });
  expect(sections).toEqual([]);
  const changed = ram!.blocks.filter(({ kind }) => kind === 'changed');
  expect(changed.map((block) => block.pages!.counts.changed)).toEqual([1]);
});

test('blocks that only one side has, or of another size, are named without a look at pages', async () => {
  const ram = (
    await diffStreams(
      await openStream(openFixture('qemu-7.2-pc-devices')),
      await openStream(openFixture('qemu-7.2-q35-devices')),
    )
  ).ram!;
  expect(ram).toMatchObject({ same: false, pagesCompared: false });
  const kinds = Object.fromEntries(ram.blocks.map(({ idstr, kind }) => [idstr, kind]));
  expect(kinds['pc.ram']).toBe('same');
  expect(Object.values(kinds)).toEqual(expect.arrayContaining(['added', 'removed']));
});
