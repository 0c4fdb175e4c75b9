import { CHARACTER_HEIGHT, CHARACTER_WIDTH, type Drawing, type Rectangle } from './drawing.ts';

/** A drawing as an SVG document. */
export function drawingSvg({ width, height, title, colours, rectangles, texts }: Drawing): string {
  const paths = colours.map((colour, i) => {
    const own = rectangles.filter((rectangle) => rectangle.colour === i);
    return own.length === 0 ? '' : `<path fill="${colour}" d="${own.map(outline).join('')}"/>\n`;
  });
  const lines = texts.map(
    ({ x, y, text }) =>
      `<text x="${x}" y="${y + CHARACTER_HEIGHT - 1}" textLength="${[...text].length * CHARACTER_WIDTH}">${escapeXml(text)}</text>\n`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">\n`,
    `<title>${escapeXml(title)}</title>\n`,
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

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Escapes what is markup, and replaces what XML 1.0 does not allow at all. */
function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
