/**
 * Where the last version of a page is, the lower four bits of a run's `kind`. The others say in which of the sources
 * or spools, by its place in their list. What `value` of a run is, of its first page:
 */
export const ZERO = 0; // nothing
export const FILL = 1; // the byte that the page is full of
export const PLAIN = 2; // offset of the page in a source, each with a record header in front of it
export const PACKED = 3; // the same without anything between pages
export const COMPRESSED = 4; // offset of the u32 length that zlib data is behind
export const DELTA = 5; // place in the list of XBZRLE deltas
export const PAYLOAD = 6; // offset in what the multifd payloads of a source decompress to
export const SPOOLED = 7; // offset in a spool
export const DISCARDED = 8; // nothing: postcopy took the page back
export const UNDECODABLE = 9; // nothing
/** Of a page that has no earlier version. */
export const NONE = 15;

export const CODE_BITS = 4;
export const CODE_MASK = 15;
/** Sources, and spools, that a kind can name. */
export const MAX_SOURCES = 1 << (16 - CODE_BITS);

/** Bytes of one run. */
export const RUN_SIZE = 8 + 8 + 2 + 8;

/** Of a record that names no RAMBlock: what is between pages that follow each other. */
const RECORD_HEADER = 8;

/** What `value` is of a page that is `bytes` behind the first of a run; `bytes` is of whole pages. */
export function valueBehind(kind: number, value: number, bytes: number, pageSize: number): number {
  switch (kind & CODE_MASK) {
    case PLAIN:
      return value + bytes + (bytes / pageSize) * RECORD_HEADER;
    case PACKED:
    case PAYLOAD:
    case SPOOLED:
      return value + bytes;
    default:
      return value;
  }
}

/** Bytes from the start of a page to that of the next in a run of PLAIN or PACKED pages. */
export function strideOf(kind: number, pageSize: number): number {
  return (kind & CODE_MASK) === PLAIN ? pageSize + RECORD_HEADER : pageSize;
}

/** Runs of pages in order of their addresses, without overlaps. An address counts the bytes of all blocks. */
export interface PageRuns {
  readonly count: number;
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly kind: Uint16Array;
  readonly value: Float64Array;
}

export const NO_RUNS: PageRuns = {
  count: 0,
  start: new Float64Array(0),
  end: new Float64Array(0),
  kind: new Uint16Array(0),
  value: new Float64Array(0),
};

/** The first run that ends behind an address; `count` where there is none. */
export function firstBehind({ count, end }: PageRuns, address: number): number {
  let [from, to] = [0, count];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (end[middle]! <= address) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Collects runs in order of their addresses. One that continues the run before it becomes part of that. */
export class RunWriter {
  readonly #pageSize: number;
  #count = 0;
  #start: Float64Array;
  #end: Float64Array;
  #kind: Uint16Array;
  #value: Float64Array;

  constructor(capacity: number, pageSize: number) {
    this.#pageSize = pageSize;
    this.#start = new Float64Array(capacity);
    this.#end = new Float64Array(capacity);
    this.#kind = new Uint16Array(capacity);
    this.#value = new Float64Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  /** Where the last run ends. */
  get end(): number {
    return this.#count === 0 ? 0 : this.#end[this.#count - 1]!;
  }

  push(start: number, end: number, kind: number, value: number): void {
    const last = this.#count - 1;
    if (
      last >= 0 &&
      this.#end[last] === start &&
      this.#kind[last] === kind &&
      this.#continues(last, start, value)
    ) {
      this.#end[last] = end;
      return;
    }
    if (this.#count === this.#start.length) this.#grow();
    const at = this.#count++;
    this.#start[at] = start;
    this.#end[at] = end;
    this.#kind[at] = kind;
    this.#value[at] = value;
  }

  /** What was collected; the writer is empty afterwards and takes more. */
  take(): PageRuns {
    const count = this.#count;
    this.#count = 0;
    return {
      count,
      start: this.#start.slice(0, count),
      end: this.#end.slice(0, count),
      kind: this.#kind.slice(0, count),
      value: this.#value.slice(0, count),
    };
  }

  #continues(last: number, start: number, value: number): boolean {
    const kind = this.#kind[last]!;
    const code = kind & CODE_MASK;
    if (code === COMPRESSED || code === DELTA) return false;
    return valueBehind(kind, this.#value[last]!, start - this.#start[last]!, this.#pageSize) === value;
  }

  #grow(): void {
    const capacity = Math.max(16, 2 * this.#count);
    const grown = <T extends Float64Array | Uint16Array>(column: T, into: T): T => {
      into.set(column);
      return into;
    };
    this.#start = grown(this.#start, new Float64Array(capacity));
    this.#end = grown(this.#end, new Float64Array(capacity));
    this.#kind = grown(this.#kind, new Uint16Array(capacity));
    this.#value = grown(this.#value, new Float64Array(capacity));
  }
}

/** Told what the version before a DELTA is: `delta` is its place in their list. */
export type LinkDelta = (delta: number, kind: number, value: number) => void;

/** Puts newer runs over older ones. */
export function overlay(older: PageRuns, newer: PageRuns, pageSize: number, link: LinkDelta): PageRuns {
  if (older.count === 0) return newer;
  const out = new RunWriter(older.count + 2 * newer.count, pageSize);
  let index = 0;
  let from = older.start[0]!;
  const next = () => {
    index++;
    from = index < older.count ? older.start[index]! : Number.POSITIVE_INFINITY;
  };
  const keep = (to: number) => {
    const kind = older.kind[index]!;
    const value = valueBehind(kind, older.value[index]!, from - older.start[index]!, pageSize);
    out.push(from, to, kind, value);
  };
  for (let i = 0; i < newer.count; i++) {
    const start = newer.start[i]!;
    const end = newer.end[i]!;
    while (index < older.count && older.end[index]! <= start) {
      keep(older.end[index]!);
      next();
    }
    if (from < start) {
      keep(start);
      from = start;
    }
    if (from === start && (newer.kind[i]! & CODE_MASK) === DELTA) {
      const kind = older.kind[index]!;
      link(
        newer.value[i]!,
        kind,
        valueBehind(kind, older.value[index]!, from - older.start[index]!, pageSize),
      );
    }
    while (index < older.count && older.end[index]! <= end) next();
    if (from < end) from = end;
    out.push(start, end, newer.kind[i]!, newer.value[i]!);
  }
  while (index < older.count) {
    keep(older.end[index]!);
    next();
  }
  return out.take();
}

/** Those of runs, or parts of them, that are from `start` to before `end`, both at borders of pages. */
export function sliceRuns(runs: PageRuns, start: number, end: number, pageSize: number): PageRuns {
  const out = new RunWriter(16, pageSize);
  for (let i = firstBehind(runs, start); i < runs.count && runs.start[i]! < end; i++) {
    const from = Math.max(start, runs.start[i]!);
    const value = valueBehind(runs.kind[i]!, runs.value[i]!, from - runs.start[i]!, pageSize);
    out.push(from, Math.min(end, runs.end[i]!), runs.kind[i]!, value);
  }
  return out.take();
}
