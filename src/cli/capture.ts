import { Command, Option } from '@commander-js/extra-typings';
import { writeAudit } from '../node/audit-log.ts';
import { CaptureRefused, captureRunning, type RunningCapture } from '../node/capture-running.ts';
import { withHostLock } from '../node/host-lock.ts';
import { checkOutput } from '../node/output.ts';
import { compressProfile, writeProfileFile } from '../node/profile-file.ts';
import { RecordingMonitor } from '../node/recording-monitor.ts';
import { type RunningVm, SAVE_COMMAND } from '../node/running-vm.ts';
import { openSchema } from '../node/schema-file.ts';
import { formatSize } from '../render/size.ts';
import { parsePid, parseSeconds, splitWords } from './options.ts';
import { say } from './output.ts';

/** Seconds for each step: what a busy host takes. */
const STEP_LIMIT = 20;

export const captureCommand = new Command('capture')
  .description('take the device state of a VM that runs: it stands still for some milliseconds and goes on')
  .option('--qmp <socket>', 'its monitor: a UNIX socket, or HOST:PORT')
  .option('--libvirt <domain>', 'a domain of libvirt, by its name, UUID or id')
  .option('--connect <uri>', 'libvirt to ask: qemu:///system; the one that virsh takes without it')
  .option('--via <command>', 'words in front of all commands: "ssh HOST"', splitWords)
  .option('--from <folder>', 'what scripts/collect-state.sh has collected of a domain')
  .option('-o, --output <file>', 'file to write, for its owner only; standard output without it')
  .option('--pid <number>', 'process of its QEMU, where it is not found by its socket', parsePid)
  .addOption(
    new Option('--qemu <binary>', 'its QEMU, in place of the program that the process runs').conflicts(
      'schema',
    ),
  )
  .option('--schema <file>', 'the same from a schema file')
  .option('--force', 'also where it could hurt: what stands against it is a warning then')
  .option('--dry-run', 'print all commands of the monitor, a line each; those that only ask are sent')
  .option(
    '--audit <file>',
    'append a line of JSON: who, which commands, pause, result; "journal" is the journal',
  )
  .option('--timeout <seconds>', 'give up when a step takes longer', parseSeconds, STEP_LIMIT)
  .addHelpText(
    'after',
    `
QEMU stops the VM, writes the state of all devices, and makes it go on: it stands still until all requests of its disks
are done, mostly 2 to 25 ms. Memory is not touched. Refused without --force: a migration, a block job or a dump under way,
what cannot be migrated, vfio, vhost-user and vdpa devices, a VM in an error state, slow requests of disks.

The file is a stream to all commands, and the source or the destination of vmwalk check. It has registers of the guest
and the command line of QEMU in it.

Examples:
  vmwalk capture --qmp /run/vm.qmp -o vm.state
  vmwalk capture --libvirt vm -o vm.state
  vmwalk capture --libvirt vm --via "ssh root@host" -o vm.state
  vmwalk capture --from vm.collected -o vm.state
  vmwalk capture --qmp localhost:4444 --pid "$(pidof qemu-system-x86_64)" -o vm.state
  vmwalk check vm.state --profile there.profile
  vmwalk capture --qmp /run/vm.qmp --dry-run`,
  )
  .action(async (options) => {
    const { output: file, timeout, dryRun = false, audit, force } = options;
    if (!dryRun && file === undefined && process.stdout.isTTY)
      throw new Error('a capture is compressed and not for a terminal: name a file with -o');
    // Better said before the VM is stopped.
    if (file !== undefined && !dryRun) checkOutput(file, 'keep');
    const description = options.schema ?? options.qemu;
    const schema = description === undefined ? undefined : await openSchema(description);
    const { openRunning } = await import('../node/open-running.ts');
    await withHostLock('vmwalk-capture', timeout * 1000, async () => {
      const vm = await openRunning({ ...options, timeout: timeout * 1000 });
      const commands = new Map<string, number>();
      const onCommand = (command: string, args: object) => {
        commands.set(command, (commands.get(command) ?? 0) + 1);
        if (dryRun) process.stdout.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
      };
      let result: string | undefined;
      let captured: RunningCapture | undefined;
      try {
        captured = await captureRunning(recorded(vm, onCommand, dryRun), {
          force,
          schema,
          onWarning: (message) => say(message, 'warning'),
        });
        result = 'captured';
      } catch (error) {
        if (error instanceof DryRunEnd) return;
        result = (error as Error).message;
        if (error instanceof CaptureRefused) throw new Error(`${result} (--force captures it all the same)`);
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
      await write(captured, file);
    });
  });

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

async function write(
  { profile, pause, wasRunning }: RunningCapture,
  file: string | undefined,
): Promise<void> {
  const stood = wasRunning ? `it stood still for ${pause.toFixed(1)} ms at the most` : 'it does not run';
  const { qemu, machineType, devices } = profile;
  const what = `QEMU ${qemu.version}, ${machineType}, ${devices.length} devices`;
  if (file === undefined) {
    process.stdout.write(await compressProfile(profile));
    say(`${what}; ${stood}`);
    return;
  }
  const size = await writeProfileFile(file, profile);
  say(`${file}: ${what}, ${formatSize(size)}; ${stood}`);
}
