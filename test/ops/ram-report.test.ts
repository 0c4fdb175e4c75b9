import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { openStream } from '../../src/layout/open.ts';
import { type RamReport, ramReport } from '../../src/ops/ram-report.ts';
import { PageUsage } from '../../src/ram/page-usage.ts';
import { drawRamMap } from '../../src/render/ram-map.ts';
import { ramText } from '../../src/render/ram-text.ts';
import { plainStyle } from '../../src/render/style.ts';
import { drawingSvg } from '../../src/render/svg.ts';
import { fixtures, openFixture, readFixture } from '../fixtures.ts';
import { channelSources, memoryFixtures, readChannels, readMain } from '../ram/memory-fixtures.ts';
import { bytes, hex, text8, u32, u64 } from '../ram/section-bytes.ts';

async function reportOf(name: string): Promise<RamReport> {
  const usage = new PageUsage();
  const opened = await openStream(openFixture(name), { sink: usage });
  const report = ramReport(opened, usage, { ranges: 10 });
  if (!report) throw new Error('no RAM section');
  return report;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

/** Captured while the guest wrote, for ever, to the pages from 0x10000 to 0x8ffff (scripts/capture/roms.mjs). */
const DIRTY = { first: 0x10000, end: 0x90000 };

describe.each(fixtures.filter(({ migration }) => migration))('$name', ({ name, qemuVersion, migration }) => {
  test('as many pages and rounds as QEMU counted', async () => {
    const { normal, duplicate, total } = migration!.ram;
    const report = await reportOf(name);
    expect(report.pages.plain.pages).toBe(normal);
    expect(report.pages.zero.pages).toBe(duplicate);
    expect(report.totalLength).toBe(total);
    expect(report.pageSize).toBe(migration!.ram['page-size']);
    // Up to 10.x the last two questions for dirty pages have nothing between them.
    const idle = Number.parseInt(qemuVersion, 10) <= 10 ? 1 : 0;
    expect(report.rounds.length + idle).toBe(migration!.ram['dirty-sync-count']);
  });

  test('the hottest range is where the guest wrote', async () => {
    const { hottest, blocks } = await reportOf(name);
    expect(hottest.every(({ block }) => block === 'pc.ram')).toBe(true);
    const pages = [...hottest].sort((a, b) => a.offset - b.offset);
    expect(pages[0]!.offset).toBe(DIRTY.first);
    expect(sum(pages.map(({ length }) => length))).toBe(DIRTY.end - DIRTY.first);
    expect(blocks.find(({ idstr }) => idstr === 'pc.ram')!.repeatedPages).toBe(128);
    const extra = hottest.map(({ sends, length }) => sends - length / 4096);
    expect(extra).toEqual([...extra].sort((a, b) => b - a));
  });
});

describe.each(fixtures.map(({ name }) => name))('%s', (name) => {
  test('all views of what was sent agree', async () => {
    const report = await reportOf(name);
    const all = sum(Object.values(report.pages).map(({ pages }) => pages));
    expect(sum(report.rounds.map(({ total }) => total))).toBe(all);
    expect(sum(report.times.map(({ sends }) => sends))).toBe(all);
    expect(sum(report.times.map(({ pages }) => pages))).toBe(
      sum(report.blocks.map(({ sentPages }) => sentPages)),
    );
    for (const block of report.blocks) {
      const sent = sum(Object.values(block.pages).map(({ pages }) => pages));
      expect(sum(block.rounds.map(({ pages }) => pages))).toBe(sent);
      expect(block.sentPages).toBeLessThanOrEqual(Math.min(sent, block.pageCount));
      expect(block.repeatedPages === 0).toBe(block.sentPages === sent);
      expect(block.neverSentPages).toBe(block.pageCount - block.sentPages);
    }
  });
});

test.each([
  ['qemu-7.2-multifd', ['multifd']],
  ['qemu-11.1-multifd-zlib', ['multifd']],
  ['qemu-7.2-aarch64-linux', ['ignore-shared']],
  ['qemu-10.0-mapped-ram', []],
  ['qemu-5.2-compress', []],
  ['qemu-11.1-postcopy', []],
  ['qemu-7.2-pc-devices', []],
])('%s: where the other pages are', async (name, elsewhere) => {
  expect((await reportOf(name)).elsewhere).toEqual(elsewhere);
});

test.each(['qemu-5.2-postcopy', 'qemu-11.1-postcopy'])(
  '%s: what was sent after the switch-over is apart',
  async (name) => {
    const { rounds, blocks } = await reportOf(name);
    expect(rounds.at(-1)?.phase).toBe('postcopy');
    expect(rounds.filter(({ phase }) => phase === 'postcopy')).toHaveLength(1);
    expect(sum(blocks.map(({ neverSentPages }) => neverSentPages))).toBe(0);
  },
);

test.each(['qemu-5.2-xbzrle', 'qemu-10.0-xbzrle'])('%s: XBZRLE saves what it does not send', async (name) => {
  const { xbzrleSaved, pages, rounds } = await reportOf(name);
  expect(pages.xbzrle.pages).toBeGreaterThan(0);
  expect(xbzrleSaved).toBe(4096 * pages.xbzrle.pages - pages.xbzrle.bytes);
  // There is nothing to make a delta against before (migration/ram.c, xbzrle_started).
  expect(rounds[0]?.pages.xbzrle).toBe(0);
});

test('whatever damage there is, the report adds up, and can be drawn', async () => {
  const bytes = readFixture('qemu-10.0-xbzrle');
  const damage = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 20 }), async (damages) => {
      const damaged = bytes.slice();
      // The header stays: what has none is no stream. Half of the damage is in the block list and the first pages.
      for (const [i, [at, bits]] of damages.entries()) damaged[Math.max(8, i % 2 ? at % 4096 : at)]! ^= bits;
      const usage = new PageUsage();
      const opened = await openStream(memorySource(damaged, 'damaged'), { sink: usage });
      const report = ramReport(opened, usage, { ranges: 10 });
      if (!report) return;
      const all = sum(Object.values(report.pages).map(({ pages }) => pages));
      expect(sum(report.rounds.map(({ total }) => total))).toBe(all);
      expect(sum(report.times.map(({ sends }) => sends)) + report.unfollowed).toBe(all);
      expect([...ramText(report, plainStyle)].length).toBeGreaterThan(5);
      expect(drawingSvg(drawRamMap(report, usage)).endsWith('</svg>\n')).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test('pages of a size that is not known are not counted for their block', async () => {
  const noRecord = new Uint8Array(1500).fill(0x41);
  const page = bytes(u64(0x08), text8('a'), noRecord);
  const body = bytes(u64(0x2004), text8('a'), u64(0x2000), page);
  const stream = bytes(hex('5145564d0000000301'), u32(2), text8('ram'), u32(0), u32(4), body);
  const usage = new PageUsage();
  const opened = await openStream(memorySource(stream), { sink: usage });
  const report = ramReport(opened, usage, { ranges: 10 })!;
  expect(report.pageSize).toBeUndefined();
  expect(report.pages.plain.pages).toBe(1);
  expect(report.blocks).toMatchObject([{ idstr: 'a', pageCount: 0, sentPages: 0, neverSentPages: 0 }]);
});

test('a cut stream says so', async () => {
  const usage = new PageUsage();
  const source = openFixture('qemu-7.2-pc-devices');
  const half = { ...source, size: 40_000, name: 'half', read: source.read.bind(source) };
  const report = ramReport(await openStream(half, { sink: usage }), usage, { ranges: 10 });
  expect(report?.elsewhere).toEqual(['cut']);
  expect(report?.blocks.length).toBeGreaterThan(0);
});

describe.each(memoryFixtures.filter(({ channels }) => channels > 0))('$name with its channels', (fixture) => {
  const report = async (withChannels: boolean) => {
    const usage = new PageUsage();
    const opened = await openStream(memorySource(readMain(fixture)), {
      sink: usage,
      ...(withChannels ? { channels: channelSources(readChannels(fixture)) } : {}),
    });
    return ramReport(opened, usage, { ranges: 10 })!;
  };

  test('every page of every block was sent', async () => {
    const { blocks, elsewhere, diagnostics } = await report(true);
    expect(blocks.map(({ neverSentPages }) => neverSentPages)).toEqual(blocks.map(() => 0));
    expect(elsewhere).toEqual([]);
    expect(diagnostics.filter(({ code }) => code !== 'no-schema')).toEqual([]);
  });

  test('all views of what was sent agree', async () => {
    const { pages, channels, rounds, times } = await report(true);
    expect(channels).toHaveLength(fixture.channels);
    const sent =
      sum(Object.values(pages).map((count) => count.pages)) +
      sum(channels.map((each) => (each.kind === 'multifd' ? each.normalPages + each.zeroPages : each.pages)));
    expect(sum(rounds.map(({ total }) => total))).toBe(sent);
    expect(sum(times.map(({ sends }) => sends))).toBe(sent);
  });

  test('without them it says that pages are elsewhere, or knows fewer', async () => {
    const { blocks, elsewhere } = await report(false);
    const never = sum(blocks.map(({ neverSentPages }) => neverSentPages));
    expect(elsewhere.includes('multifd') || never > 0).toBe(true);
  });
});
