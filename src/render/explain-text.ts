import { EXPLANATION_KINDS, type Explanation } from '../ops/explain.ts';
import type { Style } from './style.ts';
import { formatTable } from './text-table.ts';

/** Lines of a code block that are shown; the rest is in the page's file. */
const MAX_CODE_LINES = 25;

/** A page for people: headings without their marks, code blocks indented. */
export function* explanationText({ text }: Explanation, style: Style): Generator<string> {
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
export function* explanationTable(explanations: readonly Explanation[], style: Style): Generator<string> {
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
