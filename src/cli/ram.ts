import { Command } from '@commander-js/extra-typings';
import { ramReportCommand } from './ram-report.ts';

export const ramCommand = new Command('ram')
  .description('the memory of the guest: what was sent of it, and how often')
  .usage('[command] [options] <file>')
  .addHelpText(
    'after',
    `
Without a command, FILE is reported on: vmwalk ram report --help shows the options.

Examples:
  vmwalk ram vm.qevm
  vmwalk ram vm.qevm --map vm.svg`,
  );
for (const command of [ramReportCommand]) {
  ramCommand.addCommand(
    command.exitOverride().showHelpAfterError(`(vmwalk ram ${command.name()} --help shows the usage)`),
    { isDefault: command === ramReportCommand },
  );
}
