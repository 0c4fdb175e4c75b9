import { Command, Option } from '@commander-js/extra-typings';
import { compareSides } from '../compat/compat.ts';
import { directions } from '../compat/direction.ts';
import { compatRanks } from '../compat/rules.ts';
import { vmsdOutlines } from '../compat/vmsd-outline.ts';
import { openSide } from '../node/compat-side.ts';
import { changesOnWire, compatMail } from '../render/compat-mail.ts';
import { compatText } from '../render/compat-text.ts';
import { bisectOption, collect, jsonOption, mailOption } from './options.ts';
import { EXIT_DATA, EXIT_TROUBLE, Output, say, styleFor, terminalWidth, toJson } from './output.ts';
import { orTrouble } from './trouble.ts';

const SIDE =
  'QEMU binary (not run without --run), schema file, file of -dump-vmstate, or built-in schema such as 7.2-x86_64';

export const compatCommand = new Command('compat')
  .description(
    'compare the device state of two QEMU builds: what would break when a VM migrates between them',
  )
  .argument('<old>', SIDE)
  .argument('<new>', 'the same, of the other one; kinds may be mixed')
  .addOption(new Option('--direction <direction>', 'one way only; both without it').choices(directions))
  .option('--only <glob>', 'only devices (VMSD or QOM type) that match; repeatable', collect)
  .option('--ignore <glob>', 'without devices that match; repeatable', collect)
  .option(
    '--machine <type...>',
    'what VMs of these machine types have, or of those that match a glob such as "pc-q35-*"',
  )
  .option(
    '--run',
    'start the binaries with "-M none" to ask what their machine types set (QEMU 9.1 and later)',
  )
  .option('--all', 'show cosmetic differences, too: other names and types on the same bytes')
  .addOption(
    new Option('--fail-on <rank>', 'the least rank of findings that gives exit status 1')
      .choices(compatRanks)
      .default('certain' as const),
  )
  .addOption(mailOption())
  .addOption(bisectOption())
  .addOption(jsonOption())
  .addHelpText(
    'after',
    `
What OLD would write for each device is compared with how NEW would read it, and the other way round. A finding breaks
for certain (whenever the VM has the device), or under a condition, which is shown, or is cosmetic.

Machine types set properties so that VMs of an older one have what an older QEMU sent. With --machine conditions that hang
on those are decided: a field that such a VM does not send is no break. Without it a table at the end counts, for all
machine types that both builds have, what breaks, what may, and what the machine type keeps from breaking (gated).

Exit status: 0 no certain break (see --fail-on), 1 some, 2 usage, I/O, or selectors that pick nothing.

Examples:
  vmwalk compat /usr/bin/qemu-system-x86_64 ./build/qemu-system-x86_64
  vmwalk compat 7.2-x86_64 10.0-x86_64 --direction old-to-new
  vmwalk compat 10.0-x86_64 ./build/qemu-system-x86_64 --machine pc-q35-9.2 pc-i440fx-9.2
  vmwalk compat 10.0-x86_64 ./build/qemu-system-x86_64 --machine 'pc-q35-*' --fail-on conditional
  vmwalk compat --mail build-master/qemu-system-x86_64 build/qemu-system-x86_64     for below --- of a patch
  vmwalk compat old-dump.json new-dump.json --only 'virtio*' --all
  vmwalk compat 7.2-aarch64 q.json.gz --json | jq -r '.findings[] | select(.rank == "certain") | .vmsd'`,
  )
  .action(async (oldName, newName, { json, mail, all, failOn, machine: machines, run, ...options }) => {
    const { sides, report } = await orTrouble(async () => {
      const opened = [await openSide(oldName, { run }), await openSide(newName, { run })] as const;
      return { sides: opened, report: compareSides(...opened, { ...options, machines }) };
    });
    if (report.compared + report.findings.length === 0 && (options.only ?? options.ignore)) {
      say('nothing matches --only and --ignore');
      process.exitCode = EXIT_TROUBLE;
    }
    const failing = compatRanks.slice(0, compatRanks.indexOf(failOn) + 1);
    // Before it is printed: who reads may stop.
    if (report.findings.some(({ rank }) => failing.includes(rank))) process.exitCode = EXIT_DATA;
    const output = new Output();
    if (json) await output.line(toJson(report));
    else if (mail) {
      const names = new Set(changesOnWire(report).map(({ vmsd }) => vmsd));
      for (const line of compatMail(report, vmsdOutlines(...sides, names))) await output.line(line);
    } else {
      const view = { style: styleFor(process.stdout), width: terminalWidth(), all: all ?? false };
      for (const line of compatText(report, view)) await output.row(line);
    }
    await output.flush();
  });
