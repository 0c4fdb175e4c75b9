const ESCAPE = String.fromCharCode(0x1b);
/** A terminal's escape sequences for colour. */
const COLOURS = new RegExp(`${ESCAPE}\\[[0-9;]*m`, 'g');

/** Columns that are left for text must be at least so many, or it is not wrapped. */
const LEAST_ROOM = 20;

/** Characters of a text without its colours. */
export function visibleLength(text: string): number {
  return text.includes(ESCAPE) ? text.replace(COLOURS, '').length : text.length;
}

/**
 * Breaks a line between words where it has more than `width` characters. What follows the first line is indented as far
 * as it, and `hanging` more. A word that is too long stays whole.
 */
export function* wrapLine(line: string, width: number, hanging = 4): Generator<string> {
  const indent = /^ */.exec(line)?.[0] ?? '';
  const rest = `${indent}${' '.repeat(hanging)}`;
  if (visibleLength(line) <= width || width - rest.length < LEAST_ROOM) {
    yield line;
    return;
  }
  let current = indent;
  let isEmpty = true;
  // Spaces in front of a word are those of a column, and kept where the word is.
  for (const [, spaces = '', word = ''] of line.slice(indent.length).matchAll(/( *)([^ ]+)/g)) {
    if (!isEmpty && visibleLength(current) + spaces.length + visibleLength(word) > width) {
      yield current;
      current = `${rest}${word}`;
    } else current += `${spaces}${word}`;
    isEmpty = false;
  }
  yield current;
}
