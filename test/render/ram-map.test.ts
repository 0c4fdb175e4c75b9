import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawingPng } from '../../src/node/png.ts';
import type { RamReport } from '../../src/ops/ram-report.ts';
import type { PageKind } from '../../src/ram/page-sink.ts';
import { PageUsage } from '../../src/ram/page-usage.ts';
import { glyph } from '../../src/render/bitmap-font.ts';
import type { Drawing } from '../../src/render/drawing.ts';
import { drawRamMap } from '../../src/render/ram-map.ts';
import { drawingSvg } from '../../src/render/svg.ts';

const PAGE = 4096;
const NEVER = '#e6e6e6';
const ZERO = '#c6dbef';
const ONCE = '#4292c6';
const TWICE = '#fed976';

interface Block {
  readonly idstr: string;
  readonly length: number;
}

type SentPage = readonly [page: number, kind: PageKind];

function draw(blocks: readonly (Block & { readonly sent: readonly SentPage[] })[], name = 'vm'): Drawing {
  const usage = new PageUsage();
  for (const block of blocks) {
    for (const [page, kind] of block.sent) usage.pages(block, page * PAGE, 1, kind, PAGE);
  }
  const report = {
    name,
    pageSize: PAGE,
    blocks: blocks.map(({ idstr, length }) => {
      const { sentPages = 0, repeatedPages = 0 } = usage.block(idstr) ?? {};
      return { idstr, length, pageCount: length / PAGE, sentPages, repeatedPages };
    }),
  };
  return drawRamMap(report as unknown as RamReport, usage);
}

/** Colours of the cells of the map, in reading order; they are as wide as high, and the legend's are not. */
function cellColours({ rectangles, colours }: Drawing): string[] {
  return rectangles
    .filter(({ height }) => height === 6)
    .flatMap(({ width, colour }) => Array.from({ length: width / 6 }, () => colours[colour]!));
}

/** Checks that a document is well-formed XML of elements and text, and returns its elements by name. */
function parseXml(text: string): Map<string, number> {
  const open: string[] = [];
  const elements = new Map<string, number>();
  const token = /<(\/?)([a-z]+)((?:\s[\w:-]+="[^<"]*")*)(\/?)>|([^<]+)/gy;
  let end = 0;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    end = token.lastIndex;
    const [all, closing, name = '', attributes = '', empty, content] = match;
    expect((content ?? attributes).replaceAll(/&(amp|lt|gt|quot);/g, '')).not.toContain('&');
    if (content !== undefined) {
      if (open.length === 0) expect(all.trim()).toBe('');
    } else if (closing) expect(open.pop()).toBe(name);
    else {
      elements.set(name, (elements.get(name) ?? 0) + 1);
      if (!empty) open.push(name);
    }
  }
  expect(text.slice(end)).toBe('');
  expect(open).toEqual([]);
  return elements;
}

interface Png {
  readonly width: number;
  readonly height: number;
  pixel(x: number, y: number): string;
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * 0xedb88320);
  }
  return ~crc >>> 0;
}

function parsePng(content: Uint8Array): Png {
  const bytes = Buffer.from(content);
  expect(bytes.toString('latin1', 0, 8)).toBe('\x89PNG\r\n\x1a\n');
  const chunks = new Map<string, Buffer>();
  let at = 8;
  while (at < bytes.length) {
    const length = bytes.readUInt32BE(at);
    expect(bytes.readUInt32BE(at + 8 + length)).toBe(crc32(bytes.subarray(at + 4, at + 8 + length)));
    chunks.set(bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  expect(at).toBe(bytes.length);
  const names = [...chunks.keys()];
  expect([names[0], names.at(-1)]).toEqual(['IHDR', 'IEND']);
  const header = chunks.get('IHDR')!;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  // 8 bits, palette, deflate, adaptive filters, not interlaced.
  expect([...header.subarray(8)]).toEqual([8, 3, 0, 0, 0]);
  const palette = chunks.get('PLTE')!;
  const rows = inflateSync(chunks.get('IDAT')!);
  expect(rows.length).toBe(height * (width + 1));
  for (let y = 0; y < height; y++) expect(rows[y * (width + 1)]).toBe(0);
  return {
    width,
    height,
    pixel(x, y) {
      const index = rows[y * (width + 1) + 1 + x]!;
      return `#${palette.toString('hex', index * 3, index * 3 + 3)}`;
    },
  };
}

test('never sent, zero, sent once and again can be told apart', () => {
  const sent: SentPage[] = [
    [1, 'zero'],
    [2, 'plain'],
    [3, 'plain'],
    [3, 'xbzrle'],
    [4, 'zero'],
    [4, 'zero'],
  ];
  const drawing = draw([{ idstr: 'pc.ram', length: 6 * PAGE, sent }]);
  expect(cellColours(drawing)).toEqual([NEVER, ZERO, ONCE, TWICE, TWICE, NEVER]);
});

test('as many cells as pages, or as bucketed pages; all inside the picture, and none twice', () => {
  const length = fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 2 ** 28 }));
  const sizes = fc.array(length, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(sizes, fc.array(fc.nat(2 ** 28), { maxLength: 30 }), (lengths, numbers) => {
      const blocks = lengths.map((pages, i) => ({
        idstr: `b${i}`,
        length: pages * PAGE,
        sent: numbers.map((number): SentPage => [number % pages, 'plain']),
      }));
      const drawing = draw(blocks);
      let cell = 1;
      const total = lengths.reduce((sum, pages) => sum + pages, 0);
      while (total / cell > 128 * 128) cell *= 2;
      const colours = cellColours(drawing);
      expect(colours).toHaveLength(lengths.reduce((sum, pages) => sum + Math.ceil(pages / cell), 0));
      const lit = lengths.map(
        (pages) => new Set(numbers.map((number) => Math.floor((number % pages) / cell))),
      );
      expect(colours.filter((colour) => colour !== NEVER)).toHaveLength(
        lit.reduce((sum, { size }) => sum + size, 0),
      );
      const taken = new Set<number>();
      let area = 0;
      for (const { x, y, width, height } of drawing.rectangles) {
        expect(Math.max(x + width - drawing.width, y + height - drawing.height)).toBeLessThanOrEqual(0);
        for (let column = x; column < x + width; column += 6) taken.add(y * drawing.width + column);
        area += width / 6;
      }
      expect(taken.size).toBe(area);
    }),
    { numRuns: 20 },
  );
});

test('1 TiB is one picture of moderate size', () => {
  const sent = Array.from({ length: 5000 }, (_, i): SentPage => [i * 53687, i % 2 ? 'zero' : 'plain']);
  const drawing = draw([{ idstr: 'pc.ram', length: 2 ** 40, sent }]);
  expect(cellColours(drawing)).toHaveLength(128 * 128);
  expect(drawing.height).toBeLessThan(1000);
  expect(drawing.title).toContain('one cell is 64.0 MiB');
  expect(drawingSvg(drawing).length).toBeLessThan(1 << 20);
});

test('a stream with thousands of blocks is still a picture', () => {
  const blocks = Array.from({ length: 5000 }, (_, i) => ({ idstr: `block${i}`, length: PAGE, sent: [] }));
  const drawing = draw(blocks);
  expect(drawing.height).toBeLessThan(10_000);
  expect(drawing.texts.at(-1)?.text).toBe('and 4744 smaller blocks');
});

describe('SVG', () => {
  test('is well-formed, with names that are markup', () => {
    const idstr = '</text><script>alert("&amp;\u0000\ud800")</script>';
    const drawing = draw([{ idstr, length: 3 * PAGE, sent: [[0, 'plain']] }], '<vm> & "friends"');
    const elements = parseXml(drawingSvg(drawing));
    expect([...elements.keys()].sort()).toEqual(['g', 'path', 'rect', 'svg', 'text', 'title']);
    expect(elements.get('text')).toBe(drawing.texts.length);
  });

  test('is well-formed for any name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (idstr) => {
        const svg = drawingSvg(draw([{ idstr, length: PAGE, sent: [] }]));
        expect(parseXml(svg).has('script')).toBe(false);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: XML does not allow them
        expect(svg).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
      }),
    );
  });

  test('has the cells of the drawing', () => {
    const drawing = draw([{ idstr: 'pc.ram', length: 4 * PAGE, sent: [[2, 'plain']] }]);
    const { x, y, width } = drawing.rectangles.findLast(({ colour }) => drawing.colours[colour] === ONCE)!;
    expect(width).toBe(6);
    expect(drawingSvg(drawing)).toMatch(
      new RegExp(`<path fill="${ONCE}" d="[^"]*M${x} ${y}h6v6h-6z[^"]*"/>`),
    );
  });
});

describe('PNG', () => {
  test('has the pixels of the drawing', () => {
    const sent: SentPage[] = [
      [0, 'zero'],
      [1, 'plain'],
      [130, 'plain'],
      [130, 'plain'],
    ];
    const drawing = draw([{ idstr: 'pc.ram ☃ <&>', length: 200 * PAGE, sent }]);
    const png = parsePng(drawingPng(drawing));
    expect([png.width, png.height]).toEqual([drawing.width, drawing.height]);
    for (const { x, y, width, height, colour } of drawing.rectangles) {
      expect(png.pixel(x, y)).toBe(drawing.colours[colour]);
      expect(png.pixel(x + width - 1, y + height - 1)).toBe(drawing.colours[colour]);
    }
    expect(png.pixel(0, 0)).toBe('#ffffff');
    const { x, y, text } = drawing.texts[0]!;
    const [character = ''] = text;
    glyph(character).forEach((column, dx) => {
      for (let dy = 0; dy < 8; dy++) {
        expect(png.pixel(x + dx, y + dy)).toBe((column >> dy) & 1 ? '#000000' : '#ffffff');
      }
    });
  });

  test('is one for any name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (idstr) => {
        parsePng(drawingPng(draw([{ idstr, length: PAGE, sent: [] }])));
      }),
      { numRuns: 10 },
    );
  });
});

test('the font has all printable characters of ASCII, each one different', () => {
  const shapes = new Set<string>();
  for (let code = 0x20; code < 0x7f; code++) {
    const columns = glyph(String.fromCharCode(code));
    expect(columns).toHaveLength(5);
    shapes.add(columns.join());
  }
  expect(shapes.size).toBe(0x7f - 0x20);
  expect(glyph('☃')).toEqual(glyph('?'));
  expect(glyph('\u0001')).toEqual(glyph('?'));
});
