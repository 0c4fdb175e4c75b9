/** A run of two sequences: elements that both have, or that were put in each other's place (either may be none). */
interface SequenceRun {
  readonly equal: boolean;
  readonly startA: number;
  readonly endA: number;
  readonly startB: number;
  readonly endB: number;
}

/** Edits that are looked for at most, and steps that the search may take. */
const MAX_EDITS = 512;
const MAX_STEPS = 1 << 25;

/**
 * Aligns two sequences of hashes so that an inserted element does not shift the others: the shortest edit script
 * (E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986) of what is between the common beginning and
 * end. Where that takes too many edits, what is between is one run. Runs are in order and cover both sequences.
 */
export function alignSequences(a: Uint32Array, b: Uint32Array): SequenceRun[] {
  const shorter = Math.min(a.length, b.length);
  let head = 0;
  while (head < shorter && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < shorter - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const endA = a.length - tail;
  const endB = b.length - tail;
  const runs = new Runs();
  runs.add(true, head, head);
  if (head < endA && head < endB) {
    const middle = shortestEdits(a.subarray(head, endA), b.subarray(head, endB));
    for (const { equal, lengthA, lengthB } of middle) runs.add(equal, lengthA, lengthB);
  } else runs.add(false, endA - head, endB - head);
  runs.add(true, tail, tail);
  return runs.list;
}

interface Edit {
  readonly equal: boolean;
  readonly lengthA: number;
  readonly lengthB: number;
}

/** Gathers runs that follow each other, the like ones into one. */
class Runs {
  readonly list: SequenceRun[] = [];

  add(equal: boolean, lengthA: number, lengthB: number): void {
    if (lengthA === 0 && lengthB === 0) return;
    const last = this.list.at(-1);
    const startA = last?.endA ?? 0;
    const startB = last?.endB ?? 0;
    const ends = { endA: startA + lengthA, endB: startB + lengthB };
    if (last?.equal === equal) this.list[this.list.length - 1] = { ...last, ...ends };
    else this.list.push({ equal, startA, startB, ...ends });
  }
}

function shortestEdits(a: Uint32Array, b: Uint32Array): readonly Edit[] {
  const most = Math.min(a.length + b.length, MAX_EDITS, Math.ceil(MAX_STEPS / (a.length + b.length)));
  // How far in `a` each diagonal (position in a minus position in b) is reached, from -most to most.
  const reached = new Int32Array(2 * most + 3);
  const origin = most + 1;
  const rounds: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits++) {
    rounds.push(reached.slice(origin - edits - 1, origin + edits + 2));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const down = isDown(reached, origin, diagonal, edits);
      let x = down ? reached[origin + diagonal + 1]! : reached[origin + diagonal - 1]! + 1;
      let y = x - diagonal;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x++;
        y++;
      }
      reached[origin + diagonal] = x;
      if (x >= a.length && y >= b.length) return traceBack(rounds, a.length, b.length);
    }
  }
  return [{ equal: false, lengthA: a.length, lengthB: b.length }];
}

/** Whether a diagonal is best reached by an element of `b` that is added, not by one of `a` that is removed. */
function isDown(reached: Int32Array, origin: number, diagonal: number, edits: number): boolean {
  if (diagonal === -edits) return true;
  return diagonal !== edits && reached[origin + diagonal - 1]! < reached[origin + diagonal + 1]!;
}

function traceBack(rounds: readonly Int32Array[], lengthA: number, lengthB: number): readonly Edit[] {
  const edits: Edit[] = [];
  let x = lengthA;
  let y = lengthB;
  for (let round = rounds.length - 1; round >= 0; round--) {
    const reached = rounds[round]!;
    const origin = round + 1;
    const diagonal = x - y;
    const down = isDown(reached, origin, diagonal, round);
    const from = diagonal + (down ? 1 : -1);
    const startX = round === 0 ? 0 : reached[origin + from]!;
    const startY = round === 0 ? 0 : startX - from;
    const equal = Math.min(x - startX, y - startY);
    edits.push({ equal: true, lengthA: equal, lengthB: equal });
    if (round > 0) edits.push({ equal: false, lengthA: down ? 0 : 1, lengthB: down ? 1 : 0 });
    x = startX;
    y = startY;
  }
  return edits.reverse();
}
