import { type Profiler, Session } from 'node:inspector/promises';
import type { Range } from '../../src/bytes/range.ts';

const SOURCES = /\/src\//;

/** Which parts of the sources were run, by V8's own count. */
export class Coverage {
  readonly #session = new Session();
  /** Of each function that was run, what of it never was. */
  readonly #missed = new Map<string, readonly Range[]>();
  #covered = 0;

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    // With counts, each take tells anew what was run since the one before.
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Whether something was run since the last call, of either kind, that is not known to have been run. */
  async hasNew(): Promise<boolean> {
    return (await this.#take(false)) > 0;
  }

  /** The same, and from now on it is known. */
  async takeNew(): Promise<boolean> {
    const gained = await this.#take(true);
    this.#covered += gained;
    return gained > 0;
  }

  /** Characters of compiled source that were run. */
  get covered(): number {
    return this.#covered;
  }

  stop(): void {
    this.#session.disconnect();
  }

  async #take(isKept: boolean): Promise<number> {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    let gained = 0;
    for (const { url, functions } of result) {
      if (SOURCES.test(url)) for (const one of functions) gained += this.#gain(url, one, isKept);
    }
    return gained;
  }

  /** Characters of a function that were not known to have been run. */
  #gain(url: string, { ranges }: Profiler.FunctionCoverage, isKept: boolean): number {
    const [whole] = ranges;
    if (!whole || ranges.every(({ count }) => count === 0)) return 0;
    const key = `${url}:${whole.startOffset}-${whole.endOffset}`;
    const known = this.#missed.get(key);
    if (known?.length === 0) return 0;
    const missed = missedParts(ranges);
    const still = known ? common(known, missed) : missed;
    const length = known ? total(known) : whole.endOffset - whole.startOffset;
    if (isKept) this.#missed.set(key, still);
    return length - total(still);
  }
}

/** Parts of a function without a count; of ranges inside each other, which follow the outer ones, the innermost says it. */
function missedParts(ranges: readonly Profiler.CoverageRange[]): Range[] {
  const missed: Range[] = [];
  const open: Profiler.CoverageRange[] = [];
  let at = ranges[0]?.startOffset ?? 0;
  const advance = (to: number) => {
    if (to > at && open.at(-1)?.count === 0) missed.push({ start: at, end: to });
    at = Math.max(at, to);
  };
  const close = () => {
    advance(open.at(-1)?.endOffset ?? at);
    open.pop();
  };
  for (const range of ranges) {
    while (open.length > 0 && open.at(-1)!.endOffset <= range.startOffset) close();
    advance(range.startOffset);
    open.push(range);
  }
  while (open.length > 0) close();
  return missed;
}

function common(a: readonly Range[], b: readonly Range[]): Range[] {
  const both: Range[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [one, other] = [a[i]!, b[j]!];
    const start = Math.max(one.start, other.start);
    const end = Math.min(one.end, other.end);
    if (start < end) both.push({ start, end });
    if (one.end < other.end) i++;
    else j++;
  }
  return both;
}

function total(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}
