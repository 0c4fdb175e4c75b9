import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { GuestMemory } from '../../src/memory/guest-memory.ts';
import { PageIndexBuilder } from '../../src/memory/page-index-builder.ts';

const PAGE = 4096;
const GiB = 2 ** 30;
const content = new Uint8Array(PAGE).fill(0x5a);
const source = memorySource(content);
const from = { source, hasRecords: true };

test('a guest of 1 TiB takes kilobytes, and any byte of it is found', async () => {
  const block = { idstr: 'pc.ram', length: 1024 * GiB };
  const builder = new PageIndexBuilder();
  builder.pages(block, 0, block.length / PAGE - 1, 'zero', PAGE, 0, from);
  for (let at = 0; at < block.length; at += GiB) builder.pages(block, at, 1, 'plain', PAGE, 0, from);
  builder.discard(block, 5 * GiB, 5 * GiB + 2 * PAGE);
  builder.pages(block, 5 * GiB, 1, 'fill', PAGE, 7, from);
  const memory = new GuestMemory(source, await builder.finish(PAGE, [block]));
  expect(memory.index.byteLength).toBeLessThan(100_000);
  const last = 1023 * GiB + PAGE;
  expect((await memory.read('pc.ram', last - 2, 4)).ranges).toEqual([
    { offset: last - 2, length: 2, state: 'content' },
    { offset: last, length: 2, state: 'zero' },
  ]);
  const { bytes, ranges, isKnown } = await memory.read('pc.ram', 5 * GiB + PAGE - 1, PAGE + 2);
  expect([bytes[0], isKnown]).toEqual([7, false]);
  expect(ranges.map(({ state, length }) => [state, length])).toEqual([
    ['content', 1],
    ['discarded', PAGE],
    ['zero', 1],
  ]);
  expect((await memory.read('pc.ram', block.length - 1, 1)).ranges).toMatchObject([{ state: 'never-sent' }]);
});
