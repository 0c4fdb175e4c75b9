import { appendTo } from '../bytes/append-to.ts';
import type { CompatFinding, CompatReport } from '../compat/compat.ts';
import type { Direction } from '../compat/direction.ts';
import type { SideFacts } from '../compat/side.ts';
import type { OutlineLine, OutlinePair } from '../compat/vmsd-outline.ts';
import { alignSequences } from '../ops/align-sequences.ts';
import { mailLines, mailMark } from './mail.ts';

/** Lines that are shown around what changed. */
const AROUND = 1;
/** Columns that names of fields are filled up to. */
const MAX_NAME = 24;
/** Devices that are named of one VMSD. */
const MAX_DEVICES = 4;

const arrows: Readonly<Record<Direction, string>> = {
  'old-to-new': 'old -> new',
  'new-to-old': 'new -> old',
};

/** Findings that are about what is on the wire, for VMs that have the device on both sides. */
export function changesOnWire({ findings }: CompatReport): CompatFinding[] {
  return findings.filter(({ rank, rule }) => rank !== 'cosmetic' && rule !== 'compat-device-missing');
}

/**
 * A comparison for a mail with a patch: for each VMSD what it sends before and after, and what comes of it. `outlines` of
 * the VMSDs of `changesOnWire`. The same for the same builds, wherever they are.
 */
export function* compatMail(
  report: CompatReport,
  outlines: ReadonlyMap<string, OutlinePair>,
): Generator<string> {
  yield* mailLines(linesOf(report, outlines));
}

function* linesOf(report: CompatReport, outlines: ReadonlyMap<string, OutlinePair>): Generator<string> {
  const { old, new: fresh, compared, directions } = report;
  const found = changesOnWire(report);
  const ways = directions.map((direction) => arrows[direction]).join(', ');
  const only = (['old-to-new', 'new-to-old'] as const).map((direction) => [
    direction,
    namesOf(report.findings.filter((each) => each.direction === direction && isMissing(each))),
  ]) as [Direction, string[]][];
  if (found.length === 0 && only.every(([, names]) => names.length === 0)) {
    yield `No change on the wire: ${compared} devices, ${ways}.`;
    return;
  }
  yield found.length === 0 ? 'No change on the wire of devices that both have.' : 'What changes on the wire:';
  yield `  old: ${sideText(old)}`;
  yield `  new: ${sideText(fresh)}`;
  const groups = new Map<string, CompatFinding[]>();
  for (const finding of found) appendTo(groups, finding.vmsd, finding);
  for (const [name, findings] of groups) {
    yield '';
    yield headingOf(name, findings);
    const outline = outlines.get(name);
    if (outline) yield* outlineLines(outline);
    for (const { direction, rank, message, conditions, machineTypes } of findings) {
      yield `  ${arrows[direction]}: ${rank === 'certain' ? 'breaks' : 'may break'}: ${message}`;
      if (conditions.length > 0) yield `    if ${conditions.join('; and ')}`;
      if (machineTypes) yield `    for ${machineTypes.join(', ')}`;
    }
  }
  for (const [direction, names] of only) {
    if (names.length === 0) continue;
    yield '';
    yield `Only ${direction === 'old-to-new' ? 'old' : 'new'} has: ${names.join(', ')}`;
  }
  yield '';
  yield `${compared} device${compared === 1 ? '' : 's'} compared; the others send and read the same bytes.`;
}

function isMissing({ rule }: CompatFinding): boolean {
  return rule === 'compat-device-missing';
}

function namesOf(findings: readonly CompatFinding[]): string[] {
  return [...new Set(findings.map(({ vmsd }) => vmsd))].sort();
}

function sideText({ qemuVersion, target, kind }: SideFacts): string {
  const facts = [
    qemuVersion === undefined ? '' : `QEMU ${qemuVersion}`,
    target ?? '',
    kind === 'dump' ? '-dump-vmstate' : kind === 'learned' ? 'learned from streams' : '',
  ].filter((fact) => fact !== '');
  return facts.length === 0 ? 'unknown' : facts.join(', ');
}

/** The VMSD, and the devices that it is in where these are others. */
function headingOf(name: string, findings: readonly CompatFinding[]): string {
  const names = new Set(findings.flatMap(({ devices }) => devices.map((device) => device.name)));
  names.delete(name);
  if (names.size === 0) return name;
  const all = [...names].sort();
  const more = all.length - MAX_DEVICES;
  return `${name} (in ${all.slice(0, MAX_DEVICES).join(', ')}${more > 0 ? ` and ${more} more` : ''})`;
}

/** What changed of it, with a line before and behind. */
function* outlineLines({ old, new: fresh }: OutlinePair): Generator<string> {
  const shown = [...changedLines(old, fresh)];
  const width = Math.min(
    MAX_NAME,
    Math.max(0, ...shown.map(({ line }) => (line.text === '' ? 0 : line.name.length))),
  );
  for (const { kind, line } of shown)
    yield `${mailMark(kind)}${line.name.padEnd(width)}  ${line.text}`.trimEnd();
}

interface ShownLine {
  readonly kind: 'same' | 'before' | 'after';
  readonly line: OutlineLine;
}

function* changedLines(old: readonly OutlineLine[], fresh: readonly OutlineLine[]): Generator<ShownLine> {
  const ids = new Map<string, number>();
  const idOf = (line: OutlineLine) => {
    const key = JSON.stringify(line);
    const id = ids.get(key) ?? ids.size;
    ids.set(key, id);
    return id;
  };
  const show = (kind: ShownLine['kind']) => (line: OutlineLine) => ({ kind, line });
  const runs = alignSequences(Uint32Array.from(old, idOf), Uint32Array.from(fresh, idOf));
  const changes = runs.flatMap(({ equal }, i) => (equal ? [] : [i]));
  const [first = 0, last = 0] = [changes[0], changes.at(-1)];
  for (const [i, { equal, startA, endA, startB, endB }] of runs.entries()) {
    if (!equal) {
      yield* old.slice(startA, endA).map(show('before'));
      yield* fresh.slice(startB, endB).map(show('after'));
      continue;
    }
    const lines = old.slice(startA, endA);
    const before = i < first ? [] : lines.slice(0, AROUND);
    const behind = i > last ? [] : lines.slice(before.length).slice(-AROUND);
    yield* before.map(show('same'));
    if (i > first && i < last && before.length + behind.length < lines.length)
      yield show('same')({ name: '...', text: '' });
    yield* behind.map(show('same'));
  }
}
