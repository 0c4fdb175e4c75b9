import type { QemuSchema } from '../schema/qemu-schema.ts';
import type { Monitor } from './monitor.ts';

/** The command that QEMU of every version has for the state of devices; made for Xen, it needs nothing of it. */
export const SAVE_COMMAND = 'xen-save-devices-state';

/** The command was not sent on purpose: the VM is as it was. */
export class NotSent extends Error {}

/** A VM that runs, by whatever its QEMU is reached. */
export interface RunningVm {
  /** What messages call it: its socket, its domain. */
  readonly name: string;
  readonly monitor: Monitor;
  /** The process that it is. Throws Error with the reason where it cannot be looked at. */
  process(): Promise<RunningProcess>;
  /**
   * Makes QEMU write the state of all devices (`xen-save-devices-state` with `live:false`), and takes what it wrote. The
   * VM stands still meanwhile, and goes on by itself. Throws QmpError with QEMU's words, and what reading throws.
   */
  saveDevices(options: SaveOptions): Promise<SavedDevices>;
  close(): Promise<void>;
}

export interface RunningProcess {
  readonly pid: number;
  /** All words that started it. */
  readonly commandLine: readonly string[];
  /** The tables of the very program that runs, also where its file has been replaced since. Throws Error. */
  schema(): Promise<QemuSchema>;
}

export interface SaveOptions {
  /** Called each time that the command has taken as long again as a step may. It cannot be taken back. */
  onWaiting?(milliseconds: number): void;
}

export interface SavedDevices {
  readonly state: Uint8Array;
  /** Milliseconds from sending the command to its answer, behind which the VM runs again. */
  readonly milliseconds: number;
}
