import { describe, expect, test } from 'vitest';
import { DecodeError, type Diagnostic } from '../../src/bytes/diagnostic.ts';
import type { PageKind, PageSink } from '../../src/ram/page-sink.ts';
import type { RamSummary } from '../../src/ram/ram.ts';
import type { IterativeContext } from '../../src/ram/scanner.ts';
import type { SectionType } from '../../src/stream/records.ts';
import { bytes, context, hex, scanBodies, text8, u8, u16, u32, u64 } from './section-bytes.ts';

const ZERO = 0x02;
const MEM_SIZE = 0x04;
const PAGE = 0x08;
const CONTINUE = 0x20;
const XBZRLE = 0x40;
const COMPRESS_PAGE = 0x100;
const EOS = u64(0x10);
const HOOK = u64(0x80);
const MULTIFD_FLUSH = u64(0x200);

/** A page of text that no RAM record looks like. */
function page(size = 4096, seed = 1): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => 0x41 + ((index * 7 + seed) % 26));
}

function blockList(...blocks: readonly (readonly [string, number, ...Uint8Array[]])[]): Uint8Array {
  const total = blocks.reduce((sum, [, length]) => sum + length, 0);
  const entries = blocks.map(([name, length, ...extra]) => bytes(text8(name), u64(length), ...extra));
  return bytes(u64(total + MEM_SIZE), ...entries);
}

const LIST = bytes(blockList(['pc.ram', 0x100000], ['vga.vram', 0x40000]), EOS);

async function scanRam(
  bodies: readonly (readonly [SectionType, Uint8Array])[],
  changes: Partial<IterativeContext> = {},
): Promise<RamSummary> {
  const summary = await scanBodies(context('ram', 4, changes), bodies);
  if (summary.kind !== 'ram') throw new Error(summary.kind);
  return summary;
}

/** The error of scanning a block list and then `body`, with the range relative to that body. */
async function ramError(
  body: Uint8Array,
  changes: Partial<IterativeContext> = {},
): Promise<{ code: string; message: string; start: number; end: number }> {
  const error = await scanRam(
    [
      ['SECTION_START', LIST],
      ['SECTION_PART', body],
    ],
    changes,
  ).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof DecodeError)) throw new Error(`no DecodeError: ${error}`);
  const { code, message, range } = error.diagnostic;
  const start = LIST.length + 5;
  return { code, message, start: (range?.start ?? 0) - start, end: (range?.end ?? 0) - start };
}

describe('block list', () => {
  test('names and lengths, as QEMU 7.2 wrote them for a pc with 1 MiB', async () => {
    // The whole START record of a migration of qemu-system-x86_64 7.2.22 -machine pc -m 1M -nodefaults.
    const body = hex(
      `0000000000152004
       14 2f726f6d406574632f616370692f7461626c6573 0000000000020000
       06 70632e72616d 0000000000100000
       06 70632e726f6d 0000000000020000
       07 70632e62696f73 0000000000010000
       15 2f726f6d406574632f7461626c652d6c6f61646572 0000000000001000
       12 2f726f6d406574632f616370692f72736470 0000000000001000
       0000000000000010`,
    );
    const summary = await scanRam([['SECTION_START', body]]);
    expect(summary.totalLength).toBe(0x152000);
    expect(summary.blocks.map(({ idstr, length }) => [idstr, length])).toEqual([
      ['/rom@etc/acpi/tables', 0x20000],
      ['pc.ram', 0x100000],
      ['pc.rom', 0x20000],
      ['pc.bios', 0x10000],
      ['/rom@etc/table-loader', 0x1000],
      ['/rom@etc/acpi/rsdp', 0x1000],
    ]);
    expect(summary).toMatchObject({
      pageSize: undefined,
      headerBytes: 8,
      blockListBytes: body.length - 8,
      eos: 1,
    });
    expect(summary.sections.SECTION_START).toEqual({ sections: 1, pages: 0, bytes: body.length });
  });

  test('page sizes, which only blocks in huge pages have', async () => {
    const list = blockList(['a', 0x400000, u64(0x200000)], ['b', 0x1000], ['c', 0x200000, u64(0x200000)]);
    const summary = await scanRam([['SECTION_START', bytes(list, EOS)]]);
    expect(summary.blocks.map((block) => block.pageSize)).toEqual([0x200000, undefined, 0x200000]);
  });

  test('addresses with x-ignore-shared, also with page sizes', async () => {
    const capabilities = new Set(['x-ignore-shared']);
    const list = blockList(
      ['a', 0x400000, u64(0x200000), u64(0x100000000)],
      ['b', 0x1000, u64(0)],
      ['c', 0x1000, u64(0x200000)],
      ['d', 0x200000, u64(0x40000000), u64(0xfffffffffffff000n)],
    );
    const summary = await scanRam([['SECTION_START', bytes(list, MULTIFD_FLUSH, EOS)]], { capabilities });
    expect(summary.blocks.map((block) => [block.pageSize, block.address])).toEqual([
      [0x200000, 0x100000000n],
      [undefined, 0n],
      [undefined, 0x200000n],
      [0x40000000, 0xfffffffffffff000n],
    ]);
    expect(summary.multifdFlush).toBe(1);
  });

  test.each([
    [
      'a name twice',
      bytes(u64(0x3004), text8('a'), u64(0x1000), text8('a'), u64(0x1000)),
      /'a' a second time after 1/,
    ],
    [
      'no name',
      bytes(u64(0x1004), text8(''), u64(0x1000)),
      /an empty name after 0 blocks, with 4096 of 4096/,
    ],
    ['more than the total', bytes(u64(0x1004), text8('a'), u64(0x2000)), /'a' has 8192 bytes, but only 4096/],
    [
      'something else behind an entry',
      bytes(u64(0x2004), text8('a'), u64(0x1000), u64(3)),
      /neither a page size nor/,
    ],
    [
      'a block of 2^63 + 1 bytes, all of whose digits are told',
      bytes(u64(0x1004), text8('a'), u64(0x8000000000000001n)),
      /'a' has 9223372036854775809 bytes/,
    ],
    [
      'a page size of 2^56 - 1',
      bytes(u64(0x2004), text8('a'), u64(0x1000), u64(0xffffffffffffffn)),
      /\(0xffffffffffffff\) is neither a page size/,
    ],
    ['2^63 bytes', bytes(u64(0x8000000000000004n)), /announces 9223372036854775812 bytes/],
  ])('an error for %s', async (_, list, message) => {
    const scan = scanRam([['SECTION_START', bytes(list, new Uint8Array(600))]]);
    await expect(scan).rejects.toMatchObject({ code: 'bad-ram', message: expect.stringMatching(message) });
  });

  test('a list without end is an error, not an amount of memory', async () => {
    const entries = Array.from({ length: 5000 }, (_, index) => bytes(text8(`block${index}`), u64(0)));
    const scan = scanRam([['SECTION_START', bytes(u64(0x1004), ...entries)]]);
    await expect(scan).rejects.toMatchObject({
      code: 'bad-ram',
      message: expect.stringMatching(/more than 4096/),
    });
  });
});

test('a second block list, as COLO sends one at each checkpoint, updates the blocks', async () => {
  const zero = bytes(u64(ZERO), text8('a'), u8(0), EOS);
  const summary = await scanRam([
    ['SECTION_START', bytes(blockList(['a', 0x2000], ['b', 0x1000]), EOS)],
    ['SECTION_PART', zero],
    ['SECTION_START', bytes(blockList(['b', 0x3000], ['a', 0x2000], ['c', 0x1000]), EOS)],
    ['SECTION_END', zero],
  ]);
  expect(summary.totalLength).toBe(0x6000);
  expect(summary.blocks.map(({ idstr, length, pages }) => [idstr, length, pages.zero.pages])).toEqual([
    ['a', 0x2000, 2],
    ['b', 0x3000, 0],
    ['c', 0x1000, 0],
  ]);
});

describe('page records', () => {
  test('are counted by kind and block, and delivered', async () => {
    const seen: [string, number, number, PageKind][] = [];
    const values: number[] = [];
    const sink: PageSink = {
      needsContent: true,
      pages(block, offset, count, kind, _pageSize, value) {
        seen.push([block.idstr, offset, count, kind]);
        values.push(value);
      },
    };
    const part = bytes(
      bytes(u64(0x1000 + PAGE), text8('pc.ram'), page()),
      bytes(u64(0x2000 + PAGE + CONTINUE), page()),
      bytes(u64(0x3000 + ZERO + CONTINUE), u8(0)),
      bytes(u64(0x4000 + ZERO + CONTINUE), u8(0xff)),
      HOOK,
      bytes(u64(0x3f000 + ZERO), text8('vga.vram'), u8(0)),
      bytes(u64(0x1000 + XBZRLE), text8('pc.ram'), u8(1), u16(8), hex('000124ff01026253')),
      bytes(u64(0x2000 + COMPRESS_PAGE + CONTINUE), u32(11), page(11)),
      MULTIFD_FLUSH,
      EOS,
    );
    // CONTINUE reaches over the border of a section.
    const end = bytes(u64(0x5000 + ZERO + CONTINUE), u8(0), EOS);
    const summary = await scanRam(
      [
        ['SECTION_START', LIST],
        ['SECTION_PART', part],
        ['SECTION_END', end],
      ],
      { sink },
    );
    expect(seen).toEqual([
      ['pc.ram', 0x1000, 2, 'plain'],
      ['pc.ram', 0x3000, 1, 'zero'],
      ['pc.ram', 0x4000, 1, 'fill'],
      ['vga.vram', 0x3f000, 1, 'zero'],
      ['pc.ram', 0x1000, 1, 'xbzrle'],
      ['pc.ram', 0x2000, 1, 'compressed'],
      ['pc.ram', 0x5000, 1, 'zero'],
    ]);
    // Behind the block list and its footer: two plain pages, with 15 and 8 bytes in front of them, and short records.
    const start = LIST.length + 5;
    const xbzrle = start + 15 + 4096 + 8 + 4096 + 9 + 9 + 8 + 18 + 15;
    expect(values).toEqual([start + 15, 0, 0xff, 0, xbzrle, xbzrle + 3 + 8 + 8, 0]);
    expect(summary.pageSize).toBe(4096);
    expect(summary.pages).toEqual({
      plain: { pages: 2, bytes: 8192 },
      zero: { pages: 3, bytes: 3 },
      fill: { pages: 1, bytes: 1 },
      xbzrle: { pages: 1, bytes: 11 },
      compressed: { pages: 1, bytes: 15 },
      mapped: { pages: 0, bytes: 0 },
    });
    expect(summary.blocks.map((block) => block.pages.zero.pages)).toEqual([2, 1]);
    expect(summary).toMatchObject({ eos: 3, hook: 1, multifdFlush: 1 });
    expect(summary.sections.SECTION_PART).toEqual({ sections: 1, pages: 7, bytes: part.length });
    const payload = Object.values(summary.pages).reduce((sum, count) => sum + count.bytes, 0);
    expect(summary.headerBytes + summary.blockListBytes + payload).toBe(
      LIST.length + part.length + end.length,
    );
  });

  // The u64 of each bad record, and what else the message is about, stands behind a good one of this length.
  const good = bytes(u64(ZERO), text8('pc.ram'), u8(0));

  test.each([
    [
      'of an unknown block',
      bytes(u64(ZERO), text8('pc.\u0007')),
      0,
      /'pc\.\\x07', which is not in the block list/,
    ],
    ['of two kinds', bytes(u64(ZERO + PAGE + CONTINUE)), 0, /flags are 0x2a \(ZERO \| PAGE \| CONTINUE\)/],
    ['of no kind', bytes(u64(0x1000), EOS), 0, /0x0000000000001000 is not a RAM record: its flags are 0x0;/],
    ['at the end of all', bytes(u64(0x1010)), 0, /0x0000000000001010 is not a RAM record/],
    [
      'of long XBZRLE',
      bytes(u64(XBZRLE + CONTINUE), u8(1), u16(4097)),
      8,
      /XBZRLE page of 4097 bytes, more than the 4096/,
    ],
    ['of other XBZRLE', bytes(u64(XBZRLE + CONTINUE), u8(2), u16(1)), 8, /encoding 0x2; only 1 exists/],
    [
      'of long zlib',
      bytes(u64(COMPRESS_PAGE + CONTINUE), u32(4111)),
      8,
      /4111 bytes; 4096 bytes can take at most 4110/,
    ],
  ])('an error for a page %s', async (_, record, offset, message) => {
    const error = await ramError(bytes(good, record, new Uint8Array(16)), { pageSize: 4096 });
    const start = good.length + offset;
    expect(error).toMatchObject({ code: 'bad-ram', message: expect.stringMatching(message), start });
    expect(error.end).toBeGreaterThan(start);
  });

  test.each([
    ['right behind its block', 0x100000n, /at 0x100000 of RAMBlock 'pc.ram', which has 0x100000/],
    ['beyond 2^53', 0xfffffffffffff000n, /of RAMBlock 'pc.ram'/],
  ])('a page %s is reported and left out', async (_, offset, message) => {
    const reported: Diagnostic[] = [];
    const record = bytes(u64(offset | BigInt(ZERO + CONTINUE)), u8(0));
    const summary = await scanRam(
      [
        ['SECTION_START', LIST],
        ['SECTION_PART', bytes(good, record, good, EOS)],
      ],
      { pageSize: 4096, report: (diagnostic) => reported.push(diagnostic) },
    );
    expect(summary.pages.zero.pages).toBe(2);
    expect(reported).toMatchObject([{ code: 'bad-ram', message: expect.stringMatching(message) }]);
    const [{ range }] = reported as [Diagnostic];
    expect(range!.end - range!.start).toBe(8);
  });

  test('many pages beyond their block end the section', async () => {
    const record = bytes(u64(0x100000 + ZERO + CONTINUE), u8(0));
    const error = await ramError(bytes(good, ...Array.from({ length: 17 }, () => record), EOS), {
      pageSize: 4096,
    });
    expect(error).toMatchObject({ code: 'bad-ram', message: expect.stringMatching(/at 0x100000/) });
  });

  test('an error for a first page without a block', async () => {
    const error = await ramError(bytes(u64(ZERO + CONTINUE), u8(0)), { pageSize: 4096 });
    expect(error).toMatchObject({ code: 'bad-ram', start: 0, end: 8 });
    expect(error.message).toMatch(/the first page record .*RAM_SAVE_FLAG_CONTINUE/);
  });

  test('a page that is cut', async () => {
    const error = await ramError(bytes(u64(PAGE), text8('pc.ram'), page(100)), { pageSize: 4096 });
    expect(error).toMatchObject({
      code: 'truncated',
      message: expect.stringMatching(/ends inside a RAM record/),
    });
  });

  test('only version 4 is read', async () => {
    const scan = scanBodies(context('ram', 3), [['SECTION_START', LIST]]);
    await expect(scan).rejects.toMatchObject({ code: 'unsupported' });
  });
});

describe('page size', () => {
  test.each([256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])(
    '%i is found from pages',
    async (size) => {
      const part = bytes(
        bytes(u64(PAGE), text8('pc.ram'), page(size)),
        bytes(u64(3 * size + PAGE + CONTINUE), page(size)),
        EOS,
      );
      const summary = await scanRam([
        ['SECTION_START', LIST],
        ['SECTION_PART', part],
      ]);
      expect(summary.pageSize).toBe(size);
      expect(summary.pages.plain).toEqual({ pages: 2, bytes: 2 * size });
    },
  );

  test.each([256, 1024, 4096, 8192])('%i is found from the offsets of zero pages', async (size) => {
    const zeros = Array.from({ length: 70 }, (_, index) => bytes(u64(index * size + ZERO + CONTINUE), u8(0)));
    const part = bytes(u64(ZERO), text8('pc.ram'), u8(0), ...zeros, EOS);
    const summary = await scanRam([
      ['SECTION_START', LIST],
      ['SECTION_PART', part],
    ]);
    expect(summary.pageSize).toBe(size);
    expect(summary.pages.zero.pages).toBe(71);
  });

  test('zero pages do not settle it for pages to come', async () => {
    const zeros = Array.from({ length: 5000 }, (_, index) =>
      bytes(u64((index % 32) * 8192 + ZERO + CONTINUE), u8(0)),
    );
    const part = bytes(
      u64(ZERO),
      text8('pc.ram'),
      u8(0),
      ...zeros,
      u64(0x2000 + PAGE + CONTINUE),
      page(8192),
      EOS,
    );
    const summary = await scanRam([
      ['SECTION_START', LIST],
      ['SECTION_PART', part],
    ]);
    expect(summary).toMatchObject({ pageSize: 8192, pages: { plain: { pages: 1, bytes: 8192 } } });
  });

  test('no footers are needed where there are none', async () => {
    const part = bytes(u64(PAGE), text8('pc.ram'), page(8192), EOS);
    const summary = await scanRam(
      [
        ['SECTION_START', LIST],
        ['SECTION_PART', part],
      ],
      { footers: undefined },
    );
    expect(summary.pageSize).toBe(8192);
  });

  test('damage is reported where it is, even though the page size is not known', async () => {
    const records = Array.from({ length: 20 }, (_, index) =>
      bytes(u64(index * 1024 + PAGE + CONTINUE), page(1024)),
    );
    const part = bytes(u64(ZERO), text8('pc.ram'), u8(0), ...records, EOS);
    const damage = 16 + 10 * 1032 + 7;
    part[damage] = 0x2f;
    expect(await ramError(part)).toMatchObject({ code: 'bad-ram', start: damage - 7, end: damage + 1 });
    expect(await ramError(part.subarray(0, damage - 500))).toMatchObject({ code: 'truncated' });
  });

  test('a page size that no target has is not believed', async () => {
    const part = bytes(u64(PAGE), text8('pc.ram'), page(), EOS);
    const summary = await scanRam(
      [
        ['SECTION_START', LIST],
        ['SECTION_PART', part],
      ],
      { pageSize: 3 },
    );
    expect(summary.pageSize).toBe(4096);
  });
});
