import { setTimeout as sleep } from 'node:timers/promises';
import { memorySource } from '../bytes/source.ts';
import { knowledgeOfCapture } from '../check/capture.ts';
import { openVm, type Vm } from '../vm/vm.ts';
import { prepareCapture } from './capture-running.ts';
import type { RunningVmAddress } from './open-running.ts';
import { packagedSchemas } from './packaged-schemas.ts';
import { type TakeCaptureOptions, withRunning } from './take-capture.ts';

export interface WatchOptions extends Omit<TakeCaptureOptions, 'rings' | 'dryRun'> {
  /** Milliseconds between two samples. */
  readonly interval: number;
  /** Samples; without end where it is left out. */
  readonly count?: number | undefined;
}

/** A VM that runs, at one time. */
export interface Sample {
  readonly time: Date;
  /** Milliseconds that the VM stood still for it, at the most. */
  readonly pause: number;
  readonly vm: Vm;
}

/**
 * Captures a VM that runs, again and again; what does not change of it is asked once. Throws as `takeCapture` does, and
 * what `onSample` throws.
 */
export async function watchRunning(
  address: RunningVmAddress,
  options: WatchOptions,
  onSample: (sample: Sample) => void | Promise<void>,
): Promise<void> {
  const { interval, count = Number.POSITIVE_INFINITY } = options;
  await withRunning(address, options, async (vm) => {
    const prepared = await prepareCapture(vm, options);
    let knowledge: ReturnType<typeof knowledgeOfCapture> | undefined;
    for (let taken = 0; taken < count; taken++) {
      if (taken > 0) await sleep(interval);
      const { profile, pause } = await prepared.take();
      const time = new Date();
      // The tables are the same each time.
      knowledge ??= knowledgeOfCapture(profile);
      const source = memorySource(profile.stream, vm.name);
      await onSample({ time, pause, vm: await openVm(source, { schemas: packagedSchemas, ...knowledge }) });
    }
  });
}
