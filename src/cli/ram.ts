import { Command } from '@commander-js/extra-typings';
import { ramCoreCommand } from './ram-core.ts';
import { ramExtractCommand } from './ram-extract.ts';

export const ramCommand = new Command('ram')
  .description("the guest's memory: write it into files")
  .addCommand(ramExtractCommand)
  .addCommand(ramCoreCommand);
