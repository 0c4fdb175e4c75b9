import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RunStore } from '../../src/memory/run-store.ts';
import { memorySpool } from '../../src/memory/spool.ts';
import { XbzrleDeltas } from '../../src/memory/xbzrle-deltas.ts';
import {
  CODE_MASK,
  DELTA,
  firstBehind,
  NONE,
  PACKED,
  type PageRuns,
  PLAIN,
  RUN_SIZE,
  valueBehind,
  ZERO,
} from '../../src/ram/page-runs.ts';
import { RunStack } from '../../src/ram/run-stack.ts';

const PAGE = 4096;
const PAGES = 60;

const anySent = fc.record({
  page: fc.nat(PAGES - 1),
  count: fc.integer({ min: 1, max: 12 }),
  kind: fc.constantFrom(ZERO, PLAIN, PACKED, DELTA),
});

/** Versions of each page, the last one first: all deltas, and what they are of. */
function versionsOf(runs: PageRuns, deltas: XbzrleDeltas, page: number): string[] {
  const at = firstBehind(runs, page * PAGE);
  if (at === runs.count || runs.start[at]! > page * PAGE) return [];
  let kind = runs.kind[at]!;
  let value = valueBehind(kind, runs.value[at]!, page * PAGE - runs.start[at]!, PAGE);
  const versions: string[] = [];
  while ((kind & CODE_MASK) === DELTA) {
    versions.push(`delta at ${deltas.offset(value)}`);
    ({ kind, value } = deltas.earlier(value));
  }
  if (kind !== NONE) versions.push(`${kind} at ${value}`);
  return versions;
}

test('the last version of each page counts, in whatever order they come, in memory and in a spool', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anySent, { maxLength: 120 }),
      fc.constantFrom(0, 1e9),
      fc.integer({ min: 1, max: 40 }),
      async (sent, limit, every) => {
        const deltas = new XbzrleDeltas();
        const link = (delta: number, kind: number, value: number) => deltas.link(delta, kind, value);
        const recent = new RunStack(PAGE, link);
        const store = new RunStore(limit, async () => memorySpool());
        const model: string[][] = Array.from({ length: PAGES }, () => []);
        let offset = 1000;
        for (const [i, { page, count, kind }] of sent.entries()) {
          if (i % every === 0) await store.put(recent.take(), PAGE, link);
          const pages = Math.min(kind === DELTA ? 1 : count, PAGES - page);
          const value = kind === ZERO ? 0 : kind === DELTA ? deltas.add(offset) : offset;
          recent.put(page * PAGE, (page + pages) * PAGE, kind, value);
          for (let each = 0; each < pages; each++) {
            if (kind === DELTA) model[page + each]!.unshift(`delta at ${offset}`);
            else {
              const at = valueBehind(kind, value, each * PAGE, PAGE);
              model[page + each] = [`${kind} at ${at}`];
            }
          }
          offset += 20 * PAGE;
        }
        await store.put(recent.take(), PAGE, link);
        const found: string[][] = [];
        for (let page = 0; page < PAGES; page++) {
          let versions: string[] = [];
          for await (const runs of store.within(page * PAGE, (page + 1) * PAGE, PAGE))
            if (runs.count > 0) versions = versionsOf(runs, deltas, page);
          found.push(versions);
        }
        expect(found).toEqual(model);
      },
    ),
    { numRuns: 300 },
  );
});

test('pages that come in order are one run, whatever they hold', () => {
  const stack = new RunStack(PAGE);
  let place = 77;
  for (let page = 0; page < 10_000; page++) {
    const isPlain = page >= 5000;
    stack.put(page * PAGE, (page + 1) * PAGE, isPlain ? PLAIN : ZERO, isPlain ? place : 0);
    if (isPlain) place += PAGE + 8;
  }
  expect(stack.byteLength).toBe(2 * RUN_SIZE);
});

test('pages in random order take time and memory by their number', () => {
  const stack = new RunStack(PAGE);
  const pages = 50_000;
  for (let i = 0; i < pages; i++) {
    const page = (i * 7919) % pages;
    stack.put(page * PAGE, (page + 1) * PAGE, PLAIN, 1e6 + i * (PAGE + 8));
  }
  expect(stack.list().count).toBe(pages);
});
