import { Command } from '@commander-js/extra-typings';
import { ramCoreCommand } from './ram-core.ts';
import { ramExtractCommand } from './ram-extract.ts';
import { ramReportCommand } from './ram-report.ts';

export const ramCommand = new Command('ram')
  .description('the memory of the guest: what was sent of it and how often, or its bytes in files')
  .usage('[command] [options] <file>')
  .addCommand(ramReportCommand, { isDefault: true })
  .addCommand(ramExtractCommand)
  .addCommand(ramCoreCommand)
  .addHelpText(
    'after',
    `
Without a command, FILE is reported on: vmwalk ram report --help shows the options.

Examples:
  vmwalk ram vm.qevm
  vmwalk ram vm.qevm --map vm.svg
  vmwalk ram extract vm.qevm -o ram`,
  );
for (const command of ramCommand.commands)
  command.exitOverride().showHelpAfterError(`(vmwalk ram ${command.name()} --help shows the usage)`);
