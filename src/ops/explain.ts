import { appendTo } from '../bytes/append-to.ts';
import { refusedVirtioFeatures } from '../layout/infos/virtio-feature-properties.ts';

/** What a page is about: findings and problems of vmwalk, or what QEMU and libvirt say at a step of their work. */
export const EXPLANATION_KINDS = {
  rule: 'what check and compat find',
  problem: 'what is wrong with a stream, whoever reads it',
  save: 'messages about what cannot be saved or migrated, and snapshots',
  load: 'messages of a destination that does not load',
  transport: 'messages about connections, channels, capabilities, postcopy',
  libvirt: 'messages of libvirt',
} as const;

export type ExplanationKind = keyof typeof EXPLANATION_KINDS;

/** Something that a command or a program reports, with what the documentation has on it. */
export interface Explanation {
  readonly code: string;
  readonly kind: ExplanationKind;
  /** What it is, in a line. */
  readonly title: string;
  /** Markdown. */
  readonly text: string;
}

/** Headings of the part of a page whose code blocks hold messages, one a line, with `…` for what varies. */
const MESSAGES_HEADING = /^## (?:What QEMU says|Messages)$/m;

/**
 * What a message says about its page, by the words behind the fence of its code block: none, it is about the page;
 * `also`, other pages are likelier; `frame`, it stands around or behind another message that says more; `device`, it
 * says no more than where; `wrapper`, no more than that such messages follow.
 */
const WEIGHTS: Readonly<Record<string, number>> = {
  also: 0.95,
  frame: 0.005,
  device: 0.001,
  wrapper: 0.00001,
};

/** Pages whose score is this part of the best one's are shown with it. */
const AS_GOOD = 0.9;

/** Letters that a message has to have to be found in the middle of a line; one with fewer is a whole line. */
const MIN_LETTERS = 10;

/** Of the pairs of words in a part of a message, those that the message must have. */
const MIN_SHARED_PAIRS = 0.7;
/** A part of a message that is on more pages than this says nothing. */
const MAX_SHARED_PAGES = 4;

/** What is looked at of a text; a message is shorter, and so is what fits on a screen. */
const MAX_LINES = 200;
const MAX_LINE_LENGTH = 2000;

/** Codes have to be this much alike to be taken for slips of the pen: shared pairs of letters, 0 to 1. */
const ALIKE = 0.5;
const MAX_NEAR = 3;

/** A page: its first line is `# CODE: TITLE`. */
export function explanationOfPage(code: string, kind: ExplanationKind, text: string): Explanation {
  const [heading = ''] = text.split('\n', 1);
  const title = heading.slice(heading.indexOf(':') + 1).trim();
  return { code, kind, title, text };
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

/** A message of a page. */
interface Template {
  /** What does not vary of it, in its order. */
  readonly parts: readonly string[];
  readonly weight: number;
  /** Letters in `parts`. */
  readonly letters: number;
}

/**
 * What the messages in a text are about: the pages that have the most of it among theirs, the best first. A line that is
 * on many pages counts less. A text that has no message in whole is taken for a part of one.
 */
export function explainMessages(explanations: readonly Explanation[], text: string): Explanation[] {
  const lines = text
    .split('\n', MAX_LINES)
    .map((line) => singleSpaced(line.slice(0, MAX_LINE_LENGTH)))
    .filter((line) => line !== '');
  const candidates = explanations.map(templatesOf);
  const scores = wholeScores(candidates, lines);
  // A terminal or a mail has broken the line.
  if (Math.max(...scores) < 1 && lines.length > 1)
    for (const [i, score] of wholeScores(candidates, [lines.join(' ')]).entries())
      scores[i] = Math.max(scores[i]!, score);
  const best = Math.max(...scores);
  if (best < 1) {
    const unknown = lines.filter((line) => Math.max(...wholeScores(candidates, [line])) === 0);
    const parts = partScores(candidates, unknown);
    if (Math.max(0, ...parts) > 0) return byScore(explanations, parts);
  }
  return best > 0 ? byScore(explanations, scores) : [];
}

function byScore(explanations: readonly Explanation[], scores: readonly number[]): Explanation[] {
  const most = Math.max(...scores);
  return explanations
    .map((explanation, i) => ({ explanation, score: scores[i]! }))
    .filter(({ score }) => score >= most * AS_GOOD)
    .sort((a, b) => b.score - a.score)
    .map(({ explanation }) => explanation);
}

function wholeScores(candidates: readonly (readonly Template[])[], lines: readonly string[]): number[] {
  const scores = candidates.map(() => 0);
  for (const line of lines) {
    const words = withoutPrefixes(line);
    const lengths = candidates.map((templates) =>
      Math.max(0, ...templates.map((template) => matchLength(template, line, words))),
    );
    const matching = lengths.filter((length) => length >= 1).length || 1;
    for (const [i, length] of lengths.entries()) if (length > 0) scores[i]! += length / matching;
  }
  return scores;
}

/** How much of a text's pairs of neighbouring words a message of each page has, where it is enough; else 0. */
function partScores(candidates: readonly (readonly Template[])[], lines: readonly string[]): number[] {
  let best = candidates.map(() => 0);
  for (const line of lines) {
    const pairs = wordPairs([withoutPrefixes(line)]);
    if (pairs.size === 0) continue;
    const scores = candidates.map((templates) =>
      Math.max(
        0,
        ...templates.map(({ parts, weight }) => {
          const others = wordPairs(parts);
          const shared = [...pairs].filter((pair) => others.has(pair)).length;
          if (shared < pairs.size * MIN_SHARED_PAIRS) return 0;
          return (weight * 2 * shared) / (pairs.size + others.size);
        }),
      ),
    );
    const most = Math.max(...scores);
    const count = scores.filter((score) => score >= most * AS_GOOD).length;
    if (most > Math.max(...best) && count <= MAX_SHARED_PAGES) best = scores;
  }
  return best;
}

/** Words that stand side by side and do not vary: what is in quotes or has digits is left out, and parts a pair. */
function wordPairs(parts: readonly string[]): Set<string> {
  const pairs = new Set<string>();
  for (const part of parts)
    for (const run of part.toLowerCase().split(/'[^']*'|"[^"]*"|\S*\d\S*|[()=,;:]/)) {
      const words = run.match(/\p{L}[\p{L}_'-]*/gu) ?? [];
      for (let i = 1; i < words.length; i++) pairs.add(`${words[i - 1]} ${words[i]}`);
    }
  return pairs;
}

/** The messages that a page lists. */
export function messageTemplates(page: string): string[] {
  return messageBlocks(page).flatMap(({ lines }) => lines);
}

const templates = new WeakMap<Explanation, readonly Template[]>();

function templatesOf(explanation: Explanation): readonly Template[] {
  const known = templates.get(explanation);
  if (known) return known;
  const made = messageBlocks(explanation.text).flatMap(({ lines, weight }) =>
    lines.map((line) => {
      const parts = singleSpaced(line)
        .toLowerCase()
        .split('…')
        .filter((part) => part !== '');
      return { parts, weight, letters: parts.join('').replace(/[^\p{L}]/gu, '').length };
    }),
  );
  templates.set(explanation, made);
  return made;
}

function messageBlocks(page: string): { lines: string[]; weight: number }[] {
  const start = MESSAGES_HEADING.exec(page)?.index ?? -1;
  if (start < 0) return [];
  const end = page.indexOf('\n## ', start);
  const part = page.slice(start, end < 0 ? undefined : end);
  return [...part.matchAll(/^```([\w ]*)\n([\s\S]*?)^```$/gm)].map(([, info = '', block = '']) => ({
    lines: block.trimEnd().split('\n'),
    weight: info.split(' ').reduce((weight, word) => weight * (WEIGHTS[word] ?? 1), 1),
  }));
}

/**
 * Characters of a message that do not vary, times its weight, if a line has it; else 0. `words` is the line without
 * what programs and logs print before a message.
 */
function matchLength({ parts, weight, letters }: Template, line: string, words: string): number {
  const [text, isWhole] = letters < MIN_LETTERS ? [words, true] : [line, false];
  const lower = text.toLowerCase();
  let at = 0;
  for (const [i, part] of parts.entries()) {
    const found = lower.indexOf(part, at);
    if (
      found < 0 ||
      (isWhole &&
        i === 0 &&
        found > 0 &&
        !/[:/] $/.test(lower.slice(0, found)) &&
        !isVarying(lower.slice(0, found)))
    )
      return 0;
    at = found + part.length;
  }
  if (isWhole && !isVarying(lower.slice(at))) return 0;
  return parts.join('').length * weight;
}

/** Whether a text can be what varies before or behind the words of a short message: a number, a name, nothing. */
function isVarying(text: string): boolean {
  return /^\S*$/.test(text.trim());
}

/** What programs and logs print before a message, one after the other. */
const PREFIXES = [
  /^\w{3} +\d+ \d\d:\d\d:\d\d \S+ [\w@.-]+(?:\[\d+\])?: /,
  /^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?:? ?\]?:? ?/,
  /^\d+: (?:error|warning|info|debug) : (?:\w+:\d+ : )?/,
  /^(?:\S*\/)?(?:qemu(?:-[\w-]+)?|kvm|virsh|libvirtd?|virtqemud)(?:\[\d+\])?: /,
  /^libvirt: .*?(?:error|warning) ?: /,
  /^(?:error|warning|info|fatal|hint): /i,
  /^(?:internal error|operation failed|unsupported configuration|requested operation is not valid): /i,
  /^-\w[\w-]*(?: [^ :]\S*)?: /,
  /^unable to execute qemu command '[^']*': /i,
  /^(?:qemu|process) (?:unexpectedly closed the monitor|exited while connecting to monitor)[^:]*: /i,
];

function withoutPrefixes(line: string): string {
  let rest = line;
  for (let isCut = true; isCut; ) {
    isCut = false;
    for (const prefix of PREFIXES) {
      const shorter = rest.replace(prefix, '');
      if (shorter !== rest) isCut = true;
      rest = shorter;
    }
  }
  return rest;
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

/** Digits of the widest masks that QEMU prints: 128 bits. */
const REFUSED_FEATURES = /Features 0x([\da-f]{1,32}) unsupported\. Allowed features: 0x([\da-f]{1,32})\b/gi;

/** What a text with QEMU's two masks of virtio features says, a line for each device type that it can be about. */
export function explainFeatures(text: string): string[] {
  return [...text.matchAll(REFUSED_FEATURES)].flatMap(([, accepted = '', offered = '']) =>
    refusedVirtioFeatures(BigInt(`0x${accepted}`), BigInt(`0x${offered}`)).map(
      ({ device, names, settings }) => {
        const off = settings.length === 0 ? '' : `; switched off at both sides by ${settings.join(',')}`;
        return `refused: ${names.join(', ')}${device === undefined ? '' : ` of virtio ${device}`}${off}`;
      },
    ),
  );
}
