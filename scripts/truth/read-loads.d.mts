/** A virtual machine: QEMU's version and target, its command line, and what happens before it is migrated or loads. */
export interface LoadMachine {
  readonly version: string;
  readonly target: string;
  readonly args: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly capabilities?: readonly string[];
  readonly setup?: readonly unknown[];
  readonly runMs?: number;
}

/** What a real QEMU made of a stream. */
export interface RecordedLoad {
  readonly id: string;
  /** Name of the devices. */
  readonly set: string;
  /** What is different at the destination or damaged; `same` and `version` where nothing is. */
  readonly kind: string;
  /** Whether the stream was changed behind the source's back. */
  readonly isDamaged: boolean;
  readonly source: LoadMachine;
  readonly destination: LoadMachine;
  readonly loaded: boolean;
  /** Lines that the destination printed, but not without a stream. */
  readonly words: readonly string[];
  /** Exit status or signal of a destination that did not load, or `no end`. */
  readonly end?: string;
  readonly streamName: string;
  readonly profileName: string;
  /** What was loaded. */
  stream(): Uint8Array;
  /** The state of the destination when it has loaded nothing. */
  profile(): Uint8Array;
}

export function readLoads(folder: string): RecordedLoad[];
