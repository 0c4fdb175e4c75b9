import { printable } from '../bytes/diagnostic.ts';
import type { RamBlockReport, RamReport } from '../ops/ram-report.ts';
import type { PageUsage } from '../ram/page-usage.ts';
import { CHARACTER_HEIGHT, CHARACTER_WIDTH, type Drawing, type Rectangle, type Text } from './drawing.ts';
import { formatSize } from './size.ts';

/** Cells in a row, and most of them in a drawing, but for the last row of each block. */
const COLUMNS = 128;
const MAX_CELLS = 128 * 128;
/** Blocks that are drawn, the largest; a guest has a few dozen. */
const MAX_DRAWN_BLOCKS = 256;
/** Pixels. */
const CELL = 6;
const MARGIN = 12;
const LINE = 14;
const WIDTH = 2 * MARGIN + COLUMNS * CELL;
const LEGEND_COLUMNS = 4;

/** How a cell is shown: by whether its pages were sent, and by how often the one that was sent most. */
const shades = [
  { colour: '#e6e6e6', label: 'never sent' },
  { colour: '#c6dbef', label: 'zero, sent once' },
  { colour: '#4292c6', label: 'sent once' },
  { colour: '#fed976', label: 'twice' },
  { colour: '#fdae4b', label: '3 or 4 times' },
  { colour: '#f16913', label: '5 to 8 times' },
  { colour: '#cb181d', label: '9 to 16 times' },
  { colour: '#67000d', label: 'more than 16' },
] as const;
const NEVER = 0;
const ZERO = 1;
const ONCE = 2;

function shadeOf(times: number, content: boolean): number {
  if (times <= 1) return content ? ONCE : ZERO;
  return Math.min(shades.length - 1, ONCE + 32 - Math.clz32(times - 1));
}

/**
 * Draws guest memory, block by block, as cells of so many pages that even the largest guest is one picture. A cell
 * shows its hottest page.
 */
export function drawRamMap(report: RamReport, usage: PageUsage): Drawing {
  const unit = usage.pageSize || report.pageSize || 4096;
  let pages = Math.max(1, (report.pageSize ?? unit) / unit);
  const totalLength = report.blocks.reduce((sum, { length }) => sum + length, 0);
  while (totalLength / (unit * pages) > MAX_CELLS) pages *= 2;
  const cellBytes = unit * pages;

  const rectangles: Rectangle[] = [];
  const texts: Text[] = [];
  const title = `${printable(report.name)}: ${formatSize(report.totalLength)} of guest memory, one cell is ${formatSize(cellBytes)}`;
  const put = (x: number, top: number, text: string) => texts.push({ x, y: top, text: cut(text, x) });

  let y = MARGIN;
  put(MARGIN, y, title);
  y += LINE + 4;
  for (const [i, { colour: _, label }] of shades.entries()) {
    const x = MARGIN + (i % LEGEND_COLUMNS) * ((WIDTH - 2 * MARGIN) / LEGEND_COLUMNS);
    rectangles.push({ x, y, width: 2 * CELL, height: CHARACTER_HEIGHT, colour: i });
    put(x + 3 * CELL, y, label);
    if (i % LEGEND_COLUMNS === LEGEND_COLUMNS - 1) y += LINE;
  }

  const drawn = new Set([...report.blocks].sort((a, b) => b.length - a.length).slice(0, MAX_DRAWN_BLOCKS));
  for (const block of report.blocks) {
    if (!drawn.has(block)) continue;
    y += LINE / 2;
    put(MARGIN, y, blockLabel(block));
    y += LINE - 2;
    const cells = Math.ceil(block.length / cellBytes);
    drawCells(rectangles, y, cells, (visit) =>
      usage.forEach(block.idstr, pages, (page, { times, content }) =>
        visit(page / pages, shadeOf(times, content)),
      ),
    );
    y += Math.ceil(cells / COLUMNS) * CELL;
  }
  if (drawn.size < report.blocks.length) {
    y += LINE / 2;
    put(MARGIN, y, `and ${report.blocks.length - drawn.size} smaller blocks`);
    y += LINE;
  }
  return {
    width: WIDTH,
    height: y + MARGIN,
    title,
    colours: shades.map(({ colour }) => colour),
    rectangles,
    texts,
  };
}

function blockLabel({ idstr, length, sentPages, pageCount, repeatedPages }: RamBlockReport): string {
  const again = repeatedPages > 0 ? `, ${repeatedPages} repeatedly` : '';
  return `${printable(idstr)}  ${formatSize(length)}  ${sentPages} of ${pageCount} pages sent${again}`;
}

/** Cells of the same shade that follow each other in a row are one rectangle; those not visited were never sent. */
function drawCells(
  rectangles: Rectangle[],
  top: number,
  cells: number,
  forEach: (visit: (cell: number, shade: number) => void) => void,
): void {
  let first = 0;
  let end = 0;
  let shade = NEVER;
  const draw = (from: number, to: number, colour: number) => {
    for (let cell = from; cell < to; ) {
      const row = Math.floor(cell / COLUMNS);
      const next = Math.min(to, (row + 1) * COLUMNS);
      const x = MARGIN + (cell % COLUMNS) * CELL;
      rectangles.push({ x, y: top + row * CELL, width: (next - cell) * CELL, height: CELL, colour });
      cell = next;
    }
  };
  forEach((cell, next) => {
    if (cell !== end || next !== shade) {
      draw(first, end, shade);
      draw(end, cell, NEVER);
      first = cell;
      shade = next;
    }
    end = cell + 1;
  });
  draw(first, end, shade);
  draw(end, cells, NEVER);
}

/** What fits between `x` and the right margin. */
function cut(text: string, x: number): string {
  const room = Math.floor((WIDTH - MARGIN - x) / CHARACTER_WIDTH);
  const characters = [...text];
  return characters.length <= room ? text : `${characters.slice(0, room - 1).join('')}…`;
}
