import { EXPLANATION_KINDS, type Explained, type Explanation } from '../ops/explain.ts';
import { plainStyle, type Style } from './style.ts';
import { formatTable } from './text-table.ts';

/** Lines of a code block that are shown; the rest is in the page's file. */
const MAX_CODE_LINES = 25;

/**
 * What `explain` prints, line by line: of pages that have a message the best, and which others there are; where all were
 * asked for, a list of them.
 */
export function* explainText(
  { pages, by, features }: Explained,
  style: Style = plainStyle,
): Generator<string> {
  const shown = by === 'all' ? [] : by === 'code' ? pages : pages.slice(0, 1);
  const others = pages.slice(shown.length);
  yield* features;
  for (const [i, page] of shown.entries()) {
    if (i > 0) yield '';
    yield* explanationText(page, style);
  }
  if (shown.length > 0 && others.length > 0) yield* ['', 'These have such a message too:'];
  yield* explanationTable(others, style);
}

/** A page for people: headings without their marks, code blocks indented. */
function* explanationText({ text }: Explanation, style: Style): Generator<string> {
  let codeLines: number | undefined;
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('```')) {
      if (codeLines !== undefined && codeLines > MAX_CODE_LINES)
        yield `    (${codeLines - MAX_CODE_LINES} more; --json has them)`;
      codeLines = codeLines === undefined ? 0 : undefined;
    } else if (codeLines !== undefined) {
      if (codeLines++ < MAX_CODE_LINES) yield line === '' ? '' : `    ${line}`;
    } else yield line.startsWith('#') ? style.heading(line.replace(/^#+ /, '')) : line;
  }
}

/** Codes with a line each, under what they are about. */
function* explanationTable(explanations: readonly Explanation[], style: Style): Generator<string> {
  const groups = Object.entries(EXPLANATION_KINDS)
    .map(([kind, title]) => ({ title, members: explanations.filter((each) => each.kind === kind) }))
    .filter(({ members }) => members.length > 0);
  for (const [i, { title, members }] of groups.entries()) {
    if (i > 0) yield '';
    yield style.heading(title);
    yield* formatTable(
      [
        { title: 'code', align: 'left' },
        { title: 'what it is', align: 'left' },
      ],
      members.map(({ code, title: meaning }) => [code, meaning]),
    );
  }
}
