import { type OpenItem, sameWire, type WireItem } from './wire-items.ts';

/** Items of both sides, side by side; one of a pair is missing where only one side has it. */
export interface AlignedPair {
  readonly saved: WireItem | undefined;
  readonly loaded: WireItem | undefined;
}

/** Pairs of items that are weighed against each other; where more differ, items are paired from both ends only. */
const MAX_CELLS = 1_000_000;

/** Costs: of an item that only one side has, of a pair with another name, of one with another form. */
const GAP = 3;
const RENAMED = 2;
const CHANGED = 4;
const OTHER_TEST = 1;
const NEVER = 1_000_000;

/** Puts what a source saves beside what a destination loads, so that the least has changed. */
export function align(saved: readonly WireItem[], loaded: readonly WireItem[]): AlignedPair[] {
  let start = 0;
  const shorter = Math.min(saved.length, loaded.length);
  while (start < shorter && pairCost(saved[start]!, loaded[start]!) === 0) start++;
  let tail = 0;
  while (
    tail < shorter - start &&
    pairCost(saved[saved.length - 1 - tail]!, loaded[loaded.length - 1 - tail]!) === 0
  )
    tail++;
  const pairs: AlignedPair[] = [];
  for (let i = 0; i < start; i++) pairs.push({ saved: saved[i], loaded: loaded[i] });
  const middle = alignMiddle(
    saved.slice(start, saved.length - tail),
    loaded.slice(start, loaded.length - tail),
  );
  for (const pair of middle) pairs.push(pair);
  for (let i = tail; i > 0; i--)
    pairs.push({ saved: saved[saved.length - i], loaded: loaded[loaded.length - i] });
  return pairs;
}

/** The cheapest alignment, by dynamic programming. */
function alignMiddle(saved: readonly WireItem[], loaded: readonly WireItem[]): AlignedPair[] {
  const rows = saved.length;
  const columns = loaded.length;
  const width = columns + 1;
  if (rows * columns > MAX_CELLS || rows === 0 || columns === 0) {
    return [
      ...saved.map((item) => ({ saved: item, loaded: undefined })),
      ...loaded.map((item) => ({ saved: undefined, loaded: item })),
    ];
  }
  // Of the items from row i and column j on.
  const costs = new Int32Array((rows + 1) * width);
  for (let i = rows; i >= 0; i--) {
    for (let j = columns; j >= 0; j--) {
      if (i === rows && j === columns) continue;
      let best = NEVER * 2;
      if (i < rows) best = Math.min(best, GAP + costs[(i + 1) * width + j]!);
      if (j < columns) best = Math.min(best, GAP + costs[i * width + j + 1]!);
      if (i < rows && j < columns)
        best = Math.min(best, pairCost(saved[i]!, loaded[j]!) + costs[(i + 1) * width + j + 1]!);
      costs[i * width + j] = best;
    }
  }
  const pairs: AlignedPair[] = [];
  let i = 0;
  let j = 0;
  while (i < rows || j < columns) {
    const cost = costs[i * width + j]!;
    const both = i < rows && j < columns;
    if (both && cost === pairCost(saved[i]!, loaded[j]!) + costs[(i + 1) * width + j + 1]!)
      pairs.push({ saved: saved[i++], loaded: loaded[j++] });
    else if (i < rows && cost === GAP + costs[(i + 1) * width + j]!)
      pairs.push({ saved: saved[i++], loaded: undefined });
    else pairs.push({ saved: undefined, loaded: loaded[j++] });
  }
  return pairs;
}

function pairCost(a: WireItem, b: WireItem): number {
  if (a.kind !== b.kind || a.depth !== b.depth) return NEVER;
  const name = a.name === b.name ? 0 : RENAMED;
  const tests = a.conditions.length === b.conditions.length ? 0 : OTHER_TEST;
  if (a.kind === 'value' && b.kind === 'value') {
    if (sameWire(a, b)) return name + tests;
    return name === 0 ? CHANGED + tests : NEVER;
  }
  if (a.kind === 'open') return a.info === (b as OpenItem).info ? name + tests : NEVER;
  // Subsections belong to a VMSD, which has no name on the wire.
  if (a.kind === 'subsections') return tests;
  return name + tests;
}
