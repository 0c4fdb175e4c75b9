import { badArgument, printable } from '../bytes/diagnostic.ts';
import { globPattern } from '../bytes/glob.ts';
import { Nearest } from '../bytes/nearest.ts';
import type { Direction } from './direction.ts';
import type { Side } from './side.ts';
import type { WireFinding } from './wire-finding.ts';

/** What VMs of a machine type have of the findings. */
export interface MachineSummary {
  readonly machineType: string;
  /** Sides of which it is not known what the machine type sets: there every condition stays one. */
  readonly undecided: readonly ('old' | 'new')[];
  readonly counts: readonly MachineCounts[];
}

export interface MachineCounts {
  readonly direction: Direction;
  /** Findings of these ranks. */
  readonly certain: number;
  readonly conditional: number;
  /** Breaks of other VMs that these do not have, as the machine type sets what decides it. */
  readonly gated: number;
}

/** What of a finding is counted. */
type Counted = Pick<WireFinding, 'rank' | 'vmsd' | 'fields'> & { readonly direction: Direction };

/** A machine type with a version: what it is stays the same in every QEMU that has it. */
const VERSIONED = /-(?:rhel)?\d+(?:\.\d+)+$/;

/** Machine types with a version that both sides have, of which both know what they set. */
export function versionedMachines(old: Side, fresh: Side): readonly string[] {
  const known = new Set(fresh.pinned?.machineTypes);
  return sortMachines(
    (old.pinned?.machineTypes ?? []).filter((name) => known.has(name) && VERSIONED.test(name)),
  );
}

/**
 * The machine types that names and globs mean, of those that both sides have. Throws DecodeError `bad-argument` for one
 * that means none.
 */
export function sharedMachines(old: Side, fresh: Side, wanted: readonly string[]): readonly string[] {
  const sides = [
    { side: old, name: 'OLD' },
    { side: fresh, name: 'NEW' },
  ];
  const [first, second] = sides.map(({ side }) => side.machineTypes);
  const all = new Set(first ?? second);
  const shared = first && second ? second.filter((name) => all.has(name)) : [...all];
  const found = new Set<string>();
  for (const name of wanted) {
    const pattern = globPattern(name);
    const matching = shared.filter((machineType) => pattern.test(machineType));
    if (matching.length === 0) {
      const meant = meantByAlias(name, sides, shared);
      if (meant !== undefined) matching.push(meant);
      // Without any list, a name is taken as it is.
      else if (!first && !second && !/[*?]/.test(name)) matching.push(name);
      else throw unknownMachine(name, sides, shared);
    }
    for (const machineType of matching) found.add(machineType);
  }
  return sortMachines([...found]);
}

/** Aliases that have the name of another family; all others that of their own (hw/i386/pc_piix.c, hw/i386/pc_q35.c). */
const aliases: ReadonlyMap<string, string> = new Map([
  ['pc', 'pc-i440fx'],
  ['q35', 'pc-q35'],
]);

/**
 * The machine type that an alias stands for, which is the newest of its family; undefined for what is no alias. Throws
 * DecodeError `bad-argument` for one that the sides do not take for the same.
 */
function meantByAlias(
  alias: string,
  sides: readonly { readonly side: Side; readonly name: string }[],
  shared: readonly string[],
): string | undefined {
  const family = aliases.get(alias) ?? alias;
  const newestOf = (names: readonly string[] = []) =>
    sortMachines(names.filter((name) => VERSIONED.test(name) && name.replace(VERSIONED, '') === family)).at(
      -1,
    );
  const meant = sides.flatMap(({ side, name }) => {
    const machineType = newestOf(side.machineTypes);
    return machineType === undefined ? [] : [{ machineType, name }];
  });
  const [first, second] = meant;
  if (!first) return undefined;
  if (first.machineType === (second ?? first).machineType && shared.includes(first.machineType))
    return first.machineType;
  const stands = meant.map(({ machineType, name }) => `${machineType} in ${name}`).join(' and ');
  const newest = newestOf(shared);
  const advice = newest === undefined ? 'they have none in common' : `both have ${newest}`;
  throw badArgument(`${printable(alias)} stands for ${stands}; ${advice}`);
}

function unknownMachine(
  wanted: string,
  sides: readonly { readonly side: Side; readonly name: string }[],
  shared: readonly string[],
): Error {
  const nearest = new Nearest(wanted);
  for (const name of shared) nearest.add(name);
  const near = nearest.list();
  const lacking = sides.find(({ side }) => side.machineTypes && !side.machineTypes.includes(wanted));
  const isOneSided = sides.some(({ side }) => side.machineTypes?.includes(wanted));
  const who = isOneSided && lacking ? `${lacking.name} has no machine type` : 'no machine type of both is';
  const advice = near.length === 0 ? '' : `; near: ${near.join(', ')}`;
  return badArgument(`${who} ${wanted === '' ? "''" : printable(wanted)}${advice}`);
}

/** By family, then by version. */
function sortMachines(machineTypes: readonly string[]): string[] {
  return machineTypes
    .map((name) => ({ name, parts: name.split(/(\d+)/) }))
    .sort((a, b) => compareParts(a.parts, b.parts))
    .map(({ name }) => name);
}

/** Texts and numbers in turn. */
function compareParts(a: readonly string[], b: readonly string[]): number {
  for (const [i, part] of a.entries()) {
    const other = b[i];
    if (other === undefined) return 1;
    if (part === other) continue;
    const distance = i % 2 === 1 ? Number(part) - Number(other) : 0;
    return distance !== 0 ? distance : part < other ? -1 : 1;
  }
  return a.length - b.length;
}

/** Counts what a machine type has of the findings for any. */
export function summaryOf(
  machineType: string,
  sides: readonly [Side, Side],
  directions: readonly Direction[],
  all: readonly Counted[],
  own: readonly Counted[],
): MachineSummary {
  const knows = ({ pinned }: Side) => pinned?.machineTypes.includes(machineType) ?? false;
  const places = new Set(own.filter(isBreak).flatMap(placesOf));
  return {
    machineType,
    undecided: (['old', 'new'] as const).filter((_, i) => !knows(sides[i]!)),
    counts: directions.map((direction) => {
      const ofDirection = (finding: Counted) => finding.direction === direction;
      const count = (rank: string) => own.filter((each) => ofDirection(each) && each.rank === rank).length;
      const gated = all.filter(
        (each) => ofDirection(each) && isBreak(each) && !placesOf(each).some((place) => places.has(place)),
      );
      return {
        direction,
        certain: count('certain'),
        conditional: count('conditional'),
        gated: gated.length,
      };
    }),
  };
}

function isBreak({ rank }: Counted): boolean {
  return rank !== 'cosmetic';
}

/** Where a finding is: the same for what is there of it when a condition is decided. */
function placesOf({ direction, vmsd, fields }: Counted): string[] {
  return (fields.length === 0 ? [''] : fields).map((field) => JSON.stringify([direction, vmsd, field]));
}
