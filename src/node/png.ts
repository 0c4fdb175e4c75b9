import { crc32, deflateSync } from 'node:zlib';
import { glyph } from '../render/bitmap-font.ts';
import { CHARACTER_HEIGHT, CHARACTER_WIDTH, type Drawing } from '../render/drawing.ts';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Colour type of IHDR: an index into PLTE for each pixel. */
const INDEXED = 3;
const BITS = 8;

/** A drawing as a PNG file: one byte a pixel, with a palette (PNG specification, sections 5 and 11). */
export function drawingPng({ width, height, title, colours, rectangles, texts }: Drawing): Uint8Array {
  const white = colours.length;
  const black = white + 1;
  // Each row begins with its filter type, 0: none.
  const stride = 1 + width;
  const rows = new Uint8Array(stride * height).fill(white);
  for (let y = 0; y < height; y++) rows[y * stride] = 0;
  for (const rectangle of rectangles) {
    for (let y = rectangle.y; y < rectangle.y + rectangle.height; y++) {
      const start = y * stride + 1 + rectangle.x;
      rows.fill(rectangle.colour, start, start + rectangle.width);
    }
  }
  for (const { x, y, text } of texts) {
    [...text].forEach((character, i) => {
      drawGlyph(rows, stride, x + i * CHARACTER_WIDTH, y, character, black);
    });
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([BITS, INDEXED], 8);
  const palette = Buffer.from(
    [...colours, '#ffffff', '#000000'].map((colour) => colour.slice(1)).join(''),
    'hex',
  );
  return Buffer.concat([
    Uint8Array.from(SIGNATURE),
    chunk('IHDR', header),
    chunk('PLTE', palette),
    // UTF-8, not compressed, no language.
    chunk('iTXt', Buffer.from(`Title\0\0\0\0\0${title}`)),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

function drawGlyph(
  rows: Uint8Array,
  stride: number,
  x: number,
  y: number,
  character: string,
  colour: number,
): void {
  glyph(character).forEach((column, dx) => {
    for (let dy = 0; dy < CHARACTER_HEIGHT; dy++) {
      if ((column >> dy) & 1) rows[(y + dy) * stride + 1 + x + dx] = colour;
    }
  });
}

/** Length, type, data, CRC-32 of type and data. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
}
