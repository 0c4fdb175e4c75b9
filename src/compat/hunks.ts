import type { AlignedPair } from './align.ts';
import { isUnused, sameWire, type ValueItem, type WireItem } from './wire-items.ts';

/** Items between two places where both sides agree. */
export interface Hunk {
  readonly pairs: AlignedPair[];
  saved: WireItem[];
  loaded: WireItem[];
}

/** A field that is sent in one hunk and read in another. */
export interface MovedField {
  readonly saved: ValueItem;
  readonly loaded: ValueItem;
}

/** Fields of one name in one VMSD that are looked at for where one went. */
const MAX_CANDIDATES = 256;

/** Takes the fields that moved out of their hunks. */
export function takeMoved(hunks: readonly Hunk[]): MovedField[] {
  const candidates = new Map<string, { readonly hunk: Hunk; readonly item: ValueItem }[]>();
  for (const hunk of hunks) {
    for (const item of hunk.loaded) {
      if (item.kind !== 'value') continue;
      const known = candidates.get(keyOf(item));
      if (!known) candidates.set(keyOf(item), [{ hunk, item }]);
      else if (known.length < MAX_CANDIDATES) known.push({ hunk, item });
    }
  }
  const taken = new Set<WireItem>();
  const moved: MovedField[] = [];
  for (const hunk of hunks) {
    for (const saved of hunk.saved) {
      if (saved.kind !== 'value' || isUnused(saved)) continue;
      const match = candidates
        .get(keyOf(saved))
        ?.find(({ hunk: other, item }) => other !== hunk && !taken.has(item) && sameWire(saved, item));
      if (!match) continue;
      taken.add(saved).add(match.item);
      moved.push({ saved, loaded: match.item });
    }
  }
  if (taken.size === 0) return moved;
  for (const hunk of hunks) {
    hunk.saved = hunk.saved.filter((item) => !taken.has(item));
    hunk.loaded = hunk.loaded.filter((item) => !taken.has(item));
  }
  return moved;
}

function keyOf({ vmsd, name }: ValueItem): string {
  return `${vmsd.name}\0${name}`;
}
