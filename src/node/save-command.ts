import type { Qmp } from './qmp.ts';
import { SAVE_COMMAND, type SaveOptions } from './running-vm.ts';
import type { LimitedStep, StepLimit } from './step-limit.ts';

/** Bytes of a state of devices; 16 MiB is a VM of some hundred devices. */
export const MAX_STATE = 128 << 20;
/** Bytes that are to be left where QEMU writes it: a full disk makes QEMU fail while the VM stands still. */
export const MIN_SPACE = 32 << 20;

/** Tells each time that what is done has taken as long again as a step may (`interval`, milliseconds). */
export async function tellOfWaiting<T>(
  { onWaiting }: SaveOptions,
  interval: number,
  run: (stopTelling: () => void) => Promise<T>,
): Promise<T> {
  const begun = performance.now();
  const waiting = setInterval(() => onWaiting?.(performance.now() - begun), interval);
  try {
    return await run(() => clearInterval(waiting));
  } finally {
    clearInterval(waiting);
  }
}

/** The command that stops the VM, sent over a connection of QMP: it takes as long as it takes, up to RESUME. */
export class SaveCommand {
  readonly #limit: StepLimit;
  readonly #interval: number;
  #onResume: (() => void) | undefined;

  /** `interval`: milliseconds that a step may take. */
  constructor(limit: StepLimit, interval: number) {
    this.#limit = limit;
    this.#interval = interval;
  }

  /** To be called with the name of each event of the connection. */
  onEvent(event: unknown): void {
    if (event === 'RESUME') this.#onResume?.();
  }

  /** Milliseconds up to the answer. Throws what Qmp.executeUnlimited throws. */
  send(qmp: Qmp, filename: string, options: SaveOptions): Promise<number> {
    return tellOfWaiting(options, this.#interval, async (stopTelling) => {
      let answering: LimitedStep | undefined;
      // QEMU says so before its CPUs go on (vm_prepare_start): the pause ends with the answer, behind which they do.
      this.#onResume = () => {
        // Nothing but the answer is waited for.
        stopTelling();
        answering ??= this.#limit.begin(`answering ${SAVE_COMMAND}`);
      };
      const begun = performance.now();
      try {
        await qmp.executeUnlimited(SAVE_COMMAND, { filename, live: false });
        return performance.now() - begun;
      } finally {
        answering?.end();
        this.#onResume = undefined;
      }
    });
  }
}
