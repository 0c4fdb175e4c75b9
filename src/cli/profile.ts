import { Command } from '@commander-js/extra-typings';
import { printable } from '../bytes/printable.ts';
import { checkOutput } from '../node/output.ts';
import { DEFAULT_STEP_LIMIT } from '../node/step-limit.ts';
import { formatSize } from '../render/size.ts';
import { progressLine } from './input.ts';
import { parseSeconds } from './options.ts';
import { say } from './output.ts';

const LOCKED_IMAGE =
  'a running VM uses this image: add snapshot=on,force-share=on to its -drive, which leaves it alone, or give an empty one of the same size';

export const profileCommand = new Command('profile')
  .description('start the command line of a destination, paused, and keep all that is known of it in a file')
  .usage('[options] -- <command...>')
  .argument('<command...>', 'qemu-system-X with its options, as the destination is started')
  .option('-o, --output <file>', 'file to write; standard output without it')
  .option('--timeout <seconds>', 'give up when a step takes longer', parseSeconds, DEFAULT_STEP_LIMIT / 1000)
  .addHelpText(
    'after',
    `
QEMU runs no guest code, loads nothing and is ended afterwards; the file is for vmwalk check --profile, and is a stream
(without RAM) to the other commands. It opens disks as the destination does: of a VM that runs, use a copy.

Examples:
  vmwalk profile -o new-host.profile -- qemu-system-x86_64 -M q35 -m 4G -device virtio-net-pci
  vmwalk profile -o old.profile -- chroot /srv/bullseye qemu-system-x86_64 -M pc-q35-5.2`,
  )
  .action(async (command, { output: file, timeout }) => {
    if (file === undefined && process.stdout.isTTY)
      throw new Error('a profile is compressed and not for a terminal: name a file with -o');
    // Better said before QEMU is started.
    if (file !== undefined) checkOutput(file, 'keep');
    const { captureProfile } = await import('../node/capture-profile.ts');
    const { QemuEnded } = await import('../node/start-qemu.ts');
    const { compressProfile, writeProfileFile } = await import('../node/profile-file.ts');
    let progress: ReturnType<typeof progressLine> | undefined;
    try {
      const { profile, removed, warnings } = await captureProfile(command, {
        timeout: timeout * 1000,
        onProgress(done, total) {
          progress ??= progressLine(total, 'capturing');
          progress.update(done);
        },
      }).finally(() => progress?.clear());
      for (const option of removed) say(`left out ${option}`);
      for (const warning of warnings) say(warning, 'warning');
      if (file === undefined) {
        process.stdout.write(await compressProfile(profile));
        return;
      }
      const size = await writeProfileFile(file, profile);
      const { qemu, machineType, devices } = profile;
      say(`${file}: QEMU ${qemu.version}, ${machineType}, ${devices.length} devices, ${formatSize(size)}`);
    } catch (error) {
      if (error instanceof QemuEnded) {
        for (const line of error.lines) process.stderr.write(`${printable(line)}\n`);
        if (error.lines.some((line) => /Failed to get .*lock/.test(line))) say(LOCKED_IMAGE);
      }
      throw error;
    }
  });
