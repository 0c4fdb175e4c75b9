import type { Range } from '../../src/bytes/range.ts';

/** What was found out about one input. */
export interface Judgement {
  /** Each is a fault of ours: nothing that bytes may say makes them right. */
  readonly problems: readonly string[];
  /** All that came out, as text: the same bytes have to give the same twice. */
  readonly result?: string;
}

/** Something that takes bytes from others. */
export interface Target {
  readonly name: string;
  /** In a line, for `--help`. */
  readonly about: string;
  /** Inputs to begin with; the more different and the smaller, the better. */
  seeds(): Promise<readonly Uint8Array[]> | readonly Uint8Array[];
  /**
   * Where in an input it is worth to change something: counts, lengths, names, tokens, and parts to drop, double or
   * move. Undefined where any place is as good as another.
   */
  places?(bytes: Uint8Array): Promise<readonly Range[]> | readonly Range[];
  /** Words that mean something in text inputs: they are put in the place of others. */
  readonly words?: readonly string[];
  /** Nothing but what is at the places is changed, and it keeps its length. */
  readonly inPlace?: true;
  /** Makes lengths and the like right that a change made wrong; most inputs go through it. */
  repair?(bytes: Uint8Array): Uint8Array;
  /** Whatever is thrown here is a fault, too. */
  judge(bytes: Uint8Array): Promise<Judgement>;
  /** Inputs that the tests try; few where one takes long. */
  readonly testRuns: number;
}
