import { formatPath } from '../bytes/diagnostic.ts';
import type { OpenedStream } from '../layout/open.ts';
import type { PageHashes } from '../memory/page-hashes.ts';
import { diffStreams } from './diff.ts';
import type { Change } from './diff-layouts.ts';
import type { SectionDiff, StreamDiff } from './diff-result.ts';

/**
 * What came of the state of a VM that was loaded.
 *
 * `load`: it was lost or changed by the load, and by no further one. `each-load`: the next load changes it, too: it is
 * not idempotent. `back`: it is not what it was after a load by another QEMU and by the first one again. `there`: only
 * the other QEMU has it otherwise.
 */
export type RoundtripPartKind = 'load' | 'each-load' | 'back' | 'there';

export interface RoundtripPart {
  readonly kind: RoundtripPartKind;
  /** Of the parts of the diff that are left. */
  readonly diff: StreamDiff;
}

/** How the states of one VM differ that it had before and after loads. */
export interface RoundtripDiff {
  /** `undecided`: no difference was found, but not all could be decoded. */
  readonly verdict: StreamDiff['verdict'];
  /** Those that have differences. */
  readonly parts: readonly RoundtripPart[];
  /** Fields that differ and were not compared, as clocks do (`volatileFields`): `SECTION/PATH`. */
  readonly leftOut: readonly string[];
  /** Sections and fields that are the same in the first state and the last. */
  readonly unchanged: StreamDiff['unchanged'];
}

/** A state of the VM, with the pages of its RAM where they are to be compared. */
export interface SavedState {
  readonly vm: OpenedStream;
  readonly pages?: PageHashes | undefined;
}

export interface RoundtripDiffOptions {
  /** The second state is that of another QEMU, and the third of the first one again. */
  readonly through: boolean;
}

/** Compares three states of a VM: before a load, after it, and after the load of what was saved then. */
export async function diffRoundtrip(
  [first, second, third]: readonly [SavedState, SavedState, SavedState],
  { through }: RoundtripDiffOptions,
): Promise<RoundtripDiff> {
  const leftOut = new Set<string>();
  const diff = async (a: SavedState, b: SavedState): Promise<StreamDiff> => {
    const pages = a.pages && b.pages ? { pages: { a: a.pages, b: b.pages } } : {};
    const compared = await diffStreams(a.vm, b.vm, { ignoreVolatile: true, ...pages });
    const kept = new Set(placesOf(compared.sections));
    const { sections } = await diffStreams(a.vm, b.vm);
    for (const place of placesOf(sections)) if (!kept.has(place)) leftOut.add(place.slice(MARK_LENGTH));
    return compared;
  };
  const there = await diff(first, second);
  const after = through ? await diff(first, third) : await diff(second, third);
  const once = without(there, new Set(placesOf(after.sections)));
  const parts: RoundtripPart[] = through
    ? [
        { kind: 'back', diff: after },
        { kind: 'there', diff: once },
      ]
    : [
        { kind: 'load', diff: once },
        { kind: 'each-load', diff: after },
      ];
  const found = parts.filter((part) => isDifferent(part.diff));
  const isWrong = found.some(({ kind, diff: { sections } }) => kind !== 'there' || hasOtherValues(sections));
  const isUndecided = there.verdict === 'undecided' || after.verdict === 'undecided';
  return {
    verdict: isWrong ? 'different' : isUndecided ? 'undecided' : 'same',
    parts: found,
    leftOut: [...leftOut],
    unchanged: through ? after.unchanged : there.unchanged,
  };
}

/** Of the kind of a change, in front of its place. */
const MARK_LENGTH = 2;

/** Each change by its kind, a letter, and its place. */
function placesOf(sections: readonly SectionDiff[]): string[] {
  return sections.flatMap((section) =>
    section.kind === 'changed'
      ? section.changes.map((change) => placeOf(section, change))
      : [`${section.kind === 'added' ? '+' : '-'} ${nameOf(section)}`],
  );
}

function placeOf(section: SectionDiff, { kind, path }: Change): string {
  const mark = kind === 'added' ? '+' : kind === 'removed' ? '-' : kind === 'value' ? '~' : '!';
  return `${mark} ${nameOf(section)}/${formatPath(path)}`;
}

function nameOf({ section, instanceId }: SectionDiff): string {
  return instanceId === 0 ? section : `${section}@${instanceId}`;
}

/** A diff without what is in another one, too. */
function without(diff: StreamDiff, others: ReadonlySet<string>): StreamDiff {
  const sections = diff.sections.flatMap((section): SectionDiff[] => {
    if (section.kind !== 'changed')
      return placesOf([section]).every((place) => others.has(place)) ? [] : [section];
    const changes = section.changes.filter((change) => !others.has(placeOf(section, change)));
    return changes.length + section.omitted > 0 ? [{ ...section, changes }] : [];
  });
  return { ...diff, sections };
}

function isDifferent({ sections, order, commands, footers, ram }: StreamDiff): boolean {
  return sections.length + order.length + commands.length > 0 || footers !== undefined || ram?.same === false;
}

/** Also what a device of another version has in another form may come back as it was; another value is another state. */
function hasOtherValues(sections: readonly SectionDiff[]): boolean {
  return sections.some(({ changes, omitted }) => omitted > 0 || changes.some(({ kind }) => kind === 'value'));
}
