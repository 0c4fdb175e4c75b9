import { badArgument } from '../bytes/diagnostic.ts';
import { LibvirtVm } from './libvirt-vm.ts';
import { QmpElsewhere } from './qmp-elsewhere.ts';
import { QmpVm } from './qmp-vm.ts';
import { RecordedVm } from './recorded-vm.ts';
import type { RunningVm } from './running-vm.ts';

/** How a VM that runs is reached: by `qmp` or `libvirt`; or a folder with what was collected of one. */
export interface RunningVmAddress {
  /** PATH, `unix:PATH`, `HOST:PORT` or `tcp:HOST:PORT` of QEMU's machine protocol. */
  readonly qmp?: string | undefined;
  /** Process of its QEMU, where it is not found by its socket. */
  readonly pid?: number | undefined;
  /** A domain by its name, UUID or id. */
  readonly libvirt?: string | undefined;
  /** URI of libvirt: `qemu:///system`. */
  readonly connect?: string | undefined;
  /** Words in front of each command, with which it runs where the VM is: `ssh HOST`. */
  readonly via?: readonly string[] | undefined;
  /** A folder that scripts/collect-state.sh has written. */
  readonly from?: string | undefined;
  /** Milliseconds for each answer. */
  readonly timeout?: number | undefined;
}

/** Reaches a VM that runs. Throws DecodeError `bad-argument`, and why it is not reached. */
export async function openRunning(address: RunningVmAddress): Promise<RunningVm> {
  const { qmp, libvirt, from, pid, connect, via, timeout } = address;
  if ([qmp, libvirt, from].filter((given) => given !== undefined).length !== 1)
    throw badArgument('one of --qmp, --libvirt and --from says which VM');
  if (pid !== undefined && qmp === undefined)
    throw badArgument('--pid is for --qmp: else the process is known');
  if (libvirt !== undefined) return LibvirtVm.open(libvirt, { connect, via, timeout });
  if (connect !== undefined) throw badArgument('--connect is for --libvirt');
  if (from === undefined)
    return via === undefined
      ? QmpVm.connect(qmp!, { timeout, pid })
      : QmpElsewhere.connect(qmp!, via, { timeout, pid });
  if (via !== undefined) throw badArgument('--via is for --libvirt and --qmp');
  return RecordedVm.open(from);
}
