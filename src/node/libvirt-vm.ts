import { printable } from '../bytes/printable.ts';
import { CommandPrefix } from './command-prefix.ts';
import type { Monitor } from './monitor.ts';
import { findQemu } from './process-elsewhere.ts';
import type { RunningProcess, RunningVm, SavedDevices, SaveOptions } from './running-vm.ts';
import { tellOfWaiting } from './save-command.ts';
import { DEFAULT_STEP_LIMIT, StepLimit } from './step-limit.ts';
import { VirshMonitor } from './virsh-monitor.ts';

export interface LibvirtVmOptions {
  /** URI of libvirt: `qemu:///system`. */
  readonly connect?: string | undefined;
  /** Words in front of each command, with which it runs where the domain is: `ssh HOST`. */
  readonly via?: readonly string[] | undefined;
  /** Milliseconds for each answer. */
  readonly timeout?: number | undefined;
}

/** A domain of libvirt on this host, or where a command in front leads. */
export class LibvirtVm implements RunningVm {
  readonly name: string;
  readonly monitor: Monitor;
  readonly #virsh: VirshMonitor;
  readonly #prefix: CommandPrefix;
  readonly #limit: StepLimit;
  readonly #timeout: number;

  private constructor(
    name: string,
    virsh: VirshMonitor,
    prefix: CommandPrefix,
    limit: StepLimit,
    timeout: number,
  ) {
    this.name = name;
    this.monitor = virsh;
    this.#virsh = virsh;
    this.#prefix = prefix;
    this.#limit = limit;
    this.#timeout = timeout;
  }

  /** A domain by its name, UUID or id. Throws QmpClosed with libvirt's words, or those of the command in front. */
  static async open(domain: string, options: LibvirtVmOptions = {}): Promise<LibvirtVm> {
    const { connect, via = [], timeout = DEFAULT_STEP_LIMIT } = options;
    const name = printable(domain);
    const tooSlow = new AbortController();
    const limit = new StepLimit(timeout, (step) =>
      tooSlow.abort(`${name}: it took longer than ${timeout / 1000} s ${step}`),
    );
    try {
      const step = limit.begin('reaching its host');
      const prefix = await CommandPrefix.of(via, tooSlow.signal).finally(() => step.end());
      const virsh = await VirshMonitor.open(domain, { prefix, connect, limit, signal: tooSlow.signal });
      return new LibvirtVm(name, virsh, prefix, limit, timeout);
    } catch (error) {
      limit.close();
      throw tooSlow.signal.aborted ? new Error(String(tooSlow.signal.reason)) : error;
    }
  }

  process(): Promise<RunningProcess> {
    const { uuid } = this.#virsh;
    const isIt = (words: readonly string[]) => words[words.indexOf('-uuid') + 1] === uuid;
    return findQemu(this.#prefix, uuid, isIt, this.#limit);
  }

  saveDevices(options: SaveOptions): Promise<SavedDevices> {
    return tellOfWaiting(options, this.#timeout, () => this.#virsh.saveByDescriptor());
  }

  async close(): Promise<void> {
    this.#limit.close();
    this.#virsh.giveUp('it is closed');
  }
}
