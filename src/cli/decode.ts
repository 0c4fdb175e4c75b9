import { Command } from '@commander-js/extra-typings';
import { decodeStream } from '../node/decode.ts';
import { checkOutputFolder } from '../node/output.ts';
import { withVm } from './input.ts';
import {
  channelOption,
  fullScanOption,
  noBlobOption,
  offsetOption,
  openKnowledge,
  qemuOption,
  schemaOption,
  skipRam,
  strictOption,
} from './options.ts';
import { EXIT_DATA, hasErrors, printDiagnostics, say } from './output.ts';
import { enforceStrict } from './strict.ts';

export const decodeCommand = new Command('decode')
  .description(
    'write the device state into a folder as JSON, to be edited, kept in version control and encoded again',
  )
  .argument('<file>', 'migration stream; - is standard input')
  .requiredOption('-o, --output <dir>', 'folder to write into; it is made, or must be empty')
  .option('--force', 'write into a folder that is not empty')
  .addOption(channelOption())
  .addOption(offsetOption())
  .addOption(fullScanOption())
  .addOption(qemuOption())
  .addOption(schemaOption())
  .addOption(noBlobOption())
  .addOption(strictOption())
  .addHelpText(
    'after',
    `
DIR/manifest.json       what the stream consists of, and the hash of its device state
DIR/configuration.json  machine type and capabilities
DIR/sections/           a file for each section but RAM: a line for each field

Examples:
  vmwalk decode vm.qevm -o vm
  vmwalk encode vm --base vm.qevm -o new.qevm
  vmwalk decode other.qevm -o other && diff -ru vm other`,
  )
  .action(async (file, { output: folder, force, channel, strict, offset, fullScan, ...knowledge }) => {
    checkOutputFolder(folder, force ?? false);
    const openOptions = { ...(await openKnowledge(knowledge)), ...skipRam({ fullScan, offset }) };
    await withVm(
      file,
      async (vm) => {
        enforceStrict(strict, vm.diagnostics);
        const { files, diagnostics } = await decodeStream(vm, folder, { force });
        printDiagnostics(vm.source.name, diagnostics);
        say(`${folder}: ${files.length} files`);
        if (hasErrors(diagnostics)) process.exitCode = EXIT_DATA;
      },
      openOptions,
      { channel, offset },
    );
  });
