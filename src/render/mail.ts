import { printable } from '../bytes/printable.ts';
import { wrapLine } from './wrap.ts';

/** Columns of a line in a mail with a patch, those of a reply's `> ` left free. */
const MAIL_WIDTH = 71;
/** Further lines of one are indented by so much more. */
const HANGING = 4;

/** In a mail with a patch nothing but ASCII is sure to arrive as it was. */
const ASCII: readonly (readonly [string, string])[] = [
  ['\u2192', '->'],
  ['\u2026', '...'],
  ['\u00d7', 'x'],
];

/**
 * Lines for a mail: under 72 columns and ASCII only. All but headings are indented, so that `git am` takes none of them for
 * the beginning of a patch.
 */
export function* mailLines(lines: Iterable<string>): Generator<string> {
  for (const line of lines) {
    for (const part of wrapLine(asciiText(line).trimEnd(), MAIL_WIDTH, HANGING)) {
      // What has no blank in it is broken where it has to be.
      for (let rest = part; ; ) {
        yield rest.slice(0, MAIL_WIDTH);
        if (rest.length <= MAIL_WIDTH) break;
        const indent = `${/^ */.exec(part)?.[0] ?? ''}${' '.repeat(HANGING)}`.slice(0, MAIL_WIDTH / 2);
        rest = indent + rest.slice(MAIL_WIDTH);
      }
    }
  }
}

function asciiText(text: string): string {
  const plain = ASCII.reduce((done, [from, to]) => done.replaceAll(from, to), printable(text));
  return plain.replace(/[^ -~]/gu, '?');
}

/** Lines before and after, as a diff has them, with some around what changed. */
export function mailMark(kind: 'same' | 'before' | 'after'): string {
  return kind === 'same' ? '    ' : kind === 'before' ? '  - ' : '  + ';
}
