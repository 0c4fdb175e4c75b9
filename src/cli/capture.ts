import { statSync } from 'node:fs';
import { Command, Option } from '@commander-js/extra-typings';
import { printable } from '../bytes/printable.ts';
import type { Profile } from '../check/profile.ts';
import type { RunningCapture } from '../node/capture-running.ts';
import { checkOutput } from '../node/output.ts';
import { compressProfile, openProfile, writeProfileFile } from '../node/profile-file.ts';
import { redactProfile } from '../node/redact-profile.ts';
import { openSchema } from '../node/schema-file.ts';
import { takeCapture } from '../node/take-capture.ts';
import { formatSize } from '../render/size.ts';
import { parsePid } from './options.ts';
import { say } from './output.ts';
import {
  adviseForce,
  auditOption,
  connectOption,
  forceOption,
  ringsOption,
  stepLimitOption,
  viaOption,
} from './running-options.ts';

export const captureCommand = new Command('capture')
  .description('take the device state of a VM that runs: it stands still for some milliseconds and goes on')
  .option('--qmp <socket>', 'its monitor: a UNIX socket, or HOST:PORT')
  .option('--libvirt <domain>', 'a domain of libvirt, by its name, UUID or id')
  .addOption(connectOption())
  .addOption(viaOption())
  .option(
    '--from <folder>',
    'what scripts/collect-state.sh has collected of a domain; a capture, to --redact it',
  )
  .option('-o, --output <file>', 'file to write, for its owner only; standard output without it')
  .option('--pid <number>', 'process of its QEMU, where it is not found by its socket', parsePid)
  .addOption(
    new Option('--qemu <binary>', 'its QEMU, in place of the program that the process runs').conflicts(
      'schema',
    ),
  )
  .option('--schema <file>', 'the same from a schema file')
  .addOption(forceOption())
  .addOption(ringsOption())
  .option('--redact', 'take registers of CPUs, queues, buffers and secrets of the command line out of it')
  .option('--dry-run', 'print all commands of the monitor, a line each; those that only ask are sent')
  .addOption(auditOption())
  .addOption(stepLimitOption())
  .addHelpText(
    'after',
    `
--qmp wants a monitor of its QEMU that nobody else uses, as -qmp unix:/run/vm.qmp,server=on,wait=off makes one; --libvirt
goes through that of libvirt.

QEMU stops the VM, writes the state of all devices, and makes it go on: it stands still until all requests of its disks
are done, mostly 2 to 25 ms. Memory is not touched. Refused without --force: a migration, a block job or a dump under way,
what cannot be migrated, vfio, vhost-user and vdpa devices, a VM in an error state, slow requests of disks.

--rings reads, right behind it, where the guest is in the rings of virtqueues, for vmwalk check; of a VM that runs only of
those queues that the device has not gone on with.

The file is a stream to all commands, and the source or the destination of vmwalk check. It has registers of the guest
and the command line of QEMU in it: with --redact they are taken out, for someone else to read it.

Examples:
  vmwalk capture --qmp /run/vm.qmp -o vm.state
  vmwalk capture --qmp /run/vm.qmp --rings -o vm.state
  vmwalk capture --libvirt vm -o vm.state
  vmwalk capture --libvirt vm --via "ssh root@host" -o vm.state
  vmwalk capture --from vm.collected -o vm.state
  vmwalk capture --from vm.state --redact -o for-others.state
  vmwalk capture --qmp localhost:4444 -o vm.state
  vmwalk check vm.state --profile there.profile
  vmwalk capture --qmp /run/vm.qmp --dry-run`,
  )
  .action(async (options) => {
    const { output: file, timeout, dryRun = false, audit, force, from, rings, redact = false } = options;
    if (!dryRun && file === undefined && process.stdout.isTTY)
      throw new Error('a capture is compressed and not for a terminal: name a file with -o');
    if (rings && from !== undefined)
      throw new Error('--rings reads memory of a VM that is there: not with --from');
    // Better said before the VM is stopped.
    if (file !== undefined && !dryRun) checkOutput(file, 'keep');
    if (from !== undefined && statSync(from, { throwIfNoEntry: false })?.isFile()) {
      if (!redact) throw new Error(`${printable(from)} is a file: --redact takes a capture`);
      await write({ profile: await redacted(await openProfile(from)) }, file);
      return;
    }
    const description = options.schema ?? options.qemu;
    const schema = description === undefined ? undefined : await openSchema(description);
    const captured = await takeCapture(
      { ...options, timeout: timeout * 1000 },
      {
        force,
        schema,
        rings,
        audit,
        dryRun,
        onCommand(command, args) {
          if (dryRun) process.stdout.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
        },
        onWarning: (message) => say(message, 'warning'),
      },
    ).catch(adviseForce);
    if (!captured) return;
    await write({ ...captured, profile: redact ? await redacted(captured.profile) : captured.profile }, file);
  });

async function redacted(profile: Profile): Promise<Profile> {
  const { profile: result, bytes, warnings } = await redactProfile(profile);
  for (const warning of warnings) say(warning, 'warning');
  say(`${formatSize(bytes)} of its stream were redacted`);
  return result;
}

async function write(
  { profile, pause, wasRunning }: Pick<RunningCapture, 'profile'> & Partial<RunningCapture>,
  file: string | undefined,
): Promise<void> {
  const stood = wasRunning ? `; it stood still for ${pause?.toFixed(1)} ms at the most` : '; it does not run';
  const how = pause === undefined ? '' : stood;
  const { qemu, machineType, devices } = profile;
  const what = `QEMU ${qemu.version}, ${machineType}, ${devices.length} devices`;
  if (file === undefined) {
    process.stdout.write(await compressProfile(profile));
    say(`${what}${how}`);
    return;
  }
  const size = await writeProfileFile(file, profile);
  say(`${file}: ${what}, ${formatSize(size)}${how}`);
}
