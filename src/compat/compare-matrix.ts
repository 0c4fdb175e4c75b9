import { globPattern } from '../bytes/glob.ts';
import { type CompatOptions, compareSides } from './compat.ts';
import { type Direction, directions } from './direction.ts';
import type { MachineSummary } from './machines.ts';
import type { Side, SideFacts } from './side.ts';

/** Many builds compared with many. */
export interface CompatMatrix {
  readonly old: readonly SideFacts[];
  readonly new: readonly SideFacts[];
  readonly directions: readonly Direction[];
  /** Each of the old ones with each of the new ones, in order. */
  readonly pairs: readonly MatrixPair[];
}

/** What one build has with another, as counts of findings. */
export interface MatrixPair {
  /** Indexes into the lists of builds. */
  readonly old: number;
  readonly new: number;
  readonly compared: number;
  readonly counts: readonly PairCounts[];
  /** The same for machine types: those that were asked for, as far as both have them, else all versioned ones. */
  readonly machines: readonly MachineSummary[];
}

/** Findings of a direction, for any VM. */
export interface PairCounts {
  readonly direction: Direction;
  readonly certain: number;
  readonly conditional: number;
}

/** Compares each of some builds with each of others. `machines` of the options pick among those that a pair has. */
export function compareMatrix(
  olds: readonly Side[],
  news: readonly Side[],
  { machines, ...options }: CompatOptions = {},
): CompatMatrix {
  const patterns = machines?.map(globPattern);
  const pairs = olds.flatMap((old, i) =>
    news.map((fresh, j): MatrixPair => {
      const report = compareSides(old, fresh, options);
      return {
        old: i,
        new: j,
        compared: report.compared,
        counts: report.directions.map((direction) => {
          const count = (rank: string) =>
            report.findings.filter((each) => each.direction === direction && each.rank === rank).length;
          return { direction, certain: count('certain'), conditional: count('conditional') };
        }),
        machines: patterns
          ? report.machines.filter(({ machineType }) => patterns.some((pattern) => pattern.test(machineType)))
          : report.machines,
      };
    }),
  );
  return {
    old: olds.map(({ facts }) => facts),
    new: news.map(({ facts }) => facts),
    directions: options.direction ? [options.direction] : directions,
    pairs,
  };
}
