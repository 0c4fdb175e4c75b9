import { Command } from '@commander-js/extra-typings';
import { printable } from '../bytes/printable.ts';
import { checkOutputFolder } from '../node/output.ts';
import { DEFAULT_STEP_LIMIT } from '../node/step-limit.ts';
import { WIDE } from '../render/diff-text.ts';
import { roundtripJson } from '../render/roundtrip-json.ts';
import { roundtripMail } from '../render/roundtrip-mail.ts';
import { roundtripText } from '../render/roundtrip-text.ts';
import { progressLine } from './input.ts';
import { bisectOption, jsonOption, mailOption, parseSeconds, qemuWords } from './options.ts';
import { EXIT_OK, EXIT_TROUBLE, Output, say, styleFor, terminalWidth, toJson } from './output.ts';
import { orTrouble } from './trouble.ts';

/** Something is not the same behind a load, or a load was refused. */
const EXIT_DIFFERENT = 1;

export const roundtripCommand = new Command('roundtrip')
  .description('start a VM, save, load and save it again: which fields does a load lose or change?')
  .usage('[options] -- <command...>')
  .argument('<command...>', 'qemu-system-X with its options')
  .option(
    '--through <qemu>',
    'another QEMU (with what starts it in front) that loads what the first one saved, and saves it for that again',
    qemuWords,
  )
  .option('--run <seconds>', 'let the guest run so long before it is stopped and saved', parseSeconds)
  .option('--ram', 'compare RAM, too, page by page')
  .option('--keep <dir>', 'keep the streams there: first.qevm, second.qevm, third.qevm')
  .option('--full', 'shorten nothing')
  .option('--timeout <seconds>', 'give up when a step takes longer', parseSeconds, DEFAULT_STEP_LIMIT / 1000)
  .addOption(bisectOption())
  .addOption(mailOption())
  .addOption(jsonOption())
  .addHelpText(
    'after',
    `
QEMU is started with its CPUs stopped, saves its state, and is ended; the next one loads that, saves it again, and so does
a third. Clocks and the like (vmwalk diff --ignore-volatile) are not compared, and those that differ are listed. A load that
is refused is shown with QEMU's words, and with what vmwalk check finds for it.

Exit status: 0 the same, 1 differences, or a load was refused, 2 usage, I/O, or a QEMU that does not start.

Examples:
  vmwalk roundtrip -- build/qemu-system-x86_64 -M q35 -device e1000e
  vmwalk roundtrip --run 5 -- build/qemu-system-x86_64 -M q35 -device virtio-net-pci
  vmwalk roundtrip --through /usr/bin/qemu-system-x86_64 -- build/qemu-system-x86_64 -M pc-q35-7.2
  vmwalk roundtrip --through 'chroot /srv/trixie qemu-system-x86_64' -- qemu-system-x86_64 -M pc-q35-7.2
  vmwalk roundtrip --bisect --keep streams -- build/qemu-system-aarch64 -M virt -cpu max`,
  )
  .action(async (command, { json, mail, full, keep, timeout, ...options }) => {
    // Better said before QEMU is started.
    if (keep !== undefined) checkOutputFolder(keep, false);
    const { roundtrip } = await import('../node/roundtrip.ts');
    const { QemuEnded } = await import('../node/start-qemu.ts');
    let progress: ReturnType<typeof progressLine> | undefined;
    const trip = await orTrouble(() =>
      roundtrip(command, {
        ...options,
        keep,
        timeout: timeout * 1000,
        onProgress(done, total) {
          progress ??= progressLine(total, 'saving');
          progress.update(done);
        },
      }),
    )
      .catch((error) => {
        if (error instanceof QemuEnded)
          for (const line of error.lines) process.stderr.write(`${printable(line)}\n`);
        throw error;
      })
      .finally(() => progress?.clear());
    const { verdict } = trip;
    // Before it is printed: who reads may stop.
    process.exitCode = verdict === 'same' ? EXIT_OK : verdict === 'undecided' ? EXIT_TROUBLE : EXIT_DIFFERENT;
    for (const option of trip.removed) say(`left out ${option}`);
    for (const warning of trip.warnings) say(warning, 'warning');
    const output = new Output();
    if (json) await output.line(toJson(roundtripJson(trip)));
    else if (mail) for (const line of roundtripMail(trip)) await output.line(line);
    else {
      const width = process.stdout.isTTY ? terminalWidth() : WIDE;
      for (const line of roundtripText(trip, { style: styleFor(process.stdout), width, full: full ?? false }))
        await output.row(line);
    }
    await output.flush();
  });
