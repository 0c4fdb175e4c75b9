import { appendTo } from '../bytes/append-to.ts';
import { tableName } from '../vmsd/compiled.ts';
import type { RootVmsd } from './side.ts';
import type { SideView } from './side-view.ts';

export interface RootPair {
  readonly old: RootVmsd;
  readonly new: RootVmsd;
}

export interface PairedRoots {
  readonly pairs: readonly RootPair[];
  readonly onlyOld: readonly RootVmsd[];
  readonly onlyNew: readonly RootVmsd[];
}

/** VMSDs of one name that are weighed against each other; of more, those in the same order are taken. */
const MAX_OF_ONE_NAME = 32;
/** Names of a VMSD that are looked at for that. */
const MAX_NAMES = 256;
const SHARED_TYPE = 100;

/**
 * Puts VMSDs of both sides together: by their name, which is the section's, and of several with one name those that have
 * the same QOM types and the most names in common. What is left is paired by QOM type: a device that sends its
 * section under another name.
 */
export function pairRoots(old: SideView, fresh: SideView): PairedRoots {
  const pairs: RootPair[] = [];
  const [oldNames, newNames] = [byName(old.roots), byName(fresh.roots)];
  const leftOld: RootVmsd[] = [];
  const leftNew: RootVmsd[] = [];
  for (const [name, ours] of oldNames) {
    const theirs = newNames.get(name) ?? [];
    const matched = bestPairs(ours, theirs, old);
    const paired = new Set(matched.flatMap((pair) => [pair.old, pair.new]));
    for (const pair of matched) pairs.push(pair);
    // A further VMSD of a name that the other side has once is loaded by that one all the same.
    for (const root of ours) if (!paired.has(root)) leftOld.push(root);
    for (const root of theirs) if (!paired.has(root)) leftNew.push(root);
  }
  for (const [name, theirs] of newNames)
    if (!oldNames.has(name)) for (const root of theirs) leftNew.push(root);
  const free = new Set(leftNew);
  const byType = new Map(leftNew.flatMap((root) => root.types.map((type) => [type, root] as const)));
  const onlyOld: RootVmsd[] = [];
  for (const root of leftOld) {
    const partner = root.types.map((type) => byType.get(type)).find((other) => other && free.delete(other));
    if (partner) pairs.push({ old: root, new: partner });
    else onlyOld.push(root);
  }
  return { pairs, onlyOld, onlyNew: [...free] };
}

function byName(roots: readonly RootVmsd[]): Map<string, RootVmsd[]> {
  const names = new Map<string, RootVmsd[]>();
  for (const root of roots) appendTo(names, root.vmsd.name, root);
  return names;
}

function bestPairs(ours: readonly RootVmsd[], theirs: readonly RootVmsd[], view: SideView): RootPair[] {
  const shorter = Math.min(ours.length, theirs.length);
  if (ours.length === 1 && theirs.length === 1) return [{ old: ours[0]!, new: theirs[0]! }];
  if (ours.length > MAX_OF_ONE_NAME || theirs.length > MAX_OF_ONE_NAME)
    return ours.slice(0, shorter).map((root, i) => ({ old: root, new: theirs[i]! }));
  const traits = (root: RootVmsd) => traitsOf(root, view);
  const [oldTraits, newTraits] = [ours.map(traits), theirs.map(traits)];
  const candidates = ours
    .flatMap((root, i) =>
      theirs.map((other, j) => ({ root, other, i, j, score: likeness(oldTraits[i]!, newTraits[j]!) })),
    )
    .sort((a, b) => b.score - a.score || Math.abs(a.i - a.j) - Math.abs(b.i - b.j) || a.i - b.i);
  const pairs: RootPair[] = [];
  for (const { root, other } of candidates) {
    if (pairs.some((pair) => pair.old === root || pair.new === other)) continue;
    pairs.push({ old: root, new: other });
  }
  return pairs;
}

/** By what VMSDs of one name are told apart. */
interface Traits {
  readonly types: ReadonlySet<string>;
  /** Of fields and subsections, each as often as it is there. */
  readonly names: readonly string[];
  readonly distinctNames: ReadonlySet<string>;
  readonly versionId: number;
}

/** Of a root of either side: as much of both is compared. */
function traitsOf({ types, versionId, vmsd }: RootVmsd, view: SideView): Traits {
  const others = [...view.validations(vmsd), ...vmsd.subsections].map(({ name }) => name);
  const names = [...vmsd.fields.map(tableName), ...others].slice(0, MAX_NAMES);
  return { types: new Set(types), names, distinctNames: new Set(names), versionId };
}

/** Types count most, then names of fields and subsections that only one has, then the version. */
function likeness(a: Traits, b: Traits): number {
  const shared = [...a.types].filter((type) => b.types.has(type)).length;
  const others =
    a.names.filter((name) => !b.distinctNames.has(name)).length +
    b.names.filter((name) => !a.distinctNames.has(name)).length;
  return (
    shared * SHARED_TYPE -
    others -
    Math.abs(a.names.length - b.names.length) -
    Number(a.versionId !== b.versionId)
  );
}
