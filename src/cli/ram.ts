import { Command } from '@commander-js/extra-typings';
import { ramReportCommand } from './ram-report.ts';

export const ramCommand = new Command('ram').description(
  'the memory of the guest: what was sent of it, and how often',
);
for (const command of [ramReportCommand]) {
  ramCommand.addCommand(
    command.exitOverride().showHelpAfterError(`(vmwalk ram ${command.name()} --help shows the usage)`),
    { isDefault: command === ramReportCommand },
  );
}
