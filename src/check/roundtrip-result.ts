import type { RoundtripDiff } from '../ops/roundtrip.ts';
import type { CheckReport } from './finding.ts';

/** The states in the order in which they are saved. */
export const roundtripStates = ['first', 'second', 'third'] as const;
export type RoundtripStateName = (typeof roundtripStates)[number];

/** What came of a VM that was saved, loaded, saved, loaded and saved. */
export interface Roundtrip {
  readonly verdict: RoundtripDiff['verdict'] | 'refused';
  /** Those that were saved. */
  readonly states: readonly RoundtripState[];
  /** Where no load was refused. */
  readonly diff?: RoundtripDiff;
  readonly refusal?: LoadRefusal;
  /** Options of the command line that were left out. */
  readonly removed: readonly string[];
  /** What does not go as it should, though there is nothing wrong with QEMU. */
  readonly warnings: readonly string[];
}

export interface RoundtripState {
  readonly name: RoundtripStateName;
  /** Of the QEMU that saved it: `10.0.13`, and what its distribution adds. */
  readonly qemu: { readonly version: string; readonly package: string };
  readonly machineType: string | undefined;
  readonly sections: number;
  /** Bytes. */
  readonly size: number;
}

/** A load that came to no good end. */
export interface LoadRefusal {
  /** The state that was not loaded. */
  readonly state: RoundtripStateName;
  /** How QEMU ended, or that it says that the migration failed. */
  readonly message: string;
  /** What QEMU printed. */
  readonly lines: readonly string[];
  /** Codes of the pages that explain such lines, the best first. */
  readonly explained: readonly string[];
  /** What `checkStream` finds for this load, which names devices and fields; undefined where the QEMU has no profile. */
  readonly check?: CheckReport;
}
