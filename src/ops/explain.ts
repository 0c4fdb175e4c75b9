import { appendTo } from '../bytes/append-to.ts';
import { refusedVirtioFeatures } from '../infos/virtio/feature-properties.ts';
import { virtioTypeByName } from '../infos/virtio/meanings.ts';

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

/** What one counts that follows a message which says more. */
const AROUND = 0.3;

/**
 * What a message says about its page, by the words behind the fence of its code block: none, it is about the page;
 * `also`, other pages are likelier; `around`, it follows a message that says more, and tells the subject; `frame`, it
 * stands around or behind another message that says more; `device`, it says no more than where; `wrapper`, no more than
 * that such messages follow.
 */
const WEIGHTS: Readonly<Record<string, number>> = {
  also: 0.95,
  around: AROUND,
  frame: 0.005,
  device: 0.001,
  wrapper: 0.00001,
};

/** Pages whose score is this part of the best one's are shown with it. */
const AS_GOOD = 0.9;

/** Letters that a message has to have to be found in the middle of a line; one with fewer is a whole line. */
const MIN_LETTERS = 10;

/** Characters at its beginning that a message must have to be known by them where the rest was cut off. */
const MIN_CUT_LENGTH = 20;
/** How much less a message counts that was cut off. */
const CUT = 0.8;

/** Of the weight of the words of a text that no message has in whole, what one must have; less, if its page has more. */
const MIN_SHARED = 0.5;
const MIN_SHARED_BY_PAGE = 0.8;
/** The least that the shared words must weigh, and how many they must be. */
const MIN_SHARED_WEIGHT = 5.5;
const MIN_SHARED_WORDS = 2;
/** What a word weighs that no page has: most are names. */
const UNKNOWN_WORD = 1;

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
  /** What does not vary of it, in its order, in lower case. */
  readonly parts: readonly string[];
  /** The words of these. */
  readonly words: ReadonlySet<string>;
  readonly weight: number;
  /** Letters in `parts`. */
  readonly letters: number;
}

/** What there is on a code or a text. */
export interface Explained {
  /** The best first. */
  readonly pages: readonly Explanation[];
  /**
   * What they were found by: a code, a message in the text, or, which is a guess, the words of one; `all` where nothing
   * was asked, and `nothing` where there are none.
   */
  readonly by: 'all' | 'code' | 'message' | 'words' | 'nothing';
  /** A line for each device whose virtio features the text says are refused. */
  readonly features: readonly string[];
  /** Where there are no pages: codes that may have been meant. */
  readonly near: readonly string[];
}

/** What explanations say on a code, or on what QEMU or libvirt printed, whole or in part; all of them without one. */
export function explain(explanations: readonly Explanation[], wanted?: string): Explained {
  if (wanted === undefined) return { pages: explanations, by: 'all', features: [], near: [] };
  const features = explainFeatures(wanted);
  const named = explanations.filter(({ code }) => code === wanted);
  if (named.length > 0) return { pages: named, by: 'code', features, near: [] };
  const { pages, isGuess } = explainMessages(explanations, wanted);
  if (pages.length > 0) return { pages, by: isGuess ? 'words' : 'message', features, near: [] };
  const codes = /\s/.test(wanted.trim()) ? [] : explanations.map(({ code }) => code);
  return { pages, by: 'nothing', features, near: nearCodes(codes, wanted) };
}

/** Pages for a text, the best first. */
interface MessagePages {
  readonly pages: readonly Explanation[];
  /** No page has a message of the text: these have the most of its words, which is a guess. */
  readonly isGuess: boolean;
}

/**
 * What the messages in a text are about: the pages that have the most telling of its lines, the best first. A line that
 * is on many pages tells less. A text that has no message in whole is taken for a part of one, or for other words of one.
 */
export function explainMessages(explanations: readonly Explanation[], text: string): MessagePages {
  const lines = unescaped(text)
    .toLowerCase()
    .split('\n', MAX_LINES)
    .map((line) => singleSpaced(line.slice(0, MAX_LINE_LENGTH)))
    .filter((line) => line !== '');
  const candidates = explanations.map(templatesOf);
  const scores = candidates.map((): Score => ({ best: 0, sum: 0 }));
  addScores(scores, candidates, lines);
  // A terminal or a mail has broken a line, in two or in more.
  addScores(scores, candidates, neighbours(lines));
  if (bestOf(scores) < 1 && lines.length > 2) addScores(scores, candidates, [lines.join(' ')]);
  if (bestOf(scores) < 1) {
    const similar = similarTo(candidates, lines);
    if (bestOf(similar) > 0) return { pages: byScore(explanations, similar), isGuess: true };
  }
  return { pages: bestOf(scores) > 0 ? byScore(explanations, scores) : [], isGuess: false };
}

/** Each line with the next. */
function neighbours(lines: readonly string[]): string[] {
  return lines.slice(1).map((line, i) => `${lines[i]} ${line}`);
}

/** What a page has of a text: its most telling line, and all. */
interface Score {
  best: number;
  sum: number;
}

function bestOf(scores: readonly Score[]): number {
  return Math.max(0, ...scores.map(({ best }) => best));
}

function byScore(explanations: readonly Explanation[], scores: readonly Score[]): Explanation[] {
  const most = bestOf(scores);
  return explanations
    .map((explanation, i) => ({ explanation, ...scores[i]! }))
    .filter(({ best }) => best >= most * AS_GOOD)
    .sort((a, b) => b.best - a.best || b.sum - a.sum)
    .map(({ explanation }) => explanation);
}

function addScores(
  scores: readonly Score[],
  candidates: readonly (readonly Template[])[],
  lines: readonly string[],
): void {
  for (const line of lines) {
    const words = withoutPrefixes(line);
    const lengths = candidates.map((templates) =>
      Math.max(0, ...templates.map((template) => matchLength(template, line, words))),
    );
    const matching = lengths.filter((length) => length >= 1).length || 1;
    for (const [i, score] of scores.entries()) {
      score.best = Math.max(score.best, lengths[i]! / matching);
      score.sum += lengths[i]! / matching;
    }
  }
}

/**
 * Pages whose messages have most of a line's words, and one of them several: the rarer a word is among pages, the more it
 * counts.
 */
function similarTo(candidates: readonly (readonly Template[])[], lines: readonly string[]): Score[] {
  const pages = candidates.map((templates) => templates.filter(({ weight }) => weight >= AROUND));
  const vocabularies = pages.map((templates) => new Set(templates.flatMap(({ words }) => [...words])));
  const weights = new Map<string, number>();
  const weightOf = (word: string): number => {
    const known = weights.get(word);
    if (known !== undefined) return known;
    const having = vocabularies.filter((vocabulary) => vocabulary.has(word)).length;
    const weight = having === 0 ? UNKNOWN_WORD : Math.log(pages.length / having);
    weights.set(word, weight);
    return weight;
  };
  const weigh = (words: Iterable<string>): number =>
    [...words].reduce((sum, word) => sum + weightOf(word), 0);
  const frames = candidates
    .flat()
    .filter(({ weight }) => weight < AROUND)
    .sort((a, b) => b.letters - a.letters);
  const scores = candidates.map((): Score => ({ best: 0, sum: 0 }));
  for (const line of lines) {
    const words = [...wordsOf([withoutFrames(frames, withoutPrefixes(line))])];
    const all = weigh(words);
    for (const [i, templates] of pages.entries()) {
      const onPage = weigh(words.filter((word) => vocabularies[i]!.has(word)));
      for (const template of templates) {
        const shared = words.filter((word) => template.words.has(word));
        const weight = weigh(shared);
        if (shared.length < MIN_SHARED_WORDS || weight < MIN_SHARED_WEIGHT) continue;
        if (weight < all * MIN_SHARED && onPage < all * MIN_SHARED_BY_PAGE) continue;
        const likeness = (2 * weight) / (all + weigh(template.words));
        scores[i]!.best = Math.max(scores[i]!.best, template.weight * (onPage / all + likeness));
      }
    }
  }
  return scores;
}

/** A line without the messages in it that say no more than that others follow. */
function withoutFrames(frames: readonly Template[], line: string): string {
  let rest = line;
  for (const frame of frames)
    if (matchLength(frame, rest, rest) > 0) for (const part of frame.parts) rest = rest.replace(part, ' ');
  return rest;
}

/** What is in quotes or has digits. A run without digits is gone through once: none begins within another. */
const VARYING = /'[^']*'|"[^"]*"|(?<![^\s'"])[^\s\d]*\d\S*/g;

/** The words of a text that do not vary. */
function wordsOf(parts: readonly string[]): Set<string> {
  return new Set(parts.flatMap((part) => part.replace(VARYING, ' ').match(/\p{L}[\p{L}_-]+/gu) ?? []));
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
      const text = singleSpaced(line).toLowerCase();
      const letters = text.replace(/[^\p{L}]/gu, '').length;
      // What varies at the end can be missing, with the space before it.
      const parts = (letters < MIN_LETTERS ? text : text.replace(/ \u2026$/, ''))
        .split('…')
        .filter((part) => part !== '');
      return { parts, words: wordsOf(parts), weight, letters };
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
  let at = 0;
  const canBeCut = !isWhole && weight >= AROUND;
  let length = 0;
  for (const [i, part] of parts.entries()) {
    const found = text.indexOf(part, at);
    if (found < 0)
      return canBeCut && length >= MIN_CUT_LENGTH && isVarying(text.slice(at)) ? length * weight * CUT : 0;
    const before = text.slice(0, found);
    if (isWhole && i === 0 && found > 0 && !/[:/] $/.test(before) && !isVarying(before)) return 0;
    at = found + part.length;
    length += part.length;
  }
  if (isWhole && !isVarying(text.slice(at))) return 0;
  return length * weight;
}

/** Whether a text can be what varies before or behind the words of a short message: a number, a name, nothing. */
function isVarying(text: string): boolean {
  return /^\S*$/.test(text.trim());
}

/** What programs and logs print before a message, one after the other, in lower case. */
const PREFIXES = [
  /^\w{3} +\d+ \d\d:\d\d:\d\d \S+ [\w@.-]+(?:\[\d+\])?: /,
  /^\[?\d{4}-\d\d-\d\d[t ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:z|[+-]\d\d:?\d\d)?:? ?\]?:? ?/,
  /^\d+: (?:error|warning|info|debug) : (?:\w+:\d+ : )?/,
  /^(?:\S*\/)?(?:qemu(?:-[\w-]+)?|kvm|virsh|libvirtd?|virtqemud)(?:\[\d+\])?: /,
  /^libvirt: .*?(?:error|warning) ?: /,
  /^(?:error|warning|info|fatal|hint): /,
  /^(?:internal error|operation failed|unsupported configuration|requested operation is not valid): /,
  /^-\w[\w-]*(?: [^ :]\S*)?: /,
  /^unable to execute qemu command '[^']*': /,
  /^(?:qemu|process) (?:unexpectedly closed the monitor|exited while connecting to monitor)[^:]*: /,
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

/** Without what JSON, YAML and word processors make of quotes and the ends of lines. */
function unescaped(text: string): string {
  return text
    .replace(/\\n/g, '\n')
    .replace(/\\(["'])/g, '$1')
    .replace(/''/g, "'")
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"');
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
const REFUSED_FEATURES = /Features 0x([\da-f]{1,32}) unsupported\. Allowed\s+features: 0x([\da-f]{1,32})\b/gi;

/**
 * What a text with QEMU's two masks of virtio features says: a line for the device that is named behind them
 * (`Failed to load virtio-net:virtio`, `device '0000:00:02.0/virtio-net'`), or else for each type that it can be about.
 */
export function explainFeatures(text: string): string[] {
  const refusals = [...text.matchAll(REFUSED_FEATURES)];
  return refusals.flatMap(({ index, 0: { length }, 1: accepted = '', 2: offered = '' }, i) => {
    const behind = text.slice(index + length, refusals[i + 1]?.index);
    const [named] = (behind.match(/[a-z][\w-]+/g) ?? [])
      .map(virtioTypeByName)
      .filter((type) => type !== undefined);
    return refusedVirtioFeatures(BigInt(`0x${accepted}`), BigInt(`0x${offered}`), named).map(
      ({ device, names, settings }) => {
        const off = settings.length === 0 ? '' : `; switched off at both sides by ${settings.join(',')}`;
        return `refused: ${names.join(', ')}${device === undefined ? '' : ` of virtio ${device}`}${off}`;
      },
    );
  });
}
