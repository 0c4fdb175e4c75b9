import { CHARACTER_HEIGHT, CHARACTER_WIDTH, type Drawing, type Rectangle } from './drawing.ts';
import { xmlText } from './xml.ts';

/** A drawing as an SVG document. */
export function drawingSvg({ width, height, title, colours, rectangles, texts }: Drawing): string {
  const paths = colours.map((colour, i) => {
    const own = rectangles.filter((rectangle) => rectangle.colour === i);
    return own.length === 0 ? '' : `<path fill="${colour}" d="${own.map(outline).join('')}"/>\n`;
  });
  const lines = texts.map(
    ({ x, y, text }) =>
      `<text x="${x}" y="${y + CHARACTER_HEIGHT - 1}" textLength="${[...text].length * CHARACTER_WIDTH}">${xmlText(text)}</text>\n`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">\n`,
    `<title>${xmlText(title)}</title>\n`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>\n`,
    '<g shape-rendering="crispEdges">\n',
    ...paths,
    '</g>\n',
    '<g font-family="monospace" font-size="10" lengthAdjust="spacingAndGlyphs" xml:space="preserve">\n',
    ...lines,
    '</g>\n</svg>\n',
  ].join('');
}

function outline({ x, y, width, height }: Rectangle): string {
  return `M${x} ${y}h${width}v${height}h-${width}z`;
}
