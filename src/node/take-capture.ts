import type { QemuSchema } from '../schema/qemu-schema.ts';
import { writeAudit } from './audit-log.ts';
import { captureRunning, type RunningCapture } from './capture-running.ts';
import { withHostLock } from './host-lock.ts';
import { openRunning, type RunningVmAddress } from './open-running.ts';
import { RecordingMonitor } from './recording-monitor.ts';
import { type RunningVm, SAVE_COMMAND } from './running-vm.ts';
import { DEFAULT_STEP_LIMIT } from './step-limit.ts';

export interface TakeCaptureOptions {
  /** Go on where it could hurt; the reasons are warnings then. */
  readonly force?: boolean | undefined;
  /** The tables of its QEMU, in place of those of the program that runs. */
  readonly schema?: QemuSchema | undefined;
  /** A file to which a line of JSON is appended, or `journal`. */
  readonly audit?: string | undefined;
  /** Stop before the command that stops the VM. */
  readonly dryRun?: boolean | undefined;
  /** Called with each command before it is sent. */
  onCommand?(command: string, args: object): void;
  /** Called with each thing that one should know, when it is known. */
  onWarning?(message: string): void;
}

/**
 * Reaches a VM that runs and captures it, one at a time on this host, with a record of what was done. Undefined after a
 * dry run. Throws CaptureRefused where that could hurt it, and what QEMU or who reaches it says.
 */
export function takeCapture(
  address: RunningVmAddress,
  options: TakeCaptureOptions = {},
): Promise<RunningCapture | undefined> {
  const { timeout = DEFAULT_STEP_LIMIT } = address;
  const take = async () => {
    const { force, schema, audit, dryRun = false, onWarning } = options;
    const vm = await openRunning(address);
    const commands = new Map<string, number>();
    const onCommand = (command: string, args: object) => {
      commands.set(command, (commands.get(command) ?? 0) + 1);
      options.onCommand?.(command, args);
    };
    let result: string | undefined;
    let captured: RunningCapture | undefined;
    try {
      captured = await captureRunning(recorded(vm, onCommand, dryRun), {
        force,
        schema,
        ...(onWarning ? { onWarning } : {}),
      });
      result = 'captured';
      return captured;
    } catch (error) {
      if (error instanceof DryRunEnd) return undefined;
      result = (error as Error).message;
      throw error;
    } finally {
      await vm.close();
      if (audit !== undefined && result !== undefined)
        await writeAudit(audit, {
          vm: vm.name,
          commands: Object.fromEntries(commands),
          pause: captured?.pause,
          result,
        });
    }
  };
  // What was collected stands still.
  return address.from === undefined ? withHostLock('vmwalk-capture', timeout, take) : take();
}

/** Before the only command that does something. */
class DryRunEnd extends Error {}

function recorded(
  vm: RunningVm,
  onCommand: (command: string, args: object) => void,
  dryRun: boolean,
): RunningVm {
  return {
    name: vm.name,
    monitor: new RecordingMonitor(vm.monitor, onCommand),
    process: () => vm.process(),
    saveDevices(options) {
      onCommand(SAVE_COMMAND, { filename: '…', live: false });
      if (dryRun) throw new DryRunEnd();
      return vm.saveDevices(options);
    },
    close: () => vm.close(),
  };
}
