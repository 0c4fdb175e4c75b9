import { Command } from '@commander-js/extra-typings';
import { extractStream } from '../node/extract.ts';
import { nodeMemory } from '../node/node-memory.ts';
import { checkOutputFolder } from '../node/output.ts';
import { formatSize } from '../render/size.ts';
import type { Vm } from '../vm/vm.ts';
import { memoryProgress, withVm } from './input.ts';
import {
  channelOption,
  jsonOption,
  noBlobOption,
  offsetOption,
  openKnowledge,
  qemuOption,
  schemaOption,
  strictOption,
} from './options.ts';
import { EXIT_DATA, hasErrors, Output, printDiagnostics, toJson } from './output.ts';
import { enforceStrict } from './strict.ts';

export const extractCommand = new Command('extract')
  .description('write sections, RAM blocks, state.json and desc.json into a folder')
  .argument('<file>', 'migration stream; - is standard input')
  .requiredOption('-o, --output <dir>', 'folder to write into; it is made, or must be empty')
  .option('--force', 'write into a folder that is not empty')
  .addOption(channelOption())
  .addOption(jsonOption())
  .addOption(offsetOption())
  .addOption(qemuOption())
  .addOption(schemaOption())
  .addOption(noBlobOption())
  .addOption(strictOption())
  .addHelpText(
    'after',
    `
DIR/sections/  the bytes of each section but RAM, as the device wrote them
DIR/ram/       each RAMBlock as a sparse file, the last version of every page
DIR/state.json, desc.json  what vmwalk dump --analyze-migration prints
DIR/index.json which file holds what

Examples:
  vmwalk extract vm.qevm -o vm
  vmwalk extract --json vm.qevm -o vm | jq -r '.files[].file'`,
  )
  .action(async (file, { output: folder, force, channel, json, strict, offset, ...knowledge }) => {
    checkOutputFolder(folder, force ?? false);
    const use = async (vm: Vm) => {
      const progress = memoryProgress(vm);
      const extraction = await extractStream(vm, folder, { force, onProgress: progress.add }).finally(
        progress.clear,
      );
      const { files, diagnostics } = extraction;
      const output = new Output();
      if (json) await output.line(toJson(extraction));
      else {
        for (const { file: name, size } of files)
          await output.row(`${formatSize(size).padStart(10)}  ${name}`);
        printDiagnostics(vm.source.name, diagnostics);
      }
      await output.flush();
      enforceStrict(strict, diagnostics);
      if (hasErrors(diagnostics)) process.exitCode = EXIT_DATA;
    };
    const openOptions = { ...(await openKnowledge(knowledge)), memory: nodeMemory() };
    await withVm(file, use, openOptions, { channel, offset });
  });
