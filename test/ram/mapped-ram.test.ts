import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { Window } from '../../src/bytes/window.ts';
import type { PageSink } from '../../src/ram/page-sink.ts';
import { createRamScanner, type RamSummary } from '../../src/ram/ram.ts';
import { bytes, context, text8, u32, u64 } from './section-bytes.ts';

const PAGE = 4096;
/** MAPPED_RAM_FILE_OFFSET_ALIGNMENT is 1 MiB; any multiple of the page size is read. */
const ALIGNMENT = 0x4000;

interface Block {
  readonly idstr: string;
  readonly pageCount: number;
  /** Pages that are present. */
  readonly present: readonly number[];
}

function contentOf(block: Block, page: number): number {
  return (block.idstr.charCodeAt(0) + page) & 0xff;
}

/** A START record as ram_save_setup leaves it with mapped-ram; `base` bytes stand before it in QEMU's file. */
function startRecord(blocks: readonly Block[], base: number): Uint8Array {
  const total = blocks.reduce((sum, block) => sum + block.pageCount * PAGE, 0);
  let record = u64(total | 4);
  for (const block of blocks) {
    const entry = bytes(text8(block.idstr), u64(block.pageCount * PAGE));
    const bitmapOffset = record.length + entry.length + 28;
    const bitmap = new Uint8Array(Math.ceil(block.pageCount / 64) * 8);
    for (const page of block.present) bitmap[page >> 3] = (bitmap[page >> 3] ?? 0) | (1 << (page & 7));
    const pagesOffset = Math.ceil((base + bitmapOffset + bitmap.length) / ALIGNMENT) * ALIGNMENT - base;
    const header = bytes(u32(1), u64(PAGE), u64(base + bitmapOffset), u64(base + pagesOffset));
    const next = new Uint8Array(pagesOffset + block.pageCount * PAGE);
    next.set(bytes(record, entry, header, bitmap));
    for (const page of block.present) {
      next.fill(contentOf(block, page), pagesOffset + page * PAGE, pagesOffset + (page + 1) * PAGE);
    }
    record = next;
  }
  const result = new Uint8Array(record.length + 8);
  result.set(record);
  result.set(u64(0x10), record.length);
  return result;
}

async function scan(record: Uint8Array, sink?: PageSink): Promise<{ summary: RamSummary; end: number }> {
  const scanner = createRamScanner(
    context('ram', 4, { capabilities: new Set(['mapped-ram']), ...(sink ? { sink } : {}) }),
  );
  const window = new Window(memorySource(record));
  await scanner.scan(window, 'SECTION_START');
  return { summary: scanner.summary() as RamSummary, end: window.offset };
}

const blocks: readonly Block[] = [
  { idstr: 'pc.ram', pageCount: 700, present: [0, 1, 2, 7, 8, 63, 64, 300, 301, 302, 303, 699] },
  { idstr: 'vga.vram', pageCount: 1, present: [] },
  { idstr: 'pc.rom', pageCount: 5, present: [4] },
];

describe.each([0, 0x1234])('written at offset %i of a file', (base) => {
  const record = startRecord(blocks, base);

  test('pages are counted by the bitmaps', async () => {
    const { summary, end } = await scan(record);
    expect(end).toBe(record.length);
    expect(summary.pageSize).toBe(PAGE);
    expect(summary.pages.mapped).toEqual({ pages: 13, bytes: 13 * PAGE });
    expect(summary.blocks.map((block) => block.pages.mapped.pages)).toEqual([12, 0, 1]);
    // The bitmap stands right behind the 28 bytes of the header, which end the entry.
    expect(summary.blocks[0]?.mapped?.bitmapOffset).toBe(8 + 1 + 6 + 8 + 28);
    expect(summary.blockListBytes).toBe(8 + 3 * (1 + 8 + 28) + 6 + 8 + 6);
  });

  test('a sink gets them in order', async () => {
    const seen: [string, number][] = [];
    const { end } = await scan(record, {
      needsContent: true,
      pages(block, offset, count, kind, pageSize, value) {
        expect(kind).toBe('mapped');
        const from = blocks.find(({ idstr }) => idstr === block.idstr)!;
        for (let i = 0; i < count; i++) {
          const page = offset / PAGE + i;
          const data = record.subarray(value + i * pageSize, value + (i + 1) * pageSize);
          expect(data.every((byte) => byte === contentOf(from, page))).toBe(true);
          seen.push([block.idstr, page]);
        }
      },
    });
    expect(end).toBe(record.length);
    expect(seen).toEqual(blocks.flatMap(({ idstr, present }) => present.map((page) => [idstr, page])));
  });

  test('a stream that ends inside the pages is truncated', async () => {
    await expect(scan(record.subarray(0, record.length - 9))).rejects.toMatchObject({
      code: 'truncated',
      message: expect.stringMatching(/ends inside the pages of RAMBlock 'pc.rom'/),
    });
  });
});

test('a block that x-ignore-shared leaves out has no pages', async () => {
  // As QEMU 11.1 writes it: address, then a header with both offsets 0, and the list goes on behind it.
  const record = bytes(
    u64(0x100004),
    bytes(text8('ram'), u64(0x100000), u64(0)),
    bytes(u32(1), u64(PAGE), u64(0), u64(0)),
    u64(0x10),
  );
  const scanner = createRamScanner(
    context('ram', 4, { capabilities: new Set(['mapped-ram', 'x-ignore-shared']) }),
  );
  const window = new Window(memorySource(record));
  await scanner.scan(window, 'SECTION_START');
  expect(window.offset).toBe(record.length);
  expect((scanner.summary() as RamSummary).blocks).toMatchObject([{ idstr: 'ram', address: 0n }]);
});

describe('headers that cannot be', () => {
  const HEADER = 8 + 1 + 6 + 8;
  test.each([
    ['version', 0, u32(2), 'bad-ram', /neither a page size nor another RAMBlock/],
    ['page size', 4, u64(0x40000), 'bad-ram', /page size 262144/],
    ['bitmap', 12, u64(1), 'bad-ram', /the bitmap is at 0x1 instead of right behind the header/],
    ['unaligned pages', 20, u64(0x1001), 'bad-ram', /pages at 0x1001/],
    ['pages at the bitmap', 20, u64(0), 'bad-ram', /pages at 0x0, the bitmap ends at 0x8b/],
    ['pages beyond the end', 20, u64(0x10000000), 'truncated', /ends inside the pages/],
  ])('%s', async (_, offset, value, code, message) => {
    const record = startRecord(blocks, 0);
    record.set(value, HEADER + offset);
    await expect(scan(record)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
