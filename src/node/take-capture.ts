import { openAudit, type WriteAudit } from './audit-log.ts';
import {
  CaptureRefused,
  captureRunning,
  type RunningCapture,
  type RunningCaptureOptions,
} from './capture-running.ts';
import { withHostLock } from './host-lock.ts';
import { openRunning, type RunningVmAddress } from './open-running.ts';
import { RING_QUESTIONS } from './read-rings.ts';
import { RecordingMonitor } from './recording-monitor.ts';
import { NotSent, type RunningVm, SAVE_COMMAND } from './running-vm.ts';
import { DEFAULT_STEP_LIMIT } from './step-limit.ts';

/** Of all that capture on this host. */
const LOCK = 'vmwalk-capture';

export interface TakeCaptureOptions extends RunningCaptureOptions {
  /** A file to which a line of JSON is appended, or `journal`. */
  readonly audit?: string | undefined;
  /** Stop before the command that stops the VM. */
  readonly dryRun?: boolean | undefined;
  /** Called with each command before it is sent. */
  onCommand?(command: string, args: object): void;
}

/**
 * Reaches a VM that runs and captures it, one at a time on this host, with a record of what was done. Undefined after a
 * dry run. Throws CaptureRefused where that could hurt it, and what QEMU or who reaches it says.
 */
export function takeCapture(
  address: RunningVmAddress,
  options: TakeCaptureOptions = {},
): Promise<RunningCapture | undefined> {
  return withRunning(address, options, (vm) => captureRunning(vm, options));
}

/** Does something with a VM that runs, likewise. Undefined after a dry run. Throws what it throws. */
export async function withRunning<T>(
  address: RunningVmAddress,
  options: TakeCaptureOptions,
  use: (vm: RunningVm) => Promise<T>,
): Promise<T | undefined> {
  const { timeout = DEFAULT_STEP_LIMIT } = address;
  const { audit, dryRun = false } = options;
  const vm = await openRunning(address);
  const commands = new Map<string, number>();
  let pause: number | undefined;
  const onCommand = (command: string, args: object) => {
    commands.set(command, (commands.get(command) ?? 0) + 1);
    options.onCommand?.(command, args);
  };
  const recorded: RunningVm = {
    name: vm.name,
    monitor: new RecordingMonitor(vm.monitor, onCommand),
    process: () => vm.process(),
    async saveDevices(how) {
      onCommand(SAVE_COMMAND, { filename: '…', live: false });
      if (dryRun) {
        // Where the rings are is in the state.
        if (options.rings) for (const [command, args] of RING_QUESTIONS) onCommand(command, args);
        throw new NotSent();
      }
      const save = () => vm.saveDevices(how);
      // What was collected stands still.
      const saved = await (address.from === undefined ? withHostLock(LOCK, timeout, save) : save());
      pause = Math.max(pause ?? 0, saved.milliseconds);
      return saved;
    },
    close: () => vm.close(),
  };
  let writeAudit: WriteAudit | undefined;
  let result = '';
  try {
    // That it cannot be written is better said before the VM is stopped.
    if (audit !== undefined && !dryRun) writeAudit = await openAudit(audit);
    const done = await use(recorded);
    result = 'captured';
    return done;
  } catch (error) {
    if (error instanceof NotSent) return undefined;
    const named = withName(error as Error, vm.name);
    result = named.message;
    throw named;
  } finally {
    await vm.close();
    await writeAudit?.({ vm: vm.name, commands: Object.fromEntries(commands), pause, result });
  }
}

/** An error that says which VM it is about. */
function withName(error: Error, name: string): Error {
  if (error instanceof CaptureRefused || error.message.startsWith(`${name}: `)) return error;
  return new Error(`${name}: ${error.message}`, { cause: error });
}
