import { Command } from '@commander-js/extra-typings';
import { listSnapshots, qcow2 } from '../containers/qcow2.ts';
import { snapshotData, snapshotsText } from '../render/snapshots.ts';
import { openWithProgress } from './input.ts';
import { jsonOption, offsetOption } from './options.ts';
import { EXIT_DATA, hasErrors, Output, printDiagnostics, say, toJson } from './output.ts';

export const snapshotsCommand = new Command('snapshots')
  .description('internal snapshots of a qcow2 image, each of which other commands open as FILE#NAME')
  .argument('<file>', 'qcow2 image; - is standard input')
  .addOption(jsonOption())
  .addOption(offsetOption())
  .addHelpText(
    'after',
    `
Examples:
  vmwalk snapshots disk.qcow2
  vmwalk info disk.qcow2#before-upgrade         by its name, or its id
  vmwalk describe --append disk.qcow2#before-upgrade -o new.qevm    as a stream of its own
  vmwalk snapshots --json disk.qcow2 | jq '.[] | select(.vmStateSize > 0) | .name'`,
  )
  .action(async (file, { json, offset }) => {
    const input = await openWithProgress(file, { offset, stopAt: qcow2 });
    try {
      const { snapshots, diagnostics } = await listSnapshots(input.source);
      const output = new Output();
      if (json) await output.line(toJson(snapshots.map(snapshotData)));
      else if (snapshots.length === 0)
        say("the image has no snapshots; 'vmwalk scan FILE' finds states that its list has lost");
      else for (const line of snapshotsText(snapshots)) await output.row(line);
      await output.flush();
      const problems = [...input.diagnostics, ...diagnostics];
      printDiagnostics(input.source.name, problems);
      if (hasErrors(problems)) process.exitCode = EXIT_DATA;
    } finally {
      await input.close();
    }
  });
