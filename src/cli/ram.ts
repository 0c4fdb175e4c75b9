import { Command } from '@commander-js/extra-typings';
import { ramCoreCommand } from './ram-core.ts';

export const ramCommand = new Command('ram').description("the guest's memory").addCommand(ramCoreCommand);
