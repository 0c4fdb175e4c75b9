import { appendTo } from '../bytes/append-to.ts';

/** Something that a command can report, with what the documentation has on it. */
export interface Explanation {
  readonly code: string;
  /** `rule`: a finding of check or compat; `problem`: what is wrong with a stream, whoever reads it. */
  readonly kind: 'rule' | 'problem';
  /** What it is, in a line. */
  readonly title: string;
  /** Markdown. */
  readonly text: string;
}

/** Heading of the part of a page whose code blocks hold messages of QEMU, one a line, with `…` for what varies. */
const MESSAGES_HEADING = '## What QEMU says';

/** Codes have to be this much alike to be taken for slips of the pen: shared pairs of letters, 0 to 1. */
const ALIKE = 0.5;
const MAX_NEAR = 3;

/** A page of docs/rules: its first line is `# CODE: TITLE`. */
export function explanationOfPage(code: string, text: string): Explanation {
  const [heading = ''] = text.split('\n', 1);
  const title = heading.slice(heading.indexOf(':') + 1).trim();
  return { code, kind: 'rule', title, text };
}

/** The rows of the table in docs/diagnostics.md: a code, or several, and their meaning. */
export function explanationsOfProblems(markdown: string): Explanation[] {
  const meanings = new Map<string, string[]>();
  for (const line of markdown.split('\n')) {
    const [, first = '', meaning = ''] = /^\| (`.*`) \| (.*) \|$/.exec(line) ?? [];
    for (const [, code = ''] of first.matchAll(/`([^`]+)`/g)) appendTo(meanings, code, meaning);
  }
  return [...meanings].map(([code, [title = '', ...others]]) => ({
    code,
    kind: 'problem',
    title,
    text: `# ${code}: a problem in a stream\n\n${[title, ...others].join('\n\n')}\n`,
  }));
}

/**
 * What the messages of QEMU in a text are about: the pages that have the most of it among theirs, all if they tie. A line
 * that is on many pages counts less.
 */
export function explainMessages(explanations: readonly Explanation[], text: string): Explanation[] {
  const candidates = explanations.map(({ text: page }) => messageTemplates(page));
  const scores = candidates.map(() => 0);
  for (const line of text.split('\n').map(singleSpaced)) {
    const lengths = candidates.map((templates) =>
      Math.max(0, ...templates.map((template) => matchLength(template, line))),
    );
    const matching = lengths.filter((length) => length > 0).length;
    for (const [i, length] of lengths.entries()) if (length > 0) scores[i]! += length / matching;
  }
  const most = Math.max(...scores);
  return explanations.filter((_, i) => most > 0 && scores[i] === most);
}

/** The messages of QEMU that a page lists. */
export function messageTemplates(page: string): string[] {
  const start = page.indexOf(MESSAGES_HEADING);
  if (start < 0) return [];
  const end = page.indexOf('\n## ', start);
  const part = page.slice(start, end < 0 ? undefined : end);
  return [...part.matchAll(/^```\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
    block.trimEnd().split('\n'),
  );
}

/** Characters of a template that do not vary, if a line ends as it says; else 0. */
function matchLength(template: string, line: string): number {
  const fixed = singleSpaced(template).split('…');
  const pattern = fixed
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .reduce(
      (before, part) => before + (before.endsWith("'") && part.startsWith("'") ? "[^']*" : '.*') + part,
    );
  return new RegExp(`${pattern}$`).test(line) ? fixed.join('').length : 0;
}

function singleSpaced(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}

/** Codes that somebody may have meant, the likeliest first. */
export function nearCodes(codes: Iterable<string>, wanted: string): string[] {
  const pairs = letterPairs(wanted);
  return [...new Set(codes)]
    .map((code) => {
      const others = letterPairs(code);
      const shared = [...pairs].filter((pair) => others.has(pair)).length;
      return { code, likeness: (2 * shared) / (pairs.size + others.size || 1) };
    })
    .filter(({ likeness }) => likeness >= ALIKE)
    .sort((a, b) => b.likeness - a.likeness)
    .slice(0, MAX_NEAR)
    .map(({ code }) => code);
}

function letterPairs(word: string): Set<string> {
  const lower = word.toLowerCase();
  return new Set(Array.from({ length: Math.max(0, lower.length - 1) }, (_, i) => lower.slice(i, i + 2)));
}
