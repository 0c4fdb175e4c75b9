import { expect, test } from 'vitest';
import { comparePages, PageHashes } from '../../src/memory/page-hashes.ts';
import type { RamBlock } from '../../src/ram/ram-block.ts';

const pageSize = 4096;
const block = { idstr: 'pc.ram' } as RamBlock;

function zeros(pages: Iterable<number>): PageHashes {
  const hashes = new PageHashes(pageSize);
  for (const page of pages) hashes.fill(block, page * pageSize, pageSize, 0);
  return hashes;
}

test('pages that are far apart take memory by their number', () => {
  const before = process.memoryUsage().arrayBuffers;
  const hashes = zeros(Array.from({ length: 50_000 }, (_, index) => index * 1024));
  // A chunk of 1024 pages for each would be 400 MB.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  expect(hashes.unfollowed).toBe(0);
});

test('compares pages across chunks in order', () => {
  const a = zeros([31, 32, 5000]);
  const b = zeros([5000, 32, 33]);
  b.pages(block, 5000 * pageSize, 1, new Uint8Array(pageSize).fill(1), 0, pageSize, pageSize);
  b.unknown(block, 9999 * pageSize, pageSize, 'undecodable');
  const runs: [string, number, number][] = [];
  const side = (hashes: PageHashes) => ({ hashes, block, zeroIfAbsent: false });
  comparePages(side(a), side(b), (pair, first, count) => {
    if (pair !== 'neither') runs.push([pair, first, count]);
  });
  expect(runs).toEqual([
    ['onlyA', 31, 1],
    ['same', 32, 1],
    ['onlyB', 33, 1],
    ['changed', 5000, 1],
    ['undecoded', 9999, 1],
  ]);
});
