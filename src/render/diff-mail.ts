import type { DiffedStream, SectionDiff, StreamDiff } from '../ops/diff-result.ts';
import { type ChangeRow, changeRow, nameText } from './diff-text.ts';
import { mailLines, mailMark } from './mail.ts';

/** What the states are of, for a mail: by default their machine types. */
export interface DiffMailNames {
  readonly a: string;
  readonly b: string;
}

/** How two streams differ, for a mail with a patch. The same for the same bytes, wherever they are. */
export function* diffMail(diff: StreamDiff, names: Partial<DiffMailNames> = {}): Generator<string> {
  yield* mailLines(linesOf(diff, names));
}

function* linesOf(diff: StreamDiff, names: Partial<DiffMailNames>): Generator<string> {
  const { a, b, structure, verdict, unchanged } = diff;
  if (verdict !== 'different') {
    const what = structure ? 'No change on the wire' : 'No difference';
    const doubt = verdict === 'same' ? '' : ' in what could be decoded';
    yield `${what}${doubt}: ${unchanged.sections} sections, ${unchanged.fields} fields.`;
    return;
  }
  yield structure ? 'What changes on the wire:' : 'What differs:';
  yield `  before: ${names.a ?? streamText(a)}`;
  yield `  after:  ${names.b ?? streamText(b)}`;
  yield* differenceLines(diff);
  yield '';
  yield `${unchanged.sections} other sections are the same${structure ? ' in form' : ''}.`;
}

function streamText({ machineType, sections }: DiffedStream): string {
  return `${machineType ?? 'no machine type'}, ${sections} sections`;
}

/** The differences alone, before and after for each section; not broken into lines of a mail. */
export function* differenceLines({
  footers,
  commands,
  sections,
  order,
  ram,
  structure,
}: StreamDiff): Generator<string> {
  if (footers) yield* ['', `Sections ${footers.b ? 'get footers' : 'have no footers any more'}.`];
  if (commands.length > 0) yield* ['', 'commands'];
  for (const { kind, a, b } of commands) {
    if (kind !== 'added') yield mailMark('before') + a!.name;
    if (kind !== 'removed') yield mailMark('after') + b!.name;
  }
  for (const section of sections) yield* sectionLines(section, structure);
  if (order.length > 0) yield* ['', `At another place in the stream: ${order.map(nameText).join(', ')}`];
  const blocks = ram?.blocks.filter(({ kind }) => kind !== 'same') ?? [];
  if (blocks.length > 0) yield* ['', `RAM differs: ${blocks.map(({ idstr }) => idstr).join(', ')}`];
}

function* sectionLines(section: SectionDiff, structure: boolean): Generator<string> {
  const { kind, changes, omitted, counterpart, alike = [], a } = section;
  if (kind === 'added' && counterpart) return;
  const b = kind === 'removed' ? counterpart : section.b;
  yield '';
  const others = alike.length > 0 ? ` and ${alike.length} more like it` : '';
  const names = counterpart ? `${nameText(section)} -> ${nameText(counterpart)}` : nameText(section);
  const version = (a ?? b)?.versionId;
  yield `${names}${others}${version === undefined ? '' : `, version ${version}`}`;
  if (kind !== 'changed' && !counterpart) {
    const text = `the section${version === undefined ? '' : `, version ${version}`}`;
    yield mailMark(kind === 'added' ? 'after' : 'before') + text;
    return;
  }
  if (a && b && a.versionId !== b.versionId)
    yield* beforeAndAfter(`version ${a.versionId ?? '-'}`, `version ${b.versionId ?? '-'}`);
  for (const change of changes) {
    if (change.kind === 'version' && change.path.length === 0) continue;
    yield* rowLines(changeRow(change, { structure, full: false }), change.kind === 'moved');
  }
  if (omitted > 0) yield `    and ${omitted} more differences`;
}

function* beforeAndAfter(before: string, after: string): Generator<string> {
  yield mailMark('before') + before;
  yield mailMark('after') + after;
}

function* rowLines({ mark, name, type, parts, notes }: ChangeRow, isMoved: boolean): Generator<string> {
  const words = (side: 'a' | 'b') => {
    const names = name.split(' → ');
    const own = side === 'a' ? names[0]! : names.at(-1)!;
    const values = parts.map((part) => [part.label, part[side]].filter((text) => text !== '').join(' '));
    return [own, type, values.join(', ')].filter((word) => word !== '').join('  ');
  };
  if (mark !== 'added') yield mailMark('before') + words('a');
  if (mark !== 'removed' && !isMoved) yield mailMark('after') + words('b');
  if (notes.length > 0) yield `    (${notes.join(', ')})`;
}
