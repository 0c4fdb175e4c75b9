import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openStream } from '../../src/layout/open.ts';
import type { PageKind, PageSink } from '../../src/ram/page-sink.ts';
import { PageUsage } from '../../src/ram/page-usage.ts';
import { openFixture } from '../fixtures.ts';

const PAGE = 4096;
const blocks = ['pc.ram', 'vga.vram', 'pc.rom'].map((idstr) => ({ idstr, length: 2 ** 40 }));

interface Sent {
  readonly block: number;
  readonly page: number;
  readonly kind: PageKind;
}

const anySent = fc.record({
  block: fc.nat(2),
  // Few pages, so that they repeat; near the edges of what is kept together; and far away.
  page: fc.oneof(fc.nat(70), fc.integer({ min: 16380, max: 16390 }), fc.constant(2 ** 27 + 5)),
  kind: fc.constantFrom<PageKind>('plain', 'zero', 'xbzrle', 'fill'),
});

function put(usage: PageUsage, { block, page, kind }: Sent): void {
  usage.pages(blocks[block]!, page * PAGE, 1, kind, PAGE);
}

function cellsOf(usage: PageUsage, idstr: string, pages: number): [number, number, boolean][] {
  const cells: [number, number, boolean][] = [];
  usage.forEach(idstr, pages, (page, { times, content }) => cells.push([page, times, content]));
  return cells;
}

test('each page is counted, and cells of pages show the one that was sent most', () => {
  fc.assert(
    fc.property(
      fc.array(anySent, { maxLength: 300 }),
      fc.constantFrom(1, 2, 32, 64, 2 ** 15),
      (sent, pages) => {
        const usage = new PageUsage();
        const model = blocks.map(() => new Map<number, { times: number; content: boolean }>());
        for (const one of sent) {
          put(usage, one);
          const times = (model[one.block]!.get(one.page)?.times ?? 0) + 1;
          model[one.block]!.set(one.page, { times, content: one.kind !== 'zero' });
        }
        for (const [i, { idstr }] of blocks.entries()) {
          const cells = new Map<number, [number, number, boolean]>();
          for (const [page, { times, content }] of [...model[i]!].sort(([a], [b]) => a - b)) {
            const first = Math.floor(page / pages) * pages;
            const [, most, some] = cells.get(first) ?? [first, 0, false];
            cells.set(first, [first, Math.max(most, times), some || content]);
          }
          expect(cellsOf(usage, idstr, pages)).toEqual([...cells.values()]);
          expect(usage.block(idstr)?.sentPages ?? 0).toBe(model[i]!.size);
          const repeated = [...model[i]!.values()].filter(({ times }) => times > 1).length;
          expect(usage.block(idstr)?.repeatedPages ?? 0).toBe(repeated);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('every page is in one round, and none twice in the same', () => {
  fc.assert(
    fc.property(fc.array(anySent, { maxLength: 200 }), (sent) => {
      const usage = new PageUsage();
      const seen = new Set<string>();
      let rounds = 0;
      for (const one of sent) {
        put(usage, one);
        if (usage.rounds.length > rounds) seen.clear();
        rounds = usage.rounds.length;
        const key = `${one.block}/${one.page}`;
        expect(seen.has(key)).toBe(false);
        seen.add(key);
      }
      const total = usage.rounds.reduce((sum, { pages }) => sum + pages.reduce((a, b) => a + b, 0), 0);
      expect(total).toBe(sent.length);
      const byBlock = blocks.flatMap(({ idstr }) => usage.block(idstr)?.rounds ?? []);
      expect(byBlock.reduce((sum, { pages }) => sum + pages, 0)).toBe(sent.length);
    }),
    { numRuns: 200 },
  );
});

test('pages in any order are one round as long as none comes twice', () => {
  const pages = fc.uniqueArray(fc.nat(10_000), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(pages, (numbers) => {
      const usage = new PageUsage();
      for (const page of numbers) put(usage, { block: 0, page, kind: 'plain' });
      expect(usage.rounds).toHaveLength(1);
    }),
  );
});

test('the end of the section is one round, from wherever the search stood', () => {
  const usage = new PageUsage();
  const send = (...pages: number[]) => {
    for (const page of pages) put(usage, { block: 0, page, kind: 'plain' });
  };
  usage.section('SECTION_START');
  usage.section('SECTION_PART');
  send(0, 1, 2, 3, 0, 1);
  usage.section('SECTION_END');
  send(2, 3, 0, 1);
  expect(usage.block('pc.ram')?.rounds.map(({ pages }) => pages)).toEqual([4, 2, 4]);
});

test('no more memory than for what was sent, and no more than there is room for', () => {
  const usage = new PageUsage();
  for (let i = 0; i < 30_000; i++) put(usage, { block: 0, page: i * 2 ** 14, kind: 'plain' });
  const followed = usage.block('pc.ram')!.chunks.size;
  expect(followed).toBeLessThan(30_000);
  expect(usage.unfollowed).toBe(30_000 - followed);
  expect(usage.block('pc.ram')!.sentPages).toBe(followed);
});

test('no end of rounds, and of blocks in each, is bounded', () => {
  const usage = new PageUsage();
  for (let i = 0; i < 100_000; i++) put(usage, { block: 0, page: 7, kind: 'zero' });
  expect(usage.rounds.length).toBeLessThan(100_000);
  expect(usage.block('pc.ram')!.rounds.reduce((sum, { pages }) => sum + pages, 0)).toBe(100_000);
  const many = new PageUsage();
  const names = Array.from({ length: 1000 }, (_, i) => ({ idstr: String(i), length: PAGE }));
  for (let i = 0; i < 1200; i++) {
    for (const block of names) many.pages(block, 0, 1, 'zero', PAGE);
  }
  expect(many.rounds.length).toBeLessThan(1100);
});

test.each(['qemu-5.2-xbzrle', 'qemu-10.0-xbzrle', 'qemu-11.1-postcopy', 'qemu-10.0-mapped-ram'])(
  '%s: pages are counted as a sink gets them',
  async (name) => {
    const times = new Map<string, number>();
    const naive: PageSink = {
      needsContent: false,
      pages({ idstr }, offset, count, _kind, pageSize) {
        for (let i = 0; i < count; i++) {
          const page = `${idstr}/${offset + i * pageSize}`;
          times.set(page, (times.get(page) ?? 0) + 1);
        }
      },
    };
    await openStream(openFixture(name), { sink: naive });
    const usage = new PageUsage();
    const { stream } = await openStream(openFixture(name), { sink: usage });
    const summary = stream.sections.find(({ idstr }) => idstr === 'ram')!.scanner!.summary();
    if (summary.kind !== 'ram') throw new Error('no RAM');
    const found = new Map<string, number>();
    for (const { idstr } of summary.blocks) {
      usage.forEach(idstr, 1, (page, { times: count }) => found.set(`${idstr}/${page * 4096}`, count));
    }
    expect(found.size).toBe(times.size);
    for (const [page, count] of times) expect(found.get(page)).toBe(count);
    const sent = Object.values(summary.pages).reduce((sum, { pages }) => sum + pages, 0);
    expect([...times.values()].reduce((sum, count) => sum + count, 0)).toBe(sent);
  },
);
