import { memorySource } from '../bytes/source.ts';
import { isDeviceState } from '../check/configuration.ts';
import type { Profile, ProfileRings } from '../check/profile.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { openVm } from '../vm/vm.ts';
import { askDestination, checkedAnswers } from './ask-destination.ts';
import {
  askRunState,
  reasonsOfActivity,
  reasonsOfDevices,
  reasonsOfDisks,
  SUSPENDED,
} from './capture-guards.ts';
import { processFacts } from './facts-of-running.ts';
import type { Monitor } from './monitor.ts';
import { QmpClosed } from './qmp.ts';
import { readRings } from './read-rings.ts';
import { NotSent, type RunningVm, type SavedDevices } from './running-vm.ts';

export interface RunningCaptureOptions {
  /** Go on where it could hurt; the reasons are warnings then. */
  readonly force?: boolean | undefined;
  /** The tables of its QEMU, where those of the running program are not to be had or not wanted. */
  readonly schema?: QemuSchema | undefined;
  /** Read, behind the capture, how far the guest is with its virtqueues: two bytes of each ring, in its memory. */
  readonly rings?: boolean | undefined;
  /** Called with each thing that one should know, when it is known. */
  onWarning?(message: string): void;
}

export interface RunningCapture {
  readonly profile: Profile;
  /** How long the VM stood still at the most, in milliseconds; 0 where it did not run. */
  readonly pause: number;
  /** Whether the VM ran before. */
  readonly wasRunning: boolean;
}

/** The VM had better not be captured now; each reason is a line. */
export class CaptureRefused extends Error {
  readonly reasons: readonly string[];

  constructor(name: string, reasons: readonly string[]) {
    super(`${name}: not captured, as ${reasons.join('; ')}`);
    this.reasons = reasons;
  }
}

/** A VM of which all is known but its state. */
export interface PreparedCapture {
  /** Takes the state of all devices: as often as is wanted. Throws CaptureRefused, and what QEMU says. */
  take(): Promise<RunningCapture>;
}

/**
 * Takes the state of all devices of a VM that runs, or is paused, and all that is known of it. The VM stands still while
 * QEMU writes, and goes on. Throws CaptureRefused where that could hurt it, and what QEMU says.
 */
export async function captureRunning(
  vm: RunningVm,
  options: RunningCaptureOptions = {},
): Promise<RunningCapture> {
  return (await prepareCapture(vm, options)).take();
}

/** Asks all that a capture has beside the state. Throws as `captureRunning` does. */
export async function prepareCapture(
  vm: RunningVm,
  options: RunningCaptureOptions = {},
): Promise<PreparedCapture> {
  const { monitor, name } = vm;
  const warn = options.onWarning ?? (() => {});
  const warned = new Set<string>();
  const refuse = (reasons: readonly string[]) => {
    if (reasons.length === 0) return;
    if (!options.force || reasons.includes(SUSPENDED)) throw new CaptureRefused(name, reasons);
    for (const reason of reasons) {
      if (!warned.has(reason)) warn(`${name}: ${reason}`);
      warned.add(reason);
    }
  };
  refuse(await reasonsOfActivity(monitor));
  const answers = checkedAnswers(await askDestination(monitor, { isRunning: true }));
  refuse(await reasonsOfDevices(monitor, answers.devices));
  const facts = await processFacts(vm, answers, options.schema, warn);
  return {
    async take() {
      // What is asked of it takes seconds: it may do something else by now.
      refuse([...(await reasonsOfActivity(monitor)), ...(await reasonsOfDisks(monitor, answers.devices))]);
      const wasRunning = (await askRunState(monitor)) === 'running';
      const saved = await save(vm, wasRunning, warn);
      await checkState(saved.state, name);
      const captured: Profile = { ...answers, ...facts, kind: 'capture', messages: [], stream: saved.state };
      const rings = options.rings ? await ringsOf(vm, captured, wasRunning, warn) : undefined;
      const profile: Profile = rings ? { ...captured, rings } : captured;
      return { profile, pause: wasRunning ? saved.milliseconds : 0, wasRunning };
    },
  };
}

/** The state is taken: what goes wrong with the rings is a warning. */
function ringsOf(
  { monitor, name }: RunningVm,
  captured: Profile,
  wasRunning: boolean,
  warn: (message: string) => void,
): Promise<ProfileRings | undefined> {
  return readRings(monitor, captured, wasRunning).catch((error: Error) => {
    warn(`${name}: the rings of its virtqueues are not in the capture: ${error.message}`);
    return undefined;
  });
}

async function save(
  vm: RunningVm,
  wasRunning: boolean,
  warn: (message: string) => void,
): Promise<SavedDevices> {
  let saved: SavedDevices;
  try {
    saved = await vm.saveDevices({
      onWaiting(milliseconds) {
        warn(
          `${vm.name}: QEMU has not answered for ${Math.round(milliseconds / 1000)} s: the VM stands still until all requests of its disks are done, and goes on then`,
        );
      },
    });
  } catch (error) {
    // Whatever went wrong, the VM may stand still.
    if (wasRunning && !(error instanceof NotSent))
      await ensureRunning(vm.monitor, vm.name, warn).catch((problem: Error) => {
        // There is no asking where the connection is gone.
        if (!(problem instanceof QmpClosed)) warn(`${vm.name}: ${problem.message}`);
      });
    throw error;
  }
  if (wasRunning) await ensureRunning(vm.monitor, vm.name, warn);
  return saved;
}

/** QEMU makes the VM go on by itself; where it has not, it is told to. */
async function ensureRunning(monitor: Monitor, name: string, warn: (message: string) => void): Promise<void> {
  if ((await askRunState(monitor)) !== 'save-vm') return;
  warn(`${name}: QEMU did not make the VM go on: it was told to (cont)`);
  await monitor.execute('cont');
}

/** Throws Error where QEMU wrote something else, or not all. */
async function checkState(state: Uint8Array, name: string): Promise<void> {
  const { stream } = await openVm(memorySource(state, `what QEMU wrote of ${name}`));
  if (!isDeviceState(stream) || !stream.records.some(({ kind }) => kind === 'eof'))
    throw new Error(`${name}: what QEMU wrote is not the whole state of its devices`);
}
