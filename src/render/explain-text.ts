import type { Explanation } from '../ops/explain.ts';
import type { Style } from './style.ts';
import { formatTable } from './table.ts';

/** A page for people: headings without their marks, code blocks indented. */
export function* explanationText({ text }: Explanation, style: Style): Generator<string> {
  let isCode = false;
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('```')) isCode = !isCode;
    else if (isCode) yield line === '' ? '' : `    ${line}`;
    else yield line.startsWith('#') ? style.heading(line.replace(/^#+ /, '')) : line;
  }
}

/** Codes with a line each. */
export function explanationTable(explanations: readonly Explanation[]): string[] {
  return formatTable(
    [
      { title: 'code', align: 'left' },
      { title: 'what it is', align: 'left' },
    ],
    explanations.map(({ code, title }) => [code, title]),
  );
}
