import { Command } from '@commander-js/extra-typings';
import { printable } from '../bytes/printable.ts';
import { extractRam } from '../node/extract-ram.ts';
import { nodeMemory } from '../node/node-memory.ts';
import { checkOutputFolder } from '../node/output.ts';
import { formatSize } from '../render/size.ts';
import type { Vm } from '../vm/vm.ts';
import { memoryProgress, withVm } from './input.ts';
import { channelOption, jsonOption, offsetOption, spoolOption, strictOption } from './options.ts';
import { EXIT_DATA, hasErrors, Output, printDiagnostics, toJson } from './output.ts';
import { enforceStrict } from './strict.ts';

export const ramExtractCommand = new Command('extract')
  .description('write each RAMBlock as a sparse file, with the last version of every page')
  .argument('<file>', 'migration stream; - is standard input')
  .requiredOption('-o, --output <dir>', 'folder to write into; it is made, or must be empty')
  .option('--force', 'write into a folder that is not empty')
  .addOption(channelOption())
  .addOption(spoolOption())
  .addOption(offsetOption())
  .addOption(jsonOption())
  .addOption(strictOption())
  .addHelpText(
    'after',
    `
DIR/NAME.bin    the bytes of a RAMBlock; holes are zeros
DIR/index.json  which file is which RAMBlock
Files get their names when all are complete. A RAMBlock of which the stream has no page gets none.

Examples:
  vmwalk ram extract vm.qevm -o ram
  vmwalk ram extract multifd.qevm --channel multifd.ch* -o ram`,
  )
  .action(async (file, { output: folder, force, channel, spool, offset, json, strict }) => {
    checkOutputFolder(folder, force ?? false);
    const use = async (vm: Vm) => {
      const progress = memoryProgress(vm);
      const extraction = await extractRam(vm, folder, { force, onProgress: progress.add }).finally(
        progress.clear,
      );
      const { blocks, diagnostics } = extraction;
      const output = new Output();
      if (json) await output.line(toJson(extraction));
      else {
        for (const { idstr, file: name, size: length } of blocks) {
          if (name !== undefined)
            await output.row(`${formatSize(length).padStart(10)}  ${name}  ${printable(idstr)}`);
        }
        printDiagnostics(vm.source.name, diagnostics);
      }
      await output.flush();
      enforceStrict(strict, diagnostics);
      if (hasErrors(diagnostics)) process.exitCode = EXIT_DATA;
    };
    // The device state is not asked for.
    const openOptions = { schemas: undefined, memory: nodeMemory(spool) };
    await withVm(file, use, openOptions, { channel, offset });
  });
